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
// One entry for each state in use, and behind them the market as it is. The last two serve American options.
template <class Number> struct Tables {
  SpotState<Number>* spots;
  Deviation<Number>* vols;
  Exercise<Number>* exercises;
  Premium<Number>* premiums;
};

// A few options of one section, a lane each.
template <class Number> struct Options {
  static constexpr int width = sizeof(Number) / sizeof(double);
  const Section& section;
  const long long* rows;
  Number slopes, intercepts, strikes, discounts, vols, roots, log_terms, logs;
  Contract<Number> contract;
  bool fixed;  // whether a forward has a part that does not move with the spot

  Options(const Section& section, const long long* rows) : section(section), rows(rows) {
    double sides[width];
    for (int lane = 0; lane < width; ++lane) sides[lane] = section.is_call[rows[lane]] ? 0.5 : -0.5;
    const Number years = column(section.years);
    slopes = column(section.slopes) * column(section.spots);
    intercepts = column(section.intercepts);
    strikes = column(section.strikes);
    discounts = column(section.discount_factors);
    vols = column(section.vols);
    roots = square_root(years);
    log_terms = has_terms(section) ? log_term_of(years) : Number(0.0);
    contract = {load<Number>(sides), 0.5 * (discounts * strikes)};
    logs = log_ratio(slopes, strikes);
    fixed = any(is_fixed(intercepts));
  }
  static bool has_terms(const Section& section) {
    bool found = false;
    for (long long rule = 0; rule < section.vol_rules; ++rule) found |= section.term_powers[rule] != 0.0;
    return found;
  }
  Number column(const double* from) const {
    double lanes[width];
    for (int lane = 0; lane < width; ++lane) lanes[lane] = from[rows[lane]];
    return load<Number>(lanes);
  }

  // ``log`` is that of the factor. Each lane takes the way that its own intercept and the factor ask for.
  SHOCKGRID_INLINE SpotState<Number> at_spot(double factor, double log) const {
    const Number forward = slopes * factor + intercepts;
    SpotState<Number> state = {logs + log, discounts * forward};
    if (fixed || !(0.0 < factor)) {
      const Number own = log_ratio(forward, strikes);
      state.log = 0.0 < factor ? select(is_fixed(intercepts), own, state.log) : own;
    }
    return state;
  }
  Deviation<Number> at_vol(const VolRule& rule) const {
    return deviation_of(shocked_vol(rule, vols, log_terms), roots);
  }
  // Fills the tables; whether any of the options is far out of the money in any of the spot states.
  bool tabulate(const Scenarios& run, Tables<Number>& tables) const {
    auto far = is_far(contract.strike(), contract.strike());
    for (long long j = 0; j < run.spot_count; ++j) {
      tables.spots[j] = at_spot(run.spot_factors[j], run.spot_logs[j]);
      far = far | is_far(tables.spots[j].asset, contract.strike());
    }
    for (long long k = 0; k < run.rule_count; ++k) tables.vols[k] = at_vol(run.vol_rules[k]);
    // bit for bit a scenario that moves nothing, so that its P&L is zero
    tables.spots[run.spot_count] = at_spot(1.0, 0.0);
    tables.vols[run.rule_count] = deviation_of(vols, roots);
    return any(far | is_far(tables.spots[run.spot_count].asset, contract.strike()));
  }

  Early<Number> early() const {
    return early_of(contract.side, column(section.units) * column(section.spots), strikes,
                    column(section.years), column(section.rates), column(section.yields));
  }
  void tabulate_exercise(const Early<Number>& early, const Scenarios& run, Tables<Number>& tables) const {
    for (long long j = 0; j < run.spot_count; ++j)
      tables.exercises[j] = exercise_at(early, Number(run.spot_factors[j]), Number(run.spot_logs[j]));
    tables.exercises[run.spot_count] = exercise_at(early, Number(1.0), Number(0.0));
  }
  // Whether the table of every option at this vol is there.
  bool read_premium(const Early<Number>& early, Number vol, Premium<Number>& premium) const {
    const VolPlace<Number> at = place_of_vol(vol);
    long long own[width];
    bool there = true;
    for (int lane = 0; lane < width; ++lane) {
      own[lane] = table_of(at.range.lanes[lane], section.tables + rows[lane] * TABLE_RANGES);
      there &= own[lane] != NO_TABLE_HERE;
    }
    if (there) premium_at(section.premiums, own, at, early, premium);
    return there;
  }
  // That at the market as it is only where it is wanted.
  bool tabulate_premiums(
      const Early<Number>& early, const Scenarios& run, bool with_base, Tables<Number>& tables) const {
    bool there = !with_base || read_premium(early, vols, tables.premiums[run.rule_count]);
    for (long long k = 0; k < run.rule_count; ++k)
      there &= read_premium(early, shocked_vol(run.vol_rules[k], vols, log_terms), tables.premiums[k]);
    return there;
  }
};

// What early exercise makes of a European value at an entry of each table, by one of the routes of an option.
template <int route, class Number>
SHOCKGRID_INLINE Number with_exercise(Number european, const Tables<Number>& tables, long long spot, long long vol) {
  if (route == TABLE) return american_value(european, tables.exercises[spot], tables.premiums[vol]);
  return route == FLOORED ? greater(european, tables.exercises[spot].gain) : european;
}
template <bool far, class Number>
SHOCKGRID_INLINE Number european_at(
    const Contract<Number>& contract, const Tables<Number>& tables, long long spot, long long vol) {
  return value_of<far>(contract, tables.spots[spot].log, tables.spots[spot].asset, tables.vols[vol]);
}

