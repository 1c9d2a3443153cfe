// The C ABI of arrays of European options: part of native.cpp, for what is declared there.
#pragma once
#include "european.h"
#include "native.h"

namespace SHOCKGRID_NAMESPACE {

// The columns of some options, whole registers of them, and what their values are made of.
struct Block {
  static constexpr int size = 256, registers = size / WIDTH;
  double forwards[size], strikes[size], years[size], vols[size], discounts[size], sides[size];
  Contract<Number> contracts[registers];
  SpotState<Number> spots[registers];
  Deviation<Number> deviations[registers];

  // Whether all of them are finite. Rows beyond ``present`` repeat the last.
  bool read(const double* const (&columns)[5], const unsigned char* is_call, int present) {
    double* const copies[] = {forwards, strikes, years, vols, discounts};
    bool good = true;
    for (int k = 0; k < 5; ++k) {
      __builtin_memcpy(copies[k], columns[k], sizeof(double) * size_t(present));
      good = good && all_finite(copies[k], present);
    }
    for (int row = 0; row < present; ++row) sides[row] = is_call[row] ? 0.5 : -0.5;
    for (int row = present; row % WIDTH; ++row) {
      for (double* copy : copies) copy[row] = copy[present - 1];
      sides[row] = sides[present - 1];
    }
    return good;
  }

  // Whether a strike of the register is far.
  auto prepare(int r) {
    const int row = r * WIDTH;
    const Number forward = load<Number>(forwards + row), strike = load<Number>(strikes + row);
    const Number discount = load<Number>(discounts + row), root = square_root(load<Number>(years + row));
    contracts[r] = {load<Number>(sides + row), 0.5 * (discount * strike)};
    spots[r] = {log_ratio(forward, strike), discount * forward};
    deviations[r] = deviation_of(load<Number>(vols + row), root);
    return is_far(spots[r].asset, contracts[r].strike());
  }

  // Leaves the values in place of the forwards.
  void price(int present) {
    const int used = (present + WIDTH - 1) / WIDTH;
    auto far = prepare(0);
    for (int r = 1; r < used; ++r) far = far | prepare(r);
    if (any(far)) {
      for (int r = 0; r < used; ++r)
        store(value_of(contracts[r], spots[r].log, spots[r].asset, deviations[r]), forwards + r * WIDTH);
    } else {
      for (int r = 0; r < used; ++r)
        store(value_of<false>(contracts[r], spots[r].log, spots[r].asset, deviations[r]), forwards + r * WIDTH);
    }
  }
};

}  // namespace SHOCKGRID_NAMESPACE

// Discounted Black (1976) values of ``count`` options, elementwise.
SHOCKGRID_EXPORT(shockgrid_black)
(long long count, const double* forwards, const double* strikes, const double* years, const double* vols,
 const double* discount_factors, const unsigned char* is_call, double* values) {
  Block block;
  for (long long start = 0; start < count; start += Block::size) {
    const int present = count - start < Block::size ? int(count - start) : Block::size;
    const double* const columns[] = {forwards + start, strikes + start, years + start, vols + start,
                                     discount_factors + start};
    if (!block.read(columns, is_call + start, present)) return NOT_FINITE;
    block.price(present);
    __builtin_memcpy(values + start, block.forwards, sizeof(double) * size_t(present));
  }
  return any_nan(values, count) ? NOT_A_NUMBER : DONE;
}
