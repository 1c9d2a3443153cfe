// Early-exercise premiums of American puts of strike 1 at the nodes of a table, a lane a put, and the table's
// coefficients. What src/shockgrid/backends/_numpy_premium.py does and explains, node for node.
#pragma once
#include "american.h"
#include "boundary.h"

namespace SHOCKGRID_NAMESPACE {

// The most vols and gaps that a plan may have.
constexpr int MOST_VOLS = TABLE_VOLS, MOST_GAPS = TABLE_GAPS;

// Deviations above the boundary beyond which a later flow counts as none: _numpy_premium.FARTHEST_FLOW.
constexpr double FARTHEST_FLOW = 7.0;

// Premiums over strike at the nodes in z, and the log of the boundary in deviations.
template <class Number> struct Sample {
  Number premiums[MOST_GAPS], edge;

  SHOCKGRID_NO_INLINE Sample(const Plan& plan, const Put<Number>& put) {
    Number squares[MOST_NODES], logs[MOST_GAPS], spots[MOST_GAPS];
    const Number limit = put.log_limit(), deviation = put.vol * square_root(put.years);
    solve(plan, put, limit, squares);
    const Number highest = limit - square_root(squares[0]), inverse = 1.0 / deviation;
    edge = highest / deviation;
    const Number unit = deviation + greater((put.yield - put.rate) * put.years, Number(0.0)) / Number(FARTHEST_GAP);
    for (long long g = 0; g < plan.gaps; ++g) {
      logs[g] = highest + plan.distances[g] * unit;
      spots[g] = exponential(logs[g]);
      premiums[g] = Number(0.0);
    }
    for (long long j = 0; j < plan.premium_points; ++j) {
      const double y = plan.premium_abscissae[j];
      const Number past = between(plan.premium_rows + j * plan.nodes, squares, plan.nodes, limit);
      const Number elapsed = put.years * (y * y), span = plan.premium_weights[j] * put.years;
      const Number moved = (put.rate - put.yield) * elapsed - past, fallen = exponential(-moved);
      const Number spread = y * deviation, turn = inverse * plan.premium_inverses[j];
      const Number earned = span * put.rate * exponential(-put.rate * elapsed);
      const Number paid = span * put.yield * exponential(-put.yield * elapsed);
      // from the boundary outwards, as far as one lane has a flow
      for (long long g = plan.gaps - 1; g >= 0; --g) {
        const Number low = (logs[g] + moved) * turn - 0.5 * spread;
        const auto beyond = Number(FARTHEST_FLOW) < low;
        if (!any(!beyond)) break;
        const Number found = flow(low, low + spread, earned, paid, spots[g], fallen);
        premiums[g] = premiums[g] + select(beyond, Number(0.0), found);
      }
    }
  }

  // Interest earned less yield paid where the put is exercised, earned N(-low) - paid * spot * N(-high), by one
  // density and one division: spot exp(-high**2 / 2) = fallen exp(-low**2 / 2).
  static SHOCKGRID_INLINE Number flow(Number low, Number high, Number earned, Number paid, Number spot, Number fallen) {
    const Number a = rough_distance(low), near = a + ROUGH_POLE, far = rough_distance(high) + ROUGH_POLE;
    const Number bell = rough_density(a), both = 1.0 / (near * far);
    const Number cash = bell * rough_ratio(both * far), stock = bell * fallen * rough_ratio(both * near);
    const Number below = select(Number(0.0) < low, cash, 1.0 - cash);
    return earned * below - paid * select(Number(0.0) < high, stock, spot - stock);
  }
};

// From the premiums of a sample to coefficients of powers of t.
template <class Number> SHOCKGRID_INLINE void convert(const Plan& plan, const Number* premiums, Number* powers) {
  Number series[MOST_GAPS];
  for (long long k = 0; k < plan.gaps; ++k)
    series[k] = combined(plan.chebyshev_matrix + k * plan.gaps, premiums, plan.gaps);
  for (long long k = 0; k < plan.gaps; ++k)
    powers[k] = combined(plan.power_matrix + k * plan.gaps, series, plan.gaps);
}

// One coefficient in the vol of a number that ``puts`` holds for each vol of a table, ``stride`` apart.
SHOCKGRID_INLINE double vol_coefficient(const Plan& plan, long long order, const double* puts, long long stride) {
  const double* row = plan.vol_matrix + order * plan.vols;
  double sum = row[0] * puts[0];
  for (long long i = 1; i < plan.vols; ++i) sum = sum + row[i] * puts[i * stride];
  return sum;
}

}  // namespace SHOCKGRID_NAMESPACE
