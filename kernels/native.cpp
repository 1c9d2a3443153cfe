// The C ABI of the CPU library, compiled once for each instruction set: SHOCKGRID_SET is its name,
// SHOCKGRID_LANES how many doubles one of its registers holds. Each function returns a Status.
#define SHOCKGRID_JOIN(left, right) left##_##right
#define SHOCKGRID_NAMED(left, right) SHOCKGRID_JOIN(left, right)
#define SHOCKGRID_NAMESPACE SHOCKGRID_NAMED(shockgrid, SHOCKGRID_SET)
#define SHOCKGRID_EXPORT(name)                                        \
  extern "C" __attribute__((visibility("default"))) int SHOCKGRID_NAMED(name, SHOCKGRID_SET)

#include "aggregate.h"
#include "native_price.h"
#include "premium_tables.h"

namespace SHOCKGRID_NAMESPACE {

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

}  // namespace SHOCKGRID_NAMESPACE

using namespace SHOCKGRID_NAMESPACE;

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
  if (!pricer.has_tables) return NO_TABLE;
  return pricer.has_nan ? NOT_A_NUMBER : DONE;
}

// P&L [leaves, scenarios] of leaves over the instruments of all sections. A tile of about
// ``tile_values`` is priced, and its leaves are summed while it is in cache, before the next.
SHOCKGRID_EXPORT(shockgrid_risk_arrays)
(const Section* sections, long long section_count, long long scenarios, long long leaves,
 const long long* pointers, const int* instruments, const double* values, long long tile_values, double* pnl) {
  long long rows = 0, states = 0;
  bool tables = false;
  for (long long k = 0; k < section_count; ++k) {
    const Status status = checked(sections[k], scenarios);
    if (status != DONE) return status;
    rows += sections[k].count;
    const long long own = sections[k].spot_states + sections[k].vol_rules;
    states = states > own ? states : own;
    tables |= sections[k].premiums.count > 0;
  }
  const long long most = tile_width(rows, scenarios, tile_values, tables);
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
  if (!pricer.has_tables) return NO_TABLE;
  return any_nan(pnl, leaves * scenarios) ? NOT_A_NUMBER : DONE;
}

// Premium tables of puts of strike 1: coefficients [count, vols, gaps] and boundaries [count, vols]. A plan for each
// of the efforts, which are below MOST_EFFORTS.
SHOCKGRID_EXPORT(shockgrid_premium_tables)
(const Plan* plans, long long count, const double* years, const double* vols, const double* rates,
 const double* yields, const unsigned char* efforts, double* coefficients, double* boundaries) {
  const long long puts = count * plans->vols;
  bool good = all_finite(yields, puts);
  const double* const positive[] = {years, vols, rates};
  for (const double* column : positive) good = good && all_above_zero(column, puts);
  if (!good) return NOT_FINITE;
  Buffer<Group<Number>> group(1, good);
  if (!good) return NO_MEMORY;
  build_tables(plans, {years, vols, rates, yields, efforts}, count, *group.items, coefficients, boundaries);
  const bool bad = any_nan(coefficients, puts * plans->gaps) || any_nan(boundaries, puts);
  return bad ? NOT_A_NUMBER : DONE;
}

#include "native_black.h"
#include "native_grid_read.h"
#include "native_grids.h"
#include "native_worst.h"
#include "native_joint.h"
#include "native_worth.h"
#include "native_screen.h"
#include "native_implied.h"
#include "native_dense.h"
