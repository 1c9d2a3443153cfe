// The exact worst cell of every leaf of many class groups on a dense grid: part of native.cpp. Instruments are
// priced at a few nodes, leaves summed there, their surfaces bounded, and the cells that may be the worst priced.
#pragma once
#include "dense.h"
#include "native_surfaces.h"

namespace SHOCKGRID_NAMESPACE {

struct DenseWalk {
  const Dense& firm;
  const DenseFound& found;
  bool ok = true;
  Pricer pricer;
  Buffer<double> tiles, exact, sums, items, lifted, floors, surface, pnl, weights;
  Buffer<long long> cells;
  Buffer<int> kept, columns, vol_numbers;

  // ``rows``: the most instruments of a group; ``held``: the most positions of a leaf.
  DenseWalk(const Dense& firm, const DenseFound& found, long long rows, long long nodes, long long vols,
            long long held, long long tile)
      : firm(firm), found(found),
        pricer(nodes + firm.section->vol_rules, nodes * vols + CELLS_AT_ONCE),
        tiles(tile + WORST_SUMS * WIDTH, ok), exact(rows * CELLS_AT_ONCE + WORST_SUMS * WIDTH, ok),
        sums(nodes * vols + WORST_SUMS * WIDTH, ok),
        items(vols * (firm.coefficients_width + nodes), ok), lifted(vols * firm.prices_width, ok),
        floors(firm.prices_width, ok), surface(prices() * firm.values_width, ok),
        pnl(CELLS_AT_ONCE + WORST_SUMS * WIDTH, ok), weights(held, ok), cells(firm.most_cells, ok),
        kept(prices(), ok), columns(held, ok), vol_numbers(firm.section->vol_rules, ok) {}

  long long prices() const { return firm.section->spot_states; }
  long long level_nodes(long long level) const {
    return level < firm.levels ? firm.price_nodes[level].count : prices();
  }
  VolRule rule_of(double shock) const {
    const Section& section = *firm.section;
    return {shock, section.term_powers[0], section.vol_floors[0], section.vol_caps[0], section.relative[0] != 0};
  }

  // Unit P&L of some rows in the scenarios of ``pricer.run``.
  template <class Wanted> void fill(const Section& section, long long count, const Tile& tile, Wanted wanted) {
    Waiting waiting;
    for (long long place = 0; place < count; ++place) {
      const long long row = wanted(place);
      if (row < 0) continue;
      if (section.routes[row] == LINEAR) fill_linear(section, pricer.run, row, tile);
      else if (waiting.full_with(row)) flush(section, waiting, tile);
    }
    if (waiting.present) flush(section, waiting, tile);
  }
  void flush(const Section& section, Waiting& waiting, const Tile& tile) {
    waiting.repeat_last();
    fill_options<EUROPEAN>(section, pricer.run, pricer.tables, waiting.rows, waiting.present, tile);
    waiting.present = 0;
  }

  // The instruments of one level at its nodes, vol by vol.
  void price_nodes(const Section& section, int level, const VolNodes& vols, double* tile) {
    Scenarios& run = pricer.run;
    const double* factors =
        level < firm.levels ? firm.price_nodes[level].spot_factors : firm.section->spot_factors;
    run.spot_count = level_nodes(level);
    run.rule_count = vols.count;
    run.start = 0;
    run.count = run.spot_count * run.rule_count;
    for (long long i = 0; i < run.spot_count; ++i) run.spot_factors[i] = factors[i];
    pricer.find_spot_logs();
    for (long long m = 0; m < run.rule_count; ++m) run.vol_rules[m] = rule_of(vols.shocks[m]);
    for (long long s = 0; s < run.count; ++s) {
      run.spots[s] = int(s % run.spot_count);
      run.rules[s] = int(s / run.spot_count);
    }
    fill(section, section.count, {tile, padded(run.count, WIDTH), true}, [](long long row) { return row; });
  }

  bool reduce(long long group) {
    const long long first = firm.instruments_of[group], last = firm.instruments_of[group + 1];
    const VolNodes& vols = firm.vol_nodes[firm.nodes_of[group]];
    LevelTile levels[MOST_LEVELS + 1];
    long long row = first;
    while (row < last && firm.level_of[row] < 0) ++row;
    double* to = tiles.items;
    for (int level = 0; level <= firm.levels; ++level) {
      const long long top = row;
      while (row < last && firm.level_of[row] == level) ++row;
      levels[level] = {int(top - first), int(row - first), to};
      if (row == top) continue;
      price_nodes(section_of(*firm.section, top, row), level, vols, to);
      to += (row - top) * padded(level_nodes(level) * vols.count, WIDTH);
    }
    const Section section = section_of(*firm.section, first, last);
    bool good = true;
    for (long long leaf = firm.leaves_of[group]; good && leaf < firm.leaves_of[group + 1]; ++leaf)
      if (firm.smooth[leaf]) good = find(section, firm.errors + first, vols, levels, leaf);
    return good;
  }

