/*
 * Runs SQL from a file against a database: sqlite DATABASE SCRIPT. Rows go to standard output, columns separated by '|'.
 * Stands in for the shell, which the amalgamation in npm's better-sqlite3 does not carry.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sqlite3.h"

static int row(void *unused, int columns, char **values, char **names) {
  (void)unused;
  (void)names;
  for (int i = 0; i < columns; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
  putchar('\n');
  return 0;
}

static char *slurp(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  char *text = malloc(size + 1);
  if (text && fread(text, 1, size, file) == (size_t)size) text[size] = 0;
  fclose(file);
  return text;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: sqlite DATABASE SCRIPT\n");
    return 2;
  }
  char *script = slurp(argv[2]);
  if (!script) {
    perror(argv[2]);
    return 2;
  }
  sqlite3 *database;
  char *error = NULL;
  if (sqlite3_open(argv[1], &database) != SQLITE_OK) {
    fprintf(stderr, "%s: %s\n", argv[1], sqlite3_errmsg(database));
    return 1;
  }
  int result = sqlite3_exec(database, script, row, NULL, &error);
  if (result != SQLITE_OK) fprintf(stderr, "error: %s\n", error);
  printf("changes %d\n", sqlite3_total_changes(database));
  sqlite3_free(error);
  sqlite3_close(database);
  free(script);
  return result == SQLITE_OK ? 0 : 1;
}
