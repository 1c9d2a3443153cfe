// CUDA entry points for European options and their aggregation: block-stride loops over the headers, one cell a
// step. Compile with --fmad=false; then every cell has the bits of the CPU library.
#include "aggregate.h"
#include "european.h"

using namespace SHOCKGRID_NAMESPACE;

// Unit values [count, scenarios]. Series (columns of ``count``), then states, then the result; the index is
// [scenarios, 2]: spot state, vol rule.
extern "C" __global__ void __launch_bounds__(256) european_values(
    long long count, const double* spots, const double* slopes, const double* intercepts, const double* strikes,
    const double* years, const double* vols, const double* discount_factors, const unsigned char* is_option,
    const unsigned char* is_call,
    long long scenarios, const double* spot_factors, const VolRule* vol_rules, const long long* index,
    double* values) {
  const long long cells = count * scenarios, step = (long long)gridDim.x * blockDim.x;
  for (long long cell = (long long)blockIdx.x * blockDim.x + threadIdx.x; cell < cells; cell += step) {
    const long long row = cell / scenarios, scenario = cell % scenarios;
    const double forward = slopes[row] * spots[row] * spot_factors[index[2 * scenario]] + intercepts[row];
    if (!is_option[row]) {
      values[cell] = forward;
      continue;
    }
    const VolRule rule = vol_rules[index[2 * scenario + 1]];
    const double vol = shocked_vol(rule, vols[row], log_term_of(years[row]));
    const Contract<double> contract = {is_call[row] ? 0.5 : -0.5, 0.5 * (discount_factors[row] * strikes[row])};
    values[cell] = value_of(
        contract, log_ratio(forward, strikes[row]), discount_factors[row] * forward,
        deviation_of(vol, square_root(years[row])));
  }
}

// P&L [leaves, scenarios]: a CSR matrix of weights times a tile [instruments, scenarios] of unit P&L.
extern "C" __global__ void __launch_bounds__(256) leaf_pnl(
    long long leaves, const long long* pointers, const int* instruments, const double* weights,
    long long scenarios, const double* tile,
    double* pnl) {
  const long long cells = leaves * scenarios, step = (long long)gridDim.x * blockDim.x;
  for (long long cell = (long long)blockIdx.x * blockDim.x + threadIdx.x; cell < cells; cell += step) {
    const long long leaf = cell / scenarios;
    double sums[1];
    leaf_sums(tile + cell % scenarios, scenarios, weights, instruments, pointers[leaf], pointers[leaf + 1], sums);
    pnl[cell] = sums[0];
  }
}
