// The C ABI of reading grids: part of native.cpp, for what is declared there.
#pragma once
#include "grid_crossing.h"
#include "native.h"

namespace SHOCKGRID_NAMESPACE {

// ``count`` options as Contracts in _numpy_grid_frame.py words them, their grids, and scenarios. Grid k of a row is
// lane ``places[row, k]`` of ``lanes`` [any, NODES]. ``x`` and ``firsts`` [vols, count]: place of a vol between the
// second and third of the four grids read at it, and the first of them. ``readable`` [vols, count].
struct GridReading {
  long long count, dividends, width, spots, vols, scenarios;
  const double *lanes, *strikes, *years, *rates, *yields, *ex_years, *cash, *spot_values, *vol_values, *x;
  const int *places, *firsts;
  const unsigned char *is_call, *soon, *readable;
  const long long* index;  // [scenarios, 2]: spot, vol
};

// Reads options one after the other.
struct GridReader {
  static constexpr int room = NODES + WIDTH;
  bool ok = true;
  const GridReading& reading;
  Buffer<long long> starts, order;
  Buffer<double> logs, column;
  double level[room], scratch[2 * room];

  explicit GridReader(const GridReading& reading)
      : reading(reading), starts(reading.vols + 2, ok), order(reading.scenarios + 1, ok),
        logs(reading.spots + WIDTH, ok), column(reading.spots + WIDTH, ok) {
    if (ok) sort_scenarios();
  }

  // Scenarios by their vol, in order; those of vol k from starts[k] on.
  void sort_scenarios() {
    for (long long k = 0; k < reading.vols + 2; ++k) starts.items[k] = 0;
    for (long long s = 0; s < reading.scenarios; ++s) ++starts.items[reading.index[2 * s + 1] + 2];
    for (long long k = 2; k < reading.vols + 2; ++k) starts.items[k] += starts.items[k - 1];
    for (long long s = 0; s < reading.scenarios; ++s) order.items[starts.items[reading.index[2 * s + 1] + 1]++] = s;
  }

  void read(long long row, double* values) {
    const long long paid = row * reading.dividends;
    const Payments payments = {int(reading.dividends), reading.ex_years + paid, reading.cash + paid};
    double total = 0.0;
    for (long long k = 0; k < reading.dividends; ++k) total = total + payments.cash[k];
    const double is_call = reading.is_call[row] ? 1.0 : 0.0;
    Terms<Number> terms = {reading.strikes[row], reading.years[row], reading.rates[row], reading.yields[row],
                           is_call, total, Number(1.0)};
    for (long long j = 0; j < reading.spots; ++j) column.items[j] = reading.spot_values[j * reading.count + row];
    for (int lane = 0; lane < WIDTH; ++lane) column.items[reading.spots + lane] = 1.0;
    for (long long j = 0; j < reading.spots; j += WIDTH) {
      const Number log = log_ratio(load<Number>(column.items + j), terms.strikes);
      store(is_call != 0.0 ? -log : log, logs.items + j);
    }
    for (long long k = 0; k < reading.vols; ++k) {
      const long long cell = k * reading.count + row;
      if (starts.items[k] == starts.items[k + 1] || !reading.readable[cell]) continue;
      terms.vols = Number(reading.vol_values[cell]);
      combine_levels(row, cell);
      const GridView<Number> grid = {terms, payments, frame_of(terms), level};
      if (reading.soon[row]) {
        const NearExDate<Number> near(grid, scratch);
        read_scenarios(grid, &near, k, values);
      } else {
        read_scenarios(grid, nullptr, k, values);
      }
    }
  }

  void combine_levels(long long row, long long cell) {
    const LatticeWeights<Number> weights(Number(reading.x[cell]));
    const int* places = reading.places + row * reading.width + reading.firsts[cell];
    const double* grids[LATTICE_STENCIL];
    for (int k = 0; k < LATTICE_STENCIL; ++k) grids[k] = reading.lanes + (long long)places[k] * NODES;
    for (int node = 0; node < NODES; node += WIDTH) {
      // the last register reaches back, so that no grid is read beyond its end
      const int from = node + WIDTH <= NODES ? node : NODES - WIDTH;
      Number sum = load<Number>(grids[0] + from) * weights.of[0];
      for (int k = 1; k < LATTICE_STENCIL; ++k) sum = fused(load<Number>(grids[k] + from), weights.of[k], sum);
      store(sum, level + from);
    }
    for (int node = NODES; node < room; ++node) level[node] = 0.0;
  }

  void read_scenarios(const GridView<Number>& grid, const NearExDate<Number>* near, long long vol, double* values) {
    const long long end = starts.items[vol + 1];
    for (long long first = starts.items[vol]; first < end; first += WIDTH) {
      double spots[WIDTH], places[WIDTH], found[WIDTH];
      for (int lane = 0; lane < WIDTH; ++lane) {
        const long long s = order.items[first + lane < end ? first + lane : end - 1];
        spots[lane] = column.items[reading.index[2 * s]];
        places[lane] = logs.items[reading.index[2 * s]];
      }
      store(grid_value(grid, near, load<Number>(spots), load<Number>(places)), found);
      for (int lane = 0; lane < WIDTH && first + lane < end; ++lane) values[order.items[first + lane]] = found[lane];
    }
  }
};

}  // namespace SHOCKGRID_NAMESPACE

// Values [count, scenarios] of the cells that are readable; the others are left as they are.
SHOCKGRID_EXPORT(shockgrid_read_grids)(const GridReading* reading, double* values) {
  for (long long s = 0; s < reading->scenarios; ++s) {
    const long long spot = reading->index[2 * s], vol = reading->index[2 * s + 1];
    if (spot < 0 || spot >= reading->spots || vol < 0 || vol >= reading->vols) return NO_STATE;
  }
  const double* const columns[] = {reading->strikes, reading->years, reading->rates, reading->yields};
  bool good = all_finite(reading->spot_values, reading->spots * reading->count);
  for (const double* column : columns) good = good && all_finite(column, reading->count);
  if (!good) return NOT_FINITE;
  GridReader reader(*reading);
  if (!reader.ok) return NO_MEMORY;
  for (long long row = 0; row < reading->count; ++row) reader.read(row, values + row * reading->scenarios);
  return DONE;
}
