// The normal distribution, exp(x) - 1 and log(1 + x) with errors relative to their own value, where elementary.h
// is right to an ulp of 1.
#pragma once
#include "elementary.h"

namespace SHOCKGRID_NAMESPACE {

constexpr double ONE_BY_ROOT_OF_TWO_PI = 0.39894228040143267794;
// Less than half an ulp of 1.
constexpr double BELOW_AN_ULP = 0x1p-60;

// N(x), and exp(-x**2 / 2) beside it.
template <class Number> struct Normal {
  Number below, bell;
};

// With a = DENSITY_SCALE |x|, N(-|x|) exp(x**2 / 2) is p(u) / (a + 9/2), u the Moebius map of a from [0, FARTHEST]
// to [-1, 1] that has the same pole. p interpolates at 41 Chebyshev nodes and is cut after degree 21; what is left
// out is below 6e-17 of it.
template <class Number> SHOCKGRID_INLINE Normal<Number> normal_of(Number x) {
  constexpr double pole = 4.5, middle = 1.290322580645161290323, stretch = 10.30645161290322580645;
  constexpr double coefficients[] = {
      -3.248271788589482821674e-11, 3.320658144966864412324e-10, 5.593954612603477392561e-10,
      -4.698287073676538297388e-9, -5.851918758572789139333e-9, 4.815915078935052757985e-8,
      4.304554620864819469438e-8, -5.00375581211895808636e-7, -4.39230718491472728037e-8,
      0.000005382055211734158649813, -0.000007622378306948114740705, -0.00004845558218066877558845,
      0.0002175028740375494707989, -0.00004547301397667138381751, -0.002970843861850576188395,
      0.01598073916550920363997, -0.05267147582437370528937, 0.1306900563048989280268,
      -0.261562915583944061324, 0.4358404774238872991416, -0.6141422235540555081111,
      0.7364401456982769701756,
  };
  const Number a = lesser(DENSITY_SCALE * magnitude(x), Number(FARTHEST));
  const Number inverse = 1.0 / (a + pole), bell = normal_density(a);
  const Number u = fused(inverse, Number(-stretch), Number(middle));
  const Number tail = bell * (inverse * halved_polynomial(u, coefficients));
  return {select(x < Number(0.0), tail, 1.0 - tail), bell};
}

// W. Kahan's way: the errors of exp and log cancel, because u - 1 has none where they matter.
template <class Number> SHOCKGRID_INLINE Number exponential_less_one(Number x) {
  const Number u = exponential(x), above = u - 1.0;
  const auto small = magnitude(above) < Number(BELOW_AN_ULP);
  return select(small, x, above * x / select(small, Number(1.0), logarithm(u)));
}

// log(1 + x), x >= 0.
template <class Number> SHOCKGRID_INLINE Number logarithm_of_one_and(Number x) {
  const Number u = 1.0 + x, above = u - 1.0;
  const auto small = above < Number(BELOW_AN_ULP);
  return select(small, x, logarithm(u) * x / select(small, Number(1.0), above));
}

}  // namespace SHOCKGRID_NAMESPACE
