// A tile on the CPU: a row for each instrument of one underlying, a column for each of some scenarios, holding
// unit values or unit P&L.
//
// A lane is an option. What depends on a spot state or a vol rule alone is tabulated for the few options at
// hand; a scenario is then a pair of entries of those tables, whatever list of pairs it comes from.
#pragma once
#include "scenarios.h"

namespace SHOCKGRID_NAMESPACE {

struct Tile {
  double* values;
  long long stride;  // from one row to the next; the columns beyond the last scenario hold anything
  bool less_base;    // P&L, and not values
};

template <class Number> struct SpotState {
  Number log, asset;
};
// One entry for each state in use, and behind them the market as it is.
template <class Number> struct Tables {
  SpotState<Number>* spots;
  Deviation<Number>* vols;
};

// A few options of one section, a lane each.
template <class Number> struct Options {
  static constexpr int width = sizeof(Number) / sizeof(double);
  Number slopes, intercepts, strikes, discounts, vols, roots, log_terms;
  Contract<Number> contract;

  Options(const Section& section, const long long* rows) {
    const auto column = [rows](const double* from) {
      double lanes[width];
      for (int lane = 0; lane < width; ++lane) lanes[lane] = from[rows[lane]];
      return load<Number>(lanes);
    };
    double sides[width];
    for (int lane = 0; lane < width; ++lane) sides[lane] = section.is_call[rows[lane]] ? 0.5 : -0.5;
    const Number years = column(section.years);
    slopes = column(section.slopes) * column(section.spots);
    intercepts = column(section.intercepts);
    strikes = column(section.strikes);
    discounts = column(section.discount_factors);
    vols = column(section.vols);
    roots = square_root(years);
    log_terms = log_term_of(years);
    contract = {load<Number>(sides), 0.5 * (discounts * strikes)};
  }

  SpotState<Number> at_spot(double factor) const {
    const Number forward = slopes * factor + intercepts;
    return {log_ratio(forward, strikes), discounts * forward};
  }
  Deviation<Number> at_vol(const VolRule& rule) const {
    return deviation_of(shocked_vol(rule, vols, log_terms), roots);
  }
  // Fills the tables; whether any of the options is far out of the money in any of the spot states.
  bool tabulate(const Scenarios& run, Tables<Number>& tables) const {
    auto far = is_far(contract.strike(), contract.strike());
    for (long long j = 0; j < run.spot_count; ++j) {
      tables.spots[j] = at_spot(run.spot_factors[j]);
      far = far | is_far(tables.spots[j].asset, contract.strike());
    }
    for (long long k = 0; k < run.rule_count; ++k) tables.vols[k] = at_vol(run.vol_rules[k]);
    // bit for bit a scenario that moves nothing, so that its P&L is zero
    tables.spots[run.spot_count] = at_spot(1.0);
    tables.vols[run.rule_count] = deviation_of(vols, roots);
    return any(far);
  }
};

// Turns a square of values, a scenario a row, and writes it to the rows of the options that are there.
template <class Number>
SHOCKGRID_INLINE void write_square(
    const Number* scenarios, const long long* rows, int present, const Tile& tile, long long start) {
  constexpr int width = sizeof(Number) / sizeof(double);
  Number square[width];
  SHOCKGRID_UNROLL
  for (int s = 0; s < width; ++s) square[s] = scenarios[s];
  transpose(square);
  const long long room = tile.stride - start;
  double* to = tile.values + start;
  if (room >= width && present == width) {
    SHOCKGRID_UNROLL
    for (int lane = 0; lane < width; ++lane) store(square[lane], to + rows[lane] * tile.stride);
    return;
  }
  for (int lane = 0; lane < present; ++lane)
    for (int s = 0; s < width && s < room; ++s) to[rows[lane] * tile.stride + s] = square[lane].lanes[s];
}

template <bool far, class Number>
void fill_rows(
    const Contract<Number> contract, const Number base, const Scenarios& run, const Tables<Number>& tables,
    const long long* rows, int present, const Tile& tile) {
  // long enough that the processor seldom waits for the last of them, short enough for its first cache
  constexpr int width = sizeof(Number) / sizeof(double), length = 128;
  Number block[length];
  for (long long start = 0; start < run.count; start += length) {
    const int scenarios = run.count - start < length ? int(run.count - start) : length;
    SHOCKGRID_UNROLL_TWICE
    for (int s = 0; s < scenarios; ++s) {
      const SpotState<Number>& spot = tables.spots[run.spots[start + s]];
      block[s] = value_of<far>(contract, spot.log, spot.asset, tables.vols[run.rules[start + s]]) - base;
    }
    for (int s = scenarios; s % width; ++s) block[s] = Number(0.0);
    SHOCKGRID_NO_UNROLL
    for (int s = 0; s < scenarios; s += width) write_square(block + s, rows, present, tile, start + s);
  }
}

// The rows of ``present`` options, fewer than the lanes at the end of a section, where ``rows`` repeats its last.
template <class Number>
void fill_options(
    const Section& section, const Scenarios& run, Tables<Number>& tables, const long long* rows, int present,
    const Tile& tile) {
  const Options<Number> options(section, rows);
  const bool far = options.tabulate(run, tables);
  const SpotState<Number> spot = tables.spots[run.spot_count];
  const Number base = tile.less_base
                          ? value_of(options.contract, spot.log, spot.asset, tables.vols[run.rule_count])
                          : Number(0.0);
  if (far) fill_rows<true>(options.contract, base, run, tables, rows, present, tile);
  else fill_rows<false>(options.contract, base, run, tables, rows, present, tile);
}

// A linear instrument is worth its forward.
inline void fill_linear(const Section& section, const Scenarios& run, long long row, const Tile& tile) {
  const double slope = section.slopes[row] * section.spots[row], intercept = section.intercepts[row];
  const double base = tile.less_base ? slope * 1.0 + intercept : 0.0;
  for (long long s = 0; s < run.count; ++s)
    tile.values[row * tile.stride + s] = slope * run.spot_factors[run.spots[s]] + intercept - base;
}

}  // namespace SHOCKGRID_NAMESPACE
