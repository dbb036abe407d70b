/* Leaves files, links and directories in its working directory, always the same, whatever an earlier run that was cut off has left of them. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(const char *name, int mode, int size) {
  unlink(name);
  int fd = open(name, O_CREAT | O_WRONLY, mode);
  char line[1000];
  memset(line, name[0], sizeof line);
  for (int k = 0; k < size; k++)
    write(fd, line, sizeof line);
  close(fd);
}

int main(void) {
  put("short", 0644, 1);
  put("long", 0600, 700);
  put("changed", 0644, 3);
  mkdir("folder", 0755);
  chmod("folder", 0755);
  put("folder/inner", 0400, 2);
  mkdir("folder/closed", 0755);
  chmod("folder/closed", 0755);
  put("folder/closed/deep", 0644, 1);
  chmod("folder/closed", 0500);
  unlink("deleted");
  rmdir("gone");
  unlink("link");
  symlink("long", "link");
  rename("before", "after");
  return 0;
}