  // The sums of a leaf at the nodes of one level, added to its coefficients in the vol and the price.
  void add_level(int level, const LevelTile& own_rows, const VolNodes& vols, long long leaf,
                 Coefficients& surface_of) {
    long long count = 0;
    for (long long at = firm.positions_of[leaf]; at < firm.positions_of[leaf + 1]; ++at)
      if (firm.columns[at] >= own_rows.first && firm.columns[at] < own_rows.last) {
        columns.items[count] = firm.columns[at] - own_rows.first;
        weights.items[count++] = firm.weights[at];
      }
    if (!count) return;
    const long long own[] = {0, count}, wide = level_nodes(level), all = wide * vols.count;
    sum_tile<WORST_SUMS>({own, columns.items, weights.items}, 0, {own_rows.tile, padded(all, WIDTH), true},
                         0, all, sums.items);
    double* by_vol = items.items + vols.count * firm.coefficients_width;  // [wide] of one coefficient in the vol
    const bool dense = level == firm.levels;
    for (long long k = 0; k < vols.count; ++k) {
      double* row = dense ? lifted.items + k * firm.prices_width : by_vol + k * wide;
      for (long long i = 0; i < wide; ++i) row[i] = 0.0;
      for (long long m = 0; m < vols.count; ++m) {
        const double factor = vols.transform[k * vols.count + m];
        for (long long i = 0; i < wide; ++i) row[i] += factor * sums.items[m * wide + i];
      }
    }
    if (dense) return;
    surface_of.prices = wide > surface_of.prices ? wide : surface_of.prices;
    const Product product = {by_vol, wide, wide, firm.price_nodes[level].transform, padded(wide, PRICE_STEP),
                             firm.coefficients_width, surface_of.items};
    product.add(vols.count);
  }

  bool find(const Section& section, const double* errors, const VolNodes& vols, const LevelTile* levels,
            long long leaf) {
    const bool has_dense = levels[firm.levels].last > levels[firm.levels].first;
    Coefficients all = {vols.count, 1, firm.coefficients_width, items.items};
    double bound = 0.0, rest[MOST_VOL_NODES];
    for (long long i = 0; i < all.vols * all.width; ++i) all.items[i] = 0.0;
    for (long long i = 0; i < vols.count * firm.prices_width; ++i) lifted.items[i] = 0.0;
    for (int level = 0; level <= firm.levels; ++level)
      if (levels[level].last > levels[level].first) add_level(level, levels[level], vols, leaf, all);
    for (long long at = firm.positions_of[leaf]; at < firm.positions_of[leaf + 1]; ++at)
      bound += __builtin_fabs(firm.weights[at]) * errors[firm.columns[at]];
    for (long long k = 0; k < vols.count; ++k) {
      rest[k] = 0.0;
      for (long long x = 0; has_dense && x < prices(); ++x) {
        const double size = __builtin_fabs(lifted.items[k * firm.prices_width + x]);
        rest[k] = rest[k] < size ? size : rest[k];
      }
    }
    found.bounds[leaf] = bound;
    Coefficients cut = all;
    const double dropped = cut.shorten(FIRST_CUT * bound, rest);
    lift(cut.items, cut.prices, cut.vols, firm.polynomials, lifted.items);
    Cells left = search(cut.vols, vols, 2.0 * (bound + dropped));
    if (dropped > 0.0 && left.count > FEW_CELLS) {  // what was left out is added, and the search is made again
      lift(cut.items + cut.prices, all.prices - cut.prices, cut.vols,
           firm.polynomials + cut.prices * firm.prices_width, lifted.items);
      lift(all.items + cut.vols * all.width, all.prices, all.vols - cut.vols, firm.polynomials,
           lifted.items + cut.vols * firm.prices_width);
      left = search(all.vols, vols, 2.0 * bound);
    }
    if (left.overflown) return true;
    found.candidates[leaf] = left.count;
    return left.count > 0 && price_cells(section, leaf, left);
  }
  void lift(const double* from, long long count, long long present, const double* polynomials, double* to) {
    const Product product = {from, firm.coefficients_width, count, polynomials, firm.prices_width,
                             firm.prices_width, to};
    product.add(present);
  }
  Cells search(long long present, const VolNodes& vols, double margin) {
    Cells left = {0, firm.most_cells, cells.items, false};
    const Surface surface_of = {present, prices(), firm.prices_width, firm.section->vol_rules, firm.values_width,
                                lifted.items, vols.values, floors.items, surface.items, kept.items};
    surface_of.search(margin, left);
    return left;
  }

