// The C ABI of the CPU library, compiled once for each instruction set: SHOCKGRID_SET is its name,
// SHOCKGRID_LANES how many doubles one of its registers holds. Each function returns a Status.
#include <stdlib.h>

#define SHOCKGRID_JOIN(left, right) left##_##right
#define SHOCKGRID_NAMED(left, right) SHOCKGRID_JOIN(left, right)
#define SHOCKGRID_NAMESPACE SHOCKGRID_NAMED(shockgrid, SHOCKGRID_SET)
#define SHOCKGRID_EXPORT(name)                                        \
  extern "C" __attribute__((visibility("default"))) int SHOCKGRID_NAMED(name, SHOCKGRID_SET)

#include "aggregate.h"
#include "checks.h"
#include "premium_tables.h"
#include "tile.h"

namespace SHOCKGRID_NAMESPACE {

enum Status { DONE, NO_MEMORY, NO_STATE, NOT_FINITE, NOT_A_NUMBER };

using Number = Lanes<SHOCKGRID_LANES>;
constexpr int WIDTH = SHOCKGRID_LANES;
// The most scenarios of a tile that is not summed, and the fewest of one that is.
constexpr long long MOST_SCENARIOS = 4096, FEWEST_SCENARIOS = 32;
// Registers of sums that fit side by side.
constexpr int SUMS = 16;

// Memory for the length of a call; ``ok`` turns false where there is none left.
template <class Item> struct Buffer {
  Item* items;
  Buffer(long long count, bool& ok) {
    const size_t line = 64, lines = sizeof(Item) * size_t(count) / line + 1;
    items = static_cast<Item*>(aligned_alloc(line, lines * line));
    ok = ok && items;
  }
  ~Buffer() { free(items); }
  Buffer(const Buffer&) = delete;
};

bool all_finite(const Section& section) {
  const double* columns[] = {section.spots, section.slopes, section.intercepts, section.strikes,
                             section.years, section.vols,   section.discount_factors};
  const double* rules[] = {section.vol_shocks, section.term_powers, section.vol_floors};
  bool good = all_finite(section.spot_factors, section.spot_states);
  for (const double* column : columns) good = good && all_finite(column, section.count);
  for (const double* column : rules) good = good && all_finite(column, section.vol_rules);
  return good && !any_nan(section.vol_caps, section.vol_rules);  // no cap is an infinite one
}

Status checked(const Section& section, long long scenarios) {
  if (!states_exist(section, scenarios)) return NO_STATE;
  return all_finite(section) ? DONE : NOT_FINITE;
}

// Prices sections into tiles of at most ``most`` scenarios.
struct Pricer {
  bool ok = true;
  Buffer<int> numbers_of, spots, rules, used;
  Buffer<double> spot_factors;
  Buffer<VolRule> vol_rules;
  Buffer<SpotState<Number>> spot_states;
  Buffer<Deviation<Number>> deviations;
  Scenarios run;
  Tables<Number> tables;

  Pricer(long long states, long long most)
      : numbers_of(states, ok), spots(most, ok), rules(most, ok), used(most, ok), spot_factors(most, ok),
        vol_rules(most, ok), spot_states(most + 1, ok), deviations(most + 1, ok),
        run{0, 0, 0, spots.items, rules.items, used.items, spot_factors.items, vol_rules.items},
        tables{spot_states.items, deviations.items} {}

