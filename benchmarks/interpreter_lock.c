// Counts the CPU time that threads spend without the interpreter lock, if it is loaded before Python.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

static _Atomic int64_t without_lock, handed_over;  // CPU nanoseconds; times
static __thread int64_t since;

static int64_t cpu_time(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void* PyEval_SaveThread(void) {
  void* (*const save)(void) = (void* (*)(void))dlsym(RTLD_NEXT, "PyEval_SaveThread");
  void* const state = save();
  since = cpu_time();
  return state;
}

void PyEval_RestoreThread(void* state) {
  void (*const restore)(void*) = (void (*)(void*))dlsym(RTLD_NEXT, "PyEval_RestoreThread");
  if (since != 0) {
    without_lock += cpu_time() - since;
    handed_over += 1;
    since = 0;
  }
  restore(state);
}

int64_t lock_free_ns(void) { return without_lock; }
int64_t lock_handed_over(void) { return handed_over; }
