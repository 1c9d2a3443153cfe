// CUDA entry point for options with a right to early exercise, and for instruments whose values are given. Compile
// with --fmad=false; then every cell has the bits of the CPU library. Every parameter is 8 bytes, a count or an
// address.
#include "device_sections.h"

using namespace SHOCKGRID_NAMESPACE;

// Vol rules that a block tabulates at a time, and the most spot states that it tabulates.
constexpr int RULES_AT_ONCE = 64, MOST_SPOTS = 512;

// Values in place of those computed here: [rows, scenarios], and [rows] at the market as it is; flags say which of
// them count.
struct GivenValues {
  const double *values, *bases;
  const unsigned char *flags, *base_flags;
};

// A row of a section, the row of the tile that it fills, and the row of its given values or -1.
struct EarlyRow {
  long long section, row, top, given;
};

__device__ __forceinline__ Early<double> early_at(const Section& section, long long row) {
  return early_of(
      section.is_call[row] ? 0.5 : -0.5, section.units[row] * section.spots[row], section.strikes[row],
      section.years[row], section.rates[row], section.yields[row]);
}

// At a vol for which there is no table, values are NaN: seen, not passed over.
__device__ __forceinline__ void read_premium(
    const PremiumTables& tables, const Section& section, long long row, const Early<double>& early, double vol,
    Premium<double>& premium) {
  const VolPlace<double> at = place_of_vol(vol);
  const long long own = table_of(at.range, section.tables + row * TABLE_RANGES);
  if (own != NO_TABLE_HERE) premium_at(tables, &own, at, early, premium);
  else premium.inverse = premium.boundary = number_of<double>(~0ull);
}

__device__ __forceinline__ double early_value(
    long long route, double european, const Exercise<double>& exercise, const Premium<double>& premium) {
  if (route != TABLE) return greater(european, exercise.gain);
  const double value = american_value(european, exercise, premium);
  return premium.boundary == premium.boundary ? value : premium.boundary;
}

// Turns the European values that ``unit_values`` left in the tile into American ones, less their base. A block
// takes a row; its threads go through the scenarios, some vol rules at a time.
extern "C" __global__ void __launch_bounds__(128) early_values(
    const Section* sections, const PremiumTables* tables, const GivenValues* given, const EarlyRow* rows,
    long long row_count, long long scenarios, long long less_base, double* tile) {
  __shared__ Premium<double> premiums[RULES_AT_ONCE];
  __shared__ Exercise<double> exercises[MOST_SPOTS];
  __shared__ double base;
  for (long long r = blockIdx.x; r < row_count; r += gridDim.x) {
    const EarlyRow own = rows[r];
    const Section& section = sections[own.section];
    const long long route = section.routes[own.row];
    const Early<double> early = early_at(section, own.row);
    const bool tabulated = section.spot_states <= MOST_SPOTS;
    for (long long j = threadIdx.x; tabulated && j < section.spot_states; j += blockDim.x)
      exercises[j] = exercise_at(early, section.spot_factors[j], logarithm(section.spot_factors[j]));
    if (threadIdx.x == 0) {
      base = 0.0;
      if (less_base && own.given >= 0 && given->base_flags[own.given]) {
        base = given->bases[own.given];
      } else if (less_base) {
        if (route == TABLE) read_premium(*tables, section, own.row, early, section.vols[own.row], premiums[0]);
        base = early_value(route, european_base(section, own.row), exercise_at(early, 1.0, 0.0), premiums[0]);
      }
    }
    for (long long low = 0; low < section.vol_rules; low += RULES_AT_ONCE) {
      __syncthreads();  // before the premiums are overwritten
      const long long left = section.vol_rules - low, rules = left < RULES_AT_ONCE ? left : RULES_AT_ONCE;
      for (long long k = threadIdx.x; route == TABLE && k < rules; k += blockDim.x)
        read_premium(*tables, section, own.row, early, vol_under(section, own.row, low + k), premiums[k]);
      __syncthreads();
      for (long long s = threadIdx.x; s < scenarios; s += blockDim.x) {
        const long long spot = section.index[2 * s], rule = section.index[2 * s + 1] - low;
        if (rule < 0 || rule >= RULES_AT_ONCE) continue;
        double& cell = tile[own.top * scenarios + s];
        const long long at = own.given * scenarios + s;
        if (own.given >= 0 && given->flags[at]) cell = given->values[at] - base;
        else if (tabulated) cell = early_value(route, cell, exercises[spot], premiums[rule]) - base;
        else {
          const double factor = section.spot_factors[spot];
          cell = early_value(route, cell, exercise_at(early, factor, logarithm(factor)), premiums[rule]) - base;
        }
      }
    }
    __syncthreads();  // before the next row overwrites the tables
  }
}
