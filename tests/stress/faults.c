/* Makes the n-th of some system calls fail, for files below one directory.

   It is preloaded before the C library, so that it serves calls of Python and Arrow alike.
   `faults_arm` sets which call fails; `faults_disarm` returns how many such calls there were. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static char prefix[4096];
static const char *armed;
static long countdown, seen;
static int failure;

void faults_arm(const char *folder, const char *call, long nth, int error) {
  static char name[32];
  snprintf(prefix, sizeof prefix, "%s", folder);
  snprintf(name, sizeof name, "%s", call);
  failure = error;
  seen = 0;
  countdown = nth;
  __atomic_store_n(&armed, name, __ATOMIC_SEQ_CST);
}

long faults_disarm(void) {
  __atomic_store_n(&armed, NULL, __ATOMIC_SEQ_CST);
  return seen;
}

static int is_due(const char *call, const char *path) {
  const char *wanted = __atomic_load_n(&armed, __ATOMIC_SEQ_CST);
  if (wanted == NULL || strcmp(wanted, call) != 0) return 0;
  if (path == NULL || strncmp(path, prefix, strlen(prefix)) != 0) return 0;
  __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
  if (__atomic_sub_fetch(&countdown, 1, __ATOMIC_SEQ_CST) != 0) return 0;
  errno = failure;
  return 1;
}

static int is_due_for(const char *call, int fd) {
  char link[64], path[4096];
  if (__atomic_load_n(&armed, __ATOMIC_SEQ_CST) == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return 0;
  path[n] = 0;
  return is_due(call, path);
}

#define NEXT(name) __typeof__(&name) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t n) {
  NEXT(write);
  return is_due_for("write", fd) ? -1 : next(fd, data, n);
}

int fsync(int fd) {
  NEXT(fsync);
  return is_due_for("fsync", fd) ? -1 : next(fd);
}

int close(int fd) { /* it is closed all the same, as POSIX has it */
  NEXT(close);
  const int due = is_due_for("close", fd), result = next(fd);
  if (!due) return result;
  errno = failure;
  return -1;
}

int rename(const char *from, const char *to) {
  NEXT(rename);
  return is_due("rename", to) ? -1 : next(from, to);
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
  NEXT(renameat2);
  return is_due("rename", to) ? -1 : next(a, from, b, to, flags);
}

int mkdir(const char *path, mode_t mode) {
  NEXT(mkdir);
  return is_due("mkdir", path) ? -1 : next(path, mode);
}

int unlink(const char *path) {
  NEXT(unlink);
  return is_due("unlink", path) ? -1 : next(path);
}

#define OPEN(name)                                         \
  int name(const char *path, int flags, ...) {             \
    NEXT(name);                                            \
    va_list more;                                          \
    va_start(more, flags);                                 \
    const mode_t mode = va_arg(more, int);                 \
    va_end(more);                                          \
    return is_due("open", path) ? -1 : next(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)
