// American options with cash dividends or two boundaries, a grid each: what ``solve`` of _numpy_grid_solve.py
// computes, node for node, where scheme, names, constants and their sources are explained.
#pragma once
#include "heat.h"

namespace SHOCKGRID_NAMESPACE {

constexpr int STEPS = 24, FEWEST_STEPS = 5, WAVES = 12;
constexpr double SHORTEST_STEPS = 2.0, CROWDED = 1.4;
constexpr double FIRST = 0.002, LATE = 1e-4, LEAST_STRIKE = 1e-6, EDGE = 1e-9;
constexpr double PI = 3.14159265358979323846;

// Ex-dates are counted from expiry: part of the life left there, and cash over the strike. Flags are 1 or 0.
// ``places``: room for a column of nodes each, which saves finding them twice; null where there is none.
template <class Number> struct Dividends {
  int count;
  Number *left, *cash, late_cash;
  Number is_call, soon;
  Number* places;

  // The end of a stretch, in parts of the life.
  SHOCKGRID_INLINE Number end(int stretch) const { return stretch == count ? Number(1.0) : left[stretch]; }
  SHOCKGRID_INLINE Number root(int stretch) const {
    return square_root(end(stretch) - (stretch ? end(stretch - 1) : Number(0.0)));
  }
  // Where the grid starts, in parts of the life.
  SHOCKGRID_INLINE Number start() const { return lesser(Number(FIRST), 0.5 * (count ? left[0] : Number(1.0))); }
};

// The largest integer at most x, for |x| < 2**51, and as one where x >= 0.
template <class Number> SHOCKGRID_INLINE Number floored(Number x) {
  const Number nearest = (x + MAGIC) - MAGIC;
  return select(x < nearest, nearest - 1.0, nearest);
}
template <class Number> SHOCKGRID_INLINE auto integer_of(Number whole) {
  return bits_of(whole + MAGIC) - bits_of(Number(MAGIC));
}

// cos(2 pi x) for 0 <= x <= 1: the sine of what is left to the next root (Abramowitz and Stegun 4.3.65). The
// terms left out are below 2e-18.
template <class Number> SHOCKGRID_INLINE Number cosine_of_turns(Number x) {
  constexpr double coefficients[] = {
      1.0 / 51090942171709440000.0, -1.0 / 121645100408832000.0, 1.0 / 355687428096000.0, -1.0 / 1307674368000.0,
      1.0 / 6227020800.0,           -1.0 / 39916800.0,           1.0 / 362880.0,          -1.0 / 5040.0,
      1.0 / 120.0,                  -1.0 / 6.0,                  1.0,
  };
  const Number angle = (2.0 * PI) * (magnitude(x - 0.5) - 0.25);
  return angle * polynomial(angle * angle, coefficients);
}

// European puts struck at ``strike`` times K, in the units of the march; see european.h for the shared density.
template <class Number> struct ShortPut {
  Number strike, shift, inverse, deviation, growth;

  SHOCKGRID_INLINE ShortPut(const Frame<Number>& frame, Number strike, Number time) : strike(strike) {
    const Number some = greater(strike, Number(LEAST_STRIKE)), root = square_root(time);
    shift = logarithm(some) / frame.deviations;
    inverse = 1.0 / root;
    deviation = frame.deviations * root;
    growth = exponential(0.5 * (frame.deviations * frame.deviations) * time) / some;
  }
  SHOCKGRID_INLINE Number at(Number place, Number ratio) const {
    const Number lower = (place - shift) * inverse, upper = lower + deviation;
    const Number a1 = lesser(DENSITY_SCALE * magnitude(upper), Number(FARTHEST));
    const Number a2 = lesser(DENSITY_SCALE * magnitude(lower), Number(FARTHEST));
    const Ratio<Number> r1 = normal_tail(a1), r2 = normal_tail(a2);
    const Number cross = turned(r1.numerator, upper) * r2.denominator;
    const Number gap = fused(turned(r2.numerator, lower), r1.denominator, -cross) / (r1.denominator * r2.denominator);
    const Number sure = (0.5 - turned(Number(0.5), lower)) - (0.5 - turned(Number(0.5), upper)) * (ratio * growth);
    return select(Number(LEAST_STRIKE) < strike, strike, Number(0.0)) * fused(normal_density(a2), gap, sure);
  }
};

template <class Number> SHOCKGRID_INLINE Number place_of(const Frame<Number>& frame, int node) {
  return (double(node) - frame.zeros) * frame.steps;
}

// What sampling the kink of the payoff at ``past`` nodes from the last misses.
template <class Number>
SHOCKGRID_INLINE Number missed_by_sampling(const Frame<Number>& frame, Number past, Number time) {
  const Number ratio = time / (frame.steps * frame.steps), turn = cosine_of_turns(past);
  Number missed = 0.0, before = 1.0, cosine = turn;
  for (int wave = 1; wave <= WAVES; ++wave) {
    const double rate = 2.0 * (PI * wave) * (PI * wave);
    missed = missed + exponential(-rate * ratio) / rate * cosine;
    const Number next = 2.0 * turn * cosine - before;
    before = cosine;
    cosine = next;
  }
  return missed * (frame.deviations * frame.steps);
}

// European values shortly before expiry, of at least what exercise gives.
template <int nodes, class Number>
SHOCKGRID_NO_INLINE void start(const Grid<Number>& grid, const Dividends<Number>& dividends, Number time) {
  const Frame<Number>& frame = grid.frame;
  const Number late = select(Number(0.0) < dividends.is_call, Number(0.0), dividends.late_cash);
  const Obstacle<Number> exercise = exercise_at(frame, time);
  const ShortPut<Number> put(frame, 1.0 + late, time);
  for (int node = 0; node < nodes; ++node) grid.level[node] = put.at(place_of(frame, node), grid.ratios[node]);
  if (any(Number(0.0) < late)) {
    const ShortPut<Number> unpaid(frame, late, time);
    for (int node = 0; node < nodes; ++node)
      grid.level[node] = grid.level[node] - unpaid.at(place_of(frame, node), grid.ratios[node]);
  }
  for (int node = 0; node < nodes; ++node)
    grid.level[node] = greater(grid.level[node], exercise.at(grid.ratios[node]));
  const Number place = frame.zeros + logarithm(1.0 + late) / (frame.deviations * frame.steps);
  const Number below = floored(lesser(greater(place, Number(0.0)), Number(nodes - 2.0)));
  const Number past = place - below, missed = (1.0 + late) * missed_by_sampling(frame, past, time);
  add_at(grid.level, integer_of(below), (1.0 - past) * missed);
  add_at(grid.level, integer_of(below + 1.0), past * missed);
}

// Cubics through the four nodes around places that rise by about one node from each to the next: most of the time
// three of the four rows are those of the place before.
template <int nodes, class Number> struct Cubic {
  const Number* level;
  typename Image<Number>::Type index;
  Number before, here, after, beyond;

  SHOCKGRID_INLINE explicit Cubic(const Number* level) : level(level) { read(integer_of(Number(1.0))); }

  SHOCKGRID_INLINE void read(typename Image<Number>::Type first) {
    index = first;
    before = gathered(level - 1, first);
    here = gathered(level, first);
    after = gathered(level + 1, first);
    beyond = gathered(level + 2, first);
  }
  SHOCKGRID_INLINE Number at(Number place) {
    const Number first = lesser(greater(floored(place), Number(1.0)), Number(nodes - 3.0));
    const auto next = integer_of(first);
    if (any(next != index + 1)) {
      read(next);
    } else {
      index = next;
      before = here;
      here = after;
      after = beyond;
      beyond = gathered(level + 2, next);
    }
    const Number x = place - first, less = x - 1.0, far = x - 2.0, more = x + 1.0;
    const Number inner = more * far * (less * here - x * after) * 0.5;
    return inner + x * less * (more * beyond - far * before) * (1.0 / 6.0);
  }
};

// What is held across an ex-date, node by node.
template <int nodes, class Number> struct Crossing {
  Cubic<nodes, Number> cubic;
  const Number* ratios;
  Number zeros, falls, shrunk, grown, inverse, cash, is_call, bound, first, slope;

  SHOCKGRID_INLINE Crossing(const Grid<Number>& grid, Number cash, Number is_call, Number time)
      : cubic(grid.level), ratios(grid.ratios), zeros(grid.frame.zeros), cash(cash), is_call(is_call) {
    falls = grid.frame.falls * time;
    shrunk = exponential(-falls);
    grown = exponential(falls);
    inverse = 1.0 / (grid.frame.deviations * grid.frame.steps);
    bound = greater(exponential(grid.frame.rates * time), Number(1.0));
    first = grid.level[0];
    slope = (grid.level[1] - first) / (ratios[1] - ratios[0]);
  }
  // What a call has left of the spot, as a part of it.
  SHOCKGRID_INLINE Number kept(Number ratio) const {
    return select(Number(0.0) < is_call, 1.0 - ratio * cash, Number(1.0));
  }
  // Where the values of a node come from, in nodes; -1 where the spot cannot pay.
  SHOCKGRID_INLINE Number place(int node) const {
    const auto call = Number(0.0) < is_call;
    const Number ratio = ratios[node] * shrunk, share = kept(ratio), nothing = 0.0, one = 1.0;
    const Number after = select(call, ratio, ratio - cash) / select(nothing < share, share, one);
    const auto alive = (nothing < share) & (nothing < after);
    const Number there = fused(logarithm(select(alive, after, one)) + falls, inverse, zeros);
    return select(alive, there, Number(-1.0));
  }
  // Of the nodes one after the other.
  SHOCKGRID_INLINE Number held(int node, Number place) {
    const Number ratio = ratios[node] * shrunk, after = ratio - cash, nothing = 0.0;
    const auto inside = (Number(-EDGE) < place) & (place < Number(nodes - 1.0 + EDGE));
    const Number line = lesser(fused(slope, after * grown - ratios[0], first), bound);
    const Number below = select(nothing < is_call, nothing, select(nothing < after, line, bound));
    const Number value = select(inside, cubic.at(select(inside, place, Number(1.0))), below);
    return value * greater(kept(ratio), nothing);
  }
};

// Both neighbours of a kink get their share of what sampling it misses, unless exercise ``passes``. Without cash
// nothing changes. Leaves the result in the spare column, which then changes places with the level. ``places``: where
// values come from, found here unless they are ``known``; may be the spare column.
template <int nodes, class Number>
SHOCKGRID_NO_INLINE void jump(
    Grid<Number>& grid, Number cash, Number is_call, Number time, Number passes, Number* places, bool known) {
  const Obstacle<Number> exercise = exercise_at(grid.frame, time);
  Crossing<nodes, Number> crossing(grid, cash, is_call, time);
  const auto pass = Number(0.0) < passes, pays = Number(0.0) < cash;
  const Number nothing = 0.0, one = 1.0;
  // a walk of its own: its long chains wait for each other less where nothing else lies between them
  for (int node = 0; node < nodes && !known; ++node) places[node] = crossing.place(node);
  Number excess = 0.0, value = 0.0, carried = 0.0;
  for (int node = 0; node < nodes; ++node) {
    const Number held = crossing.held(node, places[node]), other = exercise.at(grid.ratios[node]);
    const Number next = held - other;
    Number missed = 0.0, part = 0.0;
    if (node > 0) {
      const auto turns = (nothing < next) ^ (nothing < excess);
      if (any(turns)) {
        const Number change = next - excess, gone = -excess / select(turns, change, one);
        part = select(pass, nothing, select(turns, gone, nothing));
        missed = 0.5 * magnitude(change) * (part * part - part + 1.0 / 6.0);
        missed = select(pass, nothing, select(turns, missed, nothing));
      }
      grid.spare[node - 1] = select(pays, value + missed * (1.0 - part) + carried, grid.level[node - 1]);
    }
    carried = missed * part;
    value = select(pass, held, greater(held, other));
    excess = next;
  }
  grid.spare[nodes - 1] = select(pays, value + carried, grid.level[nodes - 1]);
  Number* const level = grid.spare;
  grid.spare = grid.level;
  grid.level = level;
}

// Coarse steps in each stretch: ``steps_between`` of _numpy_grid_solve.py.
template <class Number> struct Schedule {
  Number least, scale;

  Schedule() = default;
  SHOCKGRID_INLINE explicit Schedule(const Dividends<Number>& dividends) {
    const int stretches = dividends.count + 1, shared = STEPS / stretches;
    const int even = shared > FEWEST_STEPS ? shared : FEWEST_STEPS, fewest = FEWEST_STEPS * stretches;
    Number total = 0.0, longest = 0.0;
    for (int stretch = 0; stretch < stretches; ++stretch) {
      const Number root = dividends.root(stretch);
      total = total + root;
      longest = greater(longest, root);
    }
    const Number by_root = double(STEPS > fewest ? STEPS : fewest) / total;
    const auto crowded = Number(CROWDED * even) < by_root * longest;
    least = select(crowded, Number(SHORTEST_STEPS), Number(double(even)));
    scale = select(crowded, by_root, Number(0.0));
  }
  SHOCKGRID_INLINE Number steps(const Dividends<Number>& dividends, int stretch) const {
    return greater(least, floored(scale * dividends.root(stretch) + 0.5));
  }
};

// From the values at the start, in the levels, to those now, in ``times`` the coarse steps. Lanes that need fewer
// than others in a stretch end it with steps of no length. ``again``: the places of ex-dates are known.
template <int kind, int count, class Number>
SHOCKGRID_INLINE void march(
    Grid<Number> (&grids)[count], const Dividends<Number> (&dividends)[count],
    const Schedule<Number> (&schedules)[count], double times, bool again) {
  Number clock[count], origin[count];
  Step<Number> step[count];
  const int jumps = dividends[0].count;
  for (int k = 0; k < count; ++k) {
    origin[k] = 0.0;
    clock[k] = dividends[k].start();
  }
  for (int stretch = 0; stretch <= jumps; ++stretch) {
    const bool last = stretch == jumps;
    Number near[count], far[count], steps[count];
    for (int k = 0; k < count; ++k) {
      near[k] = square_root(clock[k] - origin[k]);
      far[k] = square_root(dividends[k].end(stretch) - origin[k]);
      steps[k] = times * schedules[k].steps(dividends[k], stretch);
    }
    bool more = true;
    for (int number = 1; more; ++number) {
      const Number here = double(number);
      more = false;
      for (int k = 0; k < count; ++k) {
        const auto within = here < steps[k];
        const Number root = near[k] + (far[k] - near[k]) * (here / steps[k]);
        const Number time = select(within, origin[k] + root * root, dividends[k].end(stretch));
        more = more || any(within);
        step[k] = step_of<kind>(grids[k], clock[k], time, last ? dividends[k].soon : Number(0.0));
        clock[k] = time;
      }
      sweep<kind>(grids, step);
    }
    for (int k = 0; k < count; ++k) {
      settle<kind>(grids[k], clock[k], last ? dividends[k].soon : Number(0.0));
      if (last) continue;
      const Number passes = stretch + 1 == jumps ? dividends[k].soon : Number(0.0);
      Number* const kept = dividends[k].places;
      jump<NODES_OF<kind>>(grids[k], dividends[k].cash[stretch], dividends[k].is_call, clock[k], passes,
                           kept ? kept + stretch * NODES_OF<kind> : grids[k].spare, kept && again);
      origin[k] = clock[k];
    }
  }
}

// Values now at the nodes of the march, from two marches: the error is of second order in the step. The results need
// a column of their own; until the second march it keeps the start, then the coarse values.
template <int kind, int count, class Number>
SHOCKGRID_NO_INLINE void solve_grids(
    Grid<Number> (&grids)[count], const Dividends<Number> (&dividends)[count], Number* const (&results)[count]) {
  constexpr int nodes = NODES_OF<kind>;
  Schedule<Number> schedules[count];
  for (int k = 0; k < count; ++k) {
    for (int node = 0; node < nodes; ++node)
      grids[k].ratios[node] = exponential(place_of(grids[k].frame, node) * grids[k].frame.deviations);
    schedules[k] = Schedule<Number>(dividends[k]);
    start<nodes>(grids[k], dividends[k], dividends[k].start());
    for (int node = 0; node < nodes; ++node) results[k][node] = grids[k].level[node];
  }
  for (int twice = 0; twice < 2; ++twice) {
    march<kind>(grids, dividends, schedules, twice ? 2.0 : 1.0, twice);
    for (int k = 0; k < count; ++k) {
      const Number discount = exponential(-grids[k].frame.rates);
      for (int node = 0; node < nodes; ++node) {
        const Number value = grids[k].level[node] * discount;
        if (!twice) grids[k].level[node] = results[k][node];
        results[k][node] = twice ? (4.0 * value - results[k][node]) * (1.0 / 3.0) : value;
      }
    }
  }
}

}  // namespace SHOCKGRID_NAMESPACE