  void fill(const Section& section, long long start, long long count, const Tile& tile) {
    use_scenarios(section, start, count, numbers_of.items, run);
    long long rows[WIDTH];
    int present = 0;
    for (long long row = 0; row < section.count; ++row) {
      if (section.is_option[row]) rows[present++] = row;
      else fill_linear(section, run, row, tile);
      if (present == WIDTH || (present && row + 1 == section.count)) {
        for (int lane = present; lane < WIDTH; ++lane) rows[lane] = rows[present - 1];
        fill_options(section, run, tables, rows, present, tile);
        present = 0;
      }
    }
  }
};

// A CSR matrix; row: leaf, column: instrument.
struct Weights {
  const long long* pointers;
  const int* instruments;
  const double* values;
};

// All scenarios of a tile for one leaf: as many sums side by side as fit, then fewer.
template <int sums>
void sum_leaf(
    const Weights& weights, long long leaf, const Tile& tile, long long start, long long scenarios, double* pnl) {
  for (; scenarios - start > (sums / 2) * WIDTH; start += sums * WIDTH) {
    Number found[sums];
    leaf_sums(tile.values + start, tile.stride, weights.values, weights.instruments, weights.pointers[leaf],
              weights.pointers[leaf + 1], found);
    const long long left = scenarios - start, room = sums * WIDTH;
    __builtin_memcpy(pnl + start, found, sizeof(double) * size_t(left < room ? left : room));
  }
  if constexpr (sums > 1)
    if (start < scenarios) sum_leaf<sums / 2>(weights, leaf, tile, start, scenarios, pnl);
}

// The columns of some options, whole registers of them, and what their values are made of.
struct Block {
  static constexpr int size = 256, registers = size / WIDTH;
  double forwards[size], strikes[size], years[size], vols[size], discounts[size], sides[size];
  Contract<Number> contracts[registers];
  SpotState<Number> spots[registers];
  Deviation<Number> deviations[registers];

  // Whether all of them are finite. Rows beyond ``present`` repeat the last.
  bool read(const double* const (&columns)[5], const unsigned char* is_call, int present) {
    double* const copies[] = {forwards, strikes, years, vols, discounts};
    bool good = true;
    for (int k = 0; k < 5; ++k) {
      __builtin_memcpy(copies[k], columns[k], sizeof(double) * size_t(present));
      good = good && all_finite(copies[k], present);
    }
    for (int row = 0; row < present; ++row) sides[row] = is_call[row] ? 0.5 : -0.5;
    for (int row = present; row % WIDTH; ++row) {
      for (double* copy : copies) copy[row] = copy[present - 1];
      sides[row] = sides[present - 1];
    }
    return good;
  }

  // Whether a strike of the register is far.
  auto prepare(int r) {
    const int row = r * WIDTH;
    const Number forward = load<Number>(forwards + row), strike = load<Number>(strikes + row);
    const Number discount = load<Number>(discounts + row), root = square_root(load<Number>(years + row));
    contracts[r] = {load<Number>(sides + row), 0.5 * (discount * strike)};
    spots[r] = {log_ratio(forward, strike), discount * forward};
    deviations[r] = deviation_of(load<Number>(vols + row), root);
    return is_far(spots[r].asset, contracts[r].strike());
  }

  // Leaves the values in place of the forwards.
  void price(int present) {
    const int used = (present + WIDTH - 1) / WIDTH;
    auto far = prepare(0);
    for (int r = 1; r < used; ++r) far = far | prepare(r);
    if (any(far)) {
      for (int r = 0; r < used; ++r)
        store(value_of(contracts[r], spots[r].log, spots[r].asset, deviations[r]), forwards + r * WIDTH);
    } else {
      for (int r = 0; r < used; ++r)
        store(value_of<false>(contracts[r], spots[r].log, spots[r].asset, deviations[r]), forwards + r * WIDTH);
    }
  }
};

}  // namespace SHOCKGRID_NAMESPACE

using namespace SHOCKGRID_NAMESPACE;

// Discounted Black (1976) values of ``count`` options, elementwise.
SHOCKGRID_EXPORT(shockgrid_black)
(long long count, const double* forwards, const double* strikes, const double* years, const double* vols,
 const double* discount_factors, const unsigned char* is_call, double* values) {
  Block block;
  for (long long start = 0; start < count; start += Block::size) {
    const int present = count - start < Block::size ? int(count - start) : Block::size;
    const double* const columns[] = {forwards + start, strikes + start, years + start, vols + start,
                                     discount_factors + start};
    if (!block.read(columns, is_call + start, present)) return NOT_FINITE;
    block.price(present);
    __builtin_memcpy(values + start, block.forwards, sizeof(double) * size_t(present));
  }
  return any_nan(values, count) ? NOT_A_NUMBER : DONE;
}

