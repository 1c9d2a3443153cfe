// The CPU's way from sections to tiles: which instruments share a register, and the memory they need.
#pragma once
#include "native.h"
#include "tile.h"

namespace SHOCKGRID_NAMESPACE {

inline bool all_finite(const Section& section) {
  const double* columns[] = {section.spots, section.slopes, section.intercepts, section.strikes,
                             section.years, section.vols,   section.discount_factors};
  const double* early[] = {section.units, section.rates, section.yields};
  const double* rules[] = {section.vol_shocks, section.term_powers, section.vol_floors};
  bool good = all_finite(section.spot_factors, section.spot_states);
  for (const double* column : columns) good = good && all_finite(column, section.count);
  for (const double* column : early) good = good && (!column || all_finite(column, section.count));
  for (const double* column : rules) good = good && all_finite(column, section.vol_rules);
  return good && !any_nan(section.vol_caps, section.vol_rules);  // no cap is an infinite one
}

inline Status checked(const Section& section, long long scenarios) {
  if (!indices_exist(section, scenarios)) return NO_STATE;
  return all_finite(section) ? DONE : NOT_FINITE;
}

// Rows of one route that wait for a register to fill.
struct Waiting {
  long long rows[WIDTH];
  int present = 0;

  bool full_with(long long row) {
    rows[present++] = row;
    return present == WIDTH;
  }
  void repeat_last() {
    for (int lane = present; lane < WIDTH; ++lane) rows[lane] = rows[present - 1];
  }
};

// Prices sections into tiles of at most ``most`` scenarios. ``states``: spot states and vol rules of the section
// that has the most.
struct Pricer {
  bool ok = true, has_tables = true, has_nan = false;
  Buffer<int> numbers_of, spots, rules, used;
  Buffer<double> spot_factors, spot_logs;
  Buffer<VolRule> vol_rules;
  Buffer<SpotState<Number>> spot_states;
  Buffer<Deviation<Number>> deviations;
  Buffer<Exercise<Number>> exercises;
  Buffer<Premium<Number>> premiums;
  Scenarios run;
  Tables<Number> tables;

  Pricer(long long states, long long most) : Pricer(states, most, states < most ? states : most) {}

  // All instruments of a section, each in its row. Where a premium table is missing ``has_tables`` turns false,
  // where a value is none ``has_nan`` true.
  void fill(const Section& section, long long start, long long count, const Tile& tile) {
    fill_some<true, true>(section, start, count, tile);
  }
  // Only European options, only the others, or both.
  template <bool has_european, bool has_others>
  void fill_some(const Section& section, long long start, long long count, const Tile& tile) {
    use_scenarios(section, start, count, numbers_of.items, run);
    find_spot_logs();
    Waiting european, floored, table;
    for (long long row = 0; row < section.count; ++row) {
      const bool is_european = section.routes[row] == EUROPEAN;
      if (!(is_european ? has_european : has_others)) continue;
      switch (section.routes[row]) {
        case LINEAR:
          fill_linear(section, run, row, tile);
          find_nan(tile, &row, 1);
          break;
        case EUROPEAN: add<EUROPEAN>(section, european, row, tile); break;
        case FLOORED: add<FLOORED>(section, floored, row, tile); break;
        case TABLE: add<TABLE>(section, table, row, tile); break;
        default:
          fill_given(section, run, row, tile);
          find_nan(tile, &row, 1);
      }
    }
    flush<EUROPEAN>(section, european, tile);
    flush<FLOORED>(section, floored, tile);
    flush<TABLE>(section, table, tile);
  }

  // The logs of ``run.spot_factors``, a register at a time; the factors behind the last are any number.
  void find_spot_logs() {
    for (int k = 0; k < WIDTH; ++k) run.spot_factors[run.spot_count + k] = 1.0;
    for (long long j = 0; j < run.spot_count; j += WIDTH)
      store(logarithm(load<Number>(run.spot_factors + j)), run.spot_logs + j);
  }

private:
  Pricer(long long states, long long most, long long distinct)
      : numbers_of(states, ok), spots(most, ok), rules(most, ok), used(most, ok), spot_factors(most + WIDTH, ok),
        spot_logs(most + WIDTH, ok), vol_rules(most, ok), spot_states(distinct + 1, ok), deviations(distinct + 1, ok),
        exercises(distinct + 1, ok), premiums(distinct + 1, ok),
        run{0, 0, 0, 0, spots.items, rules.items, used.items, spot_factors.items, spot_logs.items, vol_rules.items},
        tables{spot_states.items, deviations.items, exercises.items, premiums.items} {}

  // In values, while they are in cache; P&L is looked at where it is summed.
  void find_nan(const Tile& tile, const long long* rows, int present) {
    for (int lane = 0; lane < present && !tile.less_base; ++lane)
      has_nan |= any_nan(tile.values + rows[lane] * tile.stride, run.count);
  }
  template <int route> void add(const Section& section, Waiting& waiting, long long row, const Tile& tile) {
    if (waiting.full_with(row)) flush<route>(section, waiting, tile);
  }
  template <int route> void flush(const Section& section, Waiting& waiting, const Tile& tile) {
    if (!waiting.present) return;
    waiting.repeat_last();
    if (fill_options<route>(section, run, tables, waiting.rows, waiting.present, tile))
      find_nan(tile, waiting.rows, waiting.present);
    else has_tables = false;
    waiting.present = 0;
  }
};

}  // namespace SHOCKGRID_NAMESPACE
