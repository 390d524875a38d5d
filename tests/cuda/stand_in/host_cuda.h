// What CUDA C++ needs to be compiled for the host: the threads of a block take turns.
//
// A thread runs until it ends or waits at a barrier; then the next one starts. Each waiting thread keeps a stack of its
// own (a fiber); a fiber whose thread has ended starts the next thread, so a kernel without barriers needs one only.
// No standard header of maths is included: of CUDA's functions there are those below and no others.

#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#include <setjmp.h>
#include <stdlib.h>
#include <ucontext.h>

#define __global__ static
#define __device__ static inline
#define __shared__ static
#define __restrict__ __restrict
#define __syncthreads() host_barrier(__LINE__)

struct HostDim {
    unsigned int x;
};
static HostDim blockIdx, blockDim, gridDim, threadIdx;

static inline float sqrt(float a) { return __builtin_sqrtf(a); }
static inline double sqrt(double a) { return __builtin_sqrt(a); }
static inline float erf(float a) { return __builtin_erff(a); }
static inline double erf(double a) { return __builtin_erf(a); }
static inline float exp(float a) { return __builtin_expf(a); }
static inline double exp(double a) { return __builtin_exp(a); }
static inline float log(float a) { return __builtin_logf(a); }
static inline double log(double a) { return __builtin_log(a); }
static inline float log1p(float a) { return __builtin_log1pf(a); }
static inline double log1p(double a) { return __builtin_log1p(a); }
static inline float cospi(float a) { return __builtin_cosf(3.14159265358979323846f * a); }
static inline double cospi(double a) { return __builtin_cos(3.14159265358979323846 * a); }
static inline float sinpi(float a) { return __builtin_sinf(3.14159265358979323846f * a); }
static inline double sinpi(double a) { return __builtin_sin(3.14159265358979323846 * a); }
static inline float tanh(float a) { return __builtin_tanhf(a); }
static inline double tanh(double a) { return __builtin_tanh(a); }
static inline float fabs(float a) { return __builtin_fabsf(a); }
static inline double fabs(double a) { return __builtin_fabs(a); }

static inline unsigned long long atomicAdd(unsigned long long* address, unsigned long long value) {
    const unsigned long long before = *address;
    *address = before + value;
    return before;
}

enum HostOutcome { HOST_DONE = 0, HOST_MISSING = 1, HOST_DIVERGED = 2, HOST_NO_MEMORY = 3 };
enum { HOST_STACK = 64 * 1024, HOST_MOST_THREADS = 1024 };

struct HostFiber {
    ucontext_t entry;
    jmp_buf point;
    char* stack;
    unsigned int thread;
    int line;  // of the barrier at which it waits; 0: at none
    bool entered;
};

static HostFiber host_fibers[HOST_MOST_THREADS];
static HostFiber* host_current;
static ucontext_t host_main;
static jmp_buf host_scheduler;
static void (*host_body)(void**);
static void** host_arguments;
static unsigned int host_next;
static bool host_descending;

__attribute__((noinline)) static void host_yield() {
    if (_setjmp(host_current->point) == 0) _longjmp(host_scheduler, 1);
}

__attribute__((noinline)) static void host_barrier(int line) {
    host_current->line = line;
    host_yield();
    threadIdx.x = host_current->thread;
}

// What a fiber does for ever: it runs threads of the block until all have been started, and waits for the next block.
static void host_work() {
    for (;;) {
        while (host_next < blockDim.x) {
            const unsigned int number = host_next++;
            host_current->thread = threadIdx.x = host_descending ? blockDim.x - 1 - number : number;
            host_body(host_arguments);
        }
        host_yield();
    }
}

__attribute__((noinline)) static bool host_resume(HostFiber* fiber) {
    host_current = fiber;
    fiber->line = 0;
    if (!fiber->stack && !(fiber->stack = (char*)malloc(HOST_STACK))) return false;
    if (_setjmp(host_scheduler) != 0) return true;
    if (fiber->entered) _longjmp(fiber->point, 1);
    fiber->entered = true;
    getcontext(&fiber->entry);
    fiber->entry.uc_stack.ss_sp = fiber->stack;
    fiber->entry.uc_stack.ss_size = HOST_STACK;
    fiber->entry.uc_link = 0;
    makecontext(&fiber->entry, host_work, 0);
    swapcontext(&host_main, &fiber->entry);
    return true;
}

static HostOutcome host_block() {
    unsigned int fibers = 0, waiting = 0;
    for (host_next = 0; host_next < blockDim.x; ++fibers) {
        if (!host_resume(&host_fibers[fibers])) return HOST_NO_MEMORY;
        waiting += host_fibers[fibers].line != 0;
    }
    while (waiting) {
        if (waiting != blockDim.x) return HOST_MISSING;
        for (unsigned int i = 1; i < fibers; ++i) {
            if (host_fibers[i].line != host_fibers[0].line) return HOST_DIVERGED;
        }
        waiting = 0;
        for (unsigned int i = 0; i < fibers; ++i) {
            host_resume(&host_fibers[i]);
            waiting += host_fibers[i].line != 0;
        }
    }
    return HOST_DONE;
}

// CuPy compiles every kernel so that denormals of float, given or computed, are 0. On x86 the same is asked of the
// processor for as long as a kernel runs, where HOST_FLUSHES is 1; of double too, so that modules of double have 0.
#if defined(__SSE__) && HOST_FLUSHES
enum { HOST_FLUSH_TO_ZERO = 0x8000, HOST_DENORMALS_ARE_ZERO = 0x0040 };
static inline unsigned int host_flush() {
    const unsigned int before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | HOST_FLUSH_TO_ZERO | HOST_DENORMALS_ARE_ZERO);
    return before;
}
static inline void host_restore(unsigned int before) { __builtin_ia32_ldmxcsr(before); }
#else
static inline unsigned int host_flush() { return 0; }
static inline void host_restore(unsigned int) {}
#endif

// Where threads of a block are left waiting, their fibers are never resumed, but begun anew.
static HostOutcome host_grid(unsigned int grid) {
    for (unsigned int number = 0; number < grid; ++number) {
        blockIdx.x = host_descending ? grid - 1 - number : number;
        const HostOutcome outcome = host_block();
        if (outcome != HOST_DONE) {
            for (int i = 0; i < HOST_MOST_THREADS; ++i) host_fibers[i].entered = false;
            return outcome;
        }
    }
    return HOST_DONE;
}

static int host_run(void (*body)(void**), unsigned int grid, unsigned int block, int descending, void** arguments) {
    host_body = body;
    host_arguments = arguments;
    host_descending = descending;
    gridDim.x = grid;
    blockDim.x = block;
    const unsigned int before = host_flush();
    const HostOutcome outcome = host_grid(grid);
    host_restore(before);
    return outcome;
}
