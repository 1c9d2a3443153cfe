// The worst of a GPU block's values, the lowest scenario on a tie.
#pragma once
#include "lanes.h"

namespace SHOCKGRID_NAMESPACE {

// A value and where it stands. A NaN counts as worse than any number, so that none is passed over.
struct Worst {
  double value;
  long long scenario;
};
SHOCKGRID_INLINE Worst worse(const Worst& a, const Worst& b) {
#ifdef SHOCKGRID_PLANT_MISSING_TIE_RULE
  return b.value <= a.value || b.value != b.value ? b : a;
#else
  if (b.value != b.value) return a.value != a.value && a.scenario < b.scenario ? a : b;
  if (a.value != a.value) return a;
  return b.value < a.value || (b.value == a.value && b.scenario < a.scenario) ? b : a;
#endif
}

// That of all threads of a block, in ``found``[0]; they wait for each other.
SHOCKGRID_INLINE void worst_of_block(const Worst& own, Worst* found) {
  found[threadIdx.x] = own;
  __syncthreads();
  for (unsigned left = blockDim.x; left > 1; left = (left + 1) / 2) {
    const unsigned half = (left + 1) / 2;
    if (threadIdx.x + half < left) found[threadIdx.x] = worse(found[threadIdx.x], found[threadIdx.x + half]);
    __syncthreads();
  }
}

}  // namespace SHOCKGRID_NAMESPACE
