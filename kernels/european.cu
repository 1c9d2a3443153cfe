// CUDA entry points for European options and linear instruments: block-stride loops over the headers. Compile with
// --fmad=false; then every cell has the bits of the CPU library. Every parameter is 8 bytes, a count or an address.
#include "device_sections.h"

using namespace SHOCKGRID_NAMESPACE;

// An entry of the table: of a spot state or of a vol rule, which follow the spot states.
union Entry {
  SpotEntry spot;
  Deviation<double> vol;
};

__device__ __forceinline__ Entry entry_of(const Section& section, long long row, long long state, double log) {
  Entry entry;
  if (state < section.spot_states) entry.spot = spot_entry(section, row, section.spot_factors[state], log);
  else entry.vol = vol_entry(section, row, vol_under(section, row, state - section.spot_states));
  return entry;
}

// Unit values or, with ``less_base``, unit P&L: a tile [rows of all runs, scenarios]. A block takes a run; its threads
// go through the scenarios. Options with a right to early exercise are left at their European values, for
// ``early_values``.
extern "C" __global__ void __launch_bounds__(256) unit_values(
    const Section* sections, const Rows* runs, long long run_count, long long scenarios, long long less_base,
    double* tile) {
  __shared__ Entry table[MOST_STATES];
  __shared__ double bases[MOST_ROWS], logs[MOST_ROWS];
  for (long long r = blockIdx.x; r < run_count; r += gridDim.x) {
    const Rows run = runs[r];
    const Section& section = sections[run.section];
    const long long states = section.spot_states + section.vol_rules, entries = states * run.count;
    const bool tabulated = entries <= MOST_STATES;
    for (long long k = threadIdx.x; k < run.count; k += blockDim.x) {
      const long long row = run.first + k;
      const unsigned char route = section.routes[row];
      logs[k] = spot_now(section, row).log;
      if (!less_base || route > EUROPEAN) bases[k] = 0.0;
      else bases[k] = route == LINEAR ? forward_of(section, row, 1.0) : european_base(section, row);
    }
    __syncthreads();
    for (long long e = threadIdx.x; tabulated && e < entries; e += blockDim.x) {
      const long long k = e / states;
      const unsigned char route = section.routes[run.first + k];
      if (route != LINEAR && route != GIVEN) table[e] = entry_of(section, run.first + k, e % states, logs[k]);
    }
#ifndef SHOCKGRID_PLANT_MISSING_BARRIER
    __syncthreads();
#endif
    for (long long k = 0; k < run.count; ++k) {
      const long long row = run.first + k, route = section.routes[row];
      const Entry* entry = table + k * states;
      for (long long s = threadIdx.x; route != GIVEN && s < scenarios; s += blockDim.x) {
        const long long spot = section.index[2 * s], rule = section.index[2 * s + 1];
        double value;
        if (route == LINEAR)
          value = forward_of(section, row, section.spot_factors[spot]);
        else if (tabulated)
          value = european_value(section, row, entry[spot].spot, entry[section.spot_states + rule].vol);
        else
          value = european_value(
              section, row, spot_entry(section, row, section.spot_factors[spot], logs[k]),
              vol_entry(section, row, vol_under(section, row, rule)));
        tile[(run.top + k) * scenarios + s] = value - bases[k];
      }
    }
    __syncthreads();  // before the next run overwrites the table
  }
}

// Discounted Black (1976) values, elementwise.
extern "C" __global__ void __launch_bounds__(256) black_values(
    long long count, const double* forwards, const double* strikes, const double* years, const double* vols,
    const double* discount_factors, const unsigned char* is_call, double* values) {
  const long long step = (long long)gridDim.x * blockDim.x;
  for (long long row = (long long)blockIdx.x * blockDim.x + threadIdx.x; row < count; row += step) {
    const Contract<double> contract = {is_call[row] ? 0.5 : -0.5, 0.5 * (discount_factors[row] * strikes[row])};
    values[row] = value_of(
        contract, log_ratio(forwards[row], strikes[row]), discount_factors[row] * forwards[row],
        deviation_of(vols[row], square_root(years[row])));
  }
}
