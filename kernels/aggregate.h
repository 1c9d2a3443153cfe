// The P&L of a leaf: its positions' weights times the unit P&L in a tile, in the order of the positions.
#pragma once
#include "lanes.h"

// g++ would otherwise keep an address for each of the sums, in memory, instead of one with offsets.
#if defined(__CUDACC__) || defined(__clang__)
#define SHOCKGRID_KEEP_ADDRESS(address)
#else
#define SHOCKGRID_KEEP_ADDRESS(address) __asm__("" : "+r"(address))
#endif

namespace SHOCKGRID_NAMESPACE {

// ``count`` sums side by side, each over the same positions in the same order, so that one load of a weight
// serves them all: on the CPU they stay in registers, a GPU thread has one. ``tile`` points at the first
// scenario of the sums; row i, ``stride`` doubles apart, holds instrument i. Product and sum are rounded each by
// itself, not fused, so that a position and its opposite come to exactly nothing.
template <int count, class Number>
SHOCKGRID_INLINE void leaf_sums(
    const double* tile, long long stride, const double* weights, const int* instruments, long long first,
    long long last, Number (&sums)[count]) {
  SHOCKGRID_UNROLL
  for (int k = 0; k < count; ++k) sums[k] = Number(0.0);
  for (long long position = first; position < last; ++position) {
    const Number weight = weights[position];
    const double* row = tile + stride * instruments[position];
    SHOCKGRID_KEEP_ADDRESS(row);
    SHOCKGRID_UNROLL
    for (int k = 0; k < count; ++k)
      sums[k] = sums[k] + weight * load<Number>(row + k * int(sizeof(Number) / sizeof(double)));
  }
}

}  // namespace SHOCKGRID_NAMESPACE
