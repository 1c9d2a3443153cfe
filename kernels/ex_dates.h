// What is held across an ex-date, for dividends.h: the spot drops by the cash, and whoever may exercise just before does
// where that is worth more.
#pragma once
#include "grid_start.h"

namespace SHOCKGRID_NAMESPACE {

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

}  // namespace SHOCKGRID_NAMESPACE
