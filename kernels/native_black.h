// The C ABI of arrays of European options: part of native.cpp, for what is declared there.
#pragma once
#include "european.h"
#include "native.h"

namespace SHOCKGRID_NAMESPACE {

// Whether numbers met so far were within a limit: ``all_within`` for a register at a time.
struct Checked {
  typename Image<Number>::Type signs = {};

  SHOCKGRID_INLINE void add(Number number, unsigned long long limit) {
    signs |= limit - (bits_of(number) & ~SIGN_BIT);
  }
  bool good() const { return !any(typename Number::Mask((signs & SIGN_BIT) != 0)); }
};

// The columns of some options, whole registers of them, and what their values are made of. Columns are copied, which
// reads memory in long runs. Each step is a walk of its own: in one walk the chains of a register are too long for the
// processor to begin the next ones meanwhile.
struct Block {
  static constexpr int size = 256, registers = size / WIDTH;
  double forwards[size], strikes[size], years[size], vols[size], discounts[size], sides[size];
  Contract<Number> contracts[registers];
  SpotState<Number> spots[registers];
  Deviation<Number> deviations[registers];
  Checked finite, numbers;
  typename Number::Mask outside = {};  // of what the Black formula is defined for

  // Rows beyond ``present`` repeat the last.
  void read(const double* const (&columns)[5], const unsigned char* is_call, int present) {
    double* const copies[] = {forwards, strikes, years, vols, discounts};
    for (int k = 0; k < 5; ++k) __builtin_memcpy(copies[k], columns[k], sizeof(double) * size_t(present));
    for (int row = 0; row < present; ++row) sides[row] = is_call[row] ? 0.5 : -0.5;
    for (int row = present; row % WIDTH; ++row) {
      for (double* copy : copies) copy[row] = copy[present - 1];
      sides[row] = sides[present - 1];
    }
  }

  // Whether a strike is far.
  bool prepare(int used) {
    Checked seen = finite;
    typename Number::Mask far = {}, beyond = outside;
    const Number nothing = 0.0;
    for (int r = 0; r < used; ++r) {
      const int row = r * WIDTH;
      const Number forward = load<Number>(forwards + row), strike = load<Number>(strikes + row);
      const Number discount = load<Number>(discounts + row);
      seen.add(forward, BITS_OF_INFINITY - 1);
      seen.add(strike, BITS_OF_INFINITY - 1);
      seen.add(discount, BITS_OF_INFINITY - 1);
      beyond |= (strike < nothing) | ~(nothing < discount);
      contracts[r] = {load<Number>(sides + row), 0.5 * (discount * strike)};
      spots[r] = {log_ratio(forward, strike), discount * forward};
      far |= is_far(spots[r].asset, contracts[r].strike());
    }
    for (int r = 0; r < used; ++r) {
      const Number length = load<Number>(years + r * WIDTH), vol = load<Number>(vols + r * WIDTH);
      seen.add(length, BITS_OF_INFINITY - 1);
      seen.add(vol, BITS_OF_INFINITY - 1);
      beyond |= (length < nothing) | (vol < nothing);
      deviations[r] = deviation_of(vol, square_root(length));
    }
    finite = seen;
    outside = beyond;
    return any(far);
  }

  // Leaves the values in place of the forwards. Meanwhile asks for the columns of the next block, and for where these
  // values go: addresses beyond the end do no harm.
  template <bool far> void price(int used, const double* const (&columns)[5], const double* values) {
    Checked seen = numbers;
    for (int r = 0; r < used; ++r) {
      for (const double* column : columns) __builtin_prefetch(column + size + r * WIDTH);
      __builtin_prefetch(values + r * WIDTH, 1);
      const Number value = far ? value_of(contracts[r], spots[r].log, spots[r].asset, deviations[r])
                               : value_of<false>(contracts[r], spots[r].log, spots[r].asset, deviations[r]);
      seen.add(value, BITS_OF_INFINITY);
      store(value, forwards + r * WIDTH);
    }
    numbers = seen;
  }
};

// With ``checked`` strikes, lives and vols below 0 and discount factors not above it are as bad as NaN.
inline Status price_options(
    long long count, const double* const (&columns)[5], const unsigned char* is_call, bool checked, double* values) {
  Block block;
  for (long long start = 0; start < count; start += Block::size) {
    const int present = count - start < Block::size ? int(count - start) : Block::size;
    const int used = (present + WIDTH - 1) / WIDTH;
    const double* const own[] = {columns[0] + start, columns[1] + start, columns[2] + start, columns[3] + start,
                                 columns[4] + start};
    block.read(own, is_call + start, present);
    const bool far = block.prepare(used);
    if (!block.finite.good() || (checked && any(block.outside))) return NOT_FINITE;
    if (far) block.price<true>(used, own, values + start);
    else block.price<false>(used, own, values + start);
    __builtin_memcpy(values + start, block.forwards, sizeof(double) * size_t(present));
  }
  return block.numbers.good() ? DONE : NOT_A_NUMBER;
}

}  // namespace SHOCKGRID_NAMESPACE

// Discounted Black (1976) values of ``count`` options, elementwise.
SHOCKGRID_EXPORT(shockgrid_black)
(long long count, const double* forwards, const double* strikes, const double* years, const double* vols,
 const double* discount_factors, const unsigned char* is_call, double* values) {
  return price_options(count, {forwards, strikes, years, vols, discount_factors}, is_call, false, values);
}
SHOCKGRID_EXPORT(shockgrid_black_checked)
(long long count, const double* forwards, const double* strikes, const double* years, const double* vols,
 const double* discount_factors, const unsigned char* is_call, double* values) {
  return price_options(count, {forwards, strikes, years, vols, discount_factors}, is_call, true, values);
}
