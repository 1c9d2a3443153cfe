// Premium tables on the CPU: as many tables at a time as a register has lanes, a lane a vol of a table.
#pragma once
#include "checks.h"
#include "premium.h"

namespace SHOCKGRID_NAMESPACE {

// Puts of strike 1, columns of tables times vols, a table's vols side by side.
struct Puts {
  const double *years, *vols, *rates, *yields;
};

inline bool all_above_zero(const double* values, long long count) {
  bool good = all_finite(values, count);
  for (long long i = 0; i < count; ++i) good = good && 0.0 < values[i];
  return good;
}

// ``vol_coefficient`` of all the numbers of a put at once.
template <int stride>
inline void vol_coefficients(const Plan& plan, long long order, const double* puts, double* sums) {
  const double* row = plan.vol_matrix + order * plan.vols;
  for (int k = 0; k < stride; ++k) sums[k] = row[0] * puts[k];
  for (long long i = 1; i < plan.vols; ++i)
    for (int k = 0; k < stride; ++k) sums[k] = sums[k] + row[i] * puts[i * stride + k];
}

// The puts of a few tables by themselves: the powers of t, and the log of the boundary behind them.
template <class Number> struct Group {
  static constexpr int width = sizeof(Number) / sizeof(double), stride = MOST_GAPS + 1;
  double powers[width * MOST_VOLS * stride];
  long long order[width * MOST_VOLS];

  // Those of one fixed point side by side, so that few registers need both. Beyond the last put it is repeated.
  void compute(const Plan& plan, const Puts& puts, long long start, long long count) {
    sort(plan, puts, start, count);
    for (long long first = 0; first < count; first += width) {
      long long own[width];
      for (int lane = 0; lane < width; ++lane) own[lane] = order[first + lane < count ? first + lane : count - 1];
      const auto column = [&](const double* from) {
        double lanes[width];
        for (int lane = 0; lane < width; ++lane) lanes[lane] = from[start + own[lane]];
        return load<Number>(lanes);
      };
      const Put<Number> put = {column(puts.years), column(puts.vols), column(puts.rates), column(puts.yields)};
      const Sample<Number> sample(plan, put);
      Number found[MOST_GAPS];
      convert(plan, sample.premiums, found);
      for (long long power = 0; power < plan.gaps; ++power) write(found[power], own, power);
      write(sample.edge, own, plan.gaps);
    }
  }

  void sort(const Plan& plan, const Puts& puts, long long start, long long count) {
    long long low = 0, high = count;
    for (long long put = 0; put < count; ++put) {
      const long long at = start + put;
      const double drift = puts.rates[at] - puts.yields[at], most = plan.fp_a_drift * puts.vols[at];
      const bool beyond_a = 0.0 < drift && most * most < drift * drift * puts.years[at];
      order[beyond_a ? --high : low++] = put;
    }
  }

  void write(Number value, const long long* own, long long power) {
    for (int lane = 0; lane < width; ++lane) powers[own[lane] * stride + power] = value.lanes[lane];
  }
};

// Coefficients [tables, vols, gaps] and boundaries [tables, vols] of ``count`` tables; the bits of a table do not
// depend on the others.
template <class Number>
void build_tables(
    const Plan& plan, const Puts& puts, long long count, Group<Number>& group, double* coefficients,
    double* boundaries) {
  constexpr int stride = Group<Number>::stride;
  for (long long first = 0; first < count; first += Group<Number>::width) {
    const long long left = count - first, present = left < Group<Number>::width ? left : Group<Number>::width;
    group.compute(plan, puts, first * plan.vols, present * plan.vols);
    for (long long row = 0; row < present * plan.vols; ++row) {
      const long long table = row / plan.vols, to = first * plan.vols + row;
      double sums[stride];
      vol_coefficients<stride>(plan, row % plan.vols, group.powers + table * plan.vols * stride, sums);
      for (long long gap = 0; gap < plan.gaps; ++gap) coefficients[to * plan.gaps + gap] = sums[gap];
      boundaries[to] = sums[plan.gaps];
    }
  }
}

}  // namespace SHOCKGRID_NAMESPACE
