/* What is no socket. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHOW(call) (errno = 0, printf("%s: %d %s\n", #call, (int)(call), strerror(errno)))

int main(void) {
  int pair[2], fds[4];
  pipe(pair);
  fds[0] = open("file", O_RDWR | O_CREAT, 0600);
  fds[1] = pair[0];
  fds[2] = open(".", O_RDONLY);
  fds[3] = 77;
  for (int k = 0; k < 4; k++) {
    int fd = fds[k], value = 0;
    char space[256] = "";
    socklen_t length = sizeof space;
    struct sockaddr *at = (struct sockaddr *)space;
    struct msghdr message;
    memset(&message, 0, sizeof message);
    struct iovec part = {space, 4};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    at->sa_family = AF_INET;
    length = 16;
    SHOW(bind(fd, at, length));
    SHOW(listen(fd, 1));
    SHOW(accept(fd, at, &length));
    SHOW(connect(fd, at, length));
    SHOW(getsockname(fd, at, &length));
    SHOW(getpeername(fd, at, &length));
    SHOW(sendto(fd, space, 4, 0, 0, 0));
    SHOW(send(fd, space, 4, MSG_DONTWAIT));
    SHOW(recvfrom(fd, space, 4, 0, 0, 0));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof value));
    SHOW(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
    SHOW(shutdown(fd, SHUT_RDWR));
    SHOW(sendmsg(fd, &message, 0));
    SHOW(recvmsg(fd, &message, 0));
  }
  return 0;
}
