// The worst loss of every leaf, screened: P&L in float32 with its bound, then the few scenarios that may be the worst
// in float64, with the arithmetic and in the order of native_worst.h, so to the same bytes. A tile of which too much is
// left is priced as there.
#pragma once
#include "screen_cells.h"
#include "screen_sums.h"

namespace SHOCKGRID_NAMESPACE {

// Of the cells of a tile that one in so many may be priced again.
constexpr long long SCREEN_SHARE = 4;

// ``Screening`` (Python): prices in float32, those of them priced again in float64, those of tiles given up.
struct ScreenCounts {
  long long screened, again, given_up;
};

// Some scenarios of one group; ``factors`` on their P&L, or null.
struct ScreenRun {
  long long group, start, count, most;
  const double* factors;

  double factor(long long s) const { return factors ? factors[s] : 1.0; }
  double largest_factor() const {
    double largest = factors ? 0.0 : 1.0;
    for (long long s = 0; factors && s < count; ++s) {
      const double size = __builtin_fabs(factors[s]);
      largest = largest < size ? size : largest;
    }
    return largest;
  }
};

struct Screen {
  Walk& walk;
  ScreenCounts& counts;
  bool ok = true;
  long long most_candidates, cell_count = 0, candidate_count = 0, rows = 0, screened_rows = 0;
  Buffer<float> values, pnl, rest, lows, highs;
  Buffer<double> bases, errors, sizes;
  Buffer<ScreenedSpot<Screened>> spots;
  Buffer<Deviation<Screened>> vols;
  Buffer<unsigned char> marks, exact;  // [rows, count] to be priced; [rows] priced in float64 throughout
  Buffer<Cell> cells;
  Buffer<int> candidates;  // of each leaf in turn: how many scenarios may be its worst, and which
  ScreenTile tile;

  Screen(Walk& walk, ScreenCounts& counts, const Room& room)
      : walk(walk), counts(counts), most_candidates(2 * room.values + room.most),
        values(room.values + SCREEN_SUMS * SCREEN_WIDTH, ok), pnl(room.most + SCREEN_SUMS * SCREEN_WIDTH, ok),
        rest(room.most + SCREEN_SUMS * SCREEN_WIDTH, ok), lows(room.rows, ok), highs(room.rows, ok),
        bases(room.rows, ok), errors(room.rows, ok), sizes(room.rows, ok), spots(room.states + 1, ok),
        vols(room.states + 1, ok), marks(room.values, ok), exact(room.rows, ok),
        cells(room.values / SCREEN_SHARE + 1, ok), candidates(most_candidates, ok),
        tile{values.items, 0, bases.items, errors.items, sizes.items, lows.items, highs.items} {}

  bool reduce(long long group, long long most) {
    bool good = true;
    const long long reduced = walk.groups.reduced, all = walk.groups.scenarios;
    for (long long start = 0; good && start < reduced; start += most) {
      const long long left = reduced - start;
      good = reduce_run({group, start, left < most ? left : most, most, walk.factors_of(group, start)});
    }
    for (long long start = reduced; good && start < all; start += most)
      good = walk.reduce_run(group, start, all, most);
    return good;
  }

private:
  bool reduce_run(const ScreenRun& run) {
    fill(run);
    counts.screened += screened_rows * run.count;
    if (screened_rows && rule_out(run)) return price_again(run);
    counts.given_up += screened_rows * run.count;
    if (screened_rows) walk.fill<true, false>(run.group, run.start, run.count, run.most);
    return walk.reduce_filled(run.group, run.start, run.count, run.most);
  }
  bool price_again(const ScreenRun& run) {
    counts.again += cell_count;
    long long top = 0;
    for (const Section* section = walk.first_of(run.group); section < walk.first_of(run.group + 1);
         top += section++->count)
      price_cells(*section, {cells.items, cell_count, top, run.start}, bases.items + top, walk.tile + top * run.most,
                  run.most);
    return reduce_leaves(run) && (!walk.found.longs || span_units(run));
  }

