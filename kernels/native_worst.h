// The worst loss of every leaf of many class groups in one call; the end of native.cpp, whose tiles it reduces.
#pragma once
#include "native_lowest.h"

namespace SHOCKGRID_NAMESPACE {

// ``Batch`` (Python). Every list of starts has one entry more than there are items.
struct Groups {
  long long count, scenarios, reduced;
  const Section* sections;
  // the first section and the first leaf of each group, the first position of each leaf
  const long long *sections_of, *leaves_of, *positions_of;
  const int* columns;
  const double *weights, *scenario_weights;  // [positions], [count, scenarios]; the second null where all are 1
};

// ``Worst`` (Python), from the first leaf and the first instrument of the groups on. The losses are P&L until
// all scenarios are done.
struct Reduced {
  double* losses;
  long long* scenarios;
  double* rest;  // [leaves, scenarios - reduced], so many doubles from one row and one column to the next
  long long rest_row, rest_column;
  double *longs, *shorts;  // null where not asked for
  double* const* rows;     // where the P&L of each leaf in the reduced scenarios goes; null where not asked for
};

// What sums of a leaf fit the registers beside a weight and a product.
constexpr int WORST_SUMS = WIDTH == 8 ? 28 : SUMS;

// The P&L of a leaf in the scenarios of a tile, from ``start`` on; writes whole registers of sums.
template <int sums>
void sum_tile(
    const Weights& weights, long long leaf, const Tile& tile, long long start, long long count, double* pnl) {
  for (; count - start > (sums / 2) * WIDTH; start += sums * WIDTH) {
    Number found[sums];
    leaf_sums(tile.values + start, tile.stride, weights.values, weights.instruments, weights.pointers[leaf],
              weights.pointers[leaf + 1], found);
    SHOCKGRID_UNROLL
    for (int k = 0; k < sums; ++k) store(found[k], pnl + start + k * WIDTH);
  }
  if constexpr (sums > 1)
    if (start < count) sum_tile<sums / 2>(weights, leaf, tile, start, count, pnl);
}

// The lowest and the highest of padded numbers, and whether one of them is none.
struct Span {
  double low, high;
  bool nan;
};
inline Span span_of(const double* numbers, long long count) {
  Number low[CHAINS], high[CHAINS];
  Number::Mask nan = {};
  for (int k = 0; k < CHAINS; ++k) low[k] = high[k] = Number(numbers[0]);
  for (long long i = 0; i < count; i += STEP) {
    SHOCKGRID_UNROLL
    for (int k = 0; k < CHAINS; ++k) {
      const Number next = load<Number>(numbers + i + k * WIDTH);
      low[k] = lesser(next, low[k]);
      high[k] = greater(next, high[k]);
      nan |= next.lanes != next.lanes;
    }
  }
  Span span = {numbers[0], numbers[0], any(nan)};
  for (int k = 1; k < CHAINS; ++k) {
    low[0] = lesser(low[k], low[0]);
    high[0] = greater(high[k], high[0]);
  }
  for (int lane = 0; lane < WIDTH; ++lane) {
    span.low = low[0].lanes[lane] < span.low ? low[0].lanes[lane] : span.low;
    span.high = span.high < high[0].lanes[lane] ? high[0].lanes[lane] : span.high;
  }
  return span;
}

inline double loss_of(double lowest) { return lowest < 0.0 ? -lowest : 0.0; }

inline long long rows_of(const Groups& groups, long long group) {
  long long rows = 0;
  for (long long k = groups.sections_of[group]; k < groups.sections_of[group + 1]; ++k)
    rows += groups.sections[k].count;
  return rows;
}

// A tile is priced, its leaves are summed and reduced while it is in cache.
struct Walk {
  const Groups& groups;
  const Reduced& found;
  Pricer& pricer;
  double *tile, *pnl;
  Number::Mask nan = {};  // lanes that saw what is no number

  // One group, ``most`` scenarios at a time. Whether all P&L are numbers.
  bool reduce(long long group, long long most) {
    bool good = true;
    for (long long start = 0; good && start < groups.scenarios; start += most)
      good = reduce_run(group, start, groups.scenarios, most);
    return good;
  }

  // Its scenarios from ``start`` on, up to ``most`` and not beyond ``stop``.
  bool reduce_run(long long group, long long start, long long stop, long long most) {
    const long long count = stop - start < most ? stop - start : most;
    fill<true, true>(group, start, count, most);
    return reduce_filled(group, start, count, most);
  }
  // Only European options, only the others, or both.
  template <bool has_european, bool has_others>
  void fill(long long group, long long start, long long count, long long most) {
    double* to = tile;
    for (const Section* section = first_of(group); section < first_of(group + 1); to += section++->count * most)
      pricer.fill_some<has_european, has_others>(*section, start, count, {to, most, true});
  }
  bool reduce_filled(long long group, long long start, long long count, long long most) {
    const double* factors = factors_of(group, start);
    const bool good = reduce_tile(group, start, count, most, factors) && !any(nan);
    return good && (!found.longs || span_units(rows_of(groups, group), start, count, most, factors));
  }
  const Section* first_of(long long group) const { return groups.sections + groups.sections_of[group]; }
  const double* factors_of(long long group, long long start) const {
    return groups.scenario_weights ? groups.scenario_weights + group * groups.scenarios + start : nullptr;
  }

  // What of a run of scenarios is reduced.
  long long reduced_of(long long start, long long count) const {
    const long long left = groups.reduced > start ? groups.reduced - start : 0;
    return left < count ? left : count;
  }

