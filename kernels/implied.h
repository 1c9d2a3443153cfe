// Implied vols of discounted Black (1976) prices, with the reasons of src/shockgrid/pricing/implied.py and split as
// there: below the inflection point v = sqrt(2 |log(F/K)|) the root of -1 / log(price) is almost linear in the
// deviation v, above it the log of the distance to the largest price is nearly a parabola. From a start that
// depends on nothing but the element, Householder's method of the fourth order in that transform, bracketed, until
// the element itself stands still: two or three steps. P. Jaeckel, "Let's be rational" (2015).
#pragma once
#include "european.h"
#include "relative.h"

namespace SHOCKGRID_NAMESPACE {

// In the order in which they are tested; 0 is none.
enum Reason { SOLVED, NO_TIME, BELOW_INTRINSIC, ABOVE_MAX, NO_TIME_VALUE, NOT_REPRODUCED };

constexpr double EPSILON = 0x1p-52, NOISE = 8.0 * EPSILON, REPRICING_TOLERANCE = 1e-10;
// After a step of the method of this size, in v, the rest is its fourth power; of any other step, of its size.
constexpr double LAST_STEP = 1e-5, STEP_TOLERANCE = 4.0 * EPSILON;
// Beyond it the ratio of forward and strike is below the smallest normal number.
constexpr double LARGEST_LOG_RATIO = 708.39;
constexpr int MOST_IMPLIED_STEPS = 60;

// N(-d) exp(d**2 / 2) for d >= 0 is p(u) / (d + 6), u = 1 - 12 / (d + 6), with an error relative to itself: p
// interpolates at 64 Chebyshev nodes and is cut after degree 23, what is left out is below 3e-17 of it.
template <class Number> SHOCKGRID_INLINE Number scaled_tail(Number d) {
  constexpr double coefficients[] = {
      -3.403350501945895831047e-10, -3.605325111090558492191e-10, 4.666464392585821734885e-9,
      2.827692671238880999616e-9,   -4.103804316591019781825e-8,  6.847501754876200406853e-9,
      3.070236789362754277821e-7,   -4.295192491977758293197e-7,  -0.000001796994561825869137236,
      0.000006796707412831091246847, 0.000001074284010701570225812, -0.00006475225443446430911535,
      0.0001813608156529500256555,  0.00003287010887352331254845, -0.002131605285716135306277,
      0.01002982062287665747009,    -0.03098531549895508737926,   0.07517191567087724866126,
      -0.1526802320650391693682,    0.267974245841549701411,      -0.4139035857755745255511,
      0.5689688918147859328847,     -0.701009029590865684531,     0.7773517718933621831617,
  };
  const Number inverse = 1.0 / (d + 6.0);
  return inverse * halved_polynomial(fused(inverse, Number(-12.0), Number(1.0)), coefficients);
}

// The quantile of 1/2 + above, ``above`` >= 0, with ``left`` = 1/2 - above; good to 2e-7 of it. M. Wichura,
// "Algorithm AS 241: the percentage points of the normal distribution" (1988), PPND7.
template <class Number> SHOCKGRID_INLINE Number rough_quantile(Number above, Number left, Number log_left) {
  constexpr double middle[] = {59.109374720, 159.29113202, 50.434271938, 3.3871327179};
  constexpr double middle_below[] = {67.187563600, 78.757757664, 17.895169469, 1.0};
  constexpr double near[] = {0.17023821103, 1.3067284816, 2.7568153900, 1.4234372777};
  constexpr double near_below[] = {0.12021132975, 0.73700164250, 1.0};
  constexpr double far[] = {0.017337203997, 0.42868294337, 3.0812263860, 6.6579051150};
  constexpr double far_below[] = {0.012258202635, 0.24197894225, 1.0};
  const Number square = 0.180625 - above * above, root = square_root(greater(-log_left, Number(0.0)));
  const Number x = root - 1.6, y = root - 5.0;
  const auto is_near = root < Number(5.0);
  const Number tail = select(is_near, polynomial(x, near), polynomial(y, far)) /
                      select(is_near, polynomial(x, near_below), polynomial(y, far_below));
  return select(left < Number(0.075), tail, above * (polynomial(square, middle) / polynomial(square, middle_below)));
}

// Below the inflection point, of an option ``distance`` forwards out of the money: v of the normal model (L.
// Bachelier, "Theorie de la speculation", 1900) at the geometric mean of forward and strike. There h = |log F/K| / v
// solves density(h) / h - N(-h) = share / distance; h / sqrt(log(1 + distance / share)) is a rational of that root,
// fitted to 4e-4 of it. The lognormal vol exceeds the normal one by v**2 / 24 of it (P. Hagan and D. Woodward,
// "Equivalent Black volatilities", 1999).
template <class Number>
SHOCKGRID_INLINE Number normal_start(Number log, Number share, Number log_share, Number distance) {
  constexpr double above[] = {0.021300683149387843, 0.03639197092543081, 0.017373785029199076, 0.3987099102173764, 0.0};
  constexpr double below[] = {0.015094121155055585, 0.024923631476552986, 0.11639553933014979, 0.03570535596584011, 1.0};
  const Number root = square_root(greater(logarithm(share + distance) - log_share, Number(EPSILON)));
  const Number v = -log / (root * (polynomial(root, above) / polynomial(root, below)));
  return fused(v * v * v, Number(1.0 / 24.0), v);
}

// log(x) where x may be so small that it has lost digits.
template <class Number> SHOCKGRID_INLINE Number logarithm_of_part(Number x) {
  constexpr double scale = 0x1p200, log_of_scale = 138.62943611198906188;
  const auto tiny = x < Number(0x1p-1000);
  return logarithm(select(tiny, x * scale, x)) - select(tiny, Number(log_of_scale), Number(0.0));
}

// An option out of the money, log F/K = ``log`` <= 0, worth ``share`` of its forward and ``gap`` less than it.
template <class Number> struct Search {
  Number log, target, deviation, bottom, top, low;  // low: 1 below the inflection, else 0

  Search() = default;
  SHOCKGRID_INLINE Search(Number log, Number share, Number gap, Number distance) : log(log) {
    const Number inflection = square_root(-2.0 * log), tail = scaled_tail(inflection), limit = 0.5 - tail;
    const auto is_low = share < limit;
    const Number log_share = logarithm_of_part(share), log_gap = logarithm_of_part(gap);
    low = select(is_low, Number(1.0), Number(0.0));
    target = select(is_low, 1.0 / square_root(greater(-log_share, Number(EPSILON))), -log_gap);
    const Number from = rough_quantile(0.5 * limit, 0.5 * (1.0 - limit), logarithm(0.5 * (1.0 - limit)));
    const Number to = rough_quantile(0.5 * share, 0.5 * gap, log_gap - 0.69314718055994530942);
    const Number above = inflection + 2.0 * (to - from);
    const Number below = lesser(normal_start(log, share, log_share, distance), inflection);
    deviation = select(is_low, below, above);
    bottom = select(is_low, Number(0.0), inflection);
    top = select(is_low, inflection, Number(LARGEST_DEVIATION));
  }

  // Moves the lanes that are ``going``, and returns those that still are.
  template <class Mask> SHOCKGRID_INLINE Mask step(Mask going) {
    const Number v = deviation, h = log / v, d1 = h + 0.5 * v, d2 = h - 0.5 * v, nothing = 0.0, one = 1.0;
    const auto is_low = nothing < low;
    const Number tail = scaled_tail(magnitude(d1)), other = scaled_tail(-d2);
    const Number sum = tail + select(is_low, -other, other), log_part = 0.5 * (d1 * d1) - logarithm(sum);
    // derivatives of the log of price or gap, and of vega over them
    const Number rate = ONE_BY_ROOT_OF_TWO_PI / sum, bend = d1 * d2 / v, turn = -3.0 * (h / v) * (h / v) - 0.25;
    const Number root = square_root(log_part), part = rate / log_part, lean = bend - rate;
    const Number miss = target - select(is_low, one / root, log_part);
    const Number slope = select(is_low, 0.5 * part / root, rate);
    const Number second = select(is_low, lean + 1.5 * part, bend + rate);
    const Number third = turn + select(is_low, 1.5 * part * (lean + part) - rate * lean, rate * second);
    const Number newton = miss / slope;
    const Number factor = fused(0.5 * newton, second, one) /
                          fused(newton, fused(newton * (1.0 / 6.0), fused(second, second, third), second), one);
    const auto tame = (Number(0.25) < factor) & (factor < Number(4.0));
    const Number next = fused(newton, select(tame, factor, one), v);
    bottom = select(going & (nothing < miss), v, bottom);
    top = select(going & (miss < nothing), v, top);
    const auto inside = (bottom < next) & (next < top);
    const Number found = select(inside, next, 0.5 * (bottom + top)), moved = magnitude(found - v);
    const auto stays = (miss < nothing) | (nothing < miss);
    deviation = select(going & stays, found, v);
    const Number tolerance = select(tame & inside, Number(LAST_STEP), Number(STEP_TOLERANCE)) * v;
    return going & stays & (tolerance < moved);
  }
};

// Columns of one option; ``is_call`` is above 0 for a call.
template <class Number> struct Quote {
  Number price, forward, strike, years, discount, is_call;
};
template <class Number> struct ImpliedVol {
  Number vol, reason;  // vol 0 where there is a reason
};

// What is to be found of one option, or why nothing is.
template <class Number> struct Question {
  Number reason, log, share, gap, distance;

  SHOCKGRID_INLINE explicit Question(const Quote<Number>& quote) {
    const Number nothing = 0.0, one = 1.0;
    const Number ahead = quote.discount * (quote.forward - quote.strike);
    const Number exercise = select(nothing < quote.is_call, ahead, -ahead);
    const Number time_value = quote.price - greater(exercise, nothing);
    const Number larger = quote.discount * greater(magnitude(quote.forward), quote.strike);
    const Number noise = select(nothing < exercise, NOISE * larger, nothing);
    const Number most = quote.discount * greater(lesser(quote.forward, quote.strike), nothing);
    // told backwards, so that the first that holds stands
    reason = select(time_value < most, Number(double(SOLVED)), Number(double(ABOVE_MAX)));
    reason = select(noise < time_value, reason, Number(double(NO_TIME_VALUE)));
    reason = select(greater(most, noise) < time_value, Number(double(ABOVE_MAX)), reason);
    reason = select(time_value < -noise, Number(double(BELOW_INTRINSIC)), reason);
    reason = select(nothing < quote.years, reason, Number(double(NO_TIME)));
    const auto open = reason < Number(0.5);
    const Number scale = select(open, most, one);
    const Number forward = select(open, quote.forward, one), strike = select(open, quote.strike, one);
    log = -magnitude(log_ratio(forward, strike));
    distance = magnitude(forward - strike) / lesser(forward, strike);
    share = select(open, time_value, Number(0.1)) / scale;
    gap = select(open, most - time_value, Number(0.9)) / scale;
  }
};

// The vol, if it gives the price back.
template <class Number>
SHOCKGRID_INLINE ImpliedVol<Number> answer(const Quote<Number>& quote, Number reason, Number deviation) {
  const auto open = reason < Number(0.5);
  const Number root = square_root(select(open, quote.years, Number(1.0))), vol = deviation / root;
  const Contract<Number> contract = {select(Number(0.0) < quote.is_call, Number(0.5), Number(-0.5)),
                                     0.5 * (quote.discount * quote.strike)};
  const Number log = log_ratio(quote.forward, quote.strike);
  const Number value = value_of(contract, log, quote.discount * quote.forward, deviation_of(vol, root));
  const auto wrong = (REPRICING_TOLERANCE * quote.forward < magnitude(value - quote.price)) |
                     (Number(LARGEST_LOG_RATIO) < magnitude(log));
  const Number told = select(open & wrong, Number(double(NOT_REPRODUCED)), reason);
  return {select(told < Number(0.5), vol, Number(0.0)), told};
}

// Several side by side, because each step waits for its own last result.
template <int count, class Number> struct Solver {
  typedef decltype(Number(0.0) < Number(0.0)) Mask;
  Number reasons[count];
  Search<Number> searches[count];
  Mask going[count];

  SHOCKGRID_INLINE void solve(const Quote<Number>* quotes, ImpliedVol<Number>* found) {
    for (int k = 0; k < count; ++k) {
      const Question<Number> question(quotes[k]);
      reasons[k] = question.reason;
      searches[k] = Search<Number>(question.log, question.share, question.gap, question.distance);
      going[k] = question.reason < Number(0.5);
    }
    bool left = true;
    for (int step = 0; step < MOST_IMPLIED_STEPS && left; ++step) {
      left = false;
      for (int k = 0; k < count; ++k) {
        going[k] = searches[k].step(going[k]);
        left |= any(going[k]);
      }
    }
    for (int k = 0; k < count; ++k) found[k] = answer(quotes[k], reasons[k], searches[k].deviation);
  }
};

}  // namespace SHOCKGRID_NAMESPACE
