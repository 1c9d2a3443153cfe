// CUDA entry points for exercise boundaries and premium tables: a thread a put, then a thread a coefficient. Compile
// with --fmad=false; then every table has the bits of the CPU library. Every parameter is 8 bytes, a count or an
// address; a plan lies on the device and holds addresses of the device.
#include "premium.h"

using namespace SHOCKGRID_NAMESPACE;

// Squared logs of boundary over its limit at the nodes of the plan, the longest time first: [puts, nodes].
extern "C" __global__ void __launch_bounds__(128) exercise_boundaries(
    const Plan* given, long long puts, const double* years, const double* vols, const double* rates,
    const double* yields, double* squares) {
  const Plan& plan = *given;
  const long long step = (long long)gridDim.x * blockDim.x;
  for (long long row = (long long)blockIdx.x * blockDim.x + threadIdx.x; row < puts; row += step) {
    const Put<double> put = {years[row], vols[row], rates[row], yields[row]};
    double own[MOST_NODES];
    solve(plan, put, put.log_limit(), own);
    for (long long k = 0; k < plan.nodes; ++k) squares[row * plan.nodes + k] = own[k];
  }
}

// Powers of t and, behind them, the log of the boundary of puts of strike 1: [puts, gaps + 1]. Each put has the plan
// of its effort, all of one number of gaps; ``order`` [puts] has those of one effort side by side.
extern "C" __global__ void __launch_bounds__(128) premium_powers(
    const Plan* plans, long long puts, const double* years, const double* vols, const double* rates,
    const double* yields, const long long* efforts, const long long* order, double* powers) {
  const long long step = (long long)gridDim.x * blockDim.x;
  for (long long place = (long long)blockIdx.x * blockDim.x + threadIdx.x; place < puts; place += step) {
    const long long row = order[place];
    const Plan& plan = plans[efforts[row]];
    const Put<double> put = {years[row], vols[row], rates[row], yields[row]};
    const Sample<double> sample(plan, put);
    double* own = powers + row * (plan.gaps + 1);
    convert(plan, sample.premiums, own);
    own[plan.gaps] = sample.edge;
  }
}

// Coefficients [tables, vols, gaps] and boundaries [tables, vols] from the powers [tables, vols, gaps + 1].
extern "C" __global__ void __launch_bounds__(256) premium_coefficients(
    const Plan* given, long long tables, const double* powers, double* coefficients, double* boundaries) {
  const Plan& plan = *given;
  const long long stride = plan.gaps + 1, cells = plan.vols * tables * stride;
  const long long step = (long long)gridDim.x * blockDim.x;
  for (long long cell = (long long)blockIdx.x * blockDim.x + threadIdx.x; cell < cells; cell += step) {
    const long long gap = cell % stride, to = cell / stride, order = to % plan.vols, table = to / plan.vols;
    const double value = vol_coefficient(plan, order, powers + table * plan.vols * stride + gap, stride);
    if (gap == plan.gaps) boundaries[to] = value;
    else coefficients[to * plan.gaps + gap] = value;
  }
}