// Unit values of one section, [count, scenarios].
SHOCKGRID_EXPORT(shockgrid_price)(const Section* section, long long scenarios, double* values) {
  const Status status = checked(*section, scenarios);
  if (status != DONE) return status;
  const long long most = scenarios < MOST_SCENARIOS ? scenarios : MOST_SCENARIOS;
  Pricer pricer(section->spot_states + section->vol_rules, most);
  if (!pricer.ok) return NO_MEMORY;
  for (long long start = 0; start < scenarios; start += most) {
    const long long count = scenarios - start < most ? scenarios - start : most;
    pricer.fill(*section, start, count, {values + start, scenarios, false});
  }
  return any_nan(values, section->count * scenarios) ? NOT_A_NUMBER : DONE;
}

// P&L [leaves, scenarios] of leaves over the instruments of all sections. A tile of about
// ``tile_values`` is priced, and its leaves are summed while it is in cache, before the next.
SHOCKGRID_EXPORT(shockgrid_risk_arrays)
(const Section* sections, long long section_count, long long scenarios, long long leaves,
 const long long* pointers, const int* instruments, const double* values, long long tile_values, double* pnl) {
  long long rows = 0, states = 0;
  for (long long k = 0; k < section_count; ++k) {
    const Status status = checked(sections[k], scenarios);
    if (status != DONE) return status;
    rows += sections[k].count;
    const long long own = sections[k].spot_states + sections[k].vol_rules;
    states = states > own ? states : own;
  }
  const long long fitting = tile_values / (rows + 1) / FEWEST_SCENARIOS * FEWEST_SCENARIOS;
  const long long padded = (scenarios + WIDTH - 1) / WIDTH * WIDTH;
  const long long wanted = fitting > FEWEST_SCENARIOS ? fitting : FEWEST_SCENARIOS;
  const long long most = padded < wanted ? padded : wanted;
  Pricer pricer(states, most);
  Buffer<double> tile(rows * most + SUMS * WIDTH, pricer.ok);  // the last sums read beyond the last row
  if (!pricer.ok) return NO_MEMORY;
  for (long long start = 0; start < scenarios; start += most) {
    const long long count = scenarios - start < most ? scenarios - start : most;
    long long top = 0;
    for (long long k = 0; k < section_count; top += sections[k++].count)
      pricer.fill(sections[k], start, count, {tile.items + top * most, most, true});
    for (long long leaf = 0; leaf < leaves; ++leaf)
      sum_leaf<SUMS>({pointers, instruments, values}, leaf, {tile.items, most, true}, 0, count,
                     pnl + leaf * scenarios + start);
  }
  return any_nan(pnl, leaves * scenarios) ? NOT_A_NUMBER : DONE;
}

// Premium tables of puts of strike 1: coefficients [vols, count, gaps] and boundaries [vols, count].
SHOCKGRID_EXPORT(shockgrid_premium_tables)
(const Plan* plan, long long count, const double* years, const double* vols, const double* rates,
 const double* yields, double* coefficients, double* boundaries) {
  const long long puts = count * plan->vols;
  bool good = all_finite(yields, puts);
  const double* const positive[] = {years, vols, rates};
  for (const double* column : positive) good = good && all_above_zero(column, puts);
  if (!good) return NOT_FINITE;
  Buffer<Group<Number>> group(1, good);
  if (!good) return NO_MEMORY;
  build_tables(*plan, {years, vols, rates, yields}, count, *group.items, coefficients, boundaries);
  const bool bad = any_nan(coefficients, puts * plan->gaps) || any_nan(boundaries, puts);
  return bad ? NOT_A_NUMBER : DONE;
}

#include "native_grids.h"
#include "native_worst.h"