  void fill(const ScreenRun& run) {
    rows = screened_rows = cell_count = candidate_count = 0;
    tile.stride = run.most;
    for (const Section* section = walk.first_of(run.group); section < walk.first_of(run.group + 1); ++section) {
      walk.pricer.fill_some<false, true>(*section, run.start, run.count, {walk.tile + rows * run.most, run.most, true});
      screen_section(*section, walk.pricer.run, walk.pricer.tables, {spots.items, vols.items}, tile.from(rows));
      for (long long row = 0; row < section->count; ++row, ++rows) {
        exact.items[rows] = section->routes[row] != EUROPEAN;
        if (exact.items[rows]) tile.round_row(rows, walk.tile + rows * run.most, run.count);
        else ++screened_rows;
      }
    }
    __builtin_memset(marks.items, 0, size_t(rows * run.most));
  }

  // Marks what has to be priced. Whether everything has a bound and it is little.
  bool rule_out(const ScreenRun& run) {
    const double factor = run.largest_factor();
    if (0.0 < factor && factor < SCREEN_LEAST) return false;
    const long long *leaves = walk.groups.leaves_of + run.group, *positions = walk.groups.positions_of;
    for (long long leaf = leaves[0]; leaf < leaves[1]; ++leaf) {
      const long long first = positions[leaf], count = positions[leaf + 1] - first;
      const Held held = {walk.groups.columns + first, walk.groups.weights + first, count};
      if (!rule_out_leaf(run, held, leaf - walk.groups.leaves_of[0], factor)) return false;
    }
    for (long long row = 0; walk.found.longs && row < rows; ++row)
      if (!exact.items[row] && !rule_out_unit(run, row, factor)) return false;
    return true;
  }
  bool rule_out_leaf(const ScreenRun& run, const Held& held, long long place, double factor) {
    const double bound = bound_of(held, tile) * factor;
    if (!(bound < SCREEN_MOST) || candidate_count + run.count + 2 > most_candidates) return false;
    sum_screened(held, tile, 0, run.count, pnl.items, rest.items);
    double limit = double(padded_ends(run).low) + 2.0 * bound;
    if (run.start && walk.found.losses[place] + bound < limit) limit = walk.found.losses[place] + bound;
    int* own = candidates.items + candidate_count;
    own[0] = places_outside(pnl.items, run.count, not_below(limit), SCREEN_BEYOND, own + 1);
    candidate_count += 1 + own[0];
    bool room = true;
    for (int k = 1; room && k <= own[0]; ++k)
      for (long long position = 0; room && position < held.count; ++position)
        room = mark(run, held.instruments[position], own[k]);
    return room;
  }
  // One unit by itself, held long and held short.
  bool rule_out_unit(const ScreenRun& run, long long row, double factor) {
    const double bound = SCREEN_MARGIN * (tile.errors[row] + 2.0 * SCREEN_ROUNDING * tile.sizes[row]) * factor;
    if (!(bound < SCREEN_MOST) || candidate_count + run.count + 2 > most_candidates) return false;
    __builtin_memcpy(pnl.items, tile.values + row * tile.stride, sizeof(float) * size_t(run.count));
    const Ends ends = padded_ends(run);
    int* own = candidates.items + candidate_count;  // free behind those of the leaves
    const int count = places_outside(pnl.items, run.count, not_below(double(ends.low) + 2.0 * bound),
                                     -not_below(2.0 * bound - double(ends.high)), own);
    bool room = true;
    for (int k = 0; room && k < count; ++k) room = mark(run, row, own[k]);
    return room;
  }
  Ends padded_ends(const ScreenRun& run) {
    for (long long s = 0; run.factors && s < run.count; ++s) pnl.items[s] *= float(run.factors[s]);
    pad(pnl.items, run.count);
    return ends_of(pnl.items, run.count);
  }
  bool mark(const ScreenRun& run, long long row, long long scenario) {
    unsigned char& marked = marks.items[row * run.most + scenario];
    if (exact.items[row] || marked) return true;
    marked = 1;
    if (cell_count * SCREEN_SHARE >= screened_rows * run.count) return false;
    cells.items[cell_count++] = {int(row), int(scenario)};
    return true;
  }

