// Enough of CUDA to compile a .cu file whole with g++ and run it: a block is as many threads of the host, blocks
// run one after another.
//
// Threads take turns between barriers, the first thread first, so that a missing barrier is seen every time and not
// now and then; shared memory is full of NaN when a block starts. With SHOCKGRID_HOST_FREE they run at once, for
// ThreadSanitizer.
#pragma once
#include <atomic>
#include <barrier>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#define __CUDACC__ 1
#define __global__ __attribute__((visibility("default"), used))
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __shared__ static __attribute__((section("shared_memory")))

inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline double __dsqrt_rn(double a) { return __builtin_sqrt(a); }
// CuPy compiles with -ftz=true: a float32 below 2**-126 counts as zero. Seen here where a product is fused with a sum.
inline float host_flushed(float a) { return __builtin_fabsf(a) < 0x1p-126f ? 0.0f : a; }
inline float __fmaf_rn(float a, float b, float c) {
  return host_flushed(__builtin_fmaf(host_flushed(a), host_flushed(b), host_flushed(c)));
}
inline unsigned __float_as_uint(float a) {
  unsigned bits;
  std::memcpy(&bits, &a, sizeof bits);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float a;
  std::memcpy(&a, &bits, sizeof a);
  return a;
}
inline long long __double_as_longlong(double a) {
  long long bits;
  std::memcpy(&bits, &a, sizeof bits);
  return bits;
}
inline double __longlong_as_double(long long bits) {
  double a;
  std::memcpy(&a, &bits, sizeof a);
  return a;
}

struct HostIndex {
  unsigned x;
};
inline thread_local HostIndex threadIdx, blockIdx;
inline HostIndex blockDim, gridDim;

// One launch: who may run, and who waits.
class HostLaunch {
  std::barrier<> all;
  std::atomic<unsigned> turn{0};

 public:
  explicit HostLaunch(unsigned threads) : all(threads) {}

  void enter() {
#ifndef SHOCKGRID_HOST_FREE
    for (unsigned now = turn; now != threadIdx.x; now = turn) turn.wait(now);
#endif
  }
  void leave() {
#ifndef SHOCKGRID_HOST_FREE
    turn = (threadIdx.x + 1) % blockDim.x;
    turn.notify_all();
#endif
  }
  void wait() { all.arrive_and_wait(); }
};
inline HostLaunch* host_launch;

inline void __syncthreads() {
  host_launch->leave();
  host_launch->wait();
  host_launch->enter();
}

// Empty where no kernel has shared memory.
extern "C" char __start_shared_memory[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_shared_memory[] __attribute__((weak, visibility("hidden")));

typedef unsigned long long HostWord;
typedef void HostKernel(
    HostWord, HostWord, HostWord, HostWord, HostWord, HostWord, HostWord, HostWord, HostWord, HostWord);

// Runs a kernel whose parameters are ten words or fewer.
extern "C" __attribute__((visibility("default"))) void host_launch_kernel(
    void* address, unsigned blocks, unsigned threads, const HostWord* given) {
  const auto kernel = reinterpret_cast<HostKernel*>(address);
  gridDim.x = blocks;
  blockDim.x = threads;
  HostLaunch launch(threads);
  host_launch = &launch;
  const auto work = [&](unsigned thread) {
    threadIdx.x = thread;
    for (unsigned block = 0; block < blocks; ++block) {
      blockIdx.x = block;
      launch.wait();
      if (thread == 0 && __start_shared_memory)
        std::memset(__start_shared_memory, 0xff, size_t(__stop_shared_memory - __start_shared_memory));
      launch.wait();
      launch.enter();
      kernel(given[0], given[1], given[2], given[3], given[4], given[5], given[6], given[7], given[8], given[9]);
      launch.leave();
    }
  };
  std::vector<std::thread> others;
  for (unsigned thread = 1; thread < threads; ++thread) others.emplace_back(work, thread);
  work(0);
  for (std::thread& other : others) other.join();
}
