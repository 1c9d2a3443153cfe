// What every part of the CPU library shares: the width of a register, the statuses, memory for a call.
#pragma once
#include <stdlib.h>

#include "checks.h"

namespace SHOCKGRID_NAMESPACE {

enum Status { DONE, NO_MEMORY, NO_STATE, NOT_FINITE, NOT_A_NUMBER, NO_TABLE };

using Number = Lanes<SHOCKGRID_LANES>;
constexpr int WIDTH = SHOCKGRID_LANES;
// The most scenarios of a tile that is not summed, and the fewest of one that is; more where premium tables are
// combined anew for each tile.
constexpr long long MOST_SCENARIOS = 4096, FEWEST_SCENARIOS = 32, FEWEST_WITH_TABLES = 128;
// Registers of sums that fit side by side.
constexpr int SUMS = 16;

// Scenarios of a tile of about ``values``: whole registers of them.
inline long long tile_width(long long rows, long long scenarios, long long values, bool with_tables) {
  const long long fitting = values / (rows + 1) / FEWEST_SCENARIOS * FEWEST_SCENARIOS;
  const long long padded = (scenarios + WIDTH - 1) / WIDTH * WIDTH;
  const long long fewest = with_tables ? FEWEST_WITH_TABLES : FEWEST_SCENARIOS;
  const long long wanted = fitting > fewest ? fitting : fewest;
  return padded < wanted ? padded : wanted;
}

// Memory for the length of a call; ``ok`` turns false where there is none left.
template <class Item> struct Buffer {
  Item* items;
  Buffer(long long count, bool& ok) {
    const size_t line = 64, lines = sizeof(Item) * size_t(count) / line + 1;
    items = static_cast<Item*>(aligned_alloc(line, lines * line));
    ok = ok && items;
  }
  ~Buffer() { free(items); }
  Buffer(const Buffer&) = delete;
};

}  // namespace SHOCKGRID_NAMESPACE
