// SPDX-License-Identifier: Apache-2.0
// Moments of a life as the C library lives them; built with glibc and with musl. The moment is the
// argument. What a moment asks of the library stands in its function, and nothing else.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <malloc.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

extern char** environ;

static void need(int holds, const char* what) {
  if (holds) return;
  perror(what);
  _exit(99);
}

static void limit_memory(size_t bytes) {
  const struct rlimit limit = {bytes, bytes};
  need(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
}

static int start(void) { return 0; }

static void last_words(void) { fputs("last words\n", stdout); }

static int leave(void) {
  atexit(last_words);
  printf("%s", "not flushed yet\n");
  exit(3);
}

static void* leave_from_a_thread(void* lock) {
  pthread_mutex_unlock(lock);
  exit(4);
}

// The others are still in a call.
static int exit_in_thread(void) {
  pthread_mutex_t lock;
  pthread_mutex_init(&lock, NULL);
  pthread_mutex_lock(&lock);
  pthread_t thread;
  need(pthread_create(&thread, NULL, leave_from_a_thread, &lock) == 0, "pthread_create");
  pthread_join(thread, NULL);
  return 1;
}

static int give_up(void) { abort(); }

// glibc sees it and says so before it aborts; musl stops by a fault.
static int double_free(void) {
  char* volatile block = malloc(100);
  char* volatile same = block;
  free(block);
  free(same);
  abort();  // where nobody saw it
}

static int term(void) { return raise(SIGTERM); }
static int hup(void) { return raise(SIGHUP); }

static int write_to_nobody(void) {
  int ends[2];
  need(pipe(ends) == 0, "pipe");
  close(ends[0]);
  return write(ends[1], "x", 1) == -1 && errno == EPIPE ? 0 : 1;
}

static volatile sig_atomic_t handled_signals;
static void count(int number) { handled_signals += number != 0; }

static int handled(void) {
  struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};
  const int numbers[] = {SIGTERM, SIGHUP, SIGINT, SIGPIPE, SIGUSR1, SIGALRM, SIGCHLD};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i)
    sigaction(numbers[i], &action, NULL);
  raise(SIGTERM);
  raise(SIGHUP);
  kill(getpid(), SIGUSR1);
  pthread_kill(pthread_self(), SIGINT);
  write_to_nobody();
  alarm(1);
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  sigprocmask(SIG_BLOCK, &all, NULL);
  sigsuspend(&none);  // until the alarm
  raise(SIGUSR1);
  sigset_t waiting;
  sigpending(&waiting);
  const struct timespec moment = {1, 0};
  need(sigtimedwait(&all, NULL, &moment) == SIGUSR1, "sigtimedwait");
  signal(SIGPIPE, SIG_IGN);
  write_to_nobody();
  return handled_signals >= 6 ? 0 : 1;
}

// A wait that a signal interrupts goes on by restart_syscall.
static int interrupted(void) {
  struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  const struct itimerval soon = {{0, 0}, {0, 50000}};
  setitimer(ITIMER_REAL, &soon, NULL);
  struct timespec left = {0, 200000000};
  while (nanosleep(&left, &left) == -1 && errno == EINTR) continue;
  setitimer(ITIMER_REAL, &soon, NULL);
  poll(NULL, 0, 200);
  return 0;
}

static int fault(void) {
  *(volatile int*)8 = 1;
  return 1;
}

static sigjmp_buf back;
static void climb_out(int number) { siglongjmp(back, number); }

static int deep(volatile int level) {
  volatile char room[4096];
  room[0] = (char)level;
  return level < 0 ? 0 : deep(level + 1) + room[0];
}

// On a stack of its own, as runtimes do it; the program goes on.
static int overflow(void) {
  static char other[65536];
  const stack_t stack = {.ss_sp = other, .ss_size = sizeof other};
  need(sigaltstack(&stack, NULL) == 0, "sigaltstack");
  const struct sigaction action = {.sa_handler = climb_out, .sa_flags = SA_ONSTACK};
  sigaction(SIGSEGV, &action, NULL);
  if (sigsetjmp(back, 1) == 0) deep(0);
  return 0;
}

