// The lowest of many numbers on the CPU, and where it stands.
#pragma once
#include "native.h"

namespace SHOCKGRID_NAMESPACE {

// Numbers are looked through so many registers at a time: each minimum waits for the one before.
constexpr int CHAINS = 4;
constexpr long long STEP = CHAINS * WIDTH;

// Puts the first of ``count`` numbers behind the last, up to a whole step.
inline void pad(double* numbers, long long count) {
  for (; count % STEP; ++count) numbers[count] = numbers[0];
}

// The lowest of some numbers and the first place where it stands, of all and by lane.
struct Lowest {
  double number;
  long long place;
};
struct LowestLanes {
  Number number, place;

  SHOCKGRID_INLINE void meet(const LowestLanes& other) {
    const auto below = other.number < number;
    const auto before = (other.number.lanes == number.lanes) & (other.place < place);
    number = select(below | before, other.number, number);
    place = select(below | before, other.place, place);
  }
  // Leaves the lowest of all lanes in each.
  template <int step = 1> SHOCKGRID_INLINE void meet_lanes() {
    if constexpr (step < WIDTH) {
      LowestLanes other = *this;
      trade<step>(number, other.number, typename Counted<WIDTH>::Type());
      trade<step>(place, other.place, typename Counted<WIDTH>::Type());
      meet(other);
      meet_lanes<2 * step>();
    }
  }
};

// Of padded numbers; ``nan`` collects the lanes that saw none. No branch depends on where it stands: a wrong guess
// would hold up the sums of the next leaf.
SHOCKGRID_INLINE Lowest lowest_of(const double* numbers, long long count, Number::Mask& nan) {
  LowestLanes found[CHAINS];
  double places[WIDTH];
  for (int lane = 0; lane < WIDTH; ++lane) places[lane] = lane;
  for (int k = 0; k < CHAINS; ++k) found[k] = {load<Number>(numbers + k * WIDTH), Number(0.0)};
  Number::Mask none = {};
  for (long long i = 0; i < count; i += STEP) {
    const Number here = double(i);
    SHOCKGRID_UNROLL
    for (int k = 0; k < CHAINS; ++k) {
      const Number next = load<Number>(numbers + i + k * WIDTH);
      const auto below = next < found[k].number;
      found[k] = {select(below, next, found[k].number), select(below, here, found[k].place)};
      none |= next.lanes != next.lanes;
    }
  }
  nan |= none;
  SHOCKGRID_UNROLL
  for (int k = 0; k < CHAINS; ++k) {
    found[k].place = found[k].place + (load<Number>(places) + double(k * WIDTH));
    if (k) found[0].meet(found[k]);
  }
  found[0].meet_lanes();
  return {found[0].number.lanes[0], static_cast<long long>(found[0].place.lanes[0])};
}

}  // namespace SHOCKGRID_NAMESPACE
