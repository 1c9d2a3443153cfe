// Sums of leaves over a tile of float32, the bound of their error, and what lies within it of the lowest.
#pragma once
#include "screen_tile.h"

namespace SHOCKGRID_NAMESPACE {

// Positions summed before the sum goes on with what was rounded off kept beside it.
constexpr long long SCREEN_RUN = 16;
constexpr int SCREEN_SUMS = WIDTH == 8 ? 28 : SUMS;
// Numbers are looked through so many at a time.
constexpr long long SCREEN_STEP = CHAINS * SCREEN_WIDTH;
// Covers the rounding of the bounds themselves.
constexpr double SCREEN_MARGIN = 1.0001;

// The positions of one leaf.
struct Held {
  const int* instruments;
  const double* weights;
  long long count;
};

// At most SCREEN_RUN positions; ``sums`` registers of scenarios from the start of the tile's rows.
template <int sums>
SHOCKGRID_INLINE void sum_run(const Held& held, const float* tile, long long stride, Screened (&found)[sums]) {
  SHOCKGRID_UNROLL
  for (int k = 0; k < sums; ++k) found[k] = Screened(0.0f);
  for (long long position = 0; position < held.count; ++position) {
    const Screened weight = float(held.weights[position]);
    const float* row = tile + stride * held.instruments[position];
    SHOCKGRID_UNROLL
    for (int k = 0; k < sums; ++k) found[k] = fused(weight, load<Screened>(row + k * SCREEN_WIDTH), found[k]);
  }
}

// One more run in the sums ``pnl``, what was rounded off in ``rest``: O. Moeller, "Quasi double-precision in floating
// point addition", BIT 5 (1965).
inline void add_run(Screened run, float* pnl, float* rest) {
  const Screened sum = load<Screened>(pnl), next = sum + run, back = next - sum;
  store(load<Screened>(rest) + ((sum - (next - back)) + (run - back)), rest);
  store(next, pnl);
}

// The P&L of a leaf in ``count`` scenarios, in whole registers; ``rest`` is scratch of that size.
template <int sums = SCREEN_SUMS>
void sum_screened(const Held& held, const ScreenTile& tile, long long start, long long count, float* pnl, float* rest) {
  for (; count - start > (sums / 2) * SCREEN_WIDTH; start += sums * SCREEN_WIDTH) {
    Screened found[sums];
    for (long long from = 0; !from || from < held.count; from += SCREEN_RUN) {
      const long long left = held.count - from;
      const Held run = {held.instruments + from, held.weights + from, left < SCREEN_RUN ? left : SCREEN_RUN};
      sum_run(run, tile.values + start, tile.stride, found);
      for (int k = 0; k < sums; ++k) {
        const long long at = start + k * SCREEN_WIDTH;
        if (!from) store(found[k], pnl + at);
        if (!from && left > SCREEN_RUN) store(Screened(0.0f), rest + at);
        if (from) add_run(found[k], pnl + at, rest + at);
      }
    }
    for (int k = 0; held.count > SCREEN_RUN && k < sums; ++k) {
      float* to = pnl + start + k * SCREEN_WIDTH;
      store(load<Screened>(to) + load<Screened>(rest + start + k * SCREEN_WIDTH), to);
    }
  }
  if constexpr (sums > 1)
    if (start < count) sum_screened<sums / 2>(held, tile, start, count, pnl, rest);
}

// How far the sum of a leaf may be from that of float64. Each term brings the error of its unit; its weight is
// rounded, it is in SCREEN_RUN sums at most, and four roundings follow: of what was rounded off, of the last sum, of
// the factor of a scenario and of the product with it.
inline double bound_of(const Held& held, const ScreenTile& tile) {
  const double steps = double((held.count < SCREEN_RUN ? held.count : SCREEN_RUN) + 5) * SCREEN_ROUNDING;
  double bound = 0.0, sizes = 0.0;
  bool good = true;
  for (long long position = 0; position < held.count; ++position) {
    const int row = held.instruments[position];
    const double weight = __builtin_fabs(held.weights[position]);
    good &= (weight < SCREEN_MOST) & ((weight == 0.0) | (SCREEN_LEAST < weight));
    good &= tile.errors[row] < SCREEN_NO_BOUND;  // of no weight either: what is no number stays none
    bound += weight * tile.errors[row];
    sizes += weight * tile.sizes[row];
  }
  bound = SCREEN_MARGIN * (bound + steps * sizes) + double(held.count) * SCREEN_LEAST;
  return good && sizes < SCREEN_MOST && bound < SCREEN_MOST ? bound : SCREEN_NO_BOUND;
}

// The float32 that is not below a number.
inline float not_below(double number) {
  const float near = float(number);
  return double(near) < number ? near + (__builtin_fabsf(near) * 0x1p-22f + 0x1p-120f) : near;
}

inline void pad(float* numbers, long long count) {
  for (; count % SCREEN_STEP; ++count) numbers[count] = numbers[0];
}
// The lowest and the highest of padded numbers.
struct Ends {
  float low, high;
};
inline Ends ends_of(const float* numbers, long long count) {
  Screened low[CHAINS], high[CHAINS];
  for (int k = 0; k < CHAINS; ++k) low[k] = high[k] = Screened(numbers[0]);
  for (long long i = 0; i < count; i += SCREEN_STEP) {
    SHOCKGRID_UNROLL
    for (int k = 0; k < CHAINS; ++k) {
      const Screened next = load<Screened>(numbers + i + k * SCREEN_WIDTH);
      low[k] = lesser(next, low[k]);
      high[k] = greater(next, high[k]);
    }
  }
  for (int k = 1; k < CHAINS; ++k) {
    low[0] = lesser(low[k], low[0]);
    high[0] = greater(high[k], high[0]);
  }
  Ends ends = {numbers[0], numbers[0]};
  for (int lane = 0; lane < SCREEN_WIDTH; ++lane) {
    ends.low = low[0].lanes[lane] < ends.low ? low[0].lanes[lane] : ends.low;
    ends.high = ends.high < high[0].lanes[lane] ? high[0].lanes[lane] : ends.high;
  }
  return ends;
}

// Lists where padded numbers stand that are ``low`` at most or ``high`` at least; how many there are.
inline int places_outside(const float* numbers, long long count, float low, float high, int* places) {
  typedef signed char Bytes __attribute__((vector_size(SCREEN_WIDTH)));
  constexpr int words = SCREEN_WIDTH < 8 ? 1 : SCREEN_WIDTH / 8;
  const Screened lowest = low, highest = high;
  int found = 0;
  for (long long i = 0; i < count; i += SCREEN_WIDTH) {
    const Screened next = load<Screened>(numbers + i);
    const Bytes outside =
        __builtin_convertvector((next.lanes <= lowest.lanes) | (highest.lanes <= next.lanes), Bytes);
    unsigned long long bytes[words] = {};
    __builtin_memcpy(bytes, &outside, sizeof outside);
    for (int word = 0; word < words; ++word)
      for (; bytes[word]; bytes[word] &= bytes[word] - 1) {  // one bit of each byte is left
        bytes[word] &= 0x0101010101010101ull;
        const long long place = i + word * 8 + (__builtin_ctzll(bytes[word]) >> 3);
        if (place < count) places[found++] = int(place);
      }
  }
  return found;
}

}  // namespace SHOCKGRID_NAMESPACE
