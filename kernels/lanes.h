// The number that the kernels compute with: a double on a GPU thread, a few doubles at once on the CPU. What only
// screens (screen.h) computes with floats.
//
// Every operation here is correctly rounded (IEEE 754) or works on bits, none is an intrinsic of one
// processor, and none depends on the number of lanes: whatever is written with them gives the same bits on
// every instruction set and device. Compile with -ffp-contract=off (--fmad=false for CUDA), never with
// -ffast-math. No header is included, so that NVRTC can compile this text by itself.
#pragma once

#if defined(__CUDACC__)
#define SHOCKGRID_INLINE __device__ __forceinline__
#define SHOCKGRID_NO_INLINE __device__ __noinline__
#define SHOCKGRID_UNROLL _Pragma("unroll")
#else
#define SHOCKGRID_INLINE inline __attribute__((always_inline))
#define SHOCKGRID_NO_INLINE __attribute__((noinline))
#define SHOCKGRID_UNROLL _Pragma("GCC unroll 32")
#define SHOCKGRID_UNROLL_TWICE _Pragma("GCC unroll 2")
#define SHOCKGRID_NO_UNROLL _Pragma("GCC unroll 1")
#endif

// One name per build, so that the linker cannot put one instruction set's code in place of another's.
#ifndef SHOCKGRID_NAMESPACE
#define SHOCKGRID_NAMESPACE shockgrid
#endif