static int memory_full(void) {
  limit_memory(128U << 20U);
  void** last = NULL;
  size_t size = 1U << 20U;
  while (size >= 16) {
    void** block = malloc(size);
    if (block == NULL) {
      size /= 2;
      continue;
    }
    *block = last;
    last = block;
  }
  while (last != NULL) {
    void** next = *last;
    free(last);
    last = next;
  }
  return calloc(1, 1U << 30U) == NULL ? 0 : 1;
}

static void* churn_in_thread(void* unused) {
  void* blocks[64] = {NULL};
  unsigned number = 1;
  for (int round = 0; round < 20000; ++round) {
    number = number * 1103515245U + 12345U;
    void** slot = &blocks[number / 65536U % 64];
    const size_t size = (size_t)1 << number / 4096U % 19U;
    if (number & 256U) {
      free(*slot);
      *slot = NULL;
    } else {
      void* grown = realloc(*slot, size);
      if (grown != NULL) *slot = grown;
    }
  }
  for (int i = 0; i < 64; ++i) free(blocks[i]);
  return unused;
}

static int memory_churn(void) {
  pthread_t threads[8];
  for (int i = 0; i < 8; ++i) pthread_create(&threads[i], NULL, churn_in_thread, NULL);
  for (int i = 0; i < 8; ++i) pthread_join(threads[i], NULL);
  churn_in_thread(NULL);
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  char* pages = mmap(NULL, 1U << 20U, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(pages != MAP_FAILED, "mmap");
  memset(pages, 1, 1U << 20U);
  madvise(pages, 1U << 20U, MADV_DONTNEED);
  mprotect(pages, 4096, PROT_READ);
  void* aligned = NULL;
  need(posix_memalign(&aligned, 1U << 16U, 1U << 18U) == 0, "posix_memalign");
  free(aligned);
  return munmap(pages, 1U << 20U);
}

static int find(const char* host, int wanted) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  struct addrinfo* found = NULL;
  const int status = getaddrinfo(host, "80", &hints, &found);
  if (status == 0) freeaddrinfo(found);
  return (status == 0) == wanted ? 0 : 1;
}

static int names_file(void) { return find("localhost", 1); }
static int names_answered(void) { return find("answered.test", 1); }
static int names_refused(void) { return find("refused.test", 0); }
static int names_silent(void) { return find("silent.test", 0); }

static int users(void) {
  getpwnam("nobody");
  getpwnam("nobody-has-this-name");
  getgrgid(0);
  gid_t groups[8];
  int many = 8;
  getgrouplist("root", 0, groups, &many);
  return 0;
}

static int time_zones(void) {
  const time_t now = time(NULL);
  struct tm parts;
  char text[64];
  localtime_r(&now, &parts);
  setenv("TZ", "Europe/Berlin", 1);
  tzset();
  localtime_r(&now, &parts);
  mktime(&parts);
  setenv("TZ", "Nowhere/None", 1);
  tzset();
  localtime(&now);
  strftime(text, sizeof text, "%c %Z", &parts);
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  clock_gettime(CLOCK_REALTIME_COARSE, &at);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
  clock_getres(CLOCK_MONOTONIC, &at);
  clock();
  const struct timespec little = {0, 1000000};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &little, NULL);
  return usleep(1000);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int ready;

static void* wait_and_go(void* unused) {
  pthread_mutex_lock(&lock);
  while (!ready) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  sched_yield();
  return unused;
}

static void* wait_for_ever(void* unused) {
  sem_t* semaphore = unused;
  sem_wait(semaphore);
  return NULL;
}

static void noted(union sigval value) { sem_post(value.sival_ptr); }

