// CUDA entry points that rule out what cannot be the worst scenario of a leaf, in float32, and price the rest again in
// float64: the values and scenarios that leaves.cu finds, to the byte. Compile with --fmad=false. Every parameter is 8
// bytes, a count or an address.
#include "screened_tile.h"
#include "worst.h"

using namespace SHOCKGRID_NAMESPACE;

// The most threads of a block, and the scenarios that ``worst_of_screened`` looks through at a time.
constexpr int LEAF_THREADS = 128, WINDOW = 128;
// Positions summed before the sum goes on with what was rounded off kept beside it.
constexpr long long SCREEN_RUN = 16;

// The P&L of a leaf at one scenario of a tile. The sum of runs is exact but for its last rounding, and a few of what
// was rounded off: O. Moeller, "Quasi double-precision in floating point addition", BIT 5 (1965).
__device__ __forceinline__ float screened_sum(
    const float* tile, long long stride, const int* instruments, const double* weights, long long count) {
  float sum = 0.0f, rest = 0.0f;
  for (long long from = 0; from < count; from += SCREEN_RUN) {
    const long long to = from + SCREEN_RUN < count ? from + SCREEN_RUN : count;
    float run = 0.0f;
    for (long long position = from; position < to; ++position)
      run = fused(float(weights[position]), tile[stride * instruments[position]], run);
    const float next = sum + run, back = next - sum;
    rest += (sum - (next - back)) + (run - back);
    sum = next;
  }
  return sum + rest;
}

// What one position adds to the bound of a leaf. ``steps``: roundings of its product on the way to the sum.
__device__ __forceinline__ double part_of_bound(const RowBound& row, double weight, double steps) {
  weight = magnitude(weight);
  const bool good = weight == 0.0 || (weight > SCREEN_LEAST && weight < SCREEN_MOST);
  if (!(good && row.error < SCREEN_NO_BOUND && weight * row.size < SCREEN_MOST)) return SCREEN_NO_BOUND;
  return weight * (row.error + steps * SCREEN_ROUNDING * row.size) + SCREEN_LEAST;
}

// P&L of leaves in float32, and the most that a scenario may have and still be the worst. A block takes a leaf, a
// thread a scenario. The weight is rounded, so are sums of a run, and three times what follows.
extern "C" __global__ void __launch_bounds__(128) screened_leaves(
    const ScreenedTile* own, long long leaves, const long long* pointers, const int* instruments,
    const double* weights) {
  const long long scenarios = own->scenarios;
  __shared__ Worst found[LEAF_THREADS];
  __shared__ double bounds[LEAF_THREADS];
  for (long long leaf = blockIdx.x; leaf < leaves; leaf += gridDim.x) {
    const long long first = pointers[leaf], count = pointers[leaf + 1] - first;
    const double steps = double((count < SCREEN_RUN ? count : SCREEN_RUN) + 4);
    double bound = 0.0;
    for (long long position = threadIdx.x; position < count; position += blockDim.x)
      bound += part_of_bound(own->bounds[instruments[first + position]], weights[first + position], steps);
    bounds[threadIdx.x] = bound;
    Worst lowest = {SCREEN_NO_BOUND, 0};
    for (long long s = threadIdx.x; s < scenarios; s += blockDim.x) {
      const float pnl =
          screened_sum(own->values + s, scenarios, instruments + first, weights + first, count);
      own->pnl[leaf * scenarios + s] = pnl;
      lowest = worse(lowest, {pnl, s});
    }
    worst_of_block(lowest, found);  // whose barriers are those of the bounds as well
    if (threadIdx.x == 0) {
      for (unsigned thread = 1; thread < blockDim.x; ++thread) bound += bounds[thread];
      own->limits[leaf] = bound < SCREEN_NO_BOUND ? found[0].value + 2.001 * bound : SCREEN_NO_BOUND;
    }
    __syncthreads();  // before the next leaf overwrites the bounds
  }
}

// Unit P&L of one cell in float64, bit for bit what ``unit_values`` and ``early_values`` give.
__device__ __noinline__ double exact_cell(const ScreenedTile& own, long long top, long long scenario) {
  const Place place = own.places[top];
  const Section& section = own.sections[place.section];
  if (section.routes[place.row] != EUROPEAN) return own.exact[top * own.scenarios + scenario];
  const RowBound& now = own.bounds[top];
  const long long spot = section.index[2 * scenario], rule = section.index[2 * scenario + 1];
  const double value = european_value(
      section, place.row, spot_entry(section, place.row, section.spot_factors[spot], now.log),
      vol_entry(section, place.row, vol_under(section, place.row, rule)));
  return value - now.base;
}

// Keeps the worse of a leaf's P&L and the next, the next where there is none yet.
__device__ __forceinline__ void put_worst(double& value, long long& scenario, const Worst& next, bool& has_worst) {
  const Worst worst = has_worst ? worse({value, scenario}, next) : next;
  value = worst.value;
  scenario = worst.scenario;
  has_worst = true;
}

// The lowest P&L of each leaf and the lowest scenario that has it, as ``leaf_worst``, of the scenarios that
// ``screened_leaves`` left. A block takes a leaf and goes through the scenarios a window at a time; a thread takes a
// position in one of those left, and the first thread adds them up in their order. A leaf has below 2**24 positions.
extern "C" __global__ void __launch_bounds__(128) worst_of_screened(
    const ScreenedTile* own, long long leaves, const long long* pointers, const int* instruments,
    const double* weights, long long start, double* values, long long* places) {
  __shared__ double parts[LEAF_THREADS], sum;
  __shared__ int left[WINDOW], left_count;
  __shared__ bool kept[WINDOW], has_worst;
  for (long long leaf = blockIdx.x; leaf < leaves; leaf += gridDim.x) {
    const long long first = pointers[leaf];
    const int count = int(pointers[leaf + 1] - first);
    if (threadIdx.x == 0) {
      has_worst = start > 0;
      if (!count && !has_worst) put_worst(values[leaf], places[leaf], {0.0, start}, has_worst);
    }
    for (long long low = 0; count && low < own->scenarios; low += WINDOW) {
      const long long scenarios = own->scenarios;
      for (int k = threadIdx.x; k < WINDOW; k += blockDim.x)
        kept[k] = low + k < scenarios && !(own->limits[leaf] < own->pnl[leaf * scenarios + low + k]);
      __syncthreads();
      if (threadIdx.x == 0) {
        left_count = 0;
        for (int k = 0; k < WINDOW; ++k)
          if (kept[k]) left[left_count++] = k;
      }
      __syncthreads();
      const int pairs = left_count * count;
      for (int pair = 0; pair < pairs; pair += blockDim.x) {
        const int mine = pair + threadIdx.x;
        if (mine < pairs)
          parts[threadIdx.x] = exact_cell(*own, instruments[first + mine % count], low + left[mine / count]);
        __syncthreads();
        for (int k = pair; threadIdx.x == 0 && k < pairs && k < pair + int(blockDim.x); ++k) {
          sum = (k % count ? sum : 0.0) + weights[first + k % count] * parts[k - pair];
          if (k % count == count - 1)
            put_worst(values[leaf], places[leaf], {sum, start + low + left[k / count]}, has_worst);
        }
        __syncthreads();  // before the parts are overwritten
      }
    }
    __syncthreads();  // before the next leaf overwrites what was left
  }
}
