// American options with a continuous yield, read from premium tables: what _numpy_american.py does and explains,
// node for node. A tile, or a GPU thread, tabulates three things and joins them for every scenario:
//
//   Early<Number>     an option as a put; a call is one with spot and strike, rate and yield exchanged
//   Exercise<Number>  one spot state of it: exercise_at(early, spot factor, its log)
//   Premium<Number>   one vol of it: place_of_vol(vol), table_of(place, its six tables), premium_at(...)
//   value           = american_value(European value, exercise, premium)
#pragma once
#include "european.h"

namespace SHOCKGRID_NAMESPACE {

// The most orders in the vol, and the powers of t, of a table of _numpy_premium.py.
constexpr int TABLE_VOLS = 16, TABLE_GAPS = 16;
// Distances from the boundary are in deviations and a sixth of what the spot falls by: _numpy_premium.FARTHEST.
constexpr double FARTHEST_GAP = 6.0;
// t = GAP_TOP - GAP_SCALE / (z + GAP_POLE) goes from -1 to 1 with z: see _numpy_premium.t_of.
constexpr double GAP_POLE = 3.0, GAP_SCALE = 9.0, GAP_TOP = 2.0;
// The ranges of vol_ranges.py.
constexpr int TABLE_RANGES = 5;
constexpr double SMALLEST_TABLE_VOL = 0.002, LARGEST_TABLE_VOL = 0x1.fffffffffffffp+5;
constexpr int NO_TABLE_HERE = -1;

// ``Kept`` of _numpy_store.py: coefficients [count, TABLE_VOLS, TABLE_GAPS], boundaries [count, TABLE_VOLS], and
// [count] the orders in the vol that a table has; the others are 0.
struct PremiumTables {
  long long count;
  const double *coefficients, *boundaries;
  const unsigned char* orders;
};

template <class Number> struct Early {
  Number is_call;  // above 0 for a call
  Number delivered, strike;  // what exercise brings, units * spot, and costs (> 0)
  Number root_of_years, fall;  // of the put: what its spot falls by in the life, over FARTHEST_GAP
  Number log;  // of delivered over strike
};
template <class Number>
SHOCKGRID_INLINE Early<Number> early_of(
    Number is_call, Number delivered, Number strike, Number years, Number rate, Number yield) {
  const auto call = Number(0.0) < is_call;
  const Number falls = select(call, rate - yield, yield - rate) * years;
  return {is_call, delivered, strike, square_root(years), greater(falls, Number(0.0)) / Number(FARTHEST_GAP),
          log_ratio(delivered, strike)};
}

// ``log`` of the put's spot over its strike; ``scale`` turns premium over strike into currency; ``gain`` is what
// exercise now gives.
template <class Number> struct Exercise {
  Number log, scale, gain;
};
template <class Number>
SHOCKGRID_INLINE Exercise<Number> exercise_at(const Early<Number>& early, Number spot_factor, Number factor_log) {
  const auto call = Number(0.0) < early.is_call;
  const Number spot = early.delivered * spot_factor;
  const Number log = select(Number(0.0) < spot_factor, early.log + factor_log, Number(LOG_OF_NOTHING));
  return {select(call, -log, log), select(call, spot, early.strike),
          select(call, spot - early.strike, early.strike - spot)};
}

// ``range`` counts from 0; ``place`` lies between -1 and 1 in it. A vol beyond the ranges is put at their end.
template <class Number> struct VolPlace {
  Number vol, range, place;
};
template <class Number> SHOCKGRID_INLINE VolPlace<Number> place_of_vol(Number vol) {
  // lower ends of the ranges above the first, and 2 / log(upper end / lower end) of all
  constexpr double edges[] = {0.0125, 0.1, 0.8, 8.0};
  constexpr double scales[] = {1.0913566679372915, 0.9617966939259757, 0.9617966939259757, 0.8685889638065035,
                               0.9617966939259757};
  vol = lesser(greater(vol, Number(SMALLEST_TABLE_VOL)), Number(LARGEST_TABLE_VOL));
  Number range = 0.0, lower = SMALLEST_TABLE_VOL, scale = scales[0];
  SHOCKGRID_UNROLL
  for (int k = 1; k < TABLE_RANGES; ++k) {
    const auto below = vol < Number(edges[k - 1]);
    range = select(below, range, Number(double(k)));
    lower = select(below, lower, Number(edges[k - 1]));
    scale = select(below, scale, Number(scales[k]));
  }
  return {vol, range, logarithm(vol / lower) * scale - 1.0};
}

// What a value at one vol is read from: z = log * inverse - boundary, and the premium in powers of t, the highest
// first.
template <class Number> struct Premium {
  Number inverse, boundary, coefficients[TABLE_GAPS];
};

// An option's table at a vol, of its TABLE_RANGES; NO_TABLE_HERE where it has none.
SHOCKGRID_INLINE long long table_of(double range, const int* tables) { return tables[int(range)]; }

// Series in the place of the vol, of one table: the powers of t, the highest first, and the boundary.
template <class Number>
SHOCKGRID_INLINE void combine_one(
    const PremiumTables& tables, long long own, Number place, Premium<Number>& premium) {
  const int orders = tables.orders[own];
  const double* powers = tables.coefficients + own * (TABLE_VOLS * TABLE_GAPS);
  const double* boundaries = tables.boundaries + own * TABLE_VOLS;
  Number coefficients[TABLE_GAPS], boundary = boundaries[0], before = 1.0, basis = place;
  SHOCKGRID_UNROLL
  for (int g = 0; g < TABLE_GAPS; ++g) coefficients[g] = Number(powers[g]);
  for (int order = 1; order < orders; ++order) {
    powers += TABLE_GAPS;
    boundary = fused(basis, Number(boundaries[order]), boundary);
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

#if defined(__CUDACC__)
SHOCKGRID_INLINE void combine(
    const PremiumTables& tables, const long long* own, double place, Premium<double>& premium) {
  combine_one(tables, *own, place, premium);
}
#else
// The first Chebyshev polynomials of a place.
template <class Number> SHOCKGRID_INLINE void chebyshev(Number place, Number* basis, int orders) {
  basis[0] = 1.0;
  basis[1] = place;
  for (int order = 2; order < orders; ++order)
    basis[order] = fused(2.0 * place, basis[order - 1], -basis[order - 2]);
}

// Rows of numbers, one of each lane, turned into columns: to[k] has number k of every row.
template <int length, int count>
SHOCKGRID_INLINE void turn(const Lanes<count> (&rows)[length / count][count], Lanes<count>* to) {
  SHOCKGRID_UNROLL
  for (int block = 0; block < length / count; ++block) {
    Lanes<count> square[count];
    SHOCKGRID_UNROLL
    for (int lane = 0; lane < count; ++lane) square[lane] = rows[block][lane];
    transpose(square);
    SHOCKGRID_UNROLL
    for (int lane = 0; lane < count; ++lane) to[block * count + lane] = square[lane];
  }
}

// ``combine_one`` of the table of each lane: its powers lie side by side there.
template <int count>
SHOCKGRID_INLINE void combine(
    const PremiumTables& tables, const long long* own, Lanes<count> place, Premium<Lanes<count>>& premium) {
  typedef Lanes<count> Number;
  bool same = true;
  for (int lane = 1; lane < count; ++lane) same &= own[lane] == own[0];
  if (same) return combine_one(tables, own[0], place, premium);
  constexpr int blocks = TABLE_GAPS / count;
  Number basis[TABLE_VOLS], columns[TABLE_GAPS], sums[blocks][count], boundaries[TABLE_VOLS / count][count];
  const double* rows[count];
  int most = 1;
  SHOCKGRID_UNROLL
  for (int lane = 0; lane < count; ++lane) {
    const int orders = tables.orders[own[lane]];
    most = most < orders ? orders : most;
    rows[lane] = tables.coefficients + own[lane] * (TABLE_VOLS * TABLE_GAPS);
    SHOCKGRID_UNROLL
    for (int block = 0; block < blocks; ++block) sums[block][lane] = load<Number>(rows[lane] + block * count);
    SHOCKGRID_UNROLL
    for (int block = 0; block < TABLE_VOLS / count; ++block)
      boundaries[block][lane] = load<Number>(tables.boundaries + own[lane] * TABLE_VOLS + block * count);
  }
  chebyshev(place, basis, most);
  for (int order = 1; order < most; ++order) {
    SHOCKGRID_UNROLL
    for (int lane = 0; lane < count; ++lane) {
      const Number weight = basis[order].lanes[lane];
      SHOCKGRID_UNROLL
      for (int block = 0; block < blocks; ++block)
        sums[block][lane] =
            fused(weight, load<Number>(rows[lane] + order * TABLE_GAPS + block * count), sums[block][lane]);
    }
  }
  turn<TABLE_GAPS>(sums, columns);
  SHOCKGRID_UNROLL
  for (int g = 0; g < TABLE_GAPS; ++g) {
    SHOCKGRID_KEEP_TOGETHER(columns[g].lanes);
    premium.coefficients[TABLE_GAPS - 1 - g] = columns[g];
  }
  turn<TABLE_VOLS>(boundaries, columns);
  premium.boundary = columns[0];
  for (int order = 1; order < most; ++order)
    premium.boundary = fused(basis[order], columns[order], premium.boundary);
}
#endif

// ``own``: the table of each lane, none of them NO_TABLE_HERE.
template <class Number>
SHOCKGRID_INLINE void premium_at(
    const PremiumTables& tables, const long long* own, const VolPlace<Number>& at, const Early<Number>& early,
    Premium<Number>& premium) {
  combine(tables, own, at.place, premium);
  const Number deviation = at.vol * early.root_of_years;
  premium.inverse = 1.0 / (deviation + early.fall);
  premium.boundary = premium.boundary * (deviation * premium.inverse);
}

// The premium over strike at z, from the boundary at 0 to FARTHEST_GAP.
template <class Number> SHOCKGRID_INLINE Number premium_beyond(Number z, const Premium<Number>& premium) {
  const Number inside = lesser(greater(z, Number(0.0)), Number(FARTHEST_GAP));
  const Number t = GAP_TOP - GAP_SCALE / (inside + GAP_POLE), square = t * t;
  Number odd = premium.coefficients[0], even = premium.coefficients[1];
  SHOCKGRID_UNROLL
  for (int k = 2; k < TABLE_GAPS; k += 2) {
    odd = fused(odd, square, premium.coefficients[k]);
    even = fused(even, square, premium.coefficients[k + 1]);
  }
  return greater(fused(odd, t, even), Number(0.0));
}

// The European value and the premium, at least what exercise gives; that alone below the boundary (z <= 0).
template <class Number>
SHOCKGRID_INLINE Number american_value(
    Number european, const Exercise<Number>& exercise, const Premium<Number>& premium) {
  const Number z = fused(exercise.log, premium.inverse, -premium.boundary);
  const auto near = (Number(0.0) < z) & (z < Number(FARTHEST_GAP));
  Number added = 0.0;
  if (any(near)) added = select(near, premium_beyond(z, premium), added);  // of many options in no lane
  const Number held = fused(exercise.scale, added, european);
  return select(Number(0.0) < z, greater(held, exercise.gain), exercise.gain);
}

}  // namespace SHOCKGRID_NAMESPACE