namespace SHOCKGRID_NAMESPACE {

constexpr unsigned long long SIGN_BIT = 1ull << 63;

// Image<Number>: the unsigned integers behind a number, as wide as its lanes.
template <class Number> struct Image;
template <> struct Image<double> {
  typedef unsigned long long Type;
  static constexpr Type SIGN = SIGN_BIT;
};
template <> struct Image<float> {
  typedef unsigned Type;
  static constexpr Type SIGN = 1u << 31;
};

#if defined(__CUDACC__)

#define SHOCKGRID_KEEP_TOGETHER(vector)
SHOCKGRID_INLINE double fused(double a, double b, double c) { return __fma_rn(a, b, c); }
SHOCKGRID_INLINE double magnitude(double a) { return fabs(a); }
SHOCKGRID_INLINE double square_root(double a) { return __dsqrt_rn(a); }
SHOCKGRID_INLINE double select(bool mask, double a, double b) { return mask ? a : b; }
SHOCKGRID_INLINE bool any(bool mask) { return mask; }
SHOCKGRID_INLINE unsigned long long bits_of(double a) {
  return static_cast<unsigned long long>(__double_as_longlong(a));
}
template <class Number> SHOCKGRID_INLINE Number number_of(unsigned long long bits) {
  return __longlong_as_double(static_cast<long long>(bits));
}
template <class Number> SHOCKGRID_INLINE Number load(const double* from) { return *from; }
SHOCKGRID_INLINE void store(double value, double* to) { *to = value; }
template <class Number> SHOCKGRID_INLINE double looked_up(const double* from, unsigned long long row) { return from[row]; }
SHOCKGRID_INLINE double gathered(const double* rows, unsigned long long row) { return rows[row]; }
SHOCKGRID_INLINE void add_at(double* rows, unsigned long long row, double part) { rows[row] += part; }

SHOCKGRID_INLINE float fused(float a, float b, float c) { return __fmaf_rn(a, b, c); }
SHOCKGRID_INLINE float magnitude(float a) { return fabsf(a); }
SHOCKGRID_INLINE float select(bool mask, float a, float b) { return mask ? a : b; }
SHOCKGRID_INLINE unsigned bits_of(float a) { return __float_as_uint(a); }
template <> SHOCKGRID_INLINE float number_of<float>(unsigned long long bits) {
  return __uint_as_float(static_cast<unsigned>(bits));
}

#else

template <int count, class Real = double> struct Lanes;
template <int count, class Real> struct Image<Lanes<count, Real>> {
  typedef typename Image<Real>::Type Type __attribute__((vector_size(sizeof(Real) * count)));
  static constexpr typename Image<Real>::Type SIGN = Image<Real>::SIGN;
};
// What a comparison of two reals gives in a lane.
template <class Real> struct Flag;
template <> struct Flag<double> {
  typedef long long Type;
};
template <> struct Flag<float> {
  typedef int Type;
};

template <int count, class Real> struct Lanes {
  typedef Real Scalar;
  typedef Real Vector __attribute__((vector_size(sizeof(Real) * count)));
  typedef typename Flag<Real>::Type Mask __attribute__((vector_size(sizeof(Real) * count)));
  Vector lanes;

  Lanes() = default;
  SHOCKGRID_INLINE Lanes(Real number) : lanes(number - Vector{}) {}
};
template <int count, class Real = double>
SHOCKGRID_INLINE Lanes<count, Real> lanes_of(typename Lanes<count, Real>::Vector vector) {
  Lanes<count, Real> result;
  result.lanes = vector;
  return result;
}

#define SHOCKGRID_OPERATOR(sign)                                                                            \
  template <int count, class Real>                                                                          \
  SHOCKGRID_INLINE Lanes<count, Real> operator sign(Lanes<count, Real> a, Lanes<count, Real> b) {           \
    return lanes_of<count, Real>(a.lanes sign b.lanes);                                                     \
  }                                                                                                         \
  template <int count, class Real>                                                                          \
  SHOCKGRID_INLINE Lanes<count, Real> operator sign(                                                        \
      Lanes<count, Real> a, typename Lanes<count, Real>::Scalar b) {                                        \
    return a sign Lanes<count, Real>(b);                                                                    \
  }                                                                                                         \
  template <int count, class Real>                                                                          \
  SHOCKGRID_INLINE Lanes<count, Real> operator sign(                                                        \
      typename Lanes<count, Real>::Scalar a, Lanes<count, Real> b) {                                        \
    return Lanes<count, Real>(a) sign b;                                                                    \
  }
SHOCKGRID_OPERATOR(+)
SHOCKGRID_OPERATOR(-)
SHOCKGRID_OPERATOR(*)
SHOCKGRID_OPERATOR(/)
#undef SHOCKGRID_OPERATOR

template <int count, class Real> SHOCKGRID_INLINE Lanes<count, Real> operator-(Lanes<count, Real> a) {
  return lanes_of<count, Real>(-a.lanes);
}
template <int count, class Real>
SHOCKGRID_INLINE typename Lanes<count, Real>::Mask operator<(Lanes<count, Real> a, Lanes<count, Real> b) {
  return a.lanes < b.lanes;
}
template <int count, class Real>
SHOCKGRID_INLINE Lanes<count, Real> select(
    typename Lanes<count, Real>::Mask mask, Lanes<count, Real> a, Lanes<count, Real> b) {
  return lanes_of<count, Real>(mask ? a.lanes : b.lanes);
}

// Whether one lane of the mask is true. A byte of each lane is enough.
template <class Mask> SHOCKGRID_INLINE bool any(Mask mask) {
  constexpr int count = sizeof mask / sizeof mask[0];
  typedef signed char Bytes __attribute__((vector_size(count)));
  const Bytes bytes = __builtin_convertvector(mask, Bytes);
  unsigned long long words[(count + 7) / 8] = {}, all = 0;
  __builtin_memcpy(words, &bytes, sizeof bytes);
  for (const unsigned long long word : words) all |= word;
  return all != 0;
}

// The compiler makes one vector instruction of each of these loops where the processor has one. Left alone,
// g++ 12 takes long chains of them apart again and computes some lane by lane, some six times slower; an empty
// statement that wants the result in one register stops that.
#if defined(__clang__)
#define SHOCKGRID_KEEP_TOGETHER(vector)
#elif defined(__x86_64__)
#define SHOCKGRID_KEEP_TOGETHER(vector) __asm__("" : "+v"(vector))
#else
#define SHOCKGRID_KEEP_TOGETHER(vector) __asm__("" : "+w"(vector))
#endif
SHOCKGRID_INLINE double lane_fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
SHOCKGRID_INLINE float lane_fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
SHOCKGRID_INLINE double lane_magnitude(double a) { return __builtin_fabs(a); }
SHOCKGRID_INLINE float lane_magnitude(float a) { return __builtin_fabsf(a); }
template <int count, class Real>
SHOCKGRID_INLINE Lanes<count, Real> fused(Lanes<count, Real> a, Lanes<count, Real> b, Lanes<count, Real> c) {
  Lanes<count, Real> result;
  for (int lane = 0; lane < count; ++lane)
    result.lanes[lane] = lane_fused(a.lanes[lane], b.lanes[lane], c.lanes[lane]);
  SHOCKGRID_KEEP_TOGETHER(result.lanes);
  return result;
}
SHOCKGRID_INLINE double square_root(double a) { return __builtin_sqrt(a); }
template <int count> SHOCKGRID_INLINE Lanes<count> square_root(Lanes<count> a) {
  Lanes<count> result;
  for (int lane = 0; lane < count; ++lane) result.lanes[lane] = __builtin_sqrt(a.lanes[lane]);
  return result;
}
template <int count, class Real> SHOCKGRID_INLINE Lanes<count, Real> magnitude(Lanes<count, Real> a) {
  Lanes<count, Real> result;
  for (int lane = 0; lane < count; ++lane) result.lanes[lane] = lane_magnitude(a.lanes[lane]);
  return result;
}

template <int count, class Real>
SHOCKGRID_INLINE typename Image<Lanes<count, Real>>::Type bits_of(Lanes<count, Real> a) {
  return (typename Image<Lanes<count, Real>>::Type)a.lanes;
}
template <class Number> SHOCKGRID_INLINE Number number_of(typename Image<Number>::Type bits) {
  Number result;
  result.lanes = (typename Number::Vector)bits;
  return result;
}
template <class Number> SHOCKGRID_INLINE Number load(const typename Number::Scalar* from) {
  Number result;
  __builtin_memcpy(&result, from, sizeof result);
  return result;
}
template <class Number> SHOCKGRID_INLINE void store(Number value, typename Number::Scalar* to) {
  __builtin_memcpy(to, &value, sizeof value);
}
template <class Number> SHOCKGRID_INLINE Number looked_up(const double* from, typename Image<Number>::Type row) {
  double lanes[sizeof(Number) / sizeof(double)];
  for (unsigned lane = 0; lane < sizeof(Number) / sizeof(double); ++lane) lanes[lane] = from[row[lane]];
  return load<Number>(lanes);
}
// Of each lane the row that is its own: moves bits and rounds nothing, so that no instruction set matters.
template <int count>
SHOCKGRID_INLINE Lanes<count> gathered(const Lanes<count>* rows, typename Image<Lanes<count>>::Type row) {
  Lanes<count> result;
  SHOCKGRID_UNROLL
  for (int lane = 0; lane < count; ++lane) result.lanes[lane] = rows[row[lane]].lanes[lane];
  return result;
}
template <int count>
SHOCKGRID_INLINE void add_at(Lanes<count>* rows, typename Image<Lanes<count>>::Type row, Lanes<count> part) {
  for (int lane = 0; lane < count; ++lane) rows[row[lane]].lanes[lane] += part.lanes[lane];
}

// Two rows of a square block trade their lanes ``step`` apart; log2(count) such rounds transpose it.
template <int... lane> struct Sequence {};
template <int count, int... lane> struct Counted : Counted<count - 1, count - 1, lane...> {};
template <int... lane> struct Counted<0, lane...> {
  typedef Sequence<lane...> Type;
};
#if defined(__clang__)
#define SHOCKGRID_SHUFFLE(a, b, index) __builtin_shufflevector(a, b, (index)...)
#else
#define SHOCKGRID_SHUFFLE(a, b, index) __builtin_shuffle(a, b, typename Lanes<count, Real>::Mask{(index)...})
#endif
template <int step, int count, class Real, int... lane>
SHOCKGRID_INLINE void trade(Lanes<count, Real>& upper, Lanes<count, Real>& lower, Sequence<lane...>) {
  const auto a = upper.lanes, b = lower.lanes;
  upper.lanes = SHOCKGRID_SHUFFLE(a, b, lane & step ? count + lane - step : lane);
  lower.lanes = SHOCKGRID_SHUFFLE(a, b, lane & step ? count + lane : lane + step);
}
#undef SHOCKGRID_SHUFFLE

// Row i, lane j changes places with row j, lane i.
template <int step = 1, int count, class Real>
SHOCKGRID_INLINE void transpose(Lanes<count, Real> (&rows)[count]) {
  if constexpr (step < count) {
    SHOCKGRID_UNROLL
    for (int row = 0; row < count; ++row)
      if (!(row & step)) trade<step>(rows[row], rows[row + step], typename Counted<count>::Type());
    transpose<2 * step>(rows);
  }
}

#endif

template <class Number> SHOCKGRID_INLINE Number lesser(Number a, Number b) { return select(a < b, a, b); }
template <class Number> SHOCKGRID_INLINE Number greater(Number a, Number b) { return select(b < a, a, b); }

// ``a`` with its sign turned where ``sign`` is negative: an exclusive or, dearer as a choice.
template <class Number> SHOCKGRID_INLINE Number turned(Number a, Number sign) {
  return number_of<Number>(bits_of(a) ^ (bits_of(sign) & Image<Number>::SIGN));
}

}  // namespace SHOCKGRID_NAMESPACE
