// One step in time of many heat equations at once, each above its own obstacle: the scheme, the names and the
// constants of the NumPy grids (_numpy_grid_frame.py and _numpy_grid_step.py), where their sources stand.
//
// A lane is a contract at one vol. What it computes depends on its own terms, kind and number of dividends.
#pragma once
#include "elementary.h"

namespace SHOCKGRID_NAMESPACE {

constexpr int NODES = 145, FINER = 2;
constexpr double REACH_OF_EXERCISE = 4.5, REACH_BEYOND = 4.0, FARTHEST_TURN = 12.0;
constexpr double COMPACT = 1.0 / 12.0, SAG = 1.0 / 24.0, NEVER = -1e300;

// Exercise never pays, pays on the side of node 0, or may pay between two prices.
enum Kind { HELD, ONE_SIDE, TWO_SIDES };

// Cells of the march in one that is kept, and its nodes; see _numpy_grid_kinds.py.
template <int kind> constexpr int CELLS_IN_ONE = kind == TWO_SIDES ? FINER : 1;
template <int kind> constexpr int NODES_OF = CELLS_IN_ONE<kind> * (NODES - 1) + 1;

// Flags are 1 or 0; ``paid`` is the sum of the dividends.
template <class Number> struct Terms {
  Number strikes, years, rates, yields, is_call, paid, vols;
};

template <class Number> struct Frame {
  Number deviations, rates, yields, falls, zeros, steps;
};

template <class Number> SHOCKGRID_INLINE Frame<Number> frame_of(const Terms<Number>& terms) {
  const auto is_call = Number(0.0) < terms.is_call;
  const Number nothing = 0.0, one = 1.0;
  const Number deviations = terms.vols * square_root(terms.years);
  const Number rates = select(is_call, terms.yields, terms.rates) * terms.years;
  const Number yields = select(is_call, terms.rates, terms.yields) * terms.years;
  const auto turning = nothing < rates * yields;
  const Number ratio = select(turning, yields, one) / select(turning, rates, one);
  Number turns = greater(logarithm(ratio), nothing);
  turns = turns * FARTHEST_TURN * deviations / (turns + FARTHEST_TURN * deviations);
  const Number shifts = logarithm(1.0 + terms.paid / terms.strikes);
  const Number half = 0.5 * (deviations * deviations);
  Number below = REACH_OF_EXERCISE * deviations + greater(yields - rates, nothing) + half + turns;
  Number above = REACH_BEYOND * deviations + greater(rates - yields, nothing);
  below = below + select(is_call, shifts, nothing);
  above = above + select(is_call, nothing, shifts);
  const Number widths = (below + above) / double(NODES - 1);
  return {deviations, rates, yields, rates - yields - half, below / widths, widths / deviations};
}

// The same with nodes closer by ``finer``.
template <class Number> SHOCKGRID_INLINE Frame<Number> refined(Frame<Number> frame, int finer) {
  frame.zeros = frame.zeros * double(finer);
  frame.steps = frame.steps / double(finer);
  return frame;
}

// What exercise gives in the units of the march, ``own - other * ratio``; may be negative.
template <class Number> struct Obstacle {
  Number own, other;
  SHOCKGRID_INLINE Number at(Number ratio) const { return fused(-other, ratio, own); }
};
template <class Number> SHOCKGRID_INLINE Obstacle<Number> exercise_at(const Frame<Number>& frame, Number time) {
  return {exponential(frame.rates * time), exponential((frame.rates - frame.falls) * time)};
}
// Raised by SAG x curvature x step^2; out of reach where ``idle``.
template <class Number>
SHOCKGRID_INLINE Obstacle<Number> raised(const Frame<Number>& frame, const Obstacle<Number>& exercise, Number idle) {
  const Number rise = (2.0 * SAG) * (frame.steps * frame.steps);
  const Number own = exercise.own * (1.0 + rise * frame.rates);
  return {select(Number(0.0) < idle, Number(NEVER), own), exercise.other * (1.0 + rise * frame.yields)};
}

// Columns of NODES_OF<kind> numbers; a spare one for a sweep the other way and for crossing an ex-date.
template <class Number> struct Grid {
  Frame<Number> frame;
  Number *level, *spare, *ratios;
};

// What one step needs beside the level.
template <class Number> struct Step {
  Obstacle<Number> obstacle;
  Number pull, beside, here, first, last;
};

// A node at the end after the step: a line in R moves exactly, and exercise binds there too.
template <int kind, class Number>
SHOCKGRID_INLINE Number moved_end(
    const Grid<Number>& grid, const Obstacle<Number>& obstacle, int end, int beside, Number growth) {
  const Number slope = (grid.level[beside] - grid.level[end]) / (grid.ratios[beside] - grid.ratios[end]);
  const Number value = grid.level[end] + slope * grid.ratios[end] * growth;
  return kind == HELD ? value : greater(value, obstacle.at(grid.ratios[end]));
}

template <int kind, class Number>
SHOCKGRID_INLINE Step<Number> step_of(const Grid<Number>& grid, Number start, Number end, Number idle) {
  const Frame<Number>& frame = grid.frame;
  const Number length = end - start, quarter = 0.25 * (length / (frame.steps * frame.steps));
  const Number compact = lesser(Number(COMPACT), quarter);
  const Number explicit_side = compact + quarter, side = compact - quarter;
  const Number pivot = 0.5 * (1.0 - 2.0 * side + square_root(1.0 - 4.0 * side));
  const Number growth = exponential(0.5 * (frame.deviations * frame.deviations) * length) - 1.0;
  Step<Number> step;
  step.obstacle = kind == HELD ? Obstacle<Number>{Number(0.0), Number(0.0)}
                               : raised(frame, exercise_at(frame, end), idle);
  step.pull = -side / pivot;
  step.beside = explicit_side / pivot;
  step.here = (1.0 - 2.0 * explicit_side) / pivot;
  step.first = moved_end<kind>(grid, step.obstacle, 0, 1, growth);
  constexpr int end_node = NODES_OF<kind> - 1;
  step.last = greater(moved_end<kind>(grid, step.obstacle, end_node, end_node - 1, growth), Number(0.0));
  return step;
}

// Eliminates from the first node to the last and substitutes back into the spare column: the way that is right
// on the near side of a region of exercise between two prices.
template <int count, class Number>
SHOCKGRID_INLINE void sweep_back(const Grid<Number> (&grids)[count], const Step<Number> (&steps)[count]) {
  constexpr int nodes = NODES_OF<TWO_SIDES>;
  Number last[count];
  SHOCKGRID_UNROLL
  for (int k = 0; k < count; ++k) last[k] = fused(-steps[k].pull, grids[k].level[1], steps[k].first);
  for (int node = 1; node < nodes - 1; ++node) {
    SHOCKGRID_UNROLL
    for (int k = 0; k < count; ++k) {
      const Number both = grids[k].level[node - 1] + grids[k].level[node + 1];
      const Number right = fused(grids[k].level[node], steps[k].here, both * steps[k].beside);
      grids[k].spare[node] = last[k] = fused(steps[k].pull, last[k], right);
    }
  }
  SHOCKGRID_UNROLL
  for (int k = 0; k < count; ++k) last[k] = steps[k].last;
  for (int node = nodes - 2; node > 0; --node) {
    SHOCKGRID_UNROLL
    for (int k = 0; k < count; ++k) {
      const Number value = fused(steps[k].pull, last[k], grids[k].spare[node]);
      grids[k].spare[node] = last[k] = greater(value, steps[k].obstacle.at(grids[k].ratios[node]));
    }
  }
}

// The step, in place: explicit half and elimination from the last node to the first in one walk, then back,
// projecting on the way. Several grids side by side, because each waits for its own last result.
template <int kind, int count, class Number>
SHOCKGRID_NO_INLINE void sweep(const Grid<Number> (&grids)[count], const Step<Number> (&steps)[count]) {
  constexpr int nodes = NODES_OF<kind>;
  Number *level[count], *ratios[count], pull[count], beside[count], middle[count];
  Number right[count], here[count], last[count];
  if (kind == TWO_SIDES) sweep_back(grids, steps);
  SHOCKGRID_UNROLL
  for (int k = 0; k < count; ++k) {
    level[k] = grids[k].level;
    ratios[k] = grids[k].ratios;
    pull[k] = steps[k].pull;
    beside[k] = steps[k].beside;
    middle[k] = steps[k].here;
    right[k] = level[k][nodes - 1];
    here[k] = level[k][nodes - 2];
    last[k] = fused(-pull[k], here[k], steps[k].last);
  }
  for (int node = nodes - 2; node > 0; --node) {
    SHOCKGRID_UNROLL
    for (int k = 0; k < count; ++k) {
      const Number left = level[k][node - 1];
      last[k] = fused(pull[k], last[k], fused(here[k], middle[k], (left + right[k]) * beside[k]));
      level[k][node] = last[k];
      right[k] = here[k];
      here[k] = left;
    }
  }
  Obstacle<Number> obstacle[count];
  SHOCKGRID_UNROLL
  for (int k = 0; k < count; ++k) {
    obstacle[k] = steps[k].obstacle;
    last[k] = level[k][0] = steps[k].first;
    level[k][nodes - 1] = steps[k].last;
  }
  for (int node = 1; node < nodes - 1; ++node) {
    SHOCKGRID_UNROLL
    for (int k = 0; k < count; ++k) {
      last[k] = fused(pull[k], last[k], level[k][node]);
      if (kind != HELD) last[k] = greater(last[k], obstacle[k].at(ratios[k][node]));
      level[k][node] = kind == TWO_SIDES ? greater(last[k], grids[k].spare[node]) : last[k];
    }
  }
}

// Puts what lies on the raised obstacle on the true one.
template <int kind, class Number>
SHOCKGRID_INLINE void settle(const Grid<Number>& grid, Number time, Number idle) {
  if (kind == HELD) return;
  const Obstacle<Number> exercise = exercise_at(grid.frame, time), above = raised(grid.frame, exercise, idle);
  for (int node = 0; node < NODES_OF<kind>; ++node) {
    const Number value = grid.level[node], ratio = grid.ratios[node];
    grid.level[node] = select(above.at(ratio) < value, value, exercise.at(ratio));
  }
}

}  // namespace SHOCKGRID_NAMESPACE
