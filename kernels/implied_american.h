// Implied vols of American options read from premium tables: the secant method in the log of the vol, bracketed,
// step for step as src/shockgrid/backends/_numpy_implied.py does and explains.
#pragma once
#include "american.h"
#include "implied.h"

namespace SHOCKGRID_NAMESPACE {

constexpr double LARGEST_JUMP = 1e-5, LONGEST_STEP = 0.5, SECOND_POINT = 0.02, NARROWEST = 1e-13, AT_TOP = 1e-6;
constexpr int MOST_SECANT_STEPS = 80;
// What may be said beside a Reason: a vol that is off the tables was tried, or (with the range added) one in a range
// whose table is not there.
constexpr int OFF_TABLES = 15, WANTS_TABLE = 16;

// One option, its price, and where to search: logs of the first vol and of the ends; below ``least_vol`` tables do
// not hold.
template <class Number> struct AmericanQuote {
  Contract<Number> contract;
  Early<Number> early;
  Number log, asset, price, first, lowest, highest, least_vol;
};

template <class Number> SHOCKGRID_INLINE Number value_at_vol(
    const AmericanQuote<Number>& quote, const Premium<Number>& premium, Number vol) {
  const Number european =
      value_of(quote.contract, quote.log, quote.asset, deviation_of(vol, quote.early.root_of_years));
  return american_value(european, exercise_at(quote.early, Number(1.0), Number(0.0)), premium);
}

template <class Number> struct Secant {
  typedef decltype(Number(0.0) < Number(0.0)) Mask;
  Number x, before, missed, bottom, top, best, least;

  SHOCKGRID_INLINE explicit Secant(const AmericanQuote<Number>& quote)
      : x(quote.first), before(quote.first), missed(0.0), bottom(quote.lowest), top(quote.highest), best(quote.first),
        least(1e300) {}

  // Takes the value at x less the price, and moves x. Returns the lanes that are still ``going``.
  SHOCKGRID_INLINE Mask step(int number, Number miss, Number scale, Mask going) {
    const Number nothing = 0.0, size = magnitude(miss);
    const auto below = miss < nothing;
    bottom = select(going & below, x, bottom);
    top = select(going & !below, x, top);
    const auto better = going & (size < least);
    best = select(better, x, best);
    least = select(better, size, least);
    going = going & (REPRICING_TOLERANCE * scale < size) & (Number(NARROWEST) < top - bottom);
    const Number rise = miss - missed, run = x - before, middle = 0.5 * (bottom + top);
    const auto steep = nothing < rise * run;
    const Number secant = x - miss * run / select(steep, rise, Number(1.0));
    const auto usable = steep & (bottom < secant) & (secant < top);
    const Number other = number == 0 ? x - turned(Number(SECOND_POINT), miss) : middle;
    Number next = number % 4 == 3 ? other : select(usable, secant, other);
    next = lesser(greater(next, x - LONGEST_STEP), x + LONGEST_STEP);
    next = lesser(greater(next, bottom), top);
    before = select(going, x, before);
    missed = select(going, miss, missed);
    x = select(going, next, x);
    return going;
  }

  SHOCKGRID_INLINE ImpliedVol<Number> answer(Number scale, Number highest) const {
    const Number found = select(highest - AT_TOP < best, Number(double(ABOVE_MAX)), Number(double(NOT_REPRODUCED)));
    const Number reason = select(LARGEST_JUMP * scale < least, found, Number(double(SOLVED)));
    return {select(reason < Number(0.5), exponential(best), Number(0.0)), reason};
  }
};

// ``ranges``: TABLE_RANGES tables of each lane.
template <class Number>
SHOCKGRID_INLINE ImpliedVol<Number> american_implied_vol(
    const PremiumTables& tables, const AmericanQuote<Number>& quote, const int* const* ranges) {
  constexpr int width = sizeof(Number) / sizeof(double);
  const Number scale = quote.early.delivered;
  Secant<Number> secant(quote);
  Number needs = 0.0;
  auto going = Number(0.0) < Number(1.0);
  for (int number = 0; number < MOST_SECANT_STEPS && any(going); ++number) {
    const Number vol = exponential(secant.x);
    const VolPlace<Number> at = place_of_vol(vol);
    double rows[width], missing[width];
    store(at.range, rows);
    long long own[width], some = NO_TABLE_HERE;
    for (int lane = 0; lane < width; ++lane) {
      own[lane] = table_of(rows[lane], ranges[lane]);
      missing[lane] = own[lane] == NO_TABLE_HERE ? WANTS_TABLE + rows[lane] : 0.0;
      if (own[lane] != NO_TABLE_HERE) some = own[lane];
    }
    const Number wanted = select(vol < quote.least_vol, Number(double(OFF_TABLES)), load<Number>(missing));
    needs = select(going & (Number(0.0) < wanted), wanted, needs);
    going = going & !(Number(0.0) < wanted);
    if (some == NO_TABLE_HERE) break;
    for (int lane = 0; lane < width; ++lane) own[lane] = own[lane] == NO_TABLE_HERE ? some : own[lane];
    Premium<Number> premium;
    premium_at(tables, own, at, quote.early, premium);
    const Number miss = value_at_vol(quote, premium, vol) - quote.price;
    going = secant.step(number, miss, scale, going);
  }
  const ImpliedVol<Number> found = secant.answer(scale, quote.highest);
  const auto solved = needs < Number(0.5);
  return {select(solved, found.vol, Number(0.0)), select(solved, found.reason, needs)};
}

}  // namespace SHOCKGRID_NAMESPACE
