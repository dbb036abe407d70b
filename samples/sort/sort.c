/*
 * Sorts records in several orders with one generic quicksort, which knows neither the records nor the order: calls
 * through function pointers, small copies. Input: lines of NAME SCORE YEAR.
 */
#include "runtime.h"

typedef int comparator(const void *a, const void *b);

struct record {
  char name[20];
  int32_t score;
  int32_t year;
};

enum { MOST = 4096 };
static struct record records[MOST];
static uint64_t comparisons;

static void swap(char *a, char *b, size_t size) {
  for (size_t i = 0; i < size; i++) {
    char kept = a[i];
    a[i] = b[i];
    b[i] = kept;
  }
}

static void insertion(char *base, size_t count, size_t size, comparator *compare) {
  for (size_t i = 1; i < count; i++)
    for (size_t j = i; j > 0 && compare(base + j * size, base + (j - 1) * size) < 0; j--)
      swap(base + j * size, base + (j - 1) * size, size);
}

/* Recurses into the smaller part only, so that the depth is logarithmic. */
static void sort(void *start, size_t count, size_t size, comparator *compare) {
  char *base = start;
  while (count > 8) {
    char *first = base, *middle = base + count / 2 * size, *last = base + (count - 1) * size;
    if (compare(middle, first) < 0) swap(middle, first, size);
    if (compare(last, middle) < 0) {
      swap(last, middle, size);
      if (compare(middle, first) < 0) swap(middle, first, size);
    }
    swap(middle, base + size, size);
    char *pivot = base + size, *low = pivot, *high = last;
    for (;;) {
      do low += size;
      while (compare(low, pivot) < 0);
      do high -= size;
      while (compare(high, pivot) > 0);
      if (low >= high) break;
      swap(low, high, size);
    }
    swap(pivot, high, size);
    size_t left = (size_t)(high - base) / size, right = count - left - 1;
    if (left < right) {
      sort(base, left, size, compare);
      base = high + size;
      count = right;
    } else {
      sort(high + size, right, size, compare);
      count = left;
    }
  }
  insertion(base, count, size, compare);
}

static int by_name(const void *a, const void *b) {
  const char *x = ((const struct record *)a)->name, *y = ((const struct record *)b)->name;
  comparisons++;
  while (*x && *x == *y) x++, y++;
  return (unsigned char)*x - (unsigned char)*y;
}

static int by_score(const void *a, const void *b) {
  const struct record *x = a, *y = b;
  if (x->score != y->score) {
    comparisons++;
    return x->score > y->score ? -1 : 1;
  }
  return by_name(a, b);
}

static int by_year(const void *a, const void *b) {
  const struct record *x = a, *y = b;
  if (x->year == y->year) return by_score(a, b);
  comparisons++;
  return x->year < y->year ? -1 : 1;
}

static const struct order {
  const char *title;
  comparator *compare;
} orders[] = {{"by name", by_name}, {"by score", by_score}, {"by year", by_year}};

static uint64_t digest(const struct record *record, int count) {
  uint64_t hash = 14695981039346656037u;
  for (int i = 0; i < count; i++)
    for (const char *c = record[i].name; *c; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211u;
  return hash;
}

int main(void) {
  char line[80];
  int count = 0;
  while (count < MOST && get_line(line, sizeof line) >= 0) {
    struct record *r = &records[count++];
    int at = 0, length = 0;
    while (line[at] && line[at] != ' ') {
      if (length < (int)sizeof r->name - 1) r->name[length++] = line[at];
      at++;
    }
    int32_t *numbers[] = {&r->score, &r->year};
    for (int n = 0; n < 2; n++) {
      while (line[at] == ' ') at++;
      for (; line[at] >= '0' && line[at] <= '9'; at++) *numbers[n] = *numbers[n] * 10 + (line[at] - '0');
    }
  }
  for (int round = 0; round < 6; round++) {
    const struct order *order = &orders[round % 3];
    comparisons = 0;
    sort(records, (size_t)count, sizeof records[0], order->compare);
    put_text(order->title);
    put_text(": ");
    put_text(records[0].name);
    put_text(" .. ");
    put_text(records[count - 1].name);
    put_text(", comparisons ");
    put_integer((int64_t)comparisons);
    put_text(", digest ");
    put_hex(digest(records, count), 16);
    put_byte('\n');
  }
  for (int i = 0; i < 3 && i < count; i++) {
    put_column(records[i].year, 6);
    put_column(records[i].score, 6);
    put_byte(' ');
    put_text(records[i].name);
    put_byte('\n');
  }
  return 0;
}
