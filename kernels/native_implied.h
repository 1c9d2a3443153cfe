// The C ABI of implied vols: part of native.cpp, for what is declared there.
#pragma once
#include "implied_american.h"
#include "native.h"

namespace SHOCKGRID_NAMESPACE {

struct QuoteColumns {
  const double *prices, *forwards, *strikes, *years, *discount_factors;
  const unsigned char* is_call;

  // A register of them; beyond ``present`` the last is repeated.
  Quote<Number> read(long long start, long long present) const {
    const double* const columns[] = {prices, forwards, strikes, years, discount_factors};
    double lanes[6][WIDTH];
    for (int lane = 0; lane < WIDTH; ++lane) {
      const long long row = start + (lane < present ? lane : present - 1);
      for (int k = 0; k < 5; ++k) lanes[k][lane] = columns[k][row];
      lanes[5][lane] = is_call[row] ? 1.0 : -1.0;
    }
    return {load<Number>(lanes[0]), load<Number>(lanes[1]), load<Number>(lanes[2]),
            load<Number>(lanes[3]), load<Number>(lanes[4]), load<Number>(lanes[5])};
  }
};

// American options, and where to search for their vols; ``tables`` [count, TABLE_RANGES].
struct AmericanQuotes {
  long long count;
  const double *prices, *forwards, *strikes, *years, *discount_factors, *delivered, *rates, *yields;
  const double *first_logs, *lowest_logs, *highest_logs, *least_vols;
  const unsigned char* is_call;
  const int* tables;
  PremiumTables premiums;

  bool sound() const {
    const double* const columns[] = {prices,    forwards, strikes, years,      discount_factors, delivered,
                                     rates,     yields,   first_logs, lowest_logs, highest_logs};
    bool good = !any_nan(least_vols, count);
    for (const double* column : columns) good = good && all_finite(column, count);
    for (long long k = 0; k < count * TABLE_RANGES; ++k)
      good = good && tables[k] >= NO_TABLE_HERE && tables[k] < premiums.count;
    return good;
  }
  ImpliedVol<Number> solve(long long start, long long present) const {
    long long rows[WIDTH];
    const int* ranges[WIDTH];
    double sides[WIDTH];
    for (int lane = 0; lane < WIDTH; ++lane) {
      rows[lane] = start + (lane < present ? lane : present - 1);
      ranges[lane] = tables + rows[lane] * TABLE_RANGES;
      sides[lane] = is_call[rows[lane]] ? 0.5 : -0.5;
    }
    const auto column = [&rows](const double* from) {
      double lanes[WIDTH];
      for (int lane = 0; lane < WIDTH; ++lane) lanes[lane] = from[rows[lane]];
      return load<Number>(lanes);
    };
    const Number side = load<Number>(sides), forward = column(forwards), strike = column(strikes);
    const Number discount = column(discount_factors);
    const Early<Number> early = early_of(side, column(delivered), strike, column(years), column(rates), column(yields));
    return american_implied_vol<Number>(
        premiums,
        {{side, 0.5 * (discount * strike)}, early, log_ratio(forward, strike), discount * forward, column(prices),
         column(first_logs), column(lowest_logs), column(highest_logs), column(least_vols)},
        ranges);
  }
};

}  // namespace SHOCKGRID_NAMESPACE

// Vols and reasons of American prices; a reason may be OFF_TABLES or WANTS_TABLE, see implied_american.h.
SHOCKGRID_EXPORT(shockgrid_american_implied)
(const AmericanQuotes* quotes, double* vols, unsigned char* reasons) {
  if (!quotes->sound()) return NOT_FINITE;
  for (long long start = 0; start < quotes->count; start += WIDTH) {
    const long long present = quotes->count - start < WIDTH ? quotes->count - start : WIDTH;
    const ImpliedVol<Number> found = quotes->solve(start, present);
    for (long long lane = 0; lane < present; ++lane) {
      vols[start + lane] = found.vol.lanes[lane];
      reasons[start + lane] = static_cast<unsigned char>(found.reason.lanes[lane]);
    }
  }
  return any_nan(vols, quotes->count) ? NOT_A_NUMBER : DONE;
}

// Vols and reasons of ``count`` European prices, elementwise.
SHOCKGRID_EXPORT(shockgrid_implied_vol)
(long long count, const double* prices, const double* forwards, const double* strikes, const double* years,
 const double* discount_factors, const unsigned char* is_call, double* vols, unsigned char* reasons) {
  const double* const columns[] = {prices, forwards, strikes, years, discount_factors};
  for (const double* column : columns)
    if (!all_finite(column, count)) return NOT_FINITE;
  const QuoteColumns quotes = {prices, forwards, strikes, years, discount_factors, is_call};
  constexpr int registers = 4, together = registers * WIDTH;
  for (long long start = 0; start < count; start += together) {
    const long long present = count - start < together ? count - start : together;
    Quote<Number> own[registers];
    ImpliedVol<Number> found[registers];
    for (int k = 0; k < registers; ++k) {
      const long long from = k * WIDTH < present ? k * WIDTH : 0;
      own[k] = quotes.read(start + from, present - from);
    }
    Solver<registers, Number> solver;
    solver.solve(own, found);
    for (long long row = 0; row < present; ++row) {
      vols[start + row] = found[row / WIDTH].vol.lanes[row % WIDTH];
      reasons[start + row] = static_cast<unsigned char>(found[row / WIDTH].reason.lanes[row % WIDTH]);
    }
  }
  return any_nan(vols, count) ? NOT_A_NUMBER : DONE;
}
