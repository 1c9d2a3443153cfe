// The first ex-date of a call, when it is near, crossed by a formula: what _numpy_grid_crossing.py does and explains.
#pragma once
#include "grid_read.h"

namespace SHOCKGRID_NAMESPACE {

constexpr int CROSSING_ROUNDS = 4;
constexpr double NOWHERE = -40.0, LEAST_WIDTH = 1e-9;

// What exercise at the ex-date adds to the values of a grid that leaves it out; the same in all lanes.
template <class Number> struct NearExDate {
  Number stock, bond, width, place, first, second, third;
  bool exists;

  // ``scratch``: room for two columns of NODES and a register.
  SHOCKGRID_NO_INLINE NearExDate(const GridView<Number>& grid, double* scratch) {
    constexpr int lanes = sizeof(Number) / sizeof(double), room = NODES + lanes;
    const Frame<Number>& frame = grid.frame;
    const Number wait = grid.payments.years[0], scale = frame.steps * frame.deviations;
    stock = exponential(-grid.terms.yields * wait);
    bond = exponential(-grid.terms.rates * wait);
    width = greater(square_root(wait / grid.terms.years) / frame.steps, Number(LEAST_WIDTH));
    double *ahead = scratch, *excess = scratch + room, counted[lanes];
    for (int lane = 0; lane < lanes; ++lane) counted[lane] = lane;
    for (int node = 0; node < NODES; node += lanes) {
      const Number log = (load<Number>(counted) + double(node) - frame.zeros) * scale - frame.falls;
      store(stock - bond * exponential(log) - load<Number>(grid.level + node), ahead + node);
    }
    const Number smoothing = 0.5 * (width * width);
    excess[0] = ahead[0];
    for (int node = 1; node < NODES - 1; node += lanes) {
      const Number here = load<Number>(ahead + node);
      const Number bend = load<Number>(ahead + node + 1) - 2.0 * here + load<Number>(ahead + node - 1);
      store(here - smoothing * bend, excess + node);
    }
    excess[NODES - 1] = ahead[NODES - 1];
    int count = 0;
    for (int node = 0; node < NODES; ++node) count += 0.0 < excess[node];
    exists = count > 0;
    find_root(excess, count - 1 < 1 ? 1 : count - 1 > NODES - 3 ? NODES - 3 : count - 1);
  }

  // Place of the root, and the derivatives there, in nodes; exercise pays towards node 0.
  SHOCKGRID_INLINE void find_root(const double* excess, int node) {
    const Number nothing = 0.0, one = 1.0, before = excess[node - 1], here = excess[node];
    const Number after = excess[node + 1], beyond = excess[node + 2], fall = here - after;
    const Number cubed = (beyond - 3.0 * after + 3.0 * here - before) / Number(6.0);
    const Number squared = 0.5 * (after - 2.0 * here + before), slope = after - here - squared - cubed;
    Number x = lesser(greater(here / select(nothing < fall, fall, one), nothing), one);
    for (int round = 0; round < CROSSING_ROUNDS; ++round) {
      const Number rise = slope + x * (2.0 * squared + 3.0 * cubed * x);
      const Number value = here + x * (slope + x * (squared + x * cubed));
      x = x - value / select(rise < nothing, rise, Number(-1.0));
      x = lesser(greater(x, Number(-1.0)), Number(2.0));
    }
    place = double(node) + x;
    first = -(slope + x * (2.0 * squared + 3.0 * cubed * x));
    second = 2.0 * squared + 6.0 * cubed * x;
    third = -6.0 * cubed;
  }

  // Over the spot, by ``log`` of K / S, its place and what is held there.
  SHOCKGRID_INLINE Number gain(Number log, Number at, Number held) const {
    Number distance = exists ? (place - at) / width : Number(NOWHERE);
    distance = lesser(greater(distance, Number(NOWHERE)), Number(-NOWHERE));
    const Normal<Number> normal = normal_of(distance);
    const Number bend = 0.5 * second * distance + width * third * (distance * distance + 2.0) / Number(6.0);
    const Number spread = first + width * bend, ahead = stock - bond * exponential(log) - held;
    const Number density = ONE_BY_ROOT_OF_TWO_PI * normal.bell;
    return greater(ahead * normal.below + density * width * spread, Number(0.0));
  }
};

// Values in currency of scenarios at one vol, at least intrinsic; ``log`` is log S / K, of a call turned.
template <class Number>
SHOCKGRID_INLINE Number grid_value(
    const GridView<Number>& grid, const NearExDate<Number>* near, Number spot, Number log) {
  const Number nothing = 0.0;
  const auto call = nothing < grid.terms.is_call;
  const Number place = (log + grid.frame.falls) / (grid.frame.steps * grid.frame.deviations) + grid.frame.zeros;
  const auto outside = (place < nothing) | (Number(NODES - 1.0) < place);
  const Number at = select(outside, Number(1.0), place);
  Number value = cubic_at(grid.level, at);
  if (near) value = value + near->gain(select(outside, nothing, log), at, value);
  value = value * select(call, spot, grid.terms.strikes);
  if (any(outside)) value = select(outside, certain_value(grid.terms, grid.payments, spot), value);
  const Number gain = spot - grid.terms.strikes;
  return greater(value, greater(select(call, gain, -gain), nothing));
}

}  // namespace SHOCKGRID_NAMESPACE
