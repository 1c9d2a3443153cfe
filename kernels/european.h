// European options on a forward: F. Black, "The pricing of commodity contracts" (1976), with one exponential
// and one division a price.
//
//   value = D (F (E (s2 R2 - s1 R1) + side + s1 / 2) - K (side + s2 / 2))
//
// d1, d2 = log(F / K) / v +- v / 2, v = vol * sqrt(years), s = the sign of d, side = 1/2 for a call and -1/2
// for a put, N(-|d|) = exp(-d**2 / 2) R(|d|), and E = exp(-d1**2 / 2) serves both terms because
// F exp(-d1**2 / 2) = K exp(-d2**2 / 2). The error is below 5e-16 of the larger of forward and value.
#pragma once
#include "elementary.h"

namespace SHOCKGRID_NAMESPACE {

// v below the first is worth less than an ulp of the forward, above the second the option is worth its
// upper bound; between them nothing below overflows.
constexpr double SMALLEST_DEVIATION = 1e-18, LARGEST_DEVIATION = 1e4;
// Stands for log(0) and, turned, for that of infinity: no v in range brings d back from it, which leaves the
// intrinsic value.
constexpr double LOG_OF_NOTHING = -1e9;
constexpr double SMALLEST_STRIKE = 5e-324;
// The rational R is good to 2.2e-17 of the strike: from this many forwards on the continued fraction is taken.
constexpr double FAR_STRIKE = 100.0;
constexpr double DAYS_PER_YEAR = 365.0, DAYS_OF_TERM = 30.0;

// 1 / v and v / 2 in the units of normal_density.
template <class Number> struct Deviation {
  Number inverse, half;
};
template <class Number> SHOCKGRID_INLINE Deviation<Number> deviation_of(Number vol, Number root_of_years) {
  Number v = vol * root_of_years;
  v = lesser(greater(v, Number(SMALLEST_DEVIATION)), Number(LARGEST_DEVIATION));
  return {DENSITY_SCALE / v, (0.5 * DENSITY_SCALE) * v};
}

// log(forward / strike); a forward or strike of zero or less leaves the option its intrinsic value.
template <class Number> SHOCKGRID_INLINE Number log_ratio(Number forward, Number strike) {
  const Number ratio = forward / greater(strike, Number(SMALLEST_STRIKE));
  const Number log = select(Number(0.0) < strike, logarithm(ratio), Number(-LOG_OF_NOTHING));
  return select(Number(0.0) < forward, log, Number(LOG_OF_NOTHING));
}

// Whether ``intercept`` is more or less than nothing: the forward is then not in proportion to the spot, and a spot
// state cannot be reached by adding the log of its factor.
template <class Number> SHOCKGRID_INLINE auto is_fixed(Number intercept) {
  return (intercept < Number(0.0)) | (Number(0.0) < intercept);
}

// Of the discounted forward and strike, which are two of the same kind.
template <class Number> SHOCKGRID_INLINE auto is_far(Number asset, Number strike) {
  return (asset * FAR_STRIKE < strike) & (Number(0.0) < asset);
}

// What a contract pays, discounted: ``side`` is 1/2 or -1/2.
template <class Number> struct Contract {
  Number side, half_strike;
  SHOCKGRID_INLINE Number strike() const { return half_strike + half_strike; }
};

// One value in currency, >= 0. ``asset`` is the discounted forward. An option of no value may come out an
// ulp of the forward below zero; the mirror image is as near. With ``far`` strikes of more than FAR_STRIKE
// forwards may be among the lanes; it changes no bit of the others.
template <bool far, class Number>
SHOCKGRID_INLINE Number value_of(
    const Contract<Number>& contract, Number log, Number asset, const Deviation<Number>& deviation) {
  const Number d1 = fused(log, deviation.inverse, deviation.half);
  const Number d2 = fused(log, deviation.inverse, -deviation.half);
  const Number a1 = lesser(magnitude(d1), Number(FARTHEST)), a2 = magnitude(d2);
  const Number density = normal_density(a1);
  const Ratio<Number> r1 = normal_tail(a1), r2 = normal_tail(a2);
  const Number cross = turned(r1.numerator, d1) * r2.denominator;
  Number gap = fused(turned(r2.numerator, d2), r1.denominator, -cross) / (r1.denominator * r2.denominator);
  if (far) {
    const Number other = turned(far_normal_tail(a2), d2) - turned(r1.numerator / r1.denominator, d1);
    gap = select(is_far(asset, contract.strike()), other, gap);
  }
  const Number held = fused(density, gap, contract.side + turned(Number(0.5), d1));
  const Number owed = turned(contract.half_strike, contract.side) + turned(contract.half_strike, d2);
  return magnitude(fused(asset, held, -owed));
}

// The same where nothing is known of the lanes; the far side is long and seldom wanted.
template <class Number>
SHOCKGRID_NO_INLINE Number far_value_of(
    const Contract<Number>& contract, Number log, Number asset, const Deviation<Number>& deviation) {
  return value_of<true>(contract, log, asset, deviation);
}
template <class Number>
SHOCKGRID_INLINE Number value_of(
    const Contract<Number>& contract, Number log, Number asset, const Deviation<Number>& deviation) {
  if (any(is_far(asset, contract.strike()))) return far_value_of(contract, log, asset, deviation);
  return value_of<false>(contract, log, asset, deviation);
}

// One rule for shocked vols, as ``shockgrid.states.States`` words it.
struct VolRule {
  double shock, term_power, floor, cap;
  bool relative;
};

// ``log_term`` is log(30 / max(days, 1)).
template <class Number> SHOCKGRID_INLINE Number log_term_of(Number years) {
  return logarithm(DAYS_OF_TERM / greater(years * DAYS_PER_YEAR, Number(1.0)));
}
template <class Number> SHOCKGRID_INLINE Number shocked_vol(const VolRule& rule, Number vol, Number log_term) {
  Number move = rule.shock;
  if (rule.term_power != 0.0) move = move * exponential(rule.term_power * log_term);
  const Number shocked = rule.relative ? vol * (1.0 + move) : vol + move;
  return lesser(greater(shocked, Number(rule.floor)), Number(rule.cap));
}

}  // namespace SHOCKGRID_NAMESPACE
