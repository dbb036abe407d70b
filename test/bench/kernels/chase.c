/* Pointer chasing: a ring of nodes in random order in memory (1.2 MB). Argument: times around. */
#include <stdio.h>
#include <stdlib.h>
struct node {
  struct node *next;
  long value, spare;
};

int main(int argc, char **argv) {
  enum { N = 50000 };
  int times = argc > 1 ? atoi(argv[1]) : 20;
  struct node *nodes = malloc(N * sizeof *nodes);
  int *order = malloc(N * sizeof *order);
  unsigned random = 1;
  for (int i = 0; i < N; i++) order[i] = i;
  for (int i = N - 1; i > 0; i--) {
    random = random * 1103515245u + 12345u;
    int j = (random >> 8) % (i + 1), other = order[i];
    order[i] = order[j];
    order[j] = other;
  }
  for (int i = 0; i < N; i++) {
    nodes[order[i]].next = &nodes[order[(i + 1) % N]];
    nodes[order[i]].value = i * 7;
  }
  long sum = 0;
  const struct node *at = nodes;
  for (long step = 0; step < (long)times * N; step++) {
    sum += at->value ^ step;
    at = at->next;
  }
  printf("%ld\n", sum);
  return 0;
}
