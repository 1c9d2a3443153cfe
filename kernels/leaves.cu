// CUDA entry points for the sums of leaves and the worst of them. Compile with --fmad=false; then every sum has
// the bits of the CPU library. Every parameter is 8 bytes, a count or an address.
#include "aggregate.h"
#include "worst.h"

using namespace SHOCKGRID_NAMESPACE;

// The most threads of a block of ``leaf_worst``.
constexpr int MOST_THREADS = 256;

// P&L of ``leaves`` rows of a CSR matrix of weights times a tile [instruments, scenarios] of unit P&L, into
// columns ``start`` and following of pnl [leaves, width]. A block takes a leaf, a thread a scenario.
extern "C" __global__ void __launch_bounds__(256) leaf_pnl(
    long long leaves, const long long* pointers, const int* instruments, const double* weights,
    long long scenarios, const double* tile, long long start, long long width, double* pnl) {
  for (long long leaf = blockIdx.x; leaf < leaves; leaf += gridDim.x)
    for (long long s = threadIdx.x; s < scenarios; s += blockDim.x) {
      double sums[1];
      leaf_sums(tile + s, scenarios, weights, instruments, pointers[leaf], pointers[leaf + 1], sums);
      pnl[leaf * width + start + s] = sums[0];
    }
}

// The lowest P&L of each leaf and the lowest scenario that has it, of columns that are scenarios ``start`` and
// following of more: with ``start`` > 0 what stands in values and scenarios is of those before.
extern "C" __global__ void __launch_bounds__(MOST_THREADS) leaf_worst(
    long long leaves, long long width, const double* pnl, long long start, double* values, long long* scenarios) {
  __shared__ Worst found[MOST_THREADS];
  for (long long leaf = blockIdx.x; leaf < leaves; leaf += gridDim.x) {
    const double* row = pnl + leaf * width;
    const long long first = threadIdx.x < width ? threadIdx.x : 0;
    Worst own = {row[first], start + first};
    for (long long s = first + blockDim.x; s < width; s += blockDim.x) own = worse(own, {row[s], start + s});
    worst_of_block(own, found);
    if (threadIdx.x == 0) {  // which alone overwrites found[0], so that the others may go on
      const Worst last = start ? worse({values[leaf], scenarios[leaf]}, found[0]) : found[0];
      values[leaf] = last.value;
      scenarios[leaf] = last.scenario;
    }
  }
}
