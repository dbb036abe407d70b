/*
 * Ways to place n queens on a board of n by n, for each n on standard input: once with boards of bytes, once with bit
 * sets, and the distinct ones under the eight symmetries. Deep recursion, short loops, hard-to-predict branches.
 */
#include "runtime.h"

enum { MOST = 14 };

static int board[MOST];
static int64_t placed, distinct;

static int safe(int row, int column) {
  for (int above = 0; above < row; above++) {
    int distance = row - above;
    if (board[above] == column || board[above] == column - distance || board[above] == column + distance) return 0;
  }
  return 1;
}

static int compare(const int *a, const int *b, int n) {
  for (int i = 0; i < n; i++)
    if (a[i] != b[i]) return a[i] - b[i];
  return 0;
}

/* Of eight symmetric boards the smallest one counts. */
static int smallest(int n) {
  int turned[MOST], next[MOST];
  for (int i = 0; i < n; i++) turned[i] = board[i];
  for (int turn = 0; turn < 4; turn++) {
    for (int i = 0; i < n; i++) next[turned[i]] = n - 1 - i;
    for (int i = 0; i < n; i++) turned[i] = next[i];
    if (compare(turned, board, n) < 0) return 0;
    for (int i = 0; i < n; i++) next[i] = turned[n - 1 - i];
    if (compare(next, board, n) < 0) return 0;
  }
  return 1;
}

static void place(int row, int n) {
  if (row == n) {
    placed++;
    distinct += smallest(n);
    return;
  }
  for (int column = 0; column < n; column++) {
    if (!safe(row, column)) continue;
    board[row] = column;
    place(row + 1, n);
  }
}

static int64_t count(uint32_t free, uint32_t columns, uint32_t left, uint32_t right) {
  if (columns == free) return 1;
  int64_t sum = 0;
  for (uint32_t open = free & ~(columns | left | right); open; open &= open - 1) {
    uint32_t queen = open & -open;
    sum += count(free, columns | queen, (left | queen) << 1, (right | queen) >> 1);
  }
  return sum;
}

int main(void) {
  for (int n = (int)get_integer(); n > 0; n = (int)get_integer()) {
    if (n > MOST) return 1;
    placed = distinct = 0;
    place(0, n);
    put_column(n, 3);
    put_column(placed, 10);
    put_column(count((1u << n) - 1, 0, 0, 0), 10);
    put_column(distinct, 8);
    put_byte('\n');
  }
  return 0;
}
