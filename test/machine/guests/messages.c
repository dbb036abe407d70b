/* Socket pairs: how much a queue holds, and options that say what they were set to. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

static char bytes[300000];

static void queue(int type, int room, int size) {
  int s[2], count = 0;
  socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s);
  if (room) setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  struct pollfd writable = {s[0], POLLOUT};
  while (send(s[0], bytes, size, 0) >= 0) count++;
  printf("%d messages of %d: %s", count, size, strerror(errno));
  poll(&writable, 1, 0);
  printf(", %x", writable.revents);
  while (recv(s[1], bytes, sizeof bytes, 0) >= 0);
  poll(&writable, 1, 0);
  printf(", %x\n", writable.revents);
  close(s[0]);
  close(s[1]);
}

static void option(int fd, int name, int value) {
  socklen_t size = sizeof value;
  int result = setsockopt(fd, SOL_SOCKET, name, &value, size);
  printf("option %d: %d %s", name, result, result ? strerror(errno) : "");
  printf(", %d", getsockopt(fd, SOL_SOCKET, name, &value, &size));
  printf(" %d %d\n", value, size);
}

int main(void) {
  int types[] = {SOCK_DGRAM, SOCK_SEQPACKET}, s[2];
  int sizes[] = {0, 1, 192, 193, 704, 705, 1728, 1729, 3776, 3777, 8000, 16065, 30000, 50000, 100000, 200000, 212960, 212961};
  for (int t = 0; t < 2; t++) {
    for (int i = 0; i < sizeof sizes / sizeof *sizes; i++) queue(types[t], 0, sizes[i]);
    for (int i = 3; i < 8; i++) queue(types[t], 5000, sizes[i] * 3);
  }
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
  int names[] = {SO_REUSEADDR, SO_BROADCAST, SO_SNDBUF,   SO_RCVBUF,   SO_KEEPALIVE, SO_OOBINLINE,
                 SO_PASSCRED,  SO_RCVLOWAT,  SO_SNDLOWAT, SO_RCVTIMEO, SO_TIMESTAMP, SO_TYPE};
  int values[] = {0, 1, 5, 5000};
  for (int i = 0; i < sizeof names / sizeof *names; i++)
    for (int k = 0; k < 4; k++)
      option(s[0], names[i], values[k]);
  struct timeval limit = {7, 240000}, back = {0, 0};
  socklen_t size = sizeof back;
  printf("%d", setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  printf(" %d", getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &back, &size));
  printf(" %ld %ld %d\n", back.tv_sec, back.tv_usec, size);
  struct iovec part = {bytes, 10};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 2000};
  printf("%ld", (long)sendmsg(s[0], &message, 0));
  printf(" %s", strerror(errno));
  printf(", %ld", (long)recvmsg(s[0], &message, 0));
  printf(" %s\n", strerror(errno));
  message.msg_iovlen = 1;
  printf("%ld", (long)sendmsg(s[0], &message, 0));
  printf(" %ld\n", (long)recvmsg(s[1], &message, 0));
  return 0;
}
