// American options with a continuous yield, read from premium tables: what _numpy_american.py does and explains,
// node for node. A tile, or a GPU thread, tabulates three things and joins them for every scenario:
//
//   Early<Number>     an option as a put; a call is one with spot and strike, rate and yield exchanged
//   Exercise<Number>  one spot state of it: exercise_at(early, spot factor)
//   Premium<Number>   one vol of it: place_of_vol(vol), table_of(place, its six tables), premium_at(...)
//   value           = american_value(European value, exercise, premium)
#pragma once
#include "european.h"

namespace SHOCKGRID_NAMESPACE {

// Of _numpy_premium.FINE: orders in the vol, powers of t; a table of fewer has zeros in the rest.
constexpr int TABLE_VOLS = 10, TABLE_GAPS = 18;
// Distances from the boundary are in deviations and a sixth of what the spot falls by: _numpy_premium.FARTHEST.
constexpr double FARTHEST_GAP = 6.0;
// The ranges of vol_ranges.py: 0.125 * 4**k. All edges are powers of two.
constexpr int TABLE_RANGES = 6;
constexpr double SMALLEST_TABLE_VOL = 0x1p-9, LARGEST_TABLE_VOL = 0x1.fffffffffffffp+2, RANGE_RATIO = 4.0;
constexpr double INVERSE_LOG_OF_RATIO = 0.72134752044448170368;
constexpr int NO_TABLE_HERE = -1;

// ``Kept`` of _numpy_store.py: coefficients [TABLE_VOLS, count, TABLE_GAPS], boundaries [TABLE_VOLS, count].
struct PremiumTables {
  long long count;
  const double *coefficients, *boundaries;
};

template <class Number> struct Early {
  Number is_call;  // above 0 for a call
  Number delivered, strike;  // what exercise brings, units * spot, and costs (> 0)
  Number root_of_years, fall;  // of the put: what its spot falls by in the life, over FARTHEST_GAP
};
template <class Number>
SHOCKGRID_INLINE Early<Number> early_of(
    Number is_call, Number delivered, Number strike, Number years, Number rate, Number yield) {
  const auto call = Number(0.0) < is_call;
  const Number falls = select(call, rate - yield, yield - rate) * years;
  return {is_call, delivered, strike, square_root(years), greater(falls, Number(0.0)) / Number(FARTHEST_GAP)};
}

// ``log`` of the put's spot over its strike; ``scale`` turns premium over strike into currency; ``gain`` is what
// exercise now gives.
template <class Number> struct Exercise {
  Number log, scale, gain;
};
template <class Number>
SHOCKGRID_INLINE Exercise<Number> exercise_at(const Early<Number>& early, Number spot_factor) {
  const auto call = Number(0.0) < early.is_call;
  const Number spot = early.delivered * spot_factor, log = log_ratio(spot, early.strike);
  return {select(call, -log, log), select(call, spot, early.strike),
          select(call, spot - early.strike, early.strike - spot)};
}

// ``range`` counts from 0; ``place`` lies between -1 and 1 in it. A vol beyond the ranges is put at their end.
template <class Number> struct VolPlace {
  Number vol, range, place;
};
template <class Number> SHOCKGRID_INLINE VolPlace<Number> place_of_vol(Number vol) {
  vol = lesser(greater(vol, Number(SMALLEST_TABLE_VOL)), Number(LARGEST_TABLE_VOL));
  Number range = 0.0;
  double edge = SMALLEST_TABLE_VOL;
  SHOCKGRID_UNROLL
  for (int k = 1; k < TABLE_RANGES; ++k) {
    edge *= RANGE_RATIO;
    range = range + select(vol < Number(edge), Number(0.0), Number(1.0));
  }
  const Number ranges = logarithm(vol * (1.0 / SMALLEST_TABLE_VOL)) * INVERSE_LOG_OF_RATIO;
  return {vol, range, 2.0 * (ranges - range) - 1.0};
}

// What a value at one vol is read from: z = log * inverse - boundary, and the premium in powers of t, the highest
// first.
template <class Number> struct Premium {
  Number inverse, boundary, coefficients[TABLE_GAPS];
};

// An option's table at a vol, of its TABLE_RANGES; NO_TABLE_HERE where it has none.
SHOCKGRID_INLINE long long table_of(double range, const int* tables) { return tables[int(range)]; }

// Chebyshev series in the place of the vol, of one table for all lanes.
template <class Number>
SHOCKGRID_INLINE void combine(const PremiumTables& tables, long long table, Number place, Premium<Number>& premium) {
  Number coefficients[TABLE_GAPS], boundary = tables.boundaries[table], before = 1.0, basis = place;
  const double* powers = tables.coefficients + table * TABLE_GAPS;
  SHOCKGRID_UNROLL
  for (int g = 0; g < TABLE_GAPS; ++g) coefficients[g] = powers[g];
  for (int order = 1; order < TABLE_VOLS; ++order) {
    powers += tables.count * TABLE_GAPS;
    boundary = fused(basis, Number(tables.boundaries[order * tables.count + table]), boundary);
    SHOCKGRID_UNROLL
    for (int g = 0; g < TABLE_GAPS; ++g) coefficients[g] = fused(basis, Number(powers[g]), coefficients[g]);
    const Number next = fused(2.0 * place, basis, -before);
    before = basis;
    basis = next;
  }
  premium.boundary = boundary;
  SHOCKGRID_UNROLL
  for (int g = 0; g < TABLE_GAPS; ++g) premium.coefficients[TABLE_GAPS - 1 - g] = coefficients[g];
}

#if !defined(__CUDACC__)
// The lanes that have this table take what was found for it.
template <int count>
SHOCKGRID_INLINE void take_own(
    const long long* own, long long table, const Premium<Lanes<count>>& found, Premium<Lanes<count>>& premium) {
  typename Lanes<count>::Mask mask;
  for (int lane = 0; lane < count; ++lane) mask[lane] = own[lane] == table ? -1 : 0;
  premium.boundary = select(mask, found.boundary, premium.boundary);
  SHOCKGRID_UNROLL
  for (int g = 0; g < TABLE_GAPS; ++g)
    premium.coefficients[g] = select(mask, found.coefficients[g], premium.coefficients[g]);
}
#endif

// ``own``: the table of each lane, none of them NO_TABLE_HERE. Neighbours mostly share theirs.
template <class Number>
SHOCKGRID_INLINE void premium_at(
    const PremiumTables& tables, const long long* own, const VolPlace<Number>& at, const Early<Number>& early,
    Premium<Number>& premium) {
  combine(tables, own[0], at.place, premium);
#if !defined(__CUDACC__)
  constexpr int width = sizeof(Number) / sizeof(double);
  for (int lane = 1; lane < width; ++lane) {
    bool is_new = true;
    for (int before = 0; before < lane; ++before) is_new &= own[before] != own[lane];
    if (!is_new) continue;
    Premium<Number> found;
    combine(tables, own[lane], at.place, found);
    take_own(own, own[lane], found, premium);
  }
#endif
  const Number deviation = at.vol * early.root_of_years;
  premium.inverse = 1.0 / (deviation + early.fall);
  premium.boundary = premium.boundary * (deviation * premium.inverse);
}

// The European value and the premium, at least what exercise gives; that alone below the boundary (z <= 0).
template <class Number>
SHOCKGRID_INLINE Number american_value(
    Number european, const Exercise<Number>& exercise, const Premium<Number>& premium) {
  const Number z = fused(exercise.log, premium.inverse, -premium.boundary);
  const Number inside = lesser(greater(z, Number(0.0)), Number(FARTHEST_GAP));
  const Number t = square_root(inside * (4.0 / FARTHEST_GAP)) - 1.0, square = t * t;
  Number odd = premium.coefficients[0], even = premium.coefficients[1];
  SHOCKGRID_UNROLL
  for (int k = 2; k < TABLE_GAPS; k += 2) {
    odd = fused(odd, square, premium.coefficients[k]);
    even = fused(even, square, premium.coefficients[k + 1]);
  }
  const Number found = greater(fused(odd, t, even), Number(0.0));
  const Number added = select(z < Number(FARTHEST_GAP), found, Number(0.0));
  const Number held = fused(exercise.scale, added, european);
  return select(Number(0.0) < z, greater(held, exercise.gain), exercise.gain);
}

}  // namespace SHOCKGRID_NAMESPACE
