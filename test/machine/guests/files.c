/* Files and directories: create, read, write, seek, rename, remove, link, list, stat. Runs in an empty directory. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void say(const char *what, long result) {
  if (result < 0) printf("%s: %s\n", what, strerror(errno));
  else printf("%s: ok\n", what);
}
static int compare(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }
static void list(const char *path) {
  DIR *d = opendir(path);
  if (!d) { say(path, -1); return; }
  char *names[64];
  int n = 0;
  for (struct dirent *e; (e = readdir(d));) {
    char line[300];
    snprintf(line, sizeof line, "%s:%d", e->d_name, e->d_type);
    names[n++] = strdup(line);
  }
  closedir(d);
  qsort(names, n, sizeof *names, compare);
  printf("list %s:", path);
  for (int i = 0; i < n; i++) printf(" %s", names[i]);
  printf("\n");
}
static void show(const char *path) {
  struct stat s;
  if (lstat(path, &s)) { say(path, -1); return; }
  printf("%s: mode %o size %ld", path, s.st_mode, S_ISDIR(s.st_mode) ? 0L : (long)s.st_size);
  if (S_ISREG(s.st_mode)) printf(" links %d", (int)s.st_nlink);
  printf("\n");
}
static void content(const char *path) {
  char buffer[200];
  int fd = open(path, O_RDONLY);
  if (fd < 0) { say(path, -1); return; }
  long n = read(fd, buffer, sizeof buffer - 1);
  buffer[n < 0 ? 0 : n] = 0;
  printf("%s holds %ld: %s\n", path, n, buffer);
  close(fd);
}

int main(void) {
  umask(022);
  FILE *f = fopen("a.txt", "w");
  fprintf(f, "line one\nline two\n");
  fclose(f);
  content("a.txt");
  show("a.txt");
  f = fopen("a.txt", "a");
  fprintf(f, "three\n");
  fclose(f);
  content("a.txt");
  f = fopen("a.txt", "r+");
  fseek(f, 5, SEEK_SET);
  fputs("ONE", f);
  fseek(f, -6, SEEK_END);
  char word[16];
  printf("word %s\n", fgets(word, sizeof word, f));
  fclose(f);
  content("a.txt");
  say("mkdir d", mkdir("d", 0777));
  say("mkdir d again", mkdir("d", 0777));
  say("mkdir d/e", mkdir("d/e", 0700));
  say("mkdir x/y", mkdir("x/y", 0700));
  show("d");
  show("d/e");
  say("open missing", open("missing", O_RDONLY));
  say("open excl", open("a.txt", O_CREAT | O_EXCL | O_WRONLY, 0644));
  say("open dir for writing", open("d", O_WRONLY));
  say("open as dir", open("a.txt", O_RDONLY | O_DIRECTORY));
  say("through a file", open("a.txt/b", O_RDONLY));
  say("rename", rename("a.txt", "d/b.txt"));
  show("a.txt");
  show("d/b.txt");
  say("rename dir into itself", rename("d", "d/e/f"));
  say("rmdir full", rmdir("d"));
  say("unlink dir", unlink("d/e"));
  say("rmdir file", rmdir("d/b.txt"));
  say("symlink", symlink("d/b.txt", "s"));
  show("s");
  content("s");
  char target[64];
  long n = readlink("s", target, sizeof target);
  printf("readlink %.*s\n", (int)n, target);
  say("symlink loop", symlink("loop", "loop"));
  say("open loop", open("loop", O_RDONLY));
  say("symlink with a slash", symlink("missing/", "slashed"));
  say("create behind a slash", open("slashed", O_CREAT | O_RDWR, 0644));
  int nothing = open("d/b.txt", O_ACCMODE);
  say("lock without rights", flock(nothing, LOCK_SH));
  say("unlock without rights", flock(nothing, LOCK_UN));
  close(nothing);
  unlink("slashed");
  say("open nofollow", open("s", O_RDONLY | O_NOFOLLOW));
  say("link", link("d/b.txt", "hard"));
  show("hard");
  int fd = open("hard", O_RDWR);
  say("pwrite", pwrite(fd, "LINK", 4, 0));
  content("d/b.txt");
  say("unlink", unlink("hard"));
  show("d/b.txt");
  char four[5] = "";
  printf("pread %ld %s\n", (long)pread(fd, four, 4, 0), four);
  say("ftruncate up", ftruncate(fd, 40));
  printf("end %ld\n", (long)lseek(fd, 0, SEEK_END));
  say("ftruncate down", ftruncate(fd, 4));
  say("ftruncate up again", ftruncate(fd, 6));
  char six[6] = "xxxxx";
  printf("pread %ld %d %d\n", (long)pread(fd, six, 6, 0), six[3], six[5]);
  say("lseek negative", lseek(fd, -1, SEEK_SET));
  say("lseek", lseek(fd, 10, SEEK_SET));
  say("write behind the end", write(fd, "!", 1));
  close(fd);
  show("d/b.txt");
  say("write to closed", write(fd, "x", 1));
  fd = open("d/b.txt", O_RDONLY);
  say("write to read-only", write(fd, "x", 1));
  close(fd);
  fd = open("v", O_CREAT | O_TRUNC | O_RDWR, 0600);
  struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
  printf("writev %ld\n", (long)writev(fd, out, 3));
  lseek(fd, 0, SEEK_SET);
  char p[3] = "", q[9] = "";
  struct iovec in[2] = {{p, 2}, {q, 8}};
  long got = readv(fd, in, 2);
  printf("readv %ld %s %s\n", got, p, q);
  int copy = open("copy", O_CREAT | O_WRONLY, 0644);
  off_t from = 1;
  long sent = sendfile(copy, fd, &from, 3);
  printf("sendfile %ld %ld\n", sent, (long)from);
  close(copy);
  content("copy");
  int second = dup(fd);
  lseek(second, 1, SEEK_SET);
  printf("shared position %ld\n", (long)lseek(fd, 0, SEEK_CUR));
  printf("flags %x cloexec %d\n", fcntl(fd, F_GETFL) & 3, fcntl(fd, F_GETFD));
  printf("dupfd %d\n", fcntl(fd, F_DUPFD_CLOEXEC, 50));
  printf("cloexec %d\n", fcntl(50, F_GETFD));
  say("flock", flock(fd, LOCK_EX));
  say("fsync", fsync(fd));
  say("chmod", chmod("v", 0400));
  show("v");
  say("fchmod", fchmod(fd, 0640));
  show("v");
  struct timespec times[2] = {{1000, 5}, {2000, 7}};
  say("futimens", futimens(fd, times));
  struct stat s;
  fstat(fd, &s);
  printf("times %ld.%ld %ld.%ld\n", (long)s.st_atim.tv_sec, s.st_atim.tv_nsec, (long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
  say("fallocate", posix_fallocate(fd, 0, 100) ? -1 : 0);
  show("v");
  say("access", access("v", R_OK | W_OK));
  say("access x", access("nothing", F_OK));
  list(".");
  list("d");
  say("chdir", chdir("d/e"));
  char cwd[400];
  char *here = getcwd(cwd, sizeof cwd);
  printf("cwd ends %s\n", here + strlen(here) - 4);
  say("up", chdir("../.."));
  say("unlink", unlink("d/b.txt"));
  content("s");
  say("rmdir", rmdir("d/e"));
  say("rmdir", rmdir("d"));
  say("rename over", rename("copy", "v"));
  content("v");
  list(".");
  char name[] = "tmpXXXXXX";
  fd = mkstemp(name);
  say("mkstemp", fd);
  say("unlink", unlink(name));
  say("write unlinked", write(fd, "hidden", 6));
  lseek(fd, 0, SEEK_SET);
  char hidden[7] = "";
  printf("read %ld %s\n", (long)read(fd, hidden, 6), hidden);
  fd = open("/dev/null", O_RDWR);
  printf("null %ld %ld\n", (long)write(fd, "abc", 3), (long)read(fd, hidden, 3));
  fd = open("/dev/zero", O_RDONLY);
  printf("zero %ld %d\n", (long)read(fd, hidden, 3), hidden[0]);
  say("isatty", isatty(0) ? 0 : -1);
  return 0;
}
