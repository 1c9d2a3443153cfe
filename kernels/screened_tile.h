// What the CUDA kernels share that screen in float32.
#pragma once
#include "device_sections.h"
#include "screen.h"

namespace SHOCKGRID_NAMESPACE {

// A row of the tile: section and row there, and where its spot states and its vols start in the tables.
struct Place {
  long long section, row, spots, vols;
};
// Base value and log of spot_now in float64, the bound of the error and the largest P&L; the first two of what is
// screened alone.
struct RowBound {
  double base, log, error, size;
};
// What the kernels share: the rows of the tile, tables of what is screened, European options; bounds and P&L by row
// [rows, scenarios]; in ``exact`` the rows that are not screened; then by leaf P&L [leaves, scenarios] and what it may
// be at most to be the worst.
struct ScreenedTile {
  long long scenarios;
  const Section* sections;
  const Place* places;
  ScreenedSpot<float>* spots;
  Deviation<float>* vols;
  const double* exact;
  float* values;
  RowBound* bounds;
  float* pnl;
  double* limits;
};

SHOCKGRID_INLINE bool is_screened(const ScreenedTile& tile, long long top) {
  const Place place = tile.places[top];
  return tile.sections[place.section].routes[place.row] == EUROPEAN;
}

}  // namespace SHOCKGRID_NAMESPACE
