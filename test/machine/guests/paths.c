/* Whom a path lets through, where it may lead, and files without a name. Its user is not root; a line that does not end in yes is wrong. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static int result(long value) { return value < 0 ? -errno : 0; }
#define IS(wanted, call) printf("%s: %s\n", #call, (errno = 0, result((long)(call))) == (wanted) ? "yes" : strerror(errno))
#define YES(what) printf("%s: %s\n", #what, (what) ? "yes" : "no")

struct how {
  unsigned long flags, mode, resolve;
};
static int dir;
static long opened(const char *path, unsigned long flags, unsigned long mode, unsigned long resolve) {
  struct how how = {flags, mode, resolve};
  return syscall(437, dir, path, &how, sizeof how);
}
static struct stat at(const char *path) {
  struct stat s;
  memset(&s, 0, sizeof s);
  lstat(path, &s);
  return s;
}
static void make(const char *path, int mode) {
  close(open(path, O_CREAT | O_WRONLY, 0600));
  chmod(path, mode);
}

static void searching(void) {
  struct stat s;
  mkdir("d", 0700);
  make("d/f", 0600);
  mkdir("d/sub", 0555);
  chmod("d", 0600);
  IS(-EACCES, stat("d/f", &s));
  IS(-EACCES, open("d/f", O_RDONLY));
  IS(-EACCES, open("d/new", O_CREAT | O_WRONLY, 0600));
  IS(-EACCES, chmod("d/f", 0644));
  IS(-EACCES, link("d/f", "h"));
  IS(-EACCES, rename("d/f", "g"));
  IS(-EACCES, stat("d/.", &s));
  IS(-EACCES, chdir("d"));
  IS(0, open("d", O_RDONLY | O_DIRECTORY));
  chmod("d", 0700);
  IS(-EACCES, rename("d/sub", "sub2"));
  IS(0, rename("d/sub", "d/sub3"));
  IS(-EACCES, rename("d/sub3", "sub2"));
  IS(0, chmod("d/sub3", 0700));
  IS(0, rename("d/sub3", "sub2"));
}

static void resolving(void) {
  const unsigned long NO_SYMLINKS = 4, NO_MAGIC = 2, BENEATH = 8, IN_ROOT = 16;
  make("file", 0644);
  mkdir("in", 0755);
  make("in/file", 0644);
  symlink("../file", "in/up");
  symlink("file", "in/beside");
  symlink("/file", "in/root");
  dir = open("in", O_RDONLY | O_DIRECTORY);
  IS(-ELOOP, opened("up", O_RDONLY, 0, NO_SYMLINKS));
  IS(0, opened("up", O_PATH | O_NOFOLLOW, 0, NO_SYMLINKS));
  IS(-EXDEV, opened("../file", O_RDONLY, 0, BENEATH));
  IS(-EXDEV, opened("up", O_RDONLY, 0, BENEATH));
  IS(-EXDEV, opened("root", O_RDONLY, 0, BENEATH));
  IS(-EXDEV, opened("/file", O_RDONLY, 0, BENEATH));
  IS(0, opened("beside", O_RDONLY, 0, BENEATH));
  for (const char *const *path = (const char *const[]){"up", "root", "/root", "/../../file", 0}; *path; path++) {
    struct stat s;
    fstat(opened(*path, O_RDONLY, 0, IN_ROOT), &s);
    YES(s.st_ino == at("in/file").st_ino);
  }
  IS(-EINVAL, opened("file", O_RDONLY, 0, BENEATH | IN_ROOT));
  IS(-EINVAL, opened("file", O_RDONLY, 0, 0x1000));
  IS(-EINVAL, opened("file", 1ul << 40, 0, 0));
  IS(-EINVAL, opened("file", O_RDONLY, 0644, 0));
  IS(-EINVAL, opened("new", O_RDWR | O_CREAT, 0100644, 0));
  IS(-EINVAL, opened("file", O_PATH | O_RDWR, 0, 0));
  struct {
    struct how how;
    long more;
  } longer = {{0}, 1};
  IS(-E2BIG, syscall(437, dir, "file", &longer, sizeof longer));
  longer.more = 0;
  IS(0, syscall(437, dir, "file", &longer, sizeof longer));
  IS(-EINVAL, syscall(437, dir, "file", &longer, 8));
  IS(-E2BIG, syscall(437, dir, "file", &longer, 5000));
  char self[40];
  sprintf(self, "/proc/self/fd/%d", dir);
  IS(-ELOOP, opened(self, O_RDONLY, 0, NO_MAGIC));
}

static void nameless(void) {
  char path[40], text[200];
  int fd = open(".", O_TMPFILE | O_RDWR, 0600);
  write(fd, "hello", 5);
  sprintf(path, "/proc/self/fd/%d", fd);
  YES(readlink(path, text, sizeof text) > 0 && strstr(text, "(deleted)"));
  IS(0, linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  YES(at("named").st_size == 5 && at("named").st_nlink == 1);
  IS(0, unlink("named"));
  IS(-ENOENT, linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  int again = open(path, O_RDONLY);
  YES(read(again, text, 10) == 5);
  IS(-EINVAL, open(".", O_TMPFILE | O_RDONLY, 0600));
  IS(-EINVAL, open(".", O_TMPFILE | O_RDWR | O_CREAT, 0600));
  IS(-EINVAL, open(".", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0600));
  fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
  IS(-ENOENT, linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH));
  make("named", 0644);
  sprintf(path, "/proc/self/fd/%d", fd = open("named", O_RDONLY));
  YES(readlink(path, text, sizeof text) > 0 && !strncmp(strrchr(text, '/'), "/named", 6));
  close(fd);
  IS(-ENOENT, readlink(path, text, sizeof text));
  struct stat s;
  YES(stat("/proc/self/fd/0", &s) == 0 && S_ISFIFO(s.st_mode));
  /* Linux opens it. */
  IS(-ENXIO, open("/proc/self/fd/0", O_RDONLY));
}

