/* Double precision: matrix products and a relaxation with square roots and quotients. Argument: rounds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#define N 64
static double a[N][N], b[N][N], c[N][N];

static void multiply(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      double sum = c[i][j] * 0.5;
      for (int k = 0; k < N; k++) sum += a[i][k] * b[k][j];
      c[i][j] = sum;
    }
}

static void relax(void) {
  for (int i = 1; i < N - 1; i++)
    for (int j = 1; j < N - 1; j++) {
      double mean = (c[i - 1][j] + c[i + 1][j] + c[i][j - 1] + c[i][j + 1]) * 0.25;
      a[i][j] = mean / sqrt(1.0 + mean * mean);
    }
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 20;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      a[i][j] = 1.0 / (i + j + 1);
      b[i][j] = (i * 3 + j) % 7 - 2.5;
    }
  for (int round = 0; round < rounds; round++) {
    multiply();
    relax();
  }
  double sum = 0;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) sum += c[i][j];
  printf("%.15g\n", sum);
  return 0;
}
