/* Asks for a directory that was granted, or is on the way to one, to be moved or removed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(const char *what, long result) { printf("%s: %d\n", what, result < 0 ? errno : 0); }

int main(int argc, char **argv) {
  const char *granted = argv[1], *above = argv[2], *other = argv[3];
  say("rmdir", rmdir(granted));
  say("rmdir above", rmdir(above));
  say("rename", rename(granted, other));
  say("rename above", rename(above, other));
  mkdir(other, 0755);
  say("onto it", rename(other, granted));
  say("exchange", renameat2(AT_FDCWD, other, AT_FDCWD, granted, RENAME_EXCHANGE));
  say("exchange", renameat2(AT_FDCWD, granted, AT_FDCWD, other, RENAME_EXCHANGE));
  return 0;
}
