// CUDA entry points for the grids of American options with cash dividends or two boundaries: a thread a contract at
// one vol. Compile with --fmad=false; then every node has the bits of the CPU library. Every parameter is 8 bytes,
// a count or an address.
#include "dividends.h"

using namespace SHOCKGRID_NAMESPACE;

// Columns of lanes of one kind, and their dividends [lanes, dividends], which are counted from expiry in parts of the
// life and of the strike. Flags are 1 or 0.
struct GridLanes {
  long long lanes, dividends;
  const double *strikes, *years, *rates, *yields, *is_call, *paid, *vols, *late_cash, *soon;
  double *left, *cash;
};

// Values [lanes, NODES] now at the nodes that are kept. The columns of a lane are its thread's own memory, where those
// of neighbours lie side by side.
template <int kind> __device__ __forceinline__ void solve_lanes(const GridLanes& given, double* values) {
  constexpr int count = NODES_OF<kind>, finer = CELLS_IN_ONE<kind>;
  double nodes[(finer == 1 ? 3 : 4) * count];
  const long long step = (long long)gridDim.x * blockDim.x;
  for (long long lane = (long long)blockIdx.x * blockDim.x + threadIdx.x; lane < given.lanes; lane += step) {
    const Terms<double> terms = {given.strikes[lane], given.years[lane], given.rates[lane], given.yields[lane],
                                 given.is_call[lane], given.paid[lane],  given.vols[lane]};
    Grid<double> grids[] = {{refined(frame_of(terms), finer), nodes, nodes + count, nodes + 2 * count}};
    double *left = given.left + lane * given.dividends, *cash = given.cash + lane * given.dividends;
    const Dividends<double> dividends[] = {
        {int(given.dividends), left, cash, given.late_cash[lane], given.is_call[lane], given.soon[lane], nullptr}};
    double* const kept = values + lane * NODES;
    double* const results[] = {finer == 1 ? kept : nodes + 3 * count};
    solve_grids<kind>(grids, dividends, results);
    for (int node = 0; finer > 1 && node < NODES; ++node) kept[node] = results[0][node * finer];
  }
}

extern "C" __global__ void __launch_bounds__(128, 4) grids_held(const GridLanes* given, double* values) {
  solve_lanes<HELD>(*given, values);
}
extern "C" __global__ void __launch_bounds__(128, 4) grids_one_side(const GridLanes* given, double* values) {
  solve_lanes<ONE_SIDE>(*given, values);
}
extern "C" __global__ void __launch_bounds__(128, 4) grids_two_sides(const GridLanes* given, double* values) {
  solve_lanes<TWO_SIDES>(*given, values);
}
