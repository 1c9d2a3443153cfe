// Exercise boundaries of American puts of strike 1, a lane each: the fixed point of L. Andersen, M. Lake and
// D. Offengenden, "High-performance American option pricing", J. Computational Finance 20 (2016), in a fixed number
// of steps. What src/shockgrid/backends/_numpy_boundary.py does and explains, node for node.
#pragma once
#include "relative.h"

namespace SHOCKGRID_NAMESPACE {

// The most nodes, and quadrature points of the fixed point, that a plan may have.
constexpr int MOST_NODES = 16, MOST_POINTS = 32;

// How tables are computed; every number comes from Python, where NumPy computes with the same.
struct Plan {
  long long nodes, points, steps, premium_points, vols, gaps, first_newton_steps, newton_steps;
  double fp_a_drift, flat_drift, fp_b_stride, farthest, early_slope;
  const double* times;  // [nodes] time left / life, the longest first
  const double *abscissae, *inverses, *weights;  // [points] in y, 1 / y, and of d(y**2)
  const double *left, *rows;  // [nodes, points] time left / life, [nodes, points, nodes] interpolation
  const double *premium_abscissae, *premium_inverses, *premium_weights;  // [premium_points]
  const double* premium_rows;  // [premium_points, nodes]
  const double* distances;  // [gaps] from the boundary, in deviations
  // [gaps, gaps] from values to Chebyshev series, and from those to powers; [vols, vols] from values to series
  const double *chebyshev_matrix, *power_matrix, *vol_matrix;
};

template <class Number> struct Put {
  Number years, vol, rate, yield;  // rate > 0, yield of any sign

  // Log of the boundary just before expiry, min(1, rate / yield).
  SHOCKGRID_INLINE Number log_limit() const {
    const auto capped = rate < yield;
    return select(capped, logarithm(rate / select(capped, yield, Number(1.0))), Number(0.0));
  }
};

// Log of the boundary of a put without expiry: the negative root of the characteristic quadratic.
template <class Number> SHOCKGRID_INLINE Number perpetual(const Put<Number>& put) {
  const Number variance = put.vol * put.vol;
  const Number half = (put.rate - put.yield) / variance - 0.5, earned = 2.0 * put.rate / variance;
  const Number size = square_root(half * half + earned);
  const auto above = Number(0.0) < half;
  const Number root = select(above, half + size, earned / select(above, Number(1.0), size - half));
  return -logarithm_of_one_and(1.0 / root);
}

// What a node of the boundary is made of: a time left, and what the forward and the vol do in it.
template <class Number> struct Node {
  Number time, drift, deviation, inverse;

  // Log below which no boundary is looked for.
  SHOCKGRID_INLINE Number floor(const Plan& plan, Number limit, Number lowest) const {
    return greater(limit - plan.farthest * deviation, lowest);
  }

  SHOCKGRID_INLINE Node(const Put<Number>& put, double share) {
    time = put.years * share;
    drift = (put.rate - put.yield) * time;
    deviation = put.vol * square_root(time);
    inverse = 1.0 / deviation;
  }
};

// ``normal_density`` with a polynomial of degree 9: right to 2e-14 of it.
template <class Number> SHOCKGRID_INLINE Number rough_density(Number a) {
  constexpr double coefficients[] = {
      1.020869083593037070728e-7, 0.000001325964625027045016594, 0.00001525265725718604208566,
      0.0001540343374622419586339, 0.001333355823017062652024,   0.009618129193942167523799,
      0.05550410866444767991327,   0.2402265069564030047075,     0.6931471805599499835928,
      1.0,
  };
  const Number whole = fused(-a, a, Number(MAGIC));
  const Number part = fused(-a, a, -(whole - MAGIC));
  const Number mantissa = halved_polynomial(part, coefficients);
  return number_of<Number>(bits_of(mantissa) + (bits_of(whole) << EXPONENT_SHIFT)) - DENSITY_AT_FARTHEST;
}

// A distance from the mean in the units of ``rough_density``.
template <class Number> SHOCKGRID_INLINE Number rough_distance(Number x) {
  return lesser(DENSITY_SCALE * magnitude(x), Number(FARTHEST));
}

// The pole of the Moebius map of ``normal_of``.
constexpr double ROUGH_POLE = 4.5;

// The polynomial of ``normal_of`` cut after degree 9, for 1 / (a + ROUGH_POLE): N(-|x|) is right to 2e-7 of it and to
// 2e-8, enough for a premium and more than enough for a boundary.
template <class Number> SHOCKGRID_INLINE Number rough_ratio(Number inverse) {
  constexpr double middle = 1.290322580645161290323, stretch = 10.30645161290322580645;
  constexpr double coefficients[] = {
      0.000196584752956156118146, -0.0001469506654818309310898, -0.002949978663926187627236,
      0.01606414311804785859454,  -0.05268058809399268994158,   0.130661196151913031977,
      -0.2615612904506020835234,  0.4358440171299903883161,     -0.6141423047349176449661,
      0.7364400757924401170049,
  };
  const Number u = fused(inverse, Number(-stretch), Number(middle));
  return inverse * halved_polynomial(u, coefficients);
}

template <class Number> SHOCKGRID_INLINE Normal<Number> rough_normal_of(Number x) {
  const Number a = rough_distance(x), bell = rough_density(a);
  const Number tail = bell * rough_ratio(1.0 / (a + ROUGH_POLE));
  return {select(x < Number(0.0), tail, 1.0 - tail), bell};
}

// The QD+ boundary at one node after some steps of Newton's method: M. Li, "Analytical approximations for the
// critical stock prices of American options" (2010).
template <class Number>
SHOCKGRID_INLINE Number qd_plus(
    const Put<Number>& put, const Node<Number>& node, Number log, Number floor, Number limit, long long steps) {
  const Number r = put.rate, q = put.yield, variance = put.vol * put.vol;
  const Number discount = exponential(-r * node.time), carry = exponential(-q * node.time);
  const Number earned = -exponential_less_one(-r * node.time);
  const Number omega = 2.0 * (r - q) / variance - 1.0;
  const Number root = square_root(omega * omega + 8.0 * r / (variance * earned));
  const Number slope = 2.0 * r / (variance * earned * earned * root);
  const Number alpha = -2.0 / (variance * root);
  const Number beta = alpha * discount * r * (1.0 / earned - slope / root) + 0.5 * (omega + root);
  for (long long step = 0; step < steps; ++step) {
    const Number boundary = exponential(log);
    const Number high = (log + node.drift) * node.inverse + 0.5 * node.deviation, low = high - node.deviation;
    const Normal<Number> above = rough_normal_of(-high);
    const Number stock = carry * above.below, cash = discount * rough_normal_of(-low).below;
    const Number bell = carry * (ONE_BY_ROOT_OF_TWO_PI * above.bell);
    const Number decay = r * cash - q * boundary * stock - 0.5 * variance * boundary * bell * node.inverse;
    const Number charm = -bell * ((r - q) * node.inverse - 0.5 * low / node.time) - q * stock;
    const Number gain = 1.0 - boundary - cash + boundary * stock;
    const Number miss = (1.0 - stock) * boundary - beta * gain + alpha * decay;
    const Number steep = (1.0 - stock) * (1.0 + beta) + bell * node.inverse + alpha * charm;
    const Number move = lesser(greater(miss / (steep * boundary), Number(-0.5)), Number(0.5));
    log = lesser(greater(log - move, floor), limit);
  }
  return log;
}

// Logs of the boundary to start from, the nodes' own, each from where its neighbour went. Where the limit is deep in
// the money: J. Evans, R. Kuske, J. Keller, "American options on assets with dividends near expiry" (2002).
template <class Number>
SHOCKGRID_NO_INLINE void start(const Plan& plan, const Put<Number>& put, Number limit, Number* logs) {
  const Number lowest = perpetual(put);
  const Node<Number> longest(put, plan.times[0]);
  const auto deep = limit < -plan.farthest * longest.deviation;
  Number log = limit, before = longest.inverse;
  for (long long k = 0; k < plan.nodes; ++k) {
    const Node<Number> node(put, plan.times[k]);
    const Number floor = node.floor(plan, limit, lowest);
    const Number early = greater(limit - plan.early_slope * node.deviation, floor);
    const Number begun = greater(limit + (log - limit) * (node.deviation * before), floor);
    log = qd_plus(put, node, begun, floor, limit, k ? plan.newton_steps : plan.first_newton_steps);
    logs[k] = select(deep, early, log);
    before = node.inverse;
  }
}

// One row of a matrix times a column of numbers.
template <class Number>
SHOCKGRID_INLINE Number combined(const double* row, const Number* numbers, long long count) {
  Number sum = row[0] * numbers[0];
  for (long long k = 1; k < count; ++k) sum = fused(Number(row[k]), numbers[k], sum);
  return sum;
}

// Log of the boundary between the nodes, from the squares of log(boundary / limit) at them.
template <class Number>
SHOCKGRID_INLINE Number between(const double* row, const Number* squares, long long nodes, Number limit) {
  return limit - square_root(greater(combined(row, squares, nodes), Number(0.0)));
}

// Numerator and denominator of the fixed point: FP-A of densities, FP-B of probabilities.
template <class Number> struct Quotient {
  Number top, bottom;

  template <bool of_density>
  SHOCKGRID_INLINE void add(Number low, Number high, Number earned, Number paid, Number inverse) {
    const Normal<Number> above = rough_normal_of(high);
    if (of_density) {
      const Number scale = ONE_BY_ROOT_OF_TWO_PI * inverse;
      top = fused(earned, rough_density(rough_distance(low)) * scale, top);
      bottom = fused(paid, fused(above.bell, scale, above.below), bottom);
    } else {
      top = fused(earned, rough_normal_of(low).below, top);
      bottom = fused(paid, above.below, bottom);
    }
  }
};

// Interest earned and yield paid between two points, for all steps.
template <class Number> struct Flows {
  Number earned[MOST_NODES * MOST_POINTS], paid[MOST_NODES * MOST_POINTS];

  SHOCKGRID_NO_INLINE Flows(const Plan& plan, const Put<Number>& put) {
    for (long long k = 0; k < plan.nodes; ++k)
      for (long long j = 0; j < plan.points; ++j) {
        const long long at = k * plan.points + j;
        const Number span = plan.weights[j] * (put.years * plan.times[k]), left = put.years * plan.left[at];
        earned[at] = put.rate * exponential(put.rate * left) * span;
        paid[at] = put.yield * exponential(put.yield * left) * span;
      }
  }
};

// Moves the logs of the boundary by the steps of the plan.
template <bool of_density, class Number>
SHOCKGRID_NO_INLINE void iterate(
    const Plan& plan, const Put<Number>& put, const Flows<Number>& flows, Number limit, Number* logs) {
  const Number lowest = perpetual(put);
  for (long long step = 0; step < plan.steps; ++step) {
    Number squares[MOST_NODES];
    for (long long k = 0; k < plan.nodes; ++k) {
      const Number gap = logs[k] - limit;
      squares[k] = gap * gap;
    }
    for (long long k = 0; k < plan.nodes; ++k) {
      const Node<Number> node(put, plan.times[k]);
      const Number now = (logs[k] + node.drift) * node.inverse - 0.5 * node.deviation;
      Quotient<Number> sum = {Number(0.0), Number(0.0)};
      sum.template add<of_density>(now, now + node.deviation, Number(1.0), Number(1.0), node.inverse);
      for (long long j = 0; j < plan.points; ++j) {
        const long long at = k * plan.points + j;
        const double y = plan.abscissae[j];
        const Number past = between(plan.rows + at * plan.nodes, squares, plan.nodes, limit);
        const Number spread = y * node.deviation, inverse = node.inverse * plan.inverses[j];
        const Number low = fused(node.drift, Number(y * y), logs[k] - past) * inverse - 0.5 * spread;
        sum.template add<of_density>(low, low + spread, flows.earned[at], flows.paid[at], inverse);
      }
      Number found = logarithm(sum.top / sum.bottom) - node.drift;
      if (!of_density) found = logs[k] + plan.fp_b_stride * (found - logs[k]);
      logs[k] = lesser(greater(found, node.floor(plan, limit, lowest)), limit);
    }
  }
}

// Squared log of boundary over its limit at the nodes, the longest time first; 0 at expiry. By the drift over the
// vol: FP-A, FP-B or the perpetual level, and what one lane wants changes no bit of another.
template <class Number>
SHOCKGRID_INLINE void solve(const Plan& plan, const Put<Number>& put, Number limit, Number* squares) {
  const Number drift = (put.rate - put.yield) * square_root(put.years) / put.vol;
  const auto beyond_a = Number(plan.fp_a_drift) < drift, flat = Number(plan.flat_drift) < magnitude(drift);
  Number begun[MOST_NODES], far[MOST_NODES];
  start(plan, put, limit, begun);
  for (long long k = 0; k < plan.nodes; ++k) far[k] = begun[k];
  if (plan.steps) {
    const Flows<Number> flows(plan, put);
    if (any(!beyond_a)) iterate<true>(plan, put, flows, limit, begun);
    if (any(beyond_a)) iterate<false>(plan, put, flows, limit, far);
  }
  const Number lowest = perpetual(put);
  for (long long k = 0; k < plan.nodes; ++k) {
    const Number gap = select(flat, lowest, select(beyond_a, far[k], begun[k])) - limit;
    squares[k] = gap * gap;
  }
}

}  // namespace SHOCKGRID_NAMESPACE
