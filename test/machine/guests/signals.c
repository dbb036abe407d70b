/* Signal handlers: raised, from faults, nested, blocked, on an alternate stack, left by longjmp; registers survive. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int count;
static void plain(int sig) { count += sig; }
static void nested(int sig) {
  printf("nested in %d\n", sig);
  raise(SIGUSR2);
  printf("nested out %d\n", count);
}
static sigjmp_buf back;
static void jump(int sig) { siglongjmp(back, sig); }
static void skip(int sig, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  printf("signal %d code %d address %lx\n", sig, info->si_code, (unsigned long)info->si_addr & 0xfff);
  /* Step over the faulting instruction (4 bytes). */
  u->uc_mcontext.__gregs[0] += 4;
  u->uc_mcontext.__gregs[10] = 77;
}
static char stack[65536];
static void where(int sig) {
  char local;
  printf("alternate %d\n", &local >= stack && &local < stack + sizeof stack);
}
static void info(int sig, siginfo_t *i, void *context) {
  printf("info %d code %d self %d\n", i->si_signo, i->si_code, i->si_pid == getpid());
}

int main(void) {
  signal(SIGUSR1, plain);
  signal(SIGUSR2, plain);
  raise(SIGUSR1);
  printf("count %d\n", count);
  kill(getpid(), SIGUSR2);
  printf("count %d\n", count);
  double d = 1.5;
  long kept = 0x123456789abcdef;
  asm volatile("" : "+f"(d), "+r"(kept));
  raise(SIGUSR1);
  asm volatile("" : "+f"(d), "+r"(kept));
  printf("kept %lx %g\n", kept, d);
  signal(SIGUSR1, nested);
  raise(SIGUSR1);
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, &old);
  int before = count;
  raise(SIGUSR2);
  raise(SIGUSR2);
  sigpending(&old);
  printf("blocked %d pending %d\n", count - before, sigismember(&old, SIGUSR2));
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  printf("unblocked %d\n", count - before);
  struct sigaction action = {0};
  action.sa_sigaction = skip;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, NULL);
  long result = 5;
  register long a0 asm("a0") = 0x10;
  asm volatile(".option push\n.option norvc\nlw a0, 0(a0)\n.option pop" : "+r"(a0)::"memory");
  result = a0;
  printf("skipped %ld\n", result);
  char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  a0 = (long)page + 0x28;
  asm volatile(".option push\n.option norvc\nsw zero, 0(a0)\n.option pop" : "+r"(a0)::"memory");
  sigaction(SIGILL, &action, NULL);
  asm volatile(".word 0xffffffff" : : : "memory", "a0");
  signal(SIGSEGV, jump);
  int sig = sigsetjmp(back, 1);
  if (sig == 0) *(volatile int *)8 = 1;
  printf("jumped %d\n", sig);
  sig = sigsetjmp(back, 1);
  if (sig == 0) ((void (*)(void))0x40)();
  printf("jumped again %d\n", sig);
  stack_t alternate = {stack, 0, sizeof stack};
  printf("sigaltstack %d\n", sigaltstack(&alternate, NULL));
  action.sa_handler = where;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, NULL);
  raise(SIGUSR1);
  action.sa_sigaction = info;
  action.sa_flags = SA_SIGINFO | SA_RESETHAND;
  sigaction(SIGUSR1, &action, NULL);
  kill(getpid(), SIGUSR1);
  sigaction(SIGUSR1, NULL, &action);
  printf("reset %d\n", action.sa_handler == SIG_DFL);
  signal(SIGALRM, plain);
  count = 0;
  struct itimerval timer = {{0, 0}, {0, 20000}};
  setitimer(ITIMER_REAL, &timer, NULL);
  printf("pause %d %d\n", pause(), errno == EINTR);
  printf("alarm %d\n", count);
  signal(SIGCHLD, SIG_DFL);
  raise(SIGCHLD);
  signal(SIGTERM, SIG_IGN);
  raise(SIGTERM);
  printf("bad signal %d\n", kill(getpid(), 99));
  printf("no process %d\n", kill(999999, 0) != 0);
  fflush(stdout);
  signal(SIGTERM, SIG_DFL);
  raise(SIGTERM);
  return 0;
}
