// A tile of float32 on the CPU: unit P&L of European options with the bound of each, twice the lanes of tile.h.
#pragma once
#include "native_price.h"
#include "screen.h"

namespace SHOCKGRID_NAMESPACE {

constexpr int SCREEN_WIDTH = 2 * WIDTH;
using Screened = Lanes<SCREEN_WIDTH, float>;
// Above every number that is screened.
constexpr float SCREEN_BEYOND = 1e38f;

// ``stride`` from one row to the next. By row: base value, bound of the error, the largest size of a P&L, the lowest
// and the highest.
struct ScreenTile {
  float* values;
  long long stride;
  double *bases, *errors, *sizes;
  float *lows, *highs;

  ScreenTile from(long long row) const {
    return {values + row * stride, stride, bases + row, errors + row, sizes + row, lows + row, highs + row};
  }
  // The row of an instrument that is priced in float64.
  void round_row(long long row, const double* exact, long long count) const {
    double low = exact[0], high = exact[0];
    bool all_numbers = true;
    for (long long s = 0; s < count; ++s) {
      values[row * stride + s] = float(exact[s]);
      low = exact[s] < low ? exact[s] : low;
      high = high < exact[s] ? exact[s] : high;
      all_numbers &= exact[s] == exact[s];
    }
    put_ends(row, float(low), float(high));
    const bool bounded = all_numbers && sizes[row] < SCREEN_MOST;
    errors[row] = bounded ? SCREEN_ROUNDING * sizes[row] + SCREEN_LEAST : SCREEN_NO_BOUND;
  }
  void put_ends(long long row, float low, float high) const {
    lows[row] = low;
    highs[row] = high;
    sizes[row] = double(-low < high ? high : -low);
  }
};
struct ScreenTables {
  ScreenedSpot<Screened>* spots;
  Deviation<Screened>* vols;
};

// Half of the lanes, rounded to float32.
inline void narrow(Number from, int half, Screened& to) {
  typedef float Half __attribute__((vector_size(4 * WIDTH)));
  const Half rounded = __builtin_convertvector(from.lanes, Half);
  __builtin_memcpy(reinterpret_cast<float*>(&to) + half * WIDTH, &rounded, sizeof rounded);
}

// What bounds the error of the options in a register.
struct ScreenedLanes {
  double bases[SCREEN_WIDTH], assets[SCREEN_WIDTH], strikes[SCREEN_WIDTH], deviations[SCREEN_WIDTH];
};

// Half of the lanes, tabulated in float64.
inline void lay_half(
    const Section& section, const Scenarios& run, const Tables<Number>& tables, const long long* rows, int half,
    const ScreenTables& to, ScreenedLanes& found) {
  const Options<Number> options(section, rows);
  Tables<Number> own = tables;
  const bool far = options.tabulate(run, own);
  const Number base = far ? european_at<true>(options.contract, own, run.spot_count, run.rule_count)
                          : european_at<false>(options.contract, own, run.spot_count, run.rule_count);
  const Number strike = options.contract.strike(), none = 0.0;
  const auto is_put = options.contract.side < none;
  Number most = none, deviation = none;
  for (long long j = 0; j < run.spot_count; ++j) {
    const Number asset = own.spots[j].asset, intrinsic = asset - strike;
    narrow(own.spots[j].log, half, to.spots[j].log);
    narrow(asset, half, to.spots[j].asset);
    narrow(select(is_put, none, intrinsic) - base, half, to.spots[j].upper);
    narrow(select(is_put, strike, asset) - base, half, to.spots[j].middle);
    narrow(select(is_put, -intrinsic, none) - base, half, to.spots[j].lower);
    most = greater(magnitude(asset), most);
  }
  for (long long k = 0; k < run.rule_count; ++k) {
    narrow(own.vols[k].inverse, half, to.vols[k].inverse);
    narrow(own.vols[k].half, half, to.vols[k].half);
    deviation = greater(own.vols[k].half, deviation);
  }
  const int first = half * WIDTH;
  store(base, found.bases + first);
  store(most, found.assets + first);
  store(strike, found.strikes + first);
  store(deviation * (2.0 / DENSITY_SCALE), found.deviations + first);
}

// Turns a square of P&L, a scenario a row, and writes it to the rows of the options that are there.
inline void write_screened(
    const Screened* scenarios, const long long* rows, int present, const ScreenTile& tile, long long start) {
  Screened square[SCREEN_WIDTH];
  SHOCKGRID_UNROLL
  for (int s = 0; s < SCREEN_WIDTH; ++s) square[s] = scenarios[s];
  transpose(square);
  const long long room = tile.stride - start;
  float* to = tile.values + start;
  if (room >= SCREEN_WIDTH && present == SCREEN_WIDTH) {
    SHOCKGRID_UNROLL
    for (int lane = 0; lane < SCREEN_WIDTH; ++lane) store(square[lane], to + rows[lane] * tile.stride);
    return;
  }
  for (int lane = 0; lane < present; ++lane)
    for (int s = 0; s < SCREEN_WIDTH && s < room; ++s) to[rows[lane] * tile.stride + s] = square[lane].lanes[s];
}

// The rows of ``present`` European options in all scenarios of ``run``; ``rows`` repeats the last of them.
inline void screen_options(
    const Section& section, const Scenarios& run, const Tables<Number>& tables, const ScreenTables& own,
    const long long* rows, int present, const ScreenTile& tile) {
  constexpr int length = 128;
  ScreenedLanes lanes;
  for (int half = 0; half < 2; ++half) lay_half(section, run, tables, rows + half * WIDTH, half, own, lanes);
  Screened block[length], low = SCREEN_BEYOND, high = -SCREEN_BEYOND, bell = 0.0f;
  for (long long start = 0; start < run.count; start += length) {
    const int scenarios = run.count - start < length ? int(run.count - start) : length;
    const int *spots = run.spots + start, *rules = run.rules + start;
    SHOCKGRID_UNROLL_TWICE
    for (int s = 0; s < scenarios; ++s) {
      const ScreenedPnl<Screened> found = screened_pnl(own.spots[spots[s]], own.vols[rules[s]]);
      block[s] = found.pnl;
      bell = greater(found.bell, bell);
      low = lesser(found.pnl, low);
      high = greater(found.pnl, high);
    }
    for (int s = scenarios; s % SCREEN_WIDTH; ++s) block[s] = Screened(0.0f);
    SHOCKGRID_NO_UNROLL
    for (int s = 0; s < scenarios; s += SCREEN_WIDTH) write_screened(block + s, rows, present, tile, start + s);
  }
  for (int lane = 0; lane < present; ++lane) {
    const long long row = rows[lane];
    tile.bases[row] = lanes.bases[lane];
    tile.put_ends(row, low.lanes[lane], high.lanes[lane]);
    tile.errors[row] = screened_error(lanes.assets[lane], lanes.strikes[lane], lanes.deviations[lane],
                                      double(bell.lanes[lane]), tile.sizes[row]);
  }
}

// All European options of a section in the scenarios of ``run``.
inline void screen_section(
    const Section& section, const Scenarios& run, const Tables<Number>& tables, const ScreenTables& own,
    const ScreenTile& tile) {
  long long rows[SCREEN_WIDTH];
  int present = 0;
  for (long long row = 0; row < section.count; ++row) {
    if (section.routes[row] != EUROPEAN) continue;
    rows[present++] = row;
    if (present < SCREEN_WIDTH) continue;
    screen_options(section, run, tables, own, rows, present, tile);
    present = 0;
  }
  if (!present) return;
  for (int lane = present; lane < SCREEN_WIDTH; ++lane) rows[lane] = rows[present - 1];
  screen_options(section, run, tables, own, rows, present, tile);
}

}  // namespace SHOCKGRID_NAMESPACE
