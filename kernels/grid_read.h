// Values of one American option read from its finite-difference grids: what _numpy_grid_read.py does and explains.
// A lane is a scenario; the option and its vol are the same in all.
#pragma once
#include "european.h"
#include "heat.h"
#include "relative.h"

namespace SHOCKGRID_NAMESPACE {

constexpr int LATTICE_STENCIL = 4;

// Cash dividends of one option: years to the ex-dates, ascending, and cash.
struct Payments {
  int count;
  const double *years, *cash;
};

// Time of the stationary point of the gain where it lies within a stretch, else 0.
template <class Number>
SHOCKGRID_INLINE Number turn_within(Number stock, const Terms<Number>& terms, Number length) {
  const Number nothing = 0.0, one = 1.0, gap = terms.rates - terms.yields;
  const auto apart = (gap < nothing) | (nothing < gap);
  const auto turns = (nothing < terms.rates * terms.yields) & (nothing < stock) & apart;
  const Number ratio = terms.rates * terms.strikes / select(turns, terms.yields * stock, one);
  const Number turn = logarithm(select(turns, ratio, one)) / select(turns, gap, one);
  return select((nothing < turn) & (turn < length), turn, nothing);
}

// Largest present value of any exercise when the spot follows its forward: pricing/certain.py.
template <class Number>
SHOCKGRID_NO_INLINE Number certain_value(const Terms<Number>& terms, const Payments& payments, Number spot) {
  const Number nothing = 0.0, one = 1.0, sign = select(nothing < terms.is_call, Number(-1.0), one);
  Number stock = spot, discount = 1.0, clock = 0.0, best = 0.0;
  for (int k = 0; k <= payments.count; ++k) {
    const bool last = k == payments.count;
    const Number moment = last ? terms.years : Number(payments.years[k]), length = moment - clock;
    const Number waits[] = {nothing, turn_within(stock, terms, length), length};
    for (const Number& wait : waits) {
      const Number gain = terms.strikes * exponential(-terms.rates * wait) - stock * exponential(-terms.yields * wait);
      best = greater(best, discount * sign * gain);
    }
    stock = stock * exponential((terms.rates - terms.yields) * length) - (last ? nothing : Number(payments.cash[k]));
    stock = greater(stock, nothing);
    discount = discount * exponential(-terms.rates * length);
    clock = moment;
  }
  return greater(best, discount * sign * (terms.strikes - stock));
}

// The grid at one vol, from the four lattice nodes around it: Lagrange weights at x, between 0 and 1.
template <class Number> struct LatticeWeights {
  Number of[LATTICE_STENCIL];
  SHOCKGRID_INLINE explicit LatticeWeights(Number x)
      : of{x * (x - 1.0) * (2.0 - x) / Number(6.0), (x + 1.0) * (x - 1.0) * (x - 2.0) * 0.5,
           (x + 1.0) * x * (2.0 - x) * 0.5, (x + 1.0) * x * (x - 1.0) / Number(6.0)} {}
};

// Cubic through the four nodes around each place of a column of NODES.
template <class Number> SHOCKGRID_INLINE Number cubic_at(const double* level, Number place) {
  const Number nearest = (place + MAGIC) - MAGIC, below = select(place < nearest, nearest - 1.0, nearest);
  const Number first = lesser(greater(below, Number(1.0)), Number(NODES - 3.0));
  const Number x = place - first, after = x - 1.0;
  const auto at = bits_of(first + MAGIC) - bits_of(Number(MAGIC));
  const Number outside = x * after / Number(6.0), inside = (x + 1.0) * (x - 2.0) * 0.5;
  Number value = looked_up<Number>(level - 1, at) * (outside * (2.0 - x));
  value = fused(looked_up<Number>(level + 2, at), outside * (x + 1.0), value);
  value = fused(looked_up<Number>(level, at), inside * after, value);
  return fused(-looked_up<Number>(level + 1, at), inside * x, value);
}

// A grid at one vol, the levels by node; beyond NODES there is room for a register.
template <class Number> struct GridView {
  Terms<Number> terms;
  Payments payments;
  Frame<Number> frame;
  const double* level;
};

}  // namespace SHOCKGRID_NAMESPACE
