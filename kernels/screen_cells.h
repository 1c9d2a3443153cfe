// Single cells of a tile in float64: a lane is one option in one scenario, with the arithmetic of tile.h and so its
// bits.
#pragma once
#include "native_price.h"

namespace SHOCKGRID_NAMESPACE {

struct Cell {
  int row, scenario;  // of the tile
};
// What is to be priced; ``top``: the row of the tile that a section begins at; ``start``: the tile's first scenario.
struct CellsWanted {
  const Cell* items;
  long long count, top, start;
};

// As ``Options::at_spot``, the factor of each lane its own.
inline SpotState<Number> spot_of_cells(const Options<Number>& options, Number factors) {
  const Number forward = options.slopes * factors + options.intercepts;
  const auto direct = is_fixed(options.intercepts) | ~(Number(0.0) < factors);
  Number log = options.logs + logarithm(factors);
  if (any(direct)) log = select(direct, log_ratio(forward, options.strikes), log);
  return {log, options.discounts * forward};
}

// As ``shocked_vol``, the rule of each lane its own.
inline Deviation<Number> vol_of_cells(const Section& section, const Options<Number>& options, const long long* rules) {
  double shocks[WIDTH], powers[WIDTH], floors[WIDTH], caps[WIDTH], relative[WIDTH];
  for (int lane = 0; lane < WIDTH; ++lane) {
    const long long rule = rules[lane];
    shocks[lane] = section.vol_shocks[rule];
    powers[lane] = section.term_powers[rule];
    floors[lane] = section.vol_floors[rule];
    caps[lane] = section.vol_caps[rule];
    relative[lane] = section.relative[rule] ? 1.0 : 0.0;
  }
  Number move = load<Number>(shocks);
  const Number power = load<Number>(powers), vol = options.vols;
  const auto has_term = is_fixed(power);
  if (any(has_term)) move = select(has_term, move * exponential(power * options.log_terms), move);
  const Number shocked = select(Number(0.0) < load<Number>(relative), vol * (1.0 + move), vol + move);
  return deviation_of(lesser(greater(shocked, load<Number>(floors)), load<Number>(caps)), options.roots);
}

// Those of the cells that are rows of this section: ``bases`` and ``to``, its rows of a tile, ``stride`` apart.
inline void price_cells(
    const Section& section, const CellsWanted& cells, const double* bases, double* to, long long stride) {
  Waiting waiting;
  long long scenarios[WIDTH];
  const auto flush = [&] {
    const int present = waiting.present;
    for (int lane = present; lane < WIDTH; ++lane) scenarios[lane] = scenarios[present - 1];
    waiting.repeat_last();
    double factors[WIDTH];
    long long rules[WIDTH];
    for (int lane = 0; lane < WIDTH; ++lane) {
      const long long* states = section.index + 2 * (cells.start + scenarios[lane]);
      factors[lane] = section.spot_factors[states[0]];
      rules[lane] = states[1];
    }
    const Options<Number> options(section, waiting.rows);
    const SpotState<Number> spot = spot_of_cells(options, load<Number>(factors));
    const Number value = value_of(options.contract, spot.log, spot.asset, vol_of_cells(section, options, rules));
    for (int lane = 0; lane < present; ++lane) {
      const long long row = waiting.rows[lane];
      to[row * stride + scenarios[lane]] = value.lanes[lane] - bases[row];
    }
    waiting.present = 0;
  };
  for (long long k = 0; k < cells.count; ++k) {
    const long long row = cells.items[k].row - cells.top;
    if (row < 0 || row >= section.count) continue;
    scenarios[waiting.present] = cells.items[k].scenario;
    if (waiting.full_with(row)) flush();
  }
  if (waiting.present) flush();
}

}  // namespace SHOCKGRID_NAMESPACE
