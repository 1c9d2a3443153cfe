// The worst of sums of rows that stand anywhere in memory; the end of native.cpp.
#pragma once

namespace SHOCKGRID_NAMESPACE {

// Scenarios of rows [first, last) added up from zero, row after row; whole registers are read and written.
template <int sums>
void add_rows(const double* const* rows, long long first, long long last, long long start, long long count, double* pnl) {
  for (; count - start > (sums / 2) * WIDTH; start += sums * WIDTH) {
    Number found[sums];
    SHOCKGRID_UNROLL
    for (int k = 0; k < sums; ++k) found[k] = Number(0.0);
    for (long long row = first; row < last; ++row) {
      const double* from = rows[row] + start;
      SHOCKGRID_KEEP_ADDRESS(from);
      SHOCKGRID_UNROLL
      for (int k = 0; k < sums; ++k) found[k] = found[k] + load<Number>(from + k * WIDTH);
    }
    SHOCKGRID_UNROLL
    for (int k = 0; k < sums; ++k) store(found[k], pnl + start + k * WIDTH);
  }
  if constexpr (sums > 1)
    if (start < count) add_rows<sums / 2>(rows, first, last, start, count, pnl);
}

}  // namespace SHOCKGRID_NAMESPACE

// The greatest loss of each group's sum over the scenarios, not below zero, and where it falls. ``starts``
// [groups + 1]: first row of each group. Up to SUMS registers behind the last row are read.
SHOCKGRID_EXPORT(shockgrid_worst_of_sums)
(long long groups, long long scenarios, const long long* starts, const double* const* rows, double* losses,
 long long* places) {
  bool ok = true;
  Buffer<double> pnl(scenarios + SUMS * WIDTH + STEP, ok);
  if (!ok) return NO_MEMORY;
  Number::Mask nan = {};
  for (long long group = 0; group < groups; ++group) {
    add_rows<SUMS>(rows, starts[group], starts[group + 1], 0, scenarios, pnl.items);
    pad(pnl.items, scenarios);
    const Lowest lowest = lowest_of(pnl.items, scenarios, nan);
    losses[group] = loss_of(lowest.number);
    places[group] = lowest.place;
  }
  return any(nan) ? NOT_A_NUMBER : DONE;
}
