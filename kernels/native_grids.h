// The C ABI of the grids of American options: part of native.cpp, for what is declared there.
#pragma once
#include "dividends.h"
#include <stdlib.h>

namespace SHOCKGRID_NAMESPACE {

// Columns of ``count`` contracts, as Contracts in _numpy_grid_frame.py words them, ex-dates and cash
// [count, dividends], and ``nodes`` vols of each.
struct GridContracts {
  long long count, nodes, dividends;
  const double *strikes, *years, *rates, *yields, *ex_years, *cash, *vols;
  const unsigned char* is_call;

  long long lanes() const { return count * nodes; }
  bool finite() const {
    const double* const columns[] = {strikes, years, rates, yields};
    bool good = all_finite(vols, lanes());
    for (const double* column : columns) good = good && all_finite(column, count);
    return good && all_finite(ex_years, count * dividends) && all_finite(cash, count * dividends);
  }
  // Whether there are lanes to solve, each with a positive strike, life and vol.
  bool positive() const {
    bool good = true;
    for (long long row = 0; row < count; ++row) good = good && strikes[row] > 0.0 && years[row] > 0.0;
    for (long long lane = 0; lane < lanes(); ++lane) good = good && vols[lane] > 0.0;
    return good;
  }
  // ``_kinds`` of _numpy_grid_solve.py.
  Kind kind(long long row) const {
    const double rate = is_call[row] ? yields[row] : rates[row], yield = is_call[row] ? rates[row] : yields[row];
    if (rate <= 0.0 && yield >= rate) return HELD;
    return rate > 0.0 && yield >= 0.0 ? ONE_SIDE : TWO_SIDES;
  }
  // ``crosses_soon`` of _numpy_grid_frame.py, the first kind.
  bool soon(long long row) const {
    constexpr double without_yield = 0.04, with_yield = 0.02, room = 0.02;
    if (!dividends || !is_call[row]) return false;
    const double first = ex_years[row * dividends], life = years[row];
    if (!(first < (yields[row] > 0.0 ? with_yield : without_yield) * life)) return false;
    if (dividends == 1) return true;
    const bool crowded = (ex_years[row * dividends + 1] - first) * room * life < first * first;
    return !(crowded && first < without_yield * life);
  }
};

// A contract by its steps in time: those with the same lie together when sorted. Keys that overflow cost time alone.
struct RankedContract {
  unsigned long long key;
  long long row;

  static int compare(const void* left, const void* right) {
    const RankedContract &a = *(const RankedContract*)left, &b = *(const RankedContract*)right;
    if (a.key != b.key) return a.key < b.key ? -1 : 1;
    return a.row < b.row ? -1 : a.row > b.row;
  }
};

// Solves lanes of one kind, a few registers of them together.
struct GridTeam {
  // columns of three wide registers fit the first cache
  static constexpr int MOST_NODES = NODES_OF<TWO_SIDES>;
  static constexpr int registers = WIDTH == 8 ? 3 : 16 / WIDTH, lanes = registers * WIDTH;
  bool ok = true;
  const GridContracts& contracts;
  Buffer<Number> nodes, paid, places;
  Buffer<RankedContract> ranked;
  Grid<Number> grids[registers];
  Dividends<Number> dividends[registers];
  Number* results[registers];

  explicit GridTeam(const GridContracts& contracts)
      : contracts(contracts), nodes(registers * 4 * MOST_NODES, ok), paid(registers * 2 * contracts.dividends, ok),
        places(registers * MOST_NODES * contracts.dividends, ok), ranked(contracts.count, ok) {
    if (ok) rank();
  }

  // Lanes of a team take as many steps as the one that needs most.
  void rank() {
    const long long count = contracts.dividends;
    for (long long row = 0; row < contracts.count; ++row) {
      const Number years = contracts.years[row], nothing = 0.0;
      Dividends<Number> own = {int(count), paid.items, paid.items + count, nothing, nothing, nothing, nullptr};
      for (long long dividend = 0; dividend < count; ++dividend)
        add_dividend(own, count - 1 - dividend, (years - contracts.ex_years[row * count + dividend]) / years, nothing);
      const Schedule<Number> schedule(own);
      ranked.items[row] = {0, row};
      for (int stretch = 0; stretch <= count; ++stretch)
        ranked.items[row].key = 64 * ranked.items[row].key + (unsigned long long)schedule.steps(own, stretch).lanes[0];
    }
    qsort(ranked.items, size_t(contracts.count), sizeof(RankedContract), RankedContract::compare);
  }

