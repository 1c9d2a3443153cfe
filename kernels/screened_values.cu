// CUDA entry point for a tile of float32, from which screened_leaves.cu rules out scenarios. Compile with
// --fmad=false. Every parameter is 8 bytes, a count or an address.
#include "screened_tile.h"

using namespace SHOCKGRID_NAMESPACE;

// The most threads of a block of ``screened_values``.
constexpr int SCREEN_THREADS = 256;

// The largest of a row: asset, half deviation, bell and P&L.
struct Largest {
  float asset, half, bell, pnl;
};
__device__ __forceinline__ Largest larger(const Largest& a, const Largest& b) {
  return {greater(a.asset, b.asset), greater(a.half, b.half), greater(a.bell, b.bell), greater(a.pnl, b.pnl)};
}

__device__ __forceinline__ void put_bound(
    const Section& section, long long row, bool screened, const Largest& all, RowBound& bound) {
  const double size = all.pnl, strike = section.discount_factors[row] * section.strikes[row];
  bound.size = size;
  if (screened) bound.error = screened_error(all.asset, strike, all.half * (2.0 / DENSITY_SCALE), all.bell, size);
  else bound.error = size < SCREEN_MOST ? SCREEN_ROUNDING * size + SCREEN_LEAST : SCREEN_NO_BOUND;
}

__device__ __forceinline__ ScreenedSpot<float> screened_spot(
    const Section& section, long long row, const RowBound& now, double factor, double factor_log) {
  const double forward = forward_of(section, row, factor);
  const bool direct = is_fixed(section.intercepts[row]) || !(0.0 < factor);
  const double log = direct ? shared_log_ratio(forward, section.strikes[row]) : now.log + factor_log;
  const double asset = section.discount_factors[row] * forward;
  const double strike = section.discount_factors[row] * section.strikes[row];
  const Lines lines = lines_of(section.is_call[row], asset, strike, now.base);
  return {float(log), float(asset), float(lines.upper), float(lines.middle), float(lines.lower)};
}

// Base value and log of the screened rows. A thread takes a row.
extern "C" __global__ void __launch_bounds__(256) screened_bases(
    const ScreenedTile* own, long long rows) {
  const long long step = (long long)gridDim.x * blockDim.x;
  for (long long top = (long long)blockIdx.x * blockDim.x + threadIdx.x; top < rows; top += step) {
    const Place place = own->places[top];
    const Section& section = own->sections[place.section];
    if (section.routes[place.row] != EUROPEAN) continue;
    own->bounds[top].base = european_base(section, place.row);
    own->bounds[top].log = spot_now(section, place.row).log;
  }
}

// The tables of the screened rows. A block takes a run, a thread a spot state, whose log serves all rows.
extern "C" __global__ void __launch_bounds__(256) screened_tables(
    const ScreenedTile* own, const Rows* runs, long long run_count) {
  for (long long r = blockIdx.x; r < run_count; r += gridDim.x) {
    const Rows run = runs[r];
    const Section& section = own->sections[run.section];
    const long long rules = section.vol_rules;
    for (long long j = threadIdx.x; j < section.spot_states; j += blockDim.x) {
      const double factor = section.spot_factors[j], log = shared_log_ratio(factor, 1.0);
      for (long long k = 0; k < run.count; ++k)
        if (is_screened(*own, run.top + k))
          own->spots[own->places[run.top + k].spots + j] =
              screened_spot(section, run.first + k, own->bounds[run.top + k], factor, log);
    }
    for (long long e = threadIdx.x; e < rules * run.count; e += blockDim.x) {
      const long long k = e / rules, row = run.first + k;
      if (!is_screened(*own, run.top + k)) continue;
      const Deviation<double> vol = vol_entry(section, row, vol_under(section, row, e % rules));
      own->vols[own->places[run.top + k].vols + e % rules] = {float(vol.inverse), float(vol.half)};
    }
  }
}

// Unit P&L of the screened rows in float32 and its bounds; of the others what ``exact`` has, rounded. A block takes a
// row, its threads go through the scenarios.
extern "C" __global__ void __launch_bounds__(256) screened_values(
    const ScreenedTile* own, long long rows) {
  const long long scenarios = own->scenarios;
  __shared__ Largest largest[SCREEN_THREADS];
  for (long long top = blockIdx.x; top < rows; top += gridDim.x) {
    const Place place = own->places[top];
    const Section& section = own->sections[place.section];
    const bool screened = section.routes[place.row] == EUROPEAN;
    Largest mine = {0.0f, 0.0f, 0.0f, 0.0f};
    for (long long s = threadIdx.x; s < scenarios; s += blockDim.x) {
      float value;
      if (screened) {
        const ScreenedSpot<float> spot = own->spots[place.spots + section.index[2 * s]];
        const Deviation<float> vol = own->vols[place.vols + section.index[2 * s + 1]];
        const ScreenedPnl<float> found = screened_pnl(spot, vol);
        value = found.pnl;
        mine = larger(mine, {magnitude(spot.asset), vol.half, found.bell, 0.0f});
      } else {
        value = float(own->exact[top * scenarios + s]);
      }
      mine.pnl = greater(mine.pnl, magnitude(value));
      own->values[top * scenarios + s] = value;
    }
    largest[threadIdx.x] = mine;
    __syncthreads();
    for (unsigned left = blockDim.x; left > 1; left = (left + 1) / 2) {
      const unsigned half = (left + 1) / 2;
      if (threadIdx.x + half < left) largest[threadIdx.x] = larger(largest[threadIdx.x], largest[threadIdx.x + half]);
      __syncthreads();
    }
    if (threadIdx.x == 0) put_bound(section, place.row, screened, largest[0], own->bounds[top]);
    __syncthreads();  // before the next row overwrites the largest
  }
}
