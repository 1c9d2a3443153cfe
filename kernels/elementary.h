// exp, log and the normal distribution from + - * / and fused multiply-add alone: the libraries of two
// systems, or of a processor and a GPU, round them differently, these give the same bits everywhere.
#pragma once
#include "lanes.h"

namespace SHOCKGRID_NAMESPACE {

// x + MAGIC has the integer nearest to x in its lowest bits, for |x| < 2**51: 1.5 * 2**52.
constexpr double MAGIC = 6755399441055744.0;
constexpr int EXPONENT_SHIFT = 52;
constexpr double LOG2_E = 1.4426950408889634074;
// log(2) in two parts; the first has 32 trailing zeros, so that its product with an exponent is exact.
constexpr double LOG_2_HIGH = 0.693147180369123816490, LOG_2_LOW = 1.90821492927058770002e-10;

// Horner's rule, the highest power first.
template <class Number, class Real, int count>
SHOCKGRID_INLINE Number polynomial(Number x, const Real (&coefficients)[count]) {
  Number sum = coefficients[0];
  SHOCKGRID_UNROLL
  for (int k = 1; k < count; ++k) sum = fused(sum, x, Number(coefficients[k]));
  return sum;
}

// Horner's rule for the odd and the even powers apart, the highest first: half the wait for one long chain.
template <class Number, int count>
SHOCKGRID_INLINE Number halved_polynomial(Number x, const double (&coefficients)[count]) {
  static_assert(count % 2 == 0, "as many odd powers as even ones");
  Number square = x * x;
  SHOCKGRID_KEEP_TOGETHER(square.lanes);
  Number odd = coefficients[0], even = coefficients[1];
  SHOCKGRID_UNROLL
  for (int k = 2; k < count; k += 2) {
    odd = fused(odd, square, Number(coefficients[k]));
    even = fused(even, square, Number(coefficients[k + 1]));
  }
  return fused(odd, x, even);
}

// 2**(whole + part), ``whole`` with MAGIC added, |part| <= 1/2. The polynomial is the minimax one of degree
// 11; its largest relative error is 3e-18.
template <class Number> SHOCKGRID_INLINE Number power_of_two(Number whole, Number part) {
  constexpr double coefficients[] = {
      4.435264278142819758599e-10, 7.074105449304097496497e-9,  1.017819815263619288265e-7,
      0.000001321543309097452444649, 0.00001525273348965337619687, 0.0001540353046251088225299,
      0.001333355814679028878155,  0.009618129107588339143752,  0.05550410866481992004991,
      0.2402265069591015618975,    0.6931471805599453304755,    1.0,
  };
  const Number mantissa = halved_polynomial(part, coefficients);
  return number_of<Number>(bits_of(mantissa) + (bits_of(whole) << EXPONENT_SHIFT));
}

// exp(x) for |x| <= 700, and the value at that end beyond it. Two steps of Cody and Waite (1980).
template <class Number> SHOCKGRID_INLINE Number exponential(Number x) {
  x = greater(lesser(x, Number(700.0)), Number(-700.0));
  const Number whole = fused(x, Number(LOG2_E), Number(MAGIC));
  const Number count = whole - MAGIC;
  Number rest = fused(count, Number(-LOG_2_HIGH), x);
  rest = fused(count, Number(-LOG_2_LOW), rest);
  return power_of_two(whole, rest * LOG2_E);
}

// log(x) for normal x > 0; a finite number far from 1 for zero, subnormal and infinite x.
// With x = m 2**e, m between sqrt(1/2) and sqrt(2), and s = (m - 1) / (m + 1), log m is
// 2 (s + s**3 / 3 + s**5 / 5 + ...) (Abramowitz and Stegun 4.1.27); the terms left out are below 6e-19 of it.
template <class Number> SHOCKGRID_INLINE Number logarithm(Number x) {
  constexpr double coefficients[] = {
      2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13, 2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3, 2.0,
  };
  constexpr unsigned long long one = 0x3ff0000000000000ull, root_of_half = 0x3fe6a09e667f3bcdull;
  constexpr double two_to_52 = 4503599627370496.0, bias = 1023.0;
  const auto biased = (bits_of(x) + (one - root_of_half)) >> EXPONENT_SHIFT;
  const Number mantissa = number_of<Number>(bits_of(x) - (biased << EXPONENT_SHIFT) + one);
  // an integer below 2**52 in the mantissa of 2**52 is that integer plus 2**52
  const Number exponent = number_of<Number>(biased | bits_of(Number(two_to_52))) - (two_to_52 + bias);
  const Number s = (mantissa - 1.0) / (mantissa + 1.0);
  const Number series = s * polynomial(s * s, coefficients);
  return fused(exponent, Number(LOG_2_HIGH), fused(exponent, Number(LOG_2_LOW), series));
}

// Distances from the mean are measured in units in which the normal density is a power of two:
// a = DENSITY_SCALE * |d| gives exp(-d**2 / 2) = 2**(-a**2); the scale is sqrt(log2(e) / 2).
constexpr double DENSITY_SCALE = 0.8493218002880190427215;
// The density there is 2**-961, exactly, and counts as none.
constexpr double FARTHEST = 31.0, DENSITY_AT_FARTHEST = 0x1p-961;

// exp(-d**2 / 2) for a = DENSITY_SCALE * |d| <= FARTHEST, exactly 0 at FARTHEST.
template <class Number> SHOCKGRID_INLINE Number normal_density(Number a) {
  const Number whole = fused(-a, a, Number(MAGIC));
  const Number part = fused(-a, a, -(whole - MAGIC));
  return power_of_two(whole, part) - DENSITY_AT_FARTHEST;
}

// N(-|d|) = exp(-d**2 / 2) * numerator / denominator for a = DENSITY_SCALE * |d|. Minimax rational of
// degrees (6, 7), weighted with the density (Remez): the largest error on N is 2.2e-17.
template <class Number> struct Ratio {
  Number numerator, denominator;
};
template <class Number> SHOCKGRID_INLINE Ratio<Number> normal_tail(Number a) {
  constexpr double numerator[] = {
      0.00021330165528330300768, 0.0035982742620726091793, 0.027812802474959874809, 0.12568279209095594588,
      0.35278693258409620385,    0.59139058100280989804,   0.5,
  };
  constexpr double denominator[] = {
      0.00062951184939720082635, 0.010620098518586968068, 0.082531821794697719189, 0.37867114634520685943,
      1.0990899042321253088,     2.0061178013500577625,   2.1222184407052835279,   1.0,
  };
  return {polynomial(a, numerator), polynomial(a, denominator)};
}

// The same ratio for |d| >= 2 with an error relative to itself: Laplace's continued fraction
// 1 / (d + 1 / (d + 2 / (d + ...))) / sqrt(2 pi) (Abramowitz and Stegun 26.2.14).
template <class Number> SHOCKGRID_INLINE Number far_normal_tail(Number a) {
  constexpr double one_by_root_of_two_pi = 0.39894228040143267794;
  constexpr int terms = 96;
  const Number d = greater(a / DENSITY_SCALE, Number(2.0));
  Number fraction = d;
  for (int k = terms; k > 0; --k) fraction = d + double(k) / fraction;
  return one_by_root_of_two_pi / fraction;
}

}  // namespace SHOCKGRID_NAMESPACE