  // The exact P&L of a leaf in some cells, ascending; the first of the lowest is the worst.
  bool price_cells(const Section& section, long long leaf, const Cells& left) {
    const long long first = firm.positions_of[leaf], last = firm.positions_of[leaf + 1];
    const Tile tile = {exact.items, CELLS_AT_ONCE, true};
    const Weights own = {firm.positions_of, firm.columns, firm.weights};
    for (long long start = 0; start < left.count; start += CELLS_AT_ONCE) {
      const long long count = left.count - start < CELLS_AT_ONCE ? left.count - start : CELLS_AT_ONCE;
      use_cells(left.items + start, count);
      fill(section, last - first, tile, [&](long long place) {
        const bool again = place && firm.columns[first + place] == firm.columns[first + place - 1];
        return again ? -1 : (long long)firm.columns[first + place];
      });
      sum_tile<WORST_SUMS>(own, leaf, tile, 0, count, pnl.items);
      if (any_nan(pnl.items, count)) return false;
      for (long long s = 0; s < count; ++s)
        if ((!start && !s) || pnl.items[s] < found.pnl[leaf]) {
          found.pnl[leaf] = pnl.items[s];
          found.cells[leaf] = left.items[start + s];
        }
    }
    return true;
  }
  // Their prices stand in order; their vols are numbered as they come.
  void use_cells(const long long* wanted, long long count) {
    Scenarios& run = pricer.run;
    const long long grid_vols = firm.section->vol_rules;
    run.start = run.spot_count = run.rule_count = 0;
    run.count = count;
    for (long long s = 0; s < count; ++s) vol_numbers.items[wanted[s] % grid_vols] = -1;
    for (long long s = 0; s < count; ++s) {
      const long long price = wanted[s] / grid_vols, vol = wanted[s] % grid_vols;
      if (!s || price != wanted[s - 1] / grid_vols)
        run.spot_factors[run.spot_count++] = firm.section->spot_factors[price];
      if (vol_numbers.items[vol] < 0) {
        vol_numbers.items[vol] = int(run.rule_count);
        run.vol_rules[run.rule_count++] = rule_of(firm.section->vol_shocks[vol]);
      }
      run.spots[s] = int(run.spot_count - 1);
      run.rules[s] = vol_numbers.items[vol];
    }
    pricer.find_spot_logs();
  }
};

}  // namespace SHOCKGRID_NAMESPACE

// The first group's instruments, leaves and positions come first of all.
SHOCKGRID_EXPORT(shockgrid_dense)(const Dense* firm, const DenseFound* found) {
  const Status status = checked(*firm->section, 0);
  if (status != DONE) return status;
  const long long prices = firm->section->spot_states;
  long long nodes = prices, vols = 0, rows = 0, tile = 0, held = 0;
  for (long long level = 0; level < firm->levels; ++level)
    nodes = nodes > firm->price_nodes[level].count ? nodes : firm->price_nodes[level].count;
  for (long long group = 0; group < firm->groups; ++group) {
    const long long own = firm->vol_nodes[firm->nodes_of[group]].count;
    const long long first = firm->instruments_of[group], last = firm->instruments_of[group + 1];
    long long values = 0;
    for (long long row = first; row < last; ++row) {
      const int level = firm->level_of[row];
      if (level > firm->levels) return NO_STATE;
      if (level >= 0) values += padded(own * (level < firm->levels ? firm->price_nodes[level].count : prices), WIDTH);
    }
    vols = vols > own ? vols : own;
    rows = rows > last - first ? rows : last - first;
    tile = tile > values ? tile : values;
    for (long long leaf = firm->leaves_of[group]; leaf < firm->leaves_of[group + 1]; ++leaf) {
      const long long count = firm->positions_of[leaf + 1] - firm->positions_of[leaf];
      held = held > count ? held : count;
    }
  }
  if (firm->levels > MOST_LEVELS || vols > MOST_VOL_NODES) return NO_STATE;
  DenseWalk walk(*firm, *found, rows, nodes, vols, held, tile);
  if (!walk.ok || !walk.pricer.ok) return NO_MEMORY;
  for (long long group = 0; group < firm->groups; ++group)
    if (!walk.reduce(group)) return NOT_A_NUMBER;
  return DONE;
}
