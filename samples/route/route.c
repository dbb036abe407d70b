/*
 * Cheapest ways through a map of characters, from S to each of the goals A to Z, with Dijkstra's method on a binary heap:
 * pointer-free data structures, loads that depend on loads, branches that depend on data. Prints the way to the farthest
 * goal. Input: the map; '#' is a wall, a digit costs that much to enter, everything else costs 1. Its rounds are repeated
 * with rising costs of the digits.
 */
#include "runtime.h"

enum { WIDE = 128, HIGH = 128, FAR = 1 << 30 };

static char map[HIGH][WIDE];
static int width, height;
static int32_t best[HIGH * WIDE], came[HIGH * WIDE], slot[HIGH * WIDE];
static int32_t heap[HIGH * WIDE];
static int heap_count;

static int entry_cost(int place, int factor) {
  char c = map[place / WIDE][place % WIDE];
  if (c == '#' || c == 0) return FAR;
  if (c >= '0' && c <= '9') return 1 + (c - '0') * factor;
  return 1;
}

static void set(int at, int place) {
  heap[at] = place;
  slot[place] = at;
}

static void rise(int at) {
  int place = heap[at];
  while (at > 0) {
    int parent = (at - 1) / 2;
    if (best[heap[parent]] <= best[place]) break;
    set(at, heap[parent]);
    at = parent;
  }
  set(at, place);
}

static int take(void) {
  int top = heap[0], moved = heap[--heap_count], at = 0;
  slot[top] = -1;
  if (heap_count == 0) return top;
  for (;;) {
    int child = 2 * at + 1;
    if (child >= heap_count) break;
    if (child + 1 < heap_count && best[heap[child + 1]] < best[heap[child]]) child++;
    if (best[moved] <= best[heap[child]]) break;
    set(at, heap[child]);
    at = child;
  }
  set(at, moved);
  return top;
}

static int search(int start, int factor) {
  static const int steps[] = {-WIDE, 1, WIDE, -1};
  int visited = 0;
  for (int i = 0; i < HIGH * WIDE; i++) {
    best[i] = FAR;
    came[i] = slot[i] = -1;
  }
  best[start] = 0;
  heap_count = 1;
  set(0, start);
  while (heap_count > 0) {
    int place = take();
    visited++;
    for (int s = 0; s < 4; s++) {
      int next = place + steps[s];
      if (next < 0 || next >= HIGH * WIDE) continue;
      int cost = entry_cost(next, factor);
      if (cost == FAR || best[place] + cost >= best[next]) continue;
      best[next] = best[place] + cost;
      came[next] = place;
      if (slot[next] < 0) set(heap_count++, next);
      rise(slot[next]);
    }
  }
  return visited;
}

int main(void) {
  int start = -1, c;
  height = 1;
  for (int column = 0; (c = get_byte()) >= 0;) {
    if (c == '\n') {
      column = 0;
      if (height++ == HIGH) return 1;
      continue;
    }
    if (column == WIDE - 1) return 1;
    if (c == 'S') start = (height - 1) * WIDE + column;
    map[height - 1][column++] = (char)c;
    if (column > width) width = column;
  }
  if (start < 0) return 1;
  int farthest = start;
  for (int factor = 0; factor <= 3; factor++) {
    int visited = search(start, factor);
    put_text("factor ");
    put_integer(factor);
    put_text(", visited ");
    put_integer(visited);
    farthest = start;
    for (int goal = 'A'; goal <= 'Z'; goal++) {
      for (int place = 0; goal != 'S' && place < height * WIDE; place++) {
        if (map[place / WIDE][place % WIDE] != goal) continue;
        put_text(", ");
        put_byte(goal);
        put_byte(' ');
        put_integer(best[place] == FAR ? -1 : best[place]);
        if (best[place] != FAR && best[place] > best[farthest]) farthest = place;
      }
    }
    put_byte('\n');
  }
  for (int place = came[farthest]; place >= 0 && place != start; place = came[place]) map[place / WIDE][place % WIDE] = '.';
  for (int row = 0; row < height; row++) {
    int length = width;
    while (length > 0 && map[row][length - 1] == 0) length--;
    for (int column = 0; column < length; column++) put_byte(map[row][column] ? map[row][column] : ' ');
    if (length) put_byte('\n');
  }
  return 0;
}
