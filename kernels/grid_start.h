// Where a grid of dividends.h starts, shortly before expiry: European values, and what sampling the kink of the payoff
// misses.
#pragma once
#include "heat.h"

namespace SHOCKGRID_NAMESPACE {

constexpr int WAVES = 12;
constexpr double FIRST = 0.002, LATE = 1e-4, LEAST_STRIKE = 1e-6, EDGE = 1e-9;
constexpr double PI = 3.14159265358979323846;

// Ex-dates are counted from expiry: part of the life left there, and cash over the strike. Flags are 1 or 0.
// ``places``: room for a column of nodes each, which saves finding them twice; null where there is none.
template <class Number> struct Dividends {
  int count;
  Number *left, *cash, late_cash;
  Number is_call, soon;
  Number* places;

  // The end of a stretch, in parts of the life.
  SHOCKGRID_INLINE Number end(int stretch) const { return stretch == count ? Number(1.0) : left[stretch]; }
  SHOCKGRID_INLINE Number root(int stretch) const {
    return square_root(end(stretch) - (stretch ? end(stretch - 1) : Number(0.0)));
  }
  // Where the grid starts, in parts of the life.
  SHOCKGRID_INLINE Number start() const { return lesser(Number(FIRST), 0.5 * (count ? left[0] : Number(1.0))); }
};

// The largest integer at most x, for |x| < 2**51, and as one where x >= 0.
template <class Number> SHOCKGRID_INLINE Number floored(Number x) {
  const Number nearest = (x + MAGIC) - MAGIC;
  return select(x < nearest, nearest - 1.0, nearest);
}
template <class Number> SHOCKGRID_INLINE auto integer_of(Number whole) {
  return bits_of(whole + MAGIC) - bits_of(Number(MAGIC));
}

// cos(2 pi x) for 0 <= x <= 1: the sine of what is left to the next root (Abramowitz and Stegun 4.3.65). The
// terms left out are below 2e-18.
template <class Number> SHOCKGRID_INLINE Number cosine_of_turns(Number x) {
  constexpr double coefficients[] = {
      1.0 / 51090942171709440000.0, -1.0 / 121645100408832000.0, 1.0 / 355687428096000.0, -1.0 / 1307674368000.0,
      1.0 / 6227020800.0,           -1.0 / 39916800.0,           1.0 / 362880.0,          -1.0 / 5040.0,
      1.0 / 120.0,                  -1.0 / 6.0,                  1.0,
  };
  const Number angle = (2.0 * PI) * (magnitude(x - 0.5) - 0.25);
  return angle * polynomial(angle * angle, coefficients);
}

// European puts struck at ``strike`` times K, in the units of the march; see european.h for the shared density.
template <class Number> struct ShortPut {
  Number strike, shift, inverse, deviation, growth;

  SHOCKGRID_INLINE ShortPut(const Frame<Number>& frame, Number strike, Number time) : strike(strike) {
    const Number some = greater(strike, Number(LEAST_STRIKE)), root = square_root(time);
    shift = logarithm(some) / frame.deviations;
    inverse = 1.0 / root;
    deviation = frame.deviations * root;
    growth = exponential(0.5 * (frame.deviations * frame.deviations) * time) / some;
  }
  SHOCKGRID_INLINE Number at(Number place, Number ratio) const {
    const Number lower = (place - shift) * inverse, upper = lower + deviation;
    const Number a1 = lesser(DENSITY_SCALE * magnitude(upper), Number(FARTHEST));
    const Number a2 = lesser(DENSITY_SCALE * magnitude(lower), Number(FARTHEST));
    const Ratio<Number> r1 = normal_tail(a1), r2 = normal_tail(a2);
    const Number cross = turned(r1.numerator, upper) * r2.denominator;
    const Number gap = fused(turned(r2.numerator, lower), r1.denominator, -cross) / (r1.denominator * r2.denominator);
    const Number sure = (0.5 - turned(Number(0.5), lower)) - (0.5 - turned(Number(0.5), upper)) * (ratio * growth);
    return select(Number(LEAST_STRIKE) < strike, strike, Number(0.0)) * fused(normal_density(a2), gap, sure);
  }
};

template <class Number> SHOCKGRID_INLINE Number place_of(const Frame<Number>& frame, int node) {
  return (double(node) - frame.zeros) * frame.steps;
}

// What sampling the kink of the payoff at ``past`` nodes from the last misses.
template <class Number>
SHOCKGRID_INLINE Number missed_by_sampling(const Frame<Number>& frame, Number past, Number time) {
  const Number ratio = time / (frame.steps * frame.steps), turn = cosine_of_turns(past);
  Number missed = 0.0, before = 1.0, cosine = turn;
  for (int wave = 1; wave <= WAVES; ++wave) {
    const double rate = 2.0 * (PI * wave) * (PI * wave);
    missed = missed + exponential(-rate * ratio) / rate * cosine;
    const Number next = 2.0 * turn * cosine - before;
    before = cosine;
    cosine = next;
  }
  return missed * (frame.deviations * frame.steps);
}

// European values shortly before expiry, of at least what exercise gives.
template <int nodes, class Number>
SHOCKGRID_NO_INLINE void start(const Grid<Number>& grid, const Dividends<Number>& dividends, Number time) {
  const Frame<Number>& frame = grid.frame;
  const Number late = select(Number(0.0) < dividends.is_call, Number(0.0), dividends.late_cash);
  const Obstacle<Number> exercise = exercise_at(frame, time);
  const ShortPut<Number> put(frame, 1.0 + late, time);
  for (int node = 0; node < nodes; ++node) grid.level[node] = put.at(place_of(frame, node), grid.ratios[node]);
  if (any(Number(0.0) < late)) {
    const ShortPut<Number> unpaid(frame, late, time);
    for (int node = 0; node < nodes; ++node)
      grid.level[node] = grid.level[node] - unpaid.at(place_of(frame, node), grid.ratios[node]);
  }
  for (int node = 0; node < nodes; ++node)
    grid.level[node] = greater(grid.level[node], exercise.at(grid.ratios[node]));
  const Number place = frame.zeros + logarithm(1.0 + late) / (frame.deviations * frame.steps);
  const Number below = floored(lesser(greater(place, Number(0.0)), Number(nodes - 2.0)));
  const Number past = place - below, missed = (1.0 + late) * missed_by_sampling(frame, past, time);
  add_at(grid.level, integer_of(below), (1.0 - past) * missed);
  add_at(grid.level, integer_of(below + 1.0), past * missed);
}

}  // namespace SHOCKGRID_NAMESPACE