// Turns a square of values, a scenario a row, and writes it to the rows of the options that are there.
template <class Number>
SHOCKGRID_INLINE void write_square(
    const Number* scenarios, const long long* rows, int present, const Tile& tile, long long start) {
  constexpr int width = sizeof(Number) / sizeof(double);
  const long long room = tile.stride - start;
  double* to = tile.values + start;
  if (room < width || present < width) {
    for (int lane = 0; lane < present; ++lane)
      for (int s = 0; s < width && s < room; ++s) to[rows[lane] * tile.stride + s] = scenarios[s].lanes[lane];
    return;
  }
  Number square[width];
  SHOCKGRID_UNROLL
  for (int s = 0; s < width; ++s) square[s] = scenarios[s];
  transpose(square);
  SHOCKGRID_UNROLL
  for (int lane = 0; lane < width; ++lane) store(square[lane], to + rows[lane] * tile.stride);
}

template <bool far, int route, class Number>
void fill_rows(
    const Contract<Number> contract, const Number base, const Scenarios& run, const Tables<Number>& tables,
    const long long* rows, int present, const Tile& tile) {
  // long enough that the processor seldom waits for the last of them, short enough for its first cache
  constexpr int width = sizeof(Number) / sizeof(double), length = 128;
  Number block[length];
  for (long long start = 0; start < run.count; start += length) {
    const int scenarios = run.count - start < length ? int(run.count - start) : length;
    const int *spots = run.spots + start, *rules = run.rules + start;
    SHOCKGRID_UNROLL_TWICE
    for (int s = 0; s < scenarios; ++s) {
      const Number value = european_at<far>(contract, tables, spots[s], rules[s]);
      block[s] = route == EUROPEAN ? value - base : value;
    }
    // a walk of its own: chains of both would wait for each other
    if (route != EUROPEAN) {
      SHOCKGRID_UNROLL_TWICE
      for (int s = 0; s < scenarios; ++s)
        block[s] = with_exercise<route>(block[s], tables, spots[s], rules[s]) - base;
    }
    for (int s = scenarios; s % width; ++s) block[s] = Number(0.0);
    SHOCKGRID_NO_UNROLL
    for (int s = 0; s < scenarios; s += width) write_square(block + s, rows, present, tile, start + s);
  }
}

// Values of one instrument that Python found, less its base value: in place of some in its row, or all of it.
inline void put_given(const Section& section, const Scenarios& run, long long row, double base, const Tile& tile) {
  const long long from = section.given.places[row] * section.given.scenarios + run.start;
  for (long long s = 0; s < run.count; ++s)
    if (section.given.flags[from + s]) tile.values[row * tile.stride + s] = section.given.values[from + s] - base;
}
inline void fill_given(const Section& section, const Scenarios& run, long long row, const Tile& tile) {
  const long long place = section.given.places[row];
  const double base = tile.less_base ? section.given.bases[place] : 0.0;
  const double* values = section.given.values + place * section.given.scenarios + run.start;
  for (long long s = 0; s < run.count; ++s) tile.values[row * tile.stride + s] = values[s] - base;
}

// The rows of ``present`` options, fewer than the lanes at the end of a section, where ``rows`` repeats its last.
// Whether all their tables are there.
template <int route, class Number>
bool fill_options(
    const Section& section, const Scenarios& run, Tables<Number>& tables, const long long* rows, int present,
    const Tile& tile) {
  const Options<Number> options(section, rows);
  const bool far = options.tabulate(run, tables);
  if (route != EUROPEAN) {
    const Early<Number> early = options.early();
    options.tabulate_exercise(early, run, tables);
    if (route == TABLE && !options.tabulate_premiums(early, run, tile.less_base, tables)) return false;
  }
  Number base = 0.0;
  if (tile.less_base) {
    base = far ? european_at<true>(options.contract, tables, run.spot_count, run.rule_count)
               : european_at<false>(options.contract, tables, run.spot_count, run.rule_count);
    base = with_exercise<route>(base, tables, run.spot_count, run.rule_count);
  }
  if (route == TABLE && section.given.count)
    for (int lane = 0; lane < present && tile.less_base; ++lane) {
      const int place = section.given.places[rows[lane]];
      if (place >= 0 && section.given.base_flags[place]) base.lanes[lane] = section.given.bases[place];
    }
  if (far) fill_rows<true, route>(options.contract, base, run, tables, rows, present, tile);
  else fill_rows<false, route>(options.contract, base, run, tables, rows, present, tile);
  if (route == TABLE && section.given.count)
    for (int lane = 0; lane < present; ++lane)
      if (section.given.places[rows[lane]] >= 0) put_given(section, run, rows[lane], base.lanes[lane], tile);
  return true;
}

// A linear instrument is worth its forward.
inline void fill_linear(const Section& section, const Scenarios& run, long long row, const Tile& tile) {
  const double slope = section.slopes[row] * section.spots[row], intercept = section.intercepts[row];
  const double base = tile.less_base ? slope * 1.0 + intercept : 0.0;
  for (long long s = 0; s < run.count; ++s)
    tile.values[row * tile.stride + s] = slope * run.spot_factors[run.spots[s]] + intercept - base;
}

}  // namespace SHOCKGRID_NAMESPACE
