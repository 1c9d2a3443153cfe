// Numbers that must not get in or out. By their bits, which no compiler flag can talk away.
#pragma once
#include "elementary.h"

namespace SHOCKGRID_NAMESPACE {

constexpr unsigned long long BITS_OF_INFINITY = 0x7ffull << EXPONENT_SHIFT;

// Whether the bits of all of them, without the sign, are at most ``limit``: a difference below zero leaves
// its sign. One pass of subtractions, which compilers make vectors of.
inline bool all_within(const double* values, long long count, unsigned long long limit) {
  unsigned long long signs = 0;
  for (long long i = 0; i < count; ++i) {
    unsigned long long bits;
    __builtin_memcpy(&bits, values + i, sizeof bits);
    signs |= limit - (bits & ~SIGN_BIT);
  }
  return !(signs & SIGN_BIT);
}

inline bool all_finite(const double* values, long long count) {
  return all_within(values, count, BITS_OF_INFINITY - 1);
}
inline bool any_nan(const double* values, long long count) {
  return !all_within(values, count, BITS_OF_INFINITY);
}

}  // namespace SHOCKGRID_NAMESPACE
