// What searching surfaces on a dense grid is given and gives back: the structures of the C ABI, and a class group
// of the instruments of all.
#pragma once
#include "native_price.h"

namespace SHOCKGRID_NAMESPACE {

// Nodes in the log price: spot factors [count], and the matrix [count, width] from values to coefficients.
struct PriceNodes {
  long long count;
  const double *spot_factors, *transform;
};
// Nodes in the vol: shocks [count], the matrix [count, count] from values to coefficients (a coefficient a row),
// and the polynomials at the vols of the grid [count, values_width].
struct VolNodes {
  long long count;
  const double *shocks, *transform, *values;
};

// ``Surfaces`` (Python). Every list of starts has one entry more than there are items.
struct Dense {
  long long groups, levels, coefficients_width, prices_width, values_width, most_cells;
  const Section* section;  // all instruments; its states are the prices and the vols of the grid
  const long long *instruments_of, *leaves_of, *positions_of;
  const int* columns;     // [positions] in the class group
  const double* weights;  // [positions]
  // [instruments] ascending in a group; ``levels``: at every price of the grid; below 0: not interpolated
  const int* level_of;
  const double* errors;   // [instruments] of a unit value
  const int* nodes_of;    // [groups] into vol_nodes
  const unsigned char* smooth;  // [leaves] whether all its instruments are interpolated
  const PriceNodes* price_nodes;
  const VolNodes* vol_nodes;
  const double* polynomials;  // [most nodes, prices_width] at the prices of the grid
};

// ``WorstCells`` (Python), by leaf. A leaf that is not smooth or has too many candidates is left alone, its
// ``candidates`` -1.
struct DenseFound {
  double* pnl;
  long long* cells;
  double* bounds;
  long long* candidates;
};

// Candidates priced at a time, and how far short of its coefficients a surface may first be cut, in its bound;
// one that then has more candidates than a few is searched again, whole.
constexpr long long CELLS_AT_ONCE = 32, FEW_CELLS = 64;
constexpr double FIRST_CUT = 4.0;
constexpr int MOST_LEVELS = 8, MOST_VOL_NODES = 40;

inline Section section_of(const Section& whole, long long first, long long last) {
  Section own = whole;
  const double** const columns[] = {&own.spots, &own.slopes, &own.intercepts, &own.strikes,
                                    &own.years, &own.vols,   &own.discount_factors};
  for (const double** column : columns) *column += first;
  own.routes += first;
  own.is_call += first;
  own.count = last - first;
  return own;
}

// The instruments of one level in a class group, and their P&L at its nodes.
struct LevelTile {
  int first, last;
  double* tile;
};

}  // namespace SHOCKGRID_NAMESPACE
