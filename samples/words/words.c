/*
 * Counts the words of a text and looks for phrases in it: a hash table with chains, string comparison, and substring
 * search by Horspool's method. Input: phrases, one a line, an empty line of dashes, then the text.
 */
#include "runtime.h"

enum { TEXT = 1 << 18, BUCKETS = 1024, ENTRIES = 8192, PHRASES = 32 };

struct entry {
  struct entry *next;
  const char *start;
  uint32_t length, count;
};

static char text[TEXT + 1], lowered[TEXT + 1];
static struct entry entries[ENTRIES], *buckets[BUCKETS], *ranked[ENTRIES];
static int entry_count;
static char phrases[PHRASES][64];
static int phrase_count;

static int letter(int c) {
  if (c >= 'A' && c <= 'Z') return c + 32;
  if ((c >= 'a' && c <= 'z') || c == '\'') return c;
  return 0;
}

static struct entry *look_up(const char *start, uint32_t length) {
  uint32_t hash = 2166136261u;
  for (uint32_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)start[i]) * 16777619u;
  struct entry **bucket = &buckets[(hash ^ hash >> 15) % BUCKETS];
  for (struct entry *e = *bucket; e; e = e->next)
    if (e->length == length && memcmp(e->start, start, length) == 0) return e;
  if (entry_count == ENTRIES) return NULL;
  struct entry *made = &entries[entry_count++];
  made->next = *bucket;
  made->start = start;
  made->length = length;
  *bucket = made;
  return made;
}

static uint32_t occurrences(const char *in, size_t size, const char *phrase) {
  size_t shift[256], length = strlen(phrase);
  uint32_t found = 0;
  if (length == 0 || length > size) return 0;
  for (int c = 0; c < 256; c++) shift[c] = length;
  for (size_t i = 0; i + 1 < length; i++) shift[(unsigned char)phrase[i]] = length - 1 - i;
  for (size_t at = 0; at + length <= size;) {
    size_t i = length;
    while (i > 0 && in[at + i - 1] == phrase[i - 1]) i--;
    if (i == 0) found++;
    at += shift[(unsigned char)in[at + length - 1]];
  }
  return found;
}

/* True if a comes before b: more frequent, or equally frequent and earlier in the alphabet. */
static int before(const struct entry *a, const struct entry *b) {
  if (a->count != b->count) return a->count > b->count;
  uint32_t common = a->length < b->length ? a->length : b->length;
  int order = memcmp(a->start, b->start, common);
  return order ? order < 0 : a->length < b->length;
}

static void sift(struct entry **heap, int root, int count) {
  struct entry *moved = heap[root];
  for (;;) {
    int child = 2 * root + 1;
    if (child >= count) break;
    if (child + 1 < count && before(heap[child], heap[child + 1])) child++;
    if (!before(moved, heap[child])) break;
    heap[root] = heap[child];
    root = child;
  }
  heap[root] = moved;
}

int main(void) {
  while (phrase_count < PHRASES && get_line(phrases[phrase_count], sizeof phrases[0]) > 0) {
    if (phrases[phrase_count][0] == '-') break;
    phrase_count++;
  }
  size_t size = get_all(text, TEXT);
  uint64_t words = 0, lines = 0;
  for (size_t i = 0; i < size;) {
    lines += text[i] == '\n';
    int c = letter(text[i]);
    if (!c) {
      lowered[i] = text[i];
      i++;
      continue;
    }
    size_t start = i;
    while (i < size && (c = letter(text[i]))) lowered[i++] = (char)c;
    struct entry *e = look_up(lowered + start, (uint32_t)(i - start));
    if (e) e->count++;
    words++;
  }
  for (int i = 0; i < entry_count; i++) ranked[i] = &entries[i];
  for (int i = entry_count / 2 - 1; i >= 0; i--) sift(ranked, i, entry_count);
  for (int i = entry_count - 1; i > 0; i--) {
    struct entry *kept = ranked[0];
    ranked[0] = ranked[i];
    ranked[i] = kept;
    sift(ranked, 0, i);
  }
  put_column((int64_t)lines, 8);
  put_column((int64_t)words, 8);
  put_column((int64_t)size, 8);
  put_column(entry_count, 8);
  put_byte('\n');
  for (int i = 0; i < 15 && i < entry_count; i++) {
    put_column(ranked[i]->count, 8);
    put_byte(' ');
    put_bytes(ranked[i]->start, ranked[i]->length);
    put_byte('\n');
  }
  for (int i = 0; i < phrase_count; i++) {
    put_column(occurrences(lowered, size, phrases[i]), 8);
    put_text(" \"");
    put_text(phrases[i]);
    put_text("\"\n");
  }
  return 0;
}