  template <class Item> static Number gathered_from(const long long* rows, const Item* column) {
    double values[WIDTH];
    for (int lane = 0; lane < WIDTH; ++lane) values[lane] = double(column[rows[lane]]);
    return load<Number>(values);
  }

  template <int kind> void read(int k, const long long* own) {
    constexpr int room = NODES_OF<kind>;
    long long rows[WIDTH], flags[WIDTH];
    unsigned char soon[WIDTH];
    for (int lane = 0; lane < WIDTH; ++lane) {
      rows[lane] = own[lane] / contracts.nodes;
      flags[lane] = lane;
      soon[lane] = contracts.soon(rows[lane]);
    }
    const long long count = contracts.dividends;
    Number *column = nodes.items + k * 4 * room, *left = paid.items + k * 2 * count;
    const Number strikes = gathered_from(rows, contracts.strikes), years = gathered_from(rows, contracts.years);
    const Number is_call = gathered_from(rows, contracts.is_call);
    dividends[k] = {int(count), left,  left + count, Number(0.0), is_call, gathered_from(flags, soon),
                    places.items + k * count * room};
    Number total = 0.0;
    for (long long dividend = 0; dividend < count; ++dividend) {
      long long cells[WIDTH];
      for (int lane = 0; lane < WIDTH; ++lane) cells[lane] = rows[lane] * count + dividend;
      const Number cash = gathered_from(cells, contracts.cash);
      add_dividend(dividends[k], count - 1 - dividend, (years - gathered_from(cells, contracts.ex_years)) / years,
                   cash / strikes);
      total = total + cash;
    }
    const Terms<Number> terms = {strikes, years, gathered_from(rows, contracts.rates),
                                 gathered_from(rows, contracts.yields), is_call, total,
                                 gathered_from(own, contracts.vols)};
    grids[k] = {refined(frame_of(terms), CELLS_IN_ONE<kind>), column, column + room, column + 2 * room};
    results[k] = column + 3 * room;
  }

  // A dividend later than LATE is taken at expiry.
  static void add_dividend(Dividends<Number>& dividends, long long place, Number left, Number cash) {
    const auto late = left < Number(LATE);
    dividends.left[place] = select(late, Number(LATE), left);
    dividends.cash[place] = select(late, Number(0.0), cash);
    dividends.late_cash = dividends.late_cash + select(late, cash, Number(0.0));
  }

  // ``own``: the lanes to solve, the last repeated where fewer than ``lanes`` are present.
  template <int kind> void solve(const long long* own, int present, double* values) {
    for (int k = 0; k < registers; ++k) read<kind>(k, own + k * WIDTH);
    solve_grids<kind>(grids, dividends, results);
    for (int lane = 0; lane < present; ++lane)
      for (int node = 0; node < NODES; ++node)
        values[own[lane] * NODES + node] = results[lane / WIDTH][node * CELLS_IN_ONE<kind>].lanes[lane % WIDTH];
  }

  template <int kind> void solve_all(double* values) {
    long long own[lanes];
    int present = 0;
    for (long long lane = 0; lane < contracts.lanes(); ++lane) {
      const long long row = ranked.items[lane / contracts.nodes].row;
      if (contracts.kind(row) == kind) own[present++] = row * contracts.nodes + lane % contracts.nodes;
      if (present < lanes && (!present || lane + 1 < contracts.lanes())) continue;
      for (int place = present; place < lanes; ++place) own[place] = own[present - 1];
      solve<kind>(own, present, values);
      present = 0;
    }
  }
};

}  // namespace SHOCKGRID_NAMESPACE

// Values [count, nodes, NODES] of American options now at the nodes of their grids.
SHOCKGRID_EXPORT(shockgrid_grids)(const GridContracts* contracts, double* values) {
  if (!contracts->finite() || !contracts->positive()) return NOT_FINITE;
  GridTeam team(*contracts);
  if (!team.ok) return NO_MEMORY;
  team.solve_all<HELD>(values);
  team.solve_all<ONE_SIDE>(values);
  team.solve_all<TWO_SIDES>(values);
  return any_nan(values, contracts->lanes() * NODES) ? NOT_A_NUMBER : DONE;
}
