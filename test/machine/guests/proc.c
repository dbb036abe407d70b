/* What /proc says about the process: each line is a question that Linux answers with yes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char data[64] = "data", text[1 << 16];
static int failed;
static void ask(const char *what, int yes) {
  printf("%s: %s\n", what, yes ? "yes" : "no");
  failed += !yes;
}

struct area {
  unsigned long start, end, offset, ino;
  char mode[8], device[16], path[256];
};
/* The area that an address is in. */
static struct area at(const void *address) {
  struct area found = {0}, area;
  unsigned long last = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  for (char line[512]; fgets(line, sizeof line, maps);) {
    area.path[0] = 0;
    int n = sscanf(line, "%lx-%lx %7s %lx %15s %lu %255s", &area.start, &area.end, area.mode, &area.offset, area.device, &area.ino, area.path);
    if (n < 6 || area.start < last || area.end <= area.start || strchr(line, '\n') == 0) ask("a line that is one", 0);
    if (n == 7 && strstr(line, area.path) - line != 73) ask("a name at its column", 0);
    last = area.end;
    if ((unsigned long)address >= area.start && (unsigned long)address < area.end) found = area;
  }
  fclose(maps);
  return found;
}
static const char *base(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }

static int slurp(const char *path) {
  int fd = open(path, O_RDONLY), size = 0;
  for (int n; fd >= 0 && (n = read(fd, text + size, 1000)) > 0;) size += n;
  close(fd);
  text[size] = 0;
  return size;
}

int main(int count, char **arguments) {
  char own[256] = {0};
  struct stat st, other;
  ask("its own name", readlink("/proc/self/exe", own, 255) > 0 && own[0] == '/');
  ask("code", !strcmp(at(main).mode, "r-xp") && !strcmp(at(main).path, own));
  stat("/proc/self/exe", &st);
  ask("the file's number", st.st_ino == at(main).ino);
  data[0]++;
  ask("data", !strncmp(at(data).mode, "rw-p", 4));
  char *heap = malloc(100);
  ask("heap", !strcmp(at(heap).path, "[heap]") && !strcmp(at(heap).mode, "rw-p"));
  ask("stack", !strcmp(at(own).path, "[stack]"));
  int fd = open("mapped", O_RDWR | O_CREAT, 0644);
  ftruncate(fd, 5 * 4096);
  char *two = mmap(0, 2 * 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
  struct area area = at(two + 4096);
  ask("a file", !strcmp(base(area.path), "mapped") && !strcmp(area.mode, "r--p") && area.offset == 4096);
  ask("all of it", area.start == (unsigned long)two && area.end == (unsigned long)two + 2 * 4096);
  fstat(fd, &other);
  ask("that file's number", other.st_ino == area.ino);
  munmap(two, 4096);
  area = at(two + 4096);
  ask("what is left", area.offset == 2 * 4096 && area.start == (unsigned long)two + 4096 && at(two).end == 0);
  char *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 3 * 4096);
  ask("shared", !strcmp(at(shared).mode, "rw-s") && at(shared).offset == 3 * 4096);
  char *some = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(some + 4096, 4096, PROT_NONE);
  ask("in parts", !strcmp(at(some + 4096).mode, "---p") && at(some + 4096).end - at(some + 4096).start == 4096);
  ask("one again", (mprotect(some + 4096, 4096, PROT_READ | PROT_WRITE), at(some).end >= (unsigned long)some + 3 * 4096));
  // The C library reads the stack's bounds there.
  pthread_attr_t attributes;
  void *low = 0;
  size_t size = 0;
  ask("the thread's stack", pthread_getattr_np(pthread_self(), &attributes) == 0 && pthread_attr_getstack(&attributes, &low, &size) == 0);
  ask("around here", (char *)own > (char *)low && (char *)own < (char *)low + size);
  ask("command line", slurp("/proc/self/cmdline") > 0 && !strcmp(base(text), base(arguments[0])));
  slurp("/proc/self/comm");
  ask("short name", !strncmp(text, base(arguments[0]), 15) && strchr(text, '\n'));
  ask("status", slurp("/proc/self/status") > 0 && strstr(text, "Threads:\t1\n"));
  ask("processors", slurp("/proc/cpuinfo") > 0 && strstr(text, "processor\t: 0\n"));
  ask("memory", slurp("/proc/meminfo") > 0 && strstr(text, "MemTotal:") && strstr(text, " kB\n"));
  ask("no size", stat("/proc/self/maps", &st) == 0 && st.st_size == 0 && S_ISREG(st.st_mode));
  ask("not written to", open("/proc/self/maps", O_WRONLY) < 0);
  char link[64] = {0};
  ask("itself", readlink("/proc/self", link, 63) > 0 && atoi(link) == getpid());
  unlink("mapped");
  return failed;
}