  // Exact P&L of the candidates, ascending: the first of the lowest is the worst.
  bool reduce_leaves(const ScreenRun& run) {
    const Groups& groups = walk.groups;
    const int* own = candidates.items;
    for (long long leaf = groups.leaves_of[run.group]; leaf < groups.leaves_of[run.group + 1]; ++leaf) {
      const long long place = leaf - groups.leaves_of[0];
      const int count = *own++;
      for (int k = 0; k < count; ++k, ++own) {
        double pnl = 0.0;
        for (long long at = groups.positions_of[leaf]; at < groups.positions_of[leaf + 1]; ++at)
          pnl = pnl + groups.weights[at] * walk.tile[groups.columns[at] * run.most + *own];
        if (run.factors) pnl *= run.factors[*own];
        if (pnl != pnl) return false;
        if ((run.start || k) && !(pnl < walk.found.losses[place])) continue;
        walk.found.losses[place] = pnl;
        walk.found.scenarios[place] = run.start + *own;
      }
    }
    return true;
  }
  // Of what is exact in the tile: all cells of some rows, the marked ones of the others.
  bool span_units(const ScreenRun& run) {
    bool good = true;
    for (long long row = 0; row < rows; ++row) {
      if (!run.start) walk.found.longs[walk.units + row] = SCREEN_NO_BOUND;
      if (!run.start) walk.found.shorts[walk.units + row] = -SCREEN_NO_BOUND;
      for (long long s = 0; exact.items[row] && s < run.count; ++s) good &= span_unit(run, row, s);
    }
    for (long long k = 0; k < cell_count; ++k) good &= span_unit(run, cells.items[k].row, cells.items[k].scenario);
    return good;
  }
  bool span_unit(const ScreenRun& run, long long row, long long s) {
    const double pnl = walk.tile[row * run.most + s] * run.factor(s);
    double &low = walk.found.longs[walk.units + row], &high = walk.found.shorts[walk.units + row];
    low = pnl < low ? pnl : low;
    high = high < pnl ? pnl : high;
    return pnl == pnl;
  }
};

}  // namespace SHOCKGRID_NAMESPACE

// As ``shockgrid_worst``, to the byte.
SHOCKGRID_EXPORT(shockgrid_screened_worst)
(const Groups* groups, long long tile_values, const Reduced* found, ScreenCounts* counts) {
  return walk_through(*groups, tile_values, *found, [&](Walk& walk, const Room& room) -> int {
    Screen screen(walk, *counts, room);
    return screen.ok ? reduce_all(walk, tile_values, screen) : NO_MEMORY;
  });
}

// Unit P&L of the European options of a section in float32 [count, scenarios], and the bounds of their errors [count]:
// for the check of the bounds. Other rows are left as they are.
SHOCKGRID_EXPORT(shockgrid_screened_units)
(const Section* section, long long scenarios, float* pnl, double* errors) {
  const Status status = checked(*section, scenarios);
  if (status != DONE) return status;
  const long long states = section->spot_states + section->vol_rules;
  Pricer pricer(states, scenarios);
  Buffer<double> bases(section->count, pricer.ok), sizes(section->count, pricer.ok);
  Buffer<float> lows(section->count, pricer.ok), highs(section->count, pricer.ok);
  Buffer<ScreenedSpot<Screened>> spots(states + 1, pricer.ok);
  Buffer<Deviation<Screened>> vols(states + 1, pricer.ok);
  if (!pricer.ok) return NO_MEMORY;
  use_scenarios(*section, 0, scenarios, pricer.numbers_of.items, pricer.run);
  pricer.find_spot_logs();
  screen_section(*section, pricer.run, pricer.tables, {spots.items, vols.items},
                 {pnl, scenarios, bases.items, errors, sizes.items, lows.items, highs.items});
  return DONE;
}
