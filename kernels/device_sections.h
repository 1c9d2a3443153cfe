// What the CUDA entry points are given, and the European side of it: instruments on one underlying, and the states
// they are priced in, as columns at addresses of the device.
#pragma once
#include "american.h"

namespace SHOCKGRID_NAMESPACE {

// States that a block tabulates, of as many rows as there is room for.
constexpr int MOST_STATES = 1024, MOST_ROWS = 8;

// A run of rows of one section, and the row of the tile that the first of them fills.
struct Rows {
  long long section, first, count, top;
};

// How an instrument is priced: by its forward, or as an option that is European, European but at least what
// exercise gives, or read from premium tables; or its values are given.
enum Route { LINEAR, EUROPEAN, FLOORED, TABLE, GIVEN };

// The columns of ``contract.Series`` and ``states.States`` (Python).
struct Section {
  long long spot_states, vol_rules;
  const double *spots, *slopes, *intercepts, *strikes, *years, *vols, *discount_factors, *units, *rates, *yields;
  const double *spot_factors, *vol_shocks, *term_powers, *vol_floors, *vol_caps;
  const long long* index;  // [scenarios, 2]: spot state, vol rule
  const int* tables;  // [instruments, TABLE_RANGES]
  const unsigned char *routes, *is_call, *relative;
};

// log and discounted forward of a spot state.
struct SpotEntry {
  double log, asset;
};

SHOCKGRID_INLINE double forward_of(const Section& section, long long row, double factor) {
  return section.slopes[row] * section.spots[row] * factor + section.intercepts[row];
}
// One copy for all that call it, which have few registers left.
SHOCKGRID_NO_INLINE double shared_log_ratio(double forward, double strike) { return log_ratio(forward, strike); }

// In the market as it is.
SHOCKGRID_INLINE SpotEntry spot_now(const Section& section, long long row) {
  const double forward = forward_of(section, row, 1.0);
  return {shared_log_ratio(forward, section.strikes[row]), section.discount_factors[row] * forward};
}
// ``now`` is the log of spot_now, to which that of the factor is added where the forward moves with the spot.
SHOCKGRID_INLINE SpotEntry spot_entry(const Section& section, long long row, double factor, double now) {
  const double forward = forward_of(section, row, factor);
  const bool direct = is_fixed(section.intercepts[row]) || !(0.0 < factor);
  const double moved = shared_log_ratio(direct ? forward : factor, direct ? section.strikes[row] : 1.0);
  return {direct ? moved : now + moved, section.discount_factors[row] * forward};
}
SHOCKGRID_INLINE double vol_under(const Section& section, long long row, long long rule) {
  const VolRule moved = {section.vol_shocks[rule], section.term_powers[rule], section.vol_floors[rule],
                         section.vol_caps[rule], section.relative[rule] != 0};
  return shocked_vol(moved, section.vols[row], log_term_of(section.years[row]));
}
SHOCKGRID_INLINE Deviation<double> vol_entry(const Section& section, long long row, double vol) {
  return deviation_of(vol, square_root(section.years[row]));
}
SHOCKGRID_INLINE double european_value(
    const Section& section, long long row, const SpotEntry& spot, const Deviation<double>& vol) {
  const Contract<double> contract = {section.is_call[row] ? 0.5 : -0.5,
                                     0.5 * (section.discount_factors[row] * section.strikes[row])};
  return value_of(contract, spot.log, spot.asset, vol);
}
// In a scenario that moves nothing, bit for bit.
SHOCKGRID_INLINE double european_base(const Section& section, long long row) {
  return european_value(section, row, spot_now(section, row), vol_entry(section, row, section.vols[row]));
}

}  // namespace SHOCKGRID_NAMESPACE
