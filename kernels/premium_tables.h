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

// The puts of a few tables by themselves: the powers of t, and the log of the boundary behind them.
template <class Number> struct Group {
  static constexpr int width = sizeof(Number) / sizeof(double), stride = MOST_GAPS + 1;
  double powers[width * MOST_VOLS * stride];

  // Beyond the last put it is repeated.
  void compute(const Plan& plan, const Puts& puts, long long start, long long count) {
    for (long long first = 0; first < count; first += width) {
      const auto column = [&](const double* from) {
        double lanes[width];
        for (int lane = 0; lane < width; ++lane) {
          const long long at = first + lane < count ? first + lane : count - 1;
          lanes[lane] = from[start + at];
        }
        return load<Number>(lanes);
      };
      const Put<Number> put = {column(puts.years), column(puts.vols), column(puts.rates), column(puts.yields)};
      const Sample<Number> sample(plan, put);
      Number own[MOST_GAPS];
      convert(plan, sample.premiums, own);
      for (long long order = 0; order < plan.gaps; ++order) write(own[order], first, order);
      write(sample.edge, first, plan.gaps);
    }
  }

  void write(Number value, long long first, long long order) {
    for (int lane = 0; lane < width; ++lane) powers[(first + lane) * stride + order] = value.lanes[lane];
  }
};

// Coefficients [vols, tables, gaps] and boundaries [vols, tables] of ``count`` tables; the bits of a table do not
// depend on the others.
template <class Number>
void build_tables(
    const Plan& plan, const Puts& puts, long long count, Group<Number>& group, double* coefficients,
    double* boundaries) {
  for (long long first = 0; first < count; first += Group<Number>::width) {
    const long long left = count - first, present = left < Group<Number>::width ? left : Group<Number>::width;
    group.compute(plan, puts, first * plan.vols, present * plan.vols);
    for (long long table = 0; table < present; ++table) {
      const double* own = group.powers + table * plan.vols * Group<Number>::stride;
      for (long long order = 0; order < plan.vols; ++order) {
        const long long to = order * count + first + table;
        for (long long gap = 0; gap < plan.gaps; ++gap)
          coefficients[to * plan.gaps + gap] = vol_coefficient(plan, order, own + gap, Group<Number>::stride);
        boundaries[to] = vol_coefficient(plan, order, own + plan.gaps, Group<Number>::stride);
      }
    }
  }
}

}  // namespace SHOCKGRID_NAMESPACE
