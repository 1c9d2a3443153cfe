// What the positions of each leaf are worth; the end of native.cpp.
#pragma once

// Sums [kinds, leaves] of weight x (price - paid) over the positions of each leaf, in their order. ``prices``
// [kinds, instruments]; a position whose ``paid`` is no number counts nothing.
SHOCKGRID_EXPORT(shockgrid_leaf_worth)
(long long leaves, long long kinds, long long instruments, const long long* starts, const long long* places,
 const double* weights, const double* paid, const double* prices, double* sums) {
  for (long long kind = 0; kind < kinds; ++kind) {
    const double* own = prices + kind * instruments;
    double* into = sums + kind * leaves;
    for (long long leaf = 0; leaf < leaves; ++leaf) {
      double sum = 0.0;
      for (long long position = starts[leaf]; position < starts[leaf + 1]; ++position) {
        const double worth = weights[position] * (own[places[position]] - paid[position]);
        sum += paid[position] == paid[position] ? worth : 0.0;
      }
      into[leaf] = sum;
    }
  }
  return DONE;
}