static int threads(void) {
  pthread_t waiting[4], cancelled;
  for (int i = 0; i < 4; ++i) pthread_create(&waiting[i], NULL, wait_and_go, NULL);
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec = (until.tv_nsec + 20000000) % 1000000000;
  pthread_mutex_lock(&lock);
  pthread_cond_timedwait(&changed, &lock, &until);
  ready = 1;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  for (int i = 0; i < 4; ++i) pthread_join(waiting[i], NULL);
  static sem_t never, rung;
  sem_init(&never, 0, 0);
  sem_init(&rung, 0, 0);
  pthread_create(&cancelled, NULL, wait_for_ever, &never);
  pthread_cancel(cancelled);
  pthread_join(cancelled, NULL);
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = noted};
  event.sigev_value.sival_ptr = &rung;
  const struct itimerspec soon = {{0, 0}, {0, 5000000}};
  need(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
  timer_settime(timer, 0, &soon, NULL);
  sem_wait(&rung);
  timer_delete(timer);
  pthread_setname_np(pthread_self(), "moments");
  cpu_set_t processors;
  pthread_getaffinity_np(pthread_self(), sizeof processors, &processors);
  sysconf(_SC_NPROCESSORS_ONLN);
  return 0;
}

static int by_number(const void* a, const void* b) { return *(const int*)a - *(const int*)b; }

static int stdio(void) {
  char line[64];
  FILE* hosts = fopen("/etc/hosts", "r");
  need(hosts != NULL, "/etc/hosts");
  while (fgets(line, sizeof line, hosts) != NULL) continue;
  rewind(hosts);
  fclose(hosts);
  FILE* own = tmpfile();
  need(own != NULL, "tmpfile");
  for (int i = 0; i < 5000; ++i) fprintf(own, "line %d\n", i);
  fflush(own);
  fseek(own, 10, SEEK_SET);
  fgetc(own);
  fclose(own);
  printf("to standard output, not a terminal\n");
  fprintf(stderr, "to standard error\n");
  static int numbers[200000];
  for (int i = 0; i < 200000; ++i) numbers[i] = (i * 7919) % 200000;
  qsort(numbers, 200000, sizeof *numbers, by_number);
  return fopen("/nowhere/nothing", "r") == NULL ? 0 : 1;
}

static int locales(void) {
  setlocale(LC_ALL, "C.UTF-8");
  setlocale(LC_ALL, "");
  nl_langinfo(CODESET);
  wchar_t wide[16];
  mbstowcs(wide, "gr\xc3\xbc\xc3\x9f", 16);
  strerror(ENOENT);
  iconv_t converter = iconv_open("UTF-16LE", "UTF-8");
  if (converter != (iconv_t)-1) iconv_close(converter);
  return 0;
}

// New reach, so apart: what a shell, popen() and posix_spawn() take.
static int spawn(void) {
  FILE* shell = popen("echo spawned", "r");
  need(shell != NULL, "popen");
  char line[32];
  fgets(line, sizeof line, shell);
  pclose(shell);
  char* const arguments[] = {"true", NULL};
  pid_t child;
  need(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ) == 0, "posix_spawn");
  waitpid(child, NULL, 0);
  if ((child = fork()) == 0) _exit(0);
  waitpid(child, NULL, 0);
  return system("exit 0");
}

static const struct {
  const char* name;
  int (*live)(void);
} kMoments[] = {
    {"start", start},
    {"exit", leave},
    {"exit-in-thread", exit_in_thread},
    {"abort", give_up},
    {"double-free", double_free},
    {"term", term},
    {"hup", hup},
    {"pipe", write_to_nobody},
    {"handled", handled},
    {"interrupted", interrupted},
    {"fault", fault},
    {"overflow", overflow},
    {"memory-full", memory_full},
    {"memory-churn", memory_churn},
    {"names-file", names_file},
    {"names-answered", names_answered},
    {"names-refused", names_refused},
    {"names-silent", names_silent},
    {"users", users},
    {"time", time_zones},
    {"threads", threads},
    {"stdio", stdio},
    {"locale", locales},
    {"spawn", spawn},
};

int main(int argc, char** argv) {
  for (size_t i = 0; argc == 2 && i < sizeof kMoments / sizeof *kMoments; ++i)
    if (strcmp(argv[1], kMoments[i].name) == 0) return kMoments[i].live();
  fprintf(stderr, "usage: moments MOMENT\n");
  return 2;
}
