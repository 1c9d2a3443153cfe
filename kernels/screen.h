// European P&L in float32 with a bound on its error, to rule out the scenarios that cannot be the worst: the price
// of european.h with shorter polynomials. No result is computed from it, so its bits matter to nobody; where the
// hardware turns numbers below 2**-126 into zero the bound holds as well.
#pragma once
#include "european.h"

namespace SHOCKGRID_NAMESPACE {

// x + it has the integer nearest to x in its lowest bits, for |x| < 2**22.
constexpr float SCREEN_MAGIC = 12582912.0f;
constexpr int SCREEN_EXPONENT_SHIFT = 23;
// The density there is 2**-121 and no less counts; the second distance only must not overflow when it is cubed.
constexpr float SCREEN_FARTHEST = 11.0f, SCREEN_FARTHEST_OTHER = 2048.0f;

// Half a unit in the last place of 1: what rounding changes a number by, at most, in its own size.
constexpr double SCREEN_ROUNDING = 0x1p-24;
// Beyond these nothing is screened: total deviation, and amounts that might overflow; below the last they might
// vanish, with a margin of a thousand over 2**-126.
constexpr double SCREEN_MOST_DEVIATION = 8.0, SCREEN_MOST = 1e30, SCREEN_LEAST = 1e-35;
// What no bound is above: where it stands every scenario is kept.
constexpr double SCREEN_NO_BOUND = 1e300;

// Minimax of degrees (3, 3) as ``normal_tail``; 9.5e-9 on N.
template <class Number> SHOCKGRID_INLINE Ratio<Number> screened_tail(Number a) {
  constexpr float numerator[] = {-0.00024053691215524679893f, 0.048152085588542891098f, 0.21719560490282214637f,
                                 0.50000000944391345973f};
  constexpr float denominator[] = {0.13327203372835569481f, 0.69375569901957290606f, 1.3738303457958705493f, 1.0f};
  return {polynomial(a, numerator), polynomial(a, denominator)};
}

// exp(-d**2 / 2) as ``normal_density``, the polynomial of degree 6; 1.9e-9 of itself.
template <class Number> SHOCKGRID_INLINE Number screened_density(Number a) {
  constexpr float coefficients[] = {0.0001534582088383384678169f, 0.001339993151320826541219f,
                                    0.009618488937991382156191f,  0.05550328776061528789525f,
                                    0.2402264689050064331425f,    0.6931472057379545493086f,
                                    1.0f};
  const Number whole = fused(-a, a, Number(SCREEN_MAGIC));
  const Number part = fused(-a, a, -(whole - SCREEN_MAGIC));
  return number_of<Number>(bits_of(polynomial(part, coefficients)) + (bits_of(whole) << SCREEN_EXPONENT_SHIFT));
}

// One spot state: the P&L is ``asset E (s2 R2 - s1 R1)``, see european.h, and one of three lines: with d1 and d2
// above zero, with d1 alone, with neither. The lines are taken in float64, since they may be small differences.
template <class Number> struct ScreenedSpot {
  Number log, asset, upper, middle, lower;
};
struct Lines {
  double upper, middle, lower;
};
SHOCKGRID_INLINE Lines lines_of(bool is_call, double asset, double strike, double base) {
  if (is_call) return {asset - strike - base, asset - base, -base};
  return {-base, strike - base, strike - asset - base};
}

// P&L of one unit, and asset E, which ``screened_error`` asks for. No d1 or d2 is -0.0 or turned into zero: in units of
// its last place log * inverse is far above 2**-126, as half of the smallest deviation is.
template <class Number> struct ScreenedPnl {
  Number pnl, bell;
};
template <class Number>
SHOCKGRID_INLINE ScreenedPnl<Number> screened_pnl(
    const ScreenedSpot<Number>& spot, const Deviation<Number>& deviation) {
  const Number d1 = fused(spot.log, deviation.inverse, deviation.half);
  const Number d2 = fused(spot.log, deviation.inverse, -deviation.half);
  const Number a1 = lesser(magnitude(d1), Number(SCREEN_FARTHEST));
  const Number a2 = lesser(magnitude(d2), Number(SCREEN_FARTHEST_OTHER));
  const Number bell = spot.asset * screened_density(a1);
  const Ratio<Number> r1 = screened_tail(a1), r2 = screened_tail(a2);
  const Number cross = turned(r1.numerator, d1) * r2.denominator;
  const Number gap = fused(turned(r2.numerator, d2), r1.denominator, -cross) / (r1.denominator * r2.denominator);
  const Number below = select(d1 < Number(0.0f), spot.lower, spot.middle);
  return {fused(bell, gap, select(d2 < Number(0.0f), below, spot.upper)), bell};
}

// How far the P&L of one unit may be from that of float64, with u = SCREEN_ROUNDING, the largest asset A and total
// deviation v of all states, the discounted strike K, the largest bell B and P&L. To first order, with |d1| = x:
//   minimax tails  9.5e-9 (A + K) <= 0.16 u (A + K), the density's less
//   density        4 u B: coefficients and Horner's rule 3, its argument 1; asset and product 2 u B
//   gap            10 u B: a numerator and a denominator 3 each, two products, one sum, one division; |gap| <= 1
//   d1, d2         wrong by u (2 |L / v| + v / 2 + |d|), |L / v| <= x + v / 2; the slopes of asset E gap are below
//                  B (0.4 + x / 2) and 0.4 B, so u B (1.5 x**2 + (2.4 + 0.75 v) x + 1.6 v); with
//                  exp(-x**2 / 8) x <= 1.22 and x**2 <= 2.95 at most u W (7.4 + 2.6 v), W = B**(3/4) A**(1/4) >= B
//   line, sum      u (|P&L| + B) + u |P&L|
// Everything is rounded up to 26 W, 3 v W and 3 |P&L|.
SHOCKGRID_INLINE double screened_error(double asset, double strike, double deviation, double bell, double pnl) {
  if (!(asset + strike + pnl < SCREEN_MOST && 0.0 <= strike && deviation <= SCREEN_MOST_DEVIATION))
    return SCREEN_NO_BOUND;
  const double widest = square_root(bell * square_root(bell * asset));
#ifdef SHOCKGRID_PLANT_SMALL_BOUND
  return 1e-4 * SCREEN_ROUNDING * widest;
#else
  return SCREEN_ROUNDING * (0.2 * (asset + strike) + (26.0 + 3.0 * deviation) * widest + 3.0 * pnl) + SCREEN_LEAST;
#endif
}

}  // namespace SHOCKGRID_NAMESPACE