  bool reduce_tile(long long group, long long start, long long count, long long most, const double* factors) {
    const Weights weights = {groups.positions_of, groups.columns, groups.weights};
    const long long own = reduced_of(start, count);
    for (long long leaf = groups.leaves_of[group]; leaf < groups.leaves_of[group + 1]; ++leaf) {
      const long long place = leaf - groups.leaves_of[0];
      sum_tile<WORST_SUMS>(weights, leaf, {tile, most, true}, 0, count, pnl);
      if (factors)
        for (long long s = 0; s < count; ++s) pnl[s] *= factors[s];
      if (own < count) {
        if (any_nan(pnl + own, count - own)) return false;
        double* rest = found.rest + place * found.rest_row + (start + own - groups.reduced) * found.rest_column;
        for (long long k = own; k < count; ++k, rest += found.rest_column) *rest = pnl[k];
      }
      if (!own) continue;
      if (found.rows) __builtin_memcpy(found.rows[place] + start, pnl, sizeof(double) * size_t(own));
      merge(place, start, own);
    }
    return true;
  }

  // The lowest scenario of a tie is the first of the first run.
  void merge(long long place, long long start, long long count) {
    pad(pnl, count);
    const Lowest lowest = lowest_of(pnl, count, nan);
    if (start && !(lowest.number < found.losses[place])) return;
    found.losses[place] = lowest.number;
    found.scenarios[place] = start + lowest.place;
  }

  // One unit of each instrument by itself.
  bool span_units(long long rows, long long start, long long count, long long most, const double* factors) {
    const long long own = reduced_of(start, count);
    for (long long row = 0; own && row < rows; ++row) {
      const double* values = tile + row * most;
      for (long long s = 0; s < own; ++s) pnl[s] = factors ? values[s] * factors[s] : values[s];
      pad(pnl, own);
      const Span span = span_of(pnl, own);
      if (span.nan) return false;
      double &low = found.longs[units + row], &high = found.shorts[units + row];
      low = start && low < span.low ? low : span.low;
      high = start && span.high < high ? high : span.high;
    }
    return true;
  }

  long long units = 0;  // instruments of the groups before
};

inline long long width_of(const Groups& groups, long long group, long long tile_values) {
  bool tables = false;
  for (long long k = groups.sections_of[group]; k < groups.sections_of[group + 1]; ++k)
    tables |= groups.sections[k].premiums.count > 0;
  return tile_width(rows_of(groups, group), groups.scenarios, tile_values, tables);
}

// What the largest of the groups needs.
struct Room {
  long long states = 0, most = 0, values = 0, rows = 0;  // values: of a tile
};
inline Status room_of(const Groups& groups, long long tile_values, Room& room) {
  const auto raise = [](long long& most, long long own) { most = most > own ? most : own; };
  for (long long k = groups.sections_of[0]; k < groups.sections_of[groups.count]; ++k) {
    const Section& section = groups.sections[k];
    const Status status = checked(section, groups.scenarios);
    if (status != DONE) return status;
    raise(room.states, section.spot_states + section.vol_rules);
  }
  for (long long group = 0; group < groups.count; ++group) {
    const long long rows = rows_of(groups, group), width = width_of(groups, group, tile_values);
    raise(room.most, width);
    raise(room.rows, rows);
    raise(room.values, rows * width);
  }
  return DONE;
}

// Every group in turn, then losses in place of P&L. ``own`` reduces one as ``walk`` would.
template <class Own> int reduce_all(Walk& walk, long long tile_values, Own& own) {
  const Groups& groups = walk.groups;
  for (long long group = 0; group < groups.count; ++group) {
    if (!own.reduce(group, width_of(groups, group, tile_values))) return NOT_A_NUMBER;
    if (!walk.pricer.has_tables) return NO_TABLE;
    walk.units += rows_of(groups, group);
  }
  const long long leaves = groups.leaves_of[groups.count] - groups.leaves_of[0];
  for (long long leaf = 0; leaf < leaves; ++leaf) walk.found.losses[leaf] = loss_of(walk.found.losses[leaf]);
  for (long long row = 0; walk.found.longs && row < walk.units; ++row) {
    walk.found.longs[row] = loss_of(walk.found.longs[row]);
    walk.found.shorts[row] = loss_of(-walk.found.shorts[row]);
  }
  return DONE;
}

// ``reduce`` of a walk over these groups, with room for the largest of them.
template <class Reduce>
int walk_through(const Groups& groups, long long tile_values, const Reduced& found, const Reduce& reduce) {
  Room room;
  const Status status = room_of(groups, tile_values, room);
  if (status != DONE) return status;
  Pricer pricer(room.states, room.most);
  // the last sums read and write beyond the last row
  Buffer<double> tile(room.values + WORST_SUMS * WIDTH, pricer.ok), pnl(room.most + WORST_SUMS * WIDTH, pricer.ok);
  if (!pricer.ok) return NO_MEMORY;
  Walk walk = {groups, found, pricer, tile.items, pnl.items};
  return reduce(walk, room);
}

}  // namespace SHOCKGRID_NAMESPACE

SHOCKGRID_EXPORT(shockgrid_worst)(const Groups* groups, long long tile_values, const Reduced* found) {
  return walk_through(*groups, tile_values, *found,
                      [&](Walk& walk, const Room&) { return reduce_all(walk, tile_values, walk); });
}
