// The worst cell of an interpolated surface on a dense grid. The surface of a leaf is a polynomial in the log
// price and in the vol, given by its Chebyshev coefficients: L. N. Trefethen, "Approximation Theory and
// Approximation Practice", SIAM 2013, chapters 3 and 8.
#pragma once
#include "native.h"

namespace SHOCKGRID_NAMESPACE {

// Registers side by side in the prices, and the most rows of coefficients that share a load of polynomials.
constexpr int PRICE_SUMS = 2, COEFFICIENT_ROWS = WIDTH == 8 ? 8 : 4;
constexpr long long PRICE_STEP = PRICE_SUMS * WIDTH;

inline long long padded(long long count, long long step) { return (count + step - 1) / step * step; }

// to[k, x] += sum over i < count of from[k, i] matrix[i, x], x < columns, a multiple of PRICE_STEP.
struct Product {
  const double* from;
  long long from_stride, count;
  const double* matrix;
  long long columns, width;  // width: from one row of the matrix or of the result to the next
  double* to;

  template <int rows> void add_some(long long top) const {
    for (long long x = 0; x < columns; x += PRICE_STEP) {
      Number sums[rows][PRICE_SUMS];
      SHOCKGRID_UNROLL
      for (int k = 0; k < rows * PRICE_SUMS; ++k)
        sums[k / PRICE_SUMS][k % PRICE_SUMS] =
            load<Number>(to + (top + k / PRICE_SUMS) * width + x + k % PRICE_SUMS * WIDTH);
      for (long long i = 0; i < count; ++i) {
        const double* own = matrix + i * width + x;
        const Number left = load<Number>(own), right = load<Number>(own + WIDTH);
        SHOCKGRID_UNROLL
        for (int k = 0; k < rows; ++k) {
          const Number factor = from[(top + k) * from_stride + i];
          sums[k][0] = fused(factor, left, sums[k][0]);
          sums[k][1] = fused(factor, right, sums[k][1]);
        }
      }
      SHOCKGRID_UNROLL
      for (int k = 0; k < rows * PRICE_SUMS; ++k)
        store(sums[k / PRICE_SUMS][k % PRICE_SUMS], to + (top + k / PRICE_SUMS) * width + x + k % PRICE_SUMS * WIDTH);
    }
  }
  template <int rows = COEFFICIENT_ROWS> void add(long long present, long long top = 0) const {
    for (; present - top >= rows; top += rows) add_some<rows>(top);
    if constexpr (rows > 1)
      if (top < present) add<rows / 2>(present, top);
  }
};

// Chebyshev coefficients of a surface [vols, width]: in the vol by rows, in the log price along them.
struct Coefficients {
  long long vols, prices, width;
  double* items;

  double size_of_row(long long k, long long kept) const {
    double size = 0.0;
    for (long long j = 0; j < kept; ++j) size += __builtin_fabs(items[k * width + j]);
    return size;
  }
  double size_of_column(long long j, long long kept) const {
    double size = 0.0;
    for (long long k = 0; k < kept; ++k) size += __builtin_fabs(items[k * width + j]);
    return size;
  }
  // Drops the last rows and columns that together come to ``room`` at most: no polynomial of these exceeds 1.
  // ``rest`` [vols]: what else stands in each row. Returns what was dropped.
  double shorten(double room, const double* rest) {
    double dropped = 0.0, size;
    while (vols > 1 && dropped + (size = size_of_row(vols - 1, prices) + rest[vols - 1]) <= room) {
      dropped += size;
      --vols;
    }
    while (prices > 1 && dropped + (size = size_of_column(prices - 1, vols)) <= room) {
      dropped += size;
      --prices;
    }
    return dropped;
  }
};

// The cells of a surface within ``margin`` of its lowest, ascending, or that there are more than fit.
struct Cells {
  long long count, most;
  long long* items;
  bool overflown;
};

// A surface at every price: coefficients in the vol [vols, width].
struct Surface {
  long long vols, prices, width, grid_vols, values_width;
  const double *rows, *values;  // values: [vols, values_width] polynomials in the vol at the vols of the grid
  double *floors, *found;       // scratch: [width], [prices, values_width]
  int* kept;                    // scratch: [prices]

  // At one price a surface is at least its first coefficient less the sizes of the others.
  long long find_floors() const {
    for (long long x = 0; x < width; x += WIDTH) {
      Number floor = load<Number>(rows + x);
      for (long long k = 1; k < vols; ++k) floor = floor - magnitude(load<Number>(rows + k * width + x));
      store(floor, floors + x);
    }
    long long lowest = 0;
    for (long long x = 1; x < prices; ++x)
      if (floors[x] < floors[lowest]) lowest = x;
    return lowest;
  }
  // The surface at one price and every vol; its lowest.
  double row_at(long long price, double* to) const {
    Number lowest = 0.0;
    for (long long v = 0; v < values_width; v += WIDTH) {
      Number sum = rows[price];
      for (long long k = 1; k < vols; ++k)
        sum = fused(Number(rows[k * width + price]), load<Number>(values + k * values_width + v), sum);
      store(sum, to + v);
      lowest = v ? lesser(sum, lowest) : sum;
    }
    double least = lowest.lanes[0];
    for (int lane = 1; lane < WIDTH; ++lane) least = lowest.lanes[lane] < least ? lowest.lanes[lane] : least;
    return least;
  }
  void search(double margin, Cells& cells) const {
    const long long first = find_floors();
    double lowest = row_at(first, found);
    long long present = 0;
    for (long long x = 0; x < prices; ++x) {
      if (!(floors[x] <= lowest + margin)) continue;
      const double least = row_at(x, found + present * values_width);
      lowest = least < lowest ? least : lowest;
      if (least <= lowest + margin) kept[present++] = int(x);
    }
    for (long long row = 0; row < present && !cells.overflown; ++row)
      for (long long v = 0; v < grid_vols; ++v)
        if (found[row * values_width + v] <= lowest + margin) {
          if ((cells.overflown = cells.count == cells.most)) break;
          cells.items[cells.count++] = kept[row] * grid_vols + v;
        }
  }
};

}  // namespace SHOCKGRID_NAMESPACE
