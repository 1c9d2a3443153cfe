// American options with cash dividends or two boundaries, a grid each: what ``solve`` of _numpy_grid_solve.py
// computes, node for node, where scheme, names, constants and their sources are explained.
#pragma once
#include "ex_dates.h"

namespace SHOCKGRID_NAMESPACE {

constexpr int STEPS = 24, FEWEST_STEPS = 5;
constexpr double SHORTEST_STEPS = 2.0, CROWDED = 1.4;

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
