// Premium tables on the CPU: a lane a put, which is a vol of a table.
#pragma once
#include "checks.h"
#include "premium.h"

namespace SHOCKGRID_NAMESPACE {

// Puts of strike 1, columns of tables times vols, a table's vols side by side.
struct Puts {
  const double *years, *vols, *rates, *yields;
  const unsigned char* efforts;  // below MOST_EFFORTS
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

// The most efforts of premium_effort.py; each with a plan of its own.
constexpr int MOST_EFFORTS = 16;
// Tables at a time: enough that puts of one effort fill registers, few enough for the second-level cache.
constexpr long long TABLES_AT_ONCE = 128;

// The puts of a few tables by themselves: the powers of t, and the log of the boundary behind them.
template <class Number> struct Group {
  static constexpr int width = sizeof(Number) / sizeof(double), stride = MOST_GAPS + 1;
  double powers[TABLES_AT_ONCE * MOST_VOLS * stride];
  long long order[TABLES_AT_ONCE * MOST_VOLS];
  long long firsts[2 * MOST_EFFORTS + 1];  // in ``order``, of the puts of each effort and fixed point

  // Those of one effort and fixed point side by side, so that few registers need both fixed points.
  void compute(const Plan* plans, const Puts& puts, long long start, long long count) {
    sort(plans, puts, start, count);
    for (int effort = 0; effort < MOST_EFFORTS; ++effort) {
      const long long last = firsts[2 * effort + 2];
      for (long long first = firsts[2 * effort]; first < last; first += width)
        compute_few(plans[effort], puts, start, first, last);
    }
  }

  // Beyond the last put it is repeated.
  void compute_few(const Plan& plan, const Puts& puts, long long start, long long first, long long last) {
    long long own[width];
    for (int lane = 0; lane < width; ++lane) own[lane] = order[first + lane < last ? first + lane : last - 1];
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

  // By effort, and for each by fixed point: counted, then put in their places in turn.
  void sort(const Plan* plans, const Puts& puts, long long start, long long count) {
    unsigned char kinds[TABLES_AT_ONCE * MOST_VOLS];
    long long counts[2 * MOST_EFFORTS] = {};
    for (long long put = 0; put < count; ++put) {
      const long long at = start + put;
      const double drift = puts.rates[at] - puts.yields[at];
      const double most = plans[puts.efforts[at]].fp_a_drift * puts.vols[at];
      const bool beyond_a = 0.0 < drift && most * most < drift * drift * puts.years[at];
      kinds[put] = static_cast<unsigned char>(2 * puts.efforts[at] + beyond_a);
      ++counts[kinds[put]];
    }
    firsts[0] = 0;
    for (int kind = 0; kind < 2 * MOST_EFFORTS; ++kind) {
      firsts[kind + 1] = firsts[kind] + counts[kind];
      counts[kind] = firsts[kind];
    }
    for (long long put = 0; put < count; ++put) order[counts[kinds[put]]++] = put;
  }

  void write(Number value, const long long* own, long long power) {
    for (int lane = 0; lane < width; ++lane) powers[own[lane] * stride + power] = value.lanes[lane];
  }
};

// Coefficients [tables, vols, gaps] and boundaries [tables, vols] of ``count`` tables; the bits of a table do not
// depend on the others. A plan for each effort, all of one number of vols and of gaps.
template <class Number>
void build_tables(
    const Plan* plans, const Puts& puts, long long count, Group<Number>& group, double* coefficients,
    double* boundaries) {
  constexpr int stride = Group<Number>::stride;
  const Plan& plan = plans[0];
  for (long long first = 0; first < count; first += TABLES_AT_ONCE) {
    const long long left = count - first, present = left < TABLES_AT_ONCE ? left : TABLES_AT_ONCE;
    group.compute(plans, puts, first * plan.vols, present * plan.vols);
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
