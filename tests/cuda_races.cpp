// Kernels with shared memory, their threads running at once, for ThreadSanitizer: it reports what racecheck would.
// Compile with -I kernels -I tests -DSHOCKGRID_HOST_FREE -fsanitize=thread.
#include "cuda_host.h"

#include "american.cu"
#include "european.cu"
#include "leaves.cu"
#include "screened_leaves.cu"
#include "screened_values.cu"

namespace {

constexpr long long INSTRUMENTS = 11, SPOTS = 5, RULES = 70, SCENARIOS = 45;
constexpr unsigned BLOCKS = 2, THREADS = 8;

template <class Item> HostWord word(const Item* at) { return reinterpret_cast<HostWord>(at); }

template <class Kernel> void run(Kernel* kernel, std::vector<HostWord> given) {
  given.resize(10);
  host_launch_kernel(reinterpret_cast<void*>(kernel), BLOCKS, THREADS, given.data());
}

}  // namespace

int main() {
  std::vector<double> spots(INSTRUMENTS, 100.0), ones(INSTRUMENTS, 1.0), zeros(INSTRUMENTS), strikes(INSTRUMENTS);
  std::vector<double> vols(INSTRUMENTS, 0.3), rates(INSTRUMENTS, 0.03), factors(SPOTS), shocks(RULES);
  std::vector<double> no_powers(RULES), caps(RULES, 10.0);
  std::vector<unsigned char> routes(INSTRUMENTS), calls(INSTRUMENTS), relative(RULES, 1);
  std::vector<long long> index(2 * SCENARIOS);
  std::vector<int> table_places(INSTRUMENTS * TABLE_RANGES, 0);
  for (long long i = 0; i < INSTRUMENTS; ++i) {
    strikes[i] = 80.0 + 4.0 * double(i);
    routes[i] = static_cast<unsigned char>(i % 4);
    calls[i] = i % 2;
  }
  for (long long k = 0; k < SPOTS; ++k) factors[k] = 0.8 + 0.1 * double(k);
  for (long long k = 0; k < RULES; ++k) shocks[k] = 0.01 * double(k);
  for (long long s = 0; s < SCENARIOS; ++s) {
    index[2 * s] = s % SPOTS;
    index[2 * s + 1] = 7 * s % RULES;
  }
  const Section section = {
      SPOTS, RULES, spots.data(), ones.data(), zeros.data(), strikes.data(), ones.data(), vols.data(), ones.data(),
      ones.data(), rates.data(), zeros.data(), factors.data(), shocks.data(), no_powers.data(), no_powers.data(),
      caps.data(), index.data(), table_places.data(), routes.data(), calls.data(), relative.data()};
  const Rows rows[] = {{0, 0, 8, 0}, {0, 8, INSTRUMENTS - 8, 8}};
  std::vector<double> tile(INSTRUMENTS * SCENARIOS);
  run(unit_values, {word(&section), word(rows), 2, SCENARIOS, 1, word(tile.data())});

  const std::vector<double> coefficients(TABLE_VOLS * TABLE_GAPS, 0.001), boundaries(TABLE_VOLS, -1.0);
  const unsigned char orders = TABLE_VOLS;
  const PremiumTables tables = {1, coefficients.data(), boundaries.data(), &orders};
  const GivenValues given = {};
  const EarlyRow early[] = {{0, 2, 2, -1}, {0, 3, 3, -1}, {0, 6, 6, -1}, {0, 7, 7, -1}};
  run(early_values,
      {word(&section), word(&tables), word(&given), word(early), 4, SCENARIOS, 1, word(tile.data())});

  double values[INSTRUMENTS];
  long long scenarios[INSTRUMENTS];
  run(leaf_worst, {INSTRUMENTS, SCENARIOS, word(tile.data()), 0, word(values), word(scenarios)});
  for (double value : values)
    if (value != value) return 1;

  // a leaf for each row: it holds this one and all above it
  std::vector<Place> places(INSTRUMENTS);
  std::vector<int> columns;
  std::vector<long long> starts = {0};
  for (long long i = 0; i < INSTRUMENTS; ++i) {
    places[size_t(i)] = {0, i, i * SPOTS, i * RULES};
    for (long long k = 0; k <= i; ++k) columns.push_back(int(k));
    starts.push_back(static_cast<long long>(columns.size()));
  }
  const std::vector<double> weights(columns.size(), -2.0);
  std::vector<ScreenedSpot<float>> spot_table(INSTRUMENTS * SPOTS);
  std::vector<Deviation<float>> vol_table(INSTRUMENTS * RULES);
  std::vector<float> screened(tile.size()), pnl(tile.size());
  std::vector<RowBound> bounds(INSTRUMENTS);
  double limits[INSTRUMENTS];
  const ScreenedTile shared = {SCENARIOS, &section, places.data(), spot_table.data(), vol_table.data(), tile.data(),
                               screened.data(), bounds.data(), pnl.data(), limits};
  run(screened_bases, {word(&shared), INSTRUMENTS});
  run(screened_tables, {word(&shared), word(rows), 2});
  run(screened_values, {word(&shared), INSTRUMENTS});
  run(screened_leaves, {word(&shared), INSTRUMENTS, word(starts.data()), word(columns.data()), word(weights.data())});
  run(worst_of_screened, {word(&shared), INSTRUMENTS, word(starts.data()), word(columns.data()), word(weights.data()),
                          0, word(values), word(scenarios)});
  for (double value : values)
    if (value != value) return 1;
  return 0;
}