static void bits(void) {
  struct timespec times[2] = {{-5, 5}, {-1, 999999999}};
  make("bits", 0644);
  IS(0, utimensat(AT_FDCWD, "bits", times, 0));
  YES(at("bits").st_atim.tv_sec == -5 && at("bits").st_atim.tv_nsec == 5);
  YES(at("bits").st_mtim.tv_sec == -1 && at("bits").st_mtim.tv_nsec == 999999999);
  int fd = open("bits", O_RDWR), only = open("bits", O_PATH);
  IS(0, utimensat(only, "", 0, AT_EMPTY_PATH));
  IS(-EBADF, futimens(only, 0));
  IS(0, fchownat(only, "", -1, -1, AT_EMPTY_PATH));
  IS(-EINVAL, fchownat(AT_FDCWD, "bits", -1, -1, 0x8000));
  IS(-EINVAL, syscall(439, AT_FDCWD, "bits", R_OK, 0x8000));
  IS(0, syscall(439, AT_FDCWD, "bits", R_OK, AT_EACCESS));
  fchmod(fd, 06777);
  write(fd, "x", 1);
  YES((at("bits").st_mode & 07777) == 0777);
  fchmod(fd, 06767);
  ftruncate(fd, 100);
  YES((at("bits").st_mode & 07777) == 02767);
  fchmod(fd, 06777);
  fchown(fd, -1, getgid());
  YES((at("bits").st_mode & 07777) == 0777);
  umask(0);
  mkdir("group", 0755);
  chmod("group", 02755);
  mkdir("group/in", 0700);
  YES((at("group/in").st_mode & 07777) == 02700);
  symlink("bits", "loop");
  IS(-ENOTDIR, unlink("loop/"));
  symlink("group", "to");
  IS(-ENOTDIR, unlink("to/"));
  IS(-ENOTDIR, rmdir("to/"));
  IS(-EISDIR, unlink("group/"));
  IS(-ENOENT, getxattr("missing", "user.a", 0, 0));
  IS(-EBADF, fsetxattr(99, "user.a", "b", 1, 0));
  for (const char *const *path = (const char *const[]){"/dev/null", "/dev/zero", 0}; *path; path++)
    YES(lseek(open(*path, O_RDONLY), 100, SEEK_SET) == 0);
}

/* A FIFO of the host; Linux opens it. */
static void foreign(void) {
  YES(S_ISFIFO(at("host/pipe").st_mode));
  IS(-ENXIO, open("host/pipe", O_RDWR));
  IS(-EEXIST, open("host/pipe", O_RDWR | O_CREAT | O_EXCL, 0600));
  IS(-ENOTEMPTY, rmdir("host"));
  IS(0, rename("host", "moved"));
  IS(0, unlink("moved/pipe"));
  IS(0, rmdir("moved"));
}

int main(void) {
  foreign();
  searching();
  resolving();
  nameless();
  bits();
  return 0;
}
