/* Vectors of doubles, their exponentials and logarithms, and the one choice of what this processor runs.
 *
 * A kernel is written once, on the vector types below, and compiled once for every build: for the baseline of the
 * platform, which any processor runs, and for wider instructions. A header of kernels looks like this:
 *
 *     #ifndef SIMD_BUILD
 *     #include "_simd.h"
 *     SIMD_DISPATCH(double, sum_of, (const double *v, ptrdiff_t n), (v, n))
 *     #define SIMD_BODY "_this_header.h"
 *     #include "_simd.h"
 *     #else
 *     SIMD_ENTRY double SIMD(sum_of)(const double *v, ptrdiff_t n) { ... SIMD(load)(v + i) ... }
 *     #endif
 *
 * The second inclusion includes the header again for each build, and `sum_of(v, n)` runs the one that _cpu.pyx has
 * chosen. Inside of a build: SIMD(name) is the name of a function of this build, SIMD_ENTRY starts one that is
 * dispatched to, SIMD_INLINE one that those use, and SIMD_FMA, SIMD_MAX, SIMD_MIN are a b + c and what they say; of two
 * numbers, one of them NaN, MAX and MIN take the second. A vector, simd_vec, has SIMD_W doubles, 4 or 8 by the build;
 * what is laid out for every build is padded by SIMD_WIDEST.
 *
 * No other file knows of any processor. Another build takes a pass at the end of this file and a row of simd_builds.
 *
 * With SIMD_WIDE_ON_AVX2 the pass for AVX-512 is compiled for AVX2, two registers a vector: slow, but any processor of
 * today runs the code of the wide build through the tests.
 */
#ifndef STOTMETRICS_SIMD_H
#define STOTMETRICS_SIMD_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
#define SIMD_X86 1
#include <immintrin.h>
#endif

/* ---- types ------------------------------------------------------------------------------------------------------ */

#define SIMD_WIDEST 8

#define SIMD_TYPES(width)                                                                                              \
    typedef double simd_vec_##width __attribute__((vector_size(8 * width)));                                           \
    typedef int64_t simd_bits_##width __attribute__((vector_size(8 * width)));                                         \
    typedef uint64_t simd_words_##width __attribute__((vector_size(8 * width)));                                       \
    /* The same at any address. */                                                                                     \
    typedef double simd_loose_##width __attribute__((vector_size(8 * width), aligned(8), may_alias));
SIMD_TYPES(4)
SIMD_TYPES(8)

/* As many bytes of numbers in single precision. */
typedef float simd_floats_4 __attribute__((vector_size(32)));
typedef float simd_floats_8 __attribute__((vector_size(64)));
typedef int32_t simd_ints_4 __attribute__((vector_size(32)));
typedef int32_t simd_ints_8 __attribute__((vector_size(64)));

/* Those of the build. */
#define simd_floats SIMD_SIZED(simd_floats)
#define simd_ints SIMD_SIZED(simd_ints)
#define simd_vec SIMD_SIZED(simd_vec)
#define simd_bits SIMD_SIZED(simd_bits)
#define simd_words SIMD_SIZED(simd_words)
#define simd_loose SIMD_SIZED(simd_loose)

#if defined(__clang__)
#define SIMD_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SIMD_UNROLL _Pragma("GCC unroll 8")
#endif

/* ---- the choice ------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    int (*runs)(void); /* whether this processor does */
} simd_build;

static int simd_always(void) { return 1; }

#ifdef SIMD_X86
static int simd_has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#ifndef SIMD_WIDE_ON_AVX2
/* The system keeps the wide registers of a process, or these functions say no. */
static int simd_has_avx512(void) { return simd_has_avx2() && __builtin_cpu_supports("avx512f"); }
#endif
#endif

/* From the narrowest to the widest. */
static const simd_build simd_builds[] = {
    {"baseline", simd_always},
#ifdef SIMD_X86
    {"avx2", simd_has_avx2},
#ifdef SIMD_WIDE_ON_AVX2
    {"wide", simd_has_avx2},
#else
    {"avx512", simd_has_avx512},
#endif
#endif
};
static const int simd_count = sizeof simd_builds / sizeof *simd_builds;

/* Where the choice stands: a number of simd_builds, in _cpu.pyx. Every extension module is told once, at import. */
static const int *simd_choice = NULL;
static void simd_follow(const int *choice) { simd_choice = choice; }
/* It may change while others look. */
static inline int simd_chosen(void) { return __atomic_load_n(simd_choice, __ATOMIC_RELAXED); }
static void simd_choose(int *choice, int build) { __atomic_store_n(choice, build, __ATOMIC_RELAXED); }
static const char *simd_running(void) { return simd_builds[simd_chosen()].name; }
static const char *simd_name(int build) { return simd_builds[build].name; }
static int simd_runs(int build) { return simd_builds[build].runs(); }

#ifdef SIMD_X86
#define SIMD_DISPATCH(type, name, declared, passed)                                                                    \
    static type name##_baseline declared;                                                                              \
    static type name##_avx2 declared;                                                                                  \
    static type name##_avx512 declared;                                                                                \
    static type name declared                                                                                          \
    {                                                                                                                  \
        const int simd_now = simd_chosen();                                                                            \
        if (simd_now == 2) return name##_avx512 passed;                                                                \
        return simd_now == 1 ? name##_avx2 passed : name##_baseline passed;                                            \
    }
#else
#define SIMD_DISPATCH(type, name, declared, passed)                                                                    \
    static type name##_baseline declared;                                                                              \
    static type name declared { return name##_baseline passed; }
#endif

/* With `on`, results below the normal numbers are zero until simd_restore: some processors take a hundred times as long
 * for them. */
#if defined(SIMD_X86) && defined(__SSE__)
static inline unsigned simd_flush(int on)
{
    const unsigned state = _mm_getcsr();
    _mm_setcsr(on ? state | 0x8000 : state & ~0x8000u);
    return state;
}
static inline void simd_restore(unsigned state) { _mm_setcsr(state); }
#else
static inline unsigned simd_flush(int on) { return (unsigned)on; }
static inline void simd_restore(unsigned state) { (void)state; }
#endif

#define SIMD_JOIN_(a, b) a##_##b
#define SIMD_JOIN(a, b) SIMD_JOIN_(a, b)
#define SIMD(name) SIMD_JOIN(name, SIMD_BUILD)
#define SIMD_SIZED(name) SIMD_JOIN(name, SIMD_W)
#define SIMD_INLINE static inline __attribute__((always_inline)) SIMD_TARGET
#define SIMD_ENTRY static __attribute__((noinline)) SIMD_TARGET

/* No function: clang passes no wide vector to one that is not built for the processor of its caller, inlined or not. */
#define simd_select(mask, yes, no)                                                                                     \
    __extension__({                                                                                                    \
        simd_bits simd_mask_ = (mask);                                                                                 \
        (simd_vec)((simd_mask_ & (simd_bits)(yes)) | (~simd_mask_ & (simd_bits)(no)));                                 \
    })

#define simd_select_floats(mask, yes, no)                                                                              \
    __extension__({                                                                                                    \
        simd_ints simd_mask_ = (mask);                                                                                 \
        (simd_floats)((simd_mask_ & (simd_ints)(yes)) | (~simd_mask_ & (simd_ints)(no)));                              \
    })

/* simd_places + 8 - n: n entries that are there, then some that are not. */
static const int64_t simd_places[16] = {-1, -1, -1, -1, -1, -1, -1, -1};

/* 2^(-j / 16). */
static const double simd_sixteenths[16] = {
    0x1.0000000000000p+0, 0x1.ea4afa2a490dap-1, 0x1.d5818dcfba487p-1, 0x1.c199bdd85529cp-1,
    0x1.ae89f995ad3adp-1, 0x1.9c49182a3f090p-1, 0x1.8ace5422aa0dbp-1, 0x1.7a11473eb0187p-1,
    0x1.6a09e667f3bcdp-1, 0x1.5ab07dd485429p-1, 0x1.4bfdad5362a27p-1, 0x1.3dea64c123422p-1,
    0x1.306fe0a31b715p-1, 0x1.2387a6e756238p-1, 0x1.172b83c7d517bp-1, 0x1.0b5586cf9890fp-1,
};
/* The same with j added to the bits that lie 4 below the exponent: what j, shifted there, takes away again. */
static const double simd_sixteenths_lifted[16] = {
    0x1.0000000000000p+0, 0x1.fa4afa2a490dap-1, 0x1.f5818dcfba487p-1, 0x1.f199bdd85529cp-1,
    0x1.ee89f995ad3adp-1, 0x1.ec49182a3f090p-1, 0x1.eace5422aa0dbp-1, 0x1.ea11473eb0187p-1,
    0x1.ea09e667f3bcdp-1, 0x1.eab07dd485429p-1, 0x1.ebfdad5362a27p-1, 0x1.edea64c123422p-1,
    0x1.f06fe0a31b715p-1, 0x1.f387a6e756238p-1, 0x1.f72b83c7d517bp-1, 0x1.fb5586cf9890fp-1,
};

/* Largest and smallest of vectors for the baseline. */
#ifdef __SSE2__
typedef union {
    simd_vec_4 whole;
    __m128d half[2];
} simd_halves;
static inline __attribute__((always_inline)) simd_vec_4 simd_max_baseline(simd_vec_4 a, simd_vec_4 b)
{
    simd_halves p = {a}, q = {b};
    p.half[0] = _mm_max_pd(p.half[0], q.half[0]);
    p.half[1] = _mm_max_pd(p.half[1], q.half[1]);
    return p.whole;
}
static inline __attribute__((always_inline)) simd_vec_4 simd_min_baseline(simd_vec_4 a, simd_vec_4 b)
{
    simd_halves p = {a}, q = {b};
    p.half[0] = _mm_min_pd(p.half[0], q.half[0]);
    p.half[1] = _mm_min_pd(p.half[1], q.half[1]);
    return p.whole;
}
#else
#define simd_max_baseline(a, b) simd_select((simd_bits)((a) > (b)), a, b)
#define simd_min_baseline(a, b) simd_select((simd_bits)((a) < (b)), a, b)
#endif

#ifdef SIMD_WIDE_ON_AVX2
typedef union {
    simd_vec_8 whole;
    __m256d half[2];
} simd_two;
#define SIMD_OF_TWO static inline __attribute__((always_inline, target("avx2,fma"))) simd_vec_8
SIMD_OF_TWO simd_fma_of_two(simd_vec_8 a, simd_vec_8 b, simd_vec_8 c)
{
    const simd_two p = {a}, q = {b}, r = {c};
    return (simd_two){.half = {_mm256_fmadd_pd(p.half[0], q.half[0], r.half[0]),
                               _mm256_fmadd_pd(p.half[1], q.half[1], r.half[1])}}.whole;
}
SIMD_OF_TWO simd_max_of_two(simd_vec_8 a, simd_vec_8 b)
{
    const simd_two p = {a}, q = {b};
    return (simd_two){.half = {_mm256_max_pd(p.half[0], q.half[0]), _mm256_max_pd(p.half[1], q.half[1])}}.whole;
}
SIMD_OF_TWO simd_min_of_two(simd_vec_8 a, simd_vec_8 b)
{
    const simd_two p = {a}, q = {b};
    return (simd_two){.half = {_mm256_min_pd(p.half[0], q.half[0]), _mm256_min_pd(p.half[1], q.half[1])}}.whole;
}
SIMD_OF_TWO simd_look_up_of_two(const double *table, simd_bits_8 n)
{
    simd_vec_8 v;
    for (int k = 0; k < 8; k++) v[k] = table[n[k] & 15];
    return v;
}
/* Of e <= 0 in the range of normal numbers, or beyond. */
SIMD_OF_TWO simd_scale_of_two(simd_vec_8 a, simd_vec_8 e)
{
    const simd_vec_8 base = e * 0.0 + (0x1p52 + 1023), low = e * 0.0 - 1022.0;
    return a * (simd_vec_8)((simd_bits_8)(simd_max_of_two(e, low) + base) << 52);
}
#endif

#endif

/* ---- inside of a build: reading, writing, arithmetic ------------------------------------------------------------ */

#if defined(SIMD_BUILD)

SIMD_INLINE simd_vec SIMD(load)(const double *p) { return *(const simd_loose *)p; }
SIMD_INLINE void SIMD(store)(double *p, simd_vec v) { *(simd_loose *)p = v; }
#if SIMD_W == 8
SIMD_INLINE simd_vec SIMD(all)(double a) { return (simd_vec){a, a, a, a, a, a, a, a}; }
#else
SIMD_INLINE simd_vec SIMD(all)(double a) { return (simd_vec){a, a, a, a}; }
#endif

/* The last few entries of an array are read into a vector filled up with a neutral element. */
SIMD_INLINE simd_bits SIMD(places)(ptrdiff_t left)
{
    return (simd_bits)(*(const simd_loose *)(simd_places + 8 - left));
}
SIMD_INLINE simd_vec SIMD(read)(const double *p, ptrdiff_t left, double fill)
{
    if (left >= SIMD_W) return SIMD(load)(p);
#ifdef SIMD_READ_SOME
    return SIMD_READ_SOME(p, left, fill);
#else
    simd_vec v = SIMD(all)(fill);
    for (ptrdiff_t i = 0; i < left; i++) v[i] = p[i];
    return v;
#endif
}
SIMD_INLINE void SIMD(write)(double *p, ptrdiff_t left, simd_vec v)
{
    if (left >= SIMD_W) {
        SIMD(store)(p, v);
        return;
    }
#ifdef SIMD_WRITE_SOME
    SIMD_WRITE_SOME(p, left, v);
#else
    for (ptrdiff_t i = 0; i < left; i++) p[i] = v[i];
#endif
}
/* The first entries, and zero behind them. */
SIMD_INLINE simd_vec SIMD(first)(simd_vec v, ptrdiff_t left)
{
    return left >= SIMD_W ? v : (simd_vec)((simd_bits)v & SIMD(places)(left));
}

SIMD_INLINE double SIMD(total)(simd_vec v)
{
    double sum = (v[0] + v[1]) + (v[2] + v[3]);
    for (int k = 4; k < SIMD_W; k += 4) sum += (v[k] + v[k + 1]) + (v[k + 2] + v[k + 3]);
    return sum;
}
SIMD_INLINE double SIMD(largest)(simd_vec v)
{
    double most = v[0];
    SIMD_UNROLL
    for (int k = 1; k < SIMD_W; k++) most = v[k] > most ? v[k] : most;
    return most;
}
SIMD_INLINE double SIMD(smallest)(simd_vec v)
{
    double least = v[0];
    SIMD_UNROLL
    for (int k = 1; k < SIMD_W; k++) least = v[k] < least ? v[k] : least;
    return least;
}

/* 2^f for |f| <= 1/2, relative error 2e-16 (minimax); exactly 1 at 0. Even and odd powers apart: two chains overlap. */
SIMD_INLINE simd_vec SIMD(exp2)(simd_vec f)
{
    const simd_vec q = f * f;
    simd_vec odd = SIMD_FMA(SIMD(all)(0x1.b6740fc28f781p-24), q, SIMD(all)(0x1.ffcb55e82f22cp-17));
    simd_vec even = SIMD_FMA(SIMD(all)(0x1.e3991e644e6abp-28), q, SIMD(all)(0x1.62c157ee59177p-20));
    odd = SIMD_FMA(odd, q, SIMD(all)(0x1.5d87fe9cc5d6fp-10));
    even = SIMD_FMA(even, q, SIMD(all)(0x1.4309126056718p-13));
    odd = SIMD_FMA(odd, q, SIMD(all)(0x1.c6b08d703d48ap-5));
    even = SIMD_FMA(even, q, SIMD(all)(0x1.3b2ab6fbde0f7p-7));
    odd = SIMD_FMA(odd, q, SIMD(all)(0x1.62e42fefa3a17p-1));
    even = SIMD_FMA(even, q, SIMD(all)(0x1.ebfbdff82c3b9p-3));
    even = SIMD_FMA(even, q, SIMD(all)(1.0));
    return SIMD_FMA(odd, f, even);
}

#ifdef SIMD_LOOK_UP
/* 2^(-n / 16), a normal number, for the whole n that the low bits hold: sixteenths from the table, the rest into the
 * exponent. */
SIMD_INLINE simd_vec SIMD(minus_sixteenths)(simd_bits n)
{
    return (simd_vec)((simd_bits)SIMD_LOOK_UP(simd_sixteenths_lifted, n) - (n << 48));
}

/* 2^(r / 16) for |r| <= 1/2, relative error 7e-18 before rounding (minimax); exactly 1 at 0. */
SIMD_INLINE simd_vec SIMD(exp2_sixteenth)(simd_vec r)
{
    simd_vec p = SIMD_FMA(SIMD(all)(0x1.430cbb89bac68p-37), r, SIMD(all)(0x1.5d89c0d29454ep-30));
    p = SIMD_FMA(p, r, SIMD(all)(0x1.3b2ab6f893ffap-23));
    p = SIMD_FMA(p, r, SIMD(all)(0x1.c6b08d6e8525ep-17));
    p = SIMD_FMA(p, r, SIMD(all)(0x1.ebfbdff82c5b1p-11));
    p = SIMD_FMA(p, r, SIMD(all)(0x1.62e42fefa39fdp-5));
    return SIMD_FMA(p, r, SIMD(all)(1.0));
}

/* exp within [-708, 709], where it is a normal number, to about one unit in the last place. */
SIMD_INLINE simd_vec SIMD(exp_normal)(simd_vec x)
{
    /* x = r - n log(2) / 16 with |r| <= log(2) / 32; adding the magic number rounds, and leaves n in the low bits. */
    const simd_vec magic = SIMD(all)(0x1.8p52);
    const simd_vec n = SIMD_FMA(x, SIMD(all)(-0x1.71547652b82fep+4), magic);
    simd_vec r = SIMD_FMA(n - magic, SIMD(all)(0x1.62e42fefa0000p-5), x);
    r = SIMD_FMA(n - magic, SIMD(all)(0x1.cf79abc9e3b3ap-44), r);
    /* Minimax, as above. */
    simd_vec p = SIMD_FMA(SIMD(all)(0x1.6c1ae103d1b8cp-10), r, SIMD(all)(0x1.111270e5ce236p-7));
    p = SIMD_FMA(p, r, SIMD(all)(0x1.555555520342fp-5));
    p = SIMD_FMA(p, r, SIMD(all)(0x1.5555555401583p-3));
    p = SIMD_FMA(p, r, SIMD(all)(0x1.0000000000012p-1));
    p = SIMD_FMA(p, r, SIMD(all)(0x1.000000000000ap+0));
    return SIMD_FMA(p, r, SIMD(all)(1.0)) * SIMD(minus_sixteenths)((simd_bits)n);
}
#else
/* exp within [-708, 709], where it is a normal number, to about one unit in the last place. */
SIMD_INLINE simd_vec SIMD(exp_normal)(simd_vec x)
{
    /* x = k log 2 + r with |r| <= log(2) / 2; adding the magic number rounds, and leaves k in the low bits. */
    const simd_vec magic = SIMD(all)(0x1.8p52);
    simd_vec k = SIMD_FMA(x, SIMD(all)(0x1.71547652b82fep+0), magic);
    const simd_bits power = (simd_bits)k << 52;
    k -= magic;
    simd_vec r = SIMD_FMA(-k, SIMD(all)(0x1.62e42fefa3800p-1), x);
    r = SIMD_FMA(-k, SIMD(all)(0x1.ef35793c76730p-45), r);
    /* The Taylor series to degree 13: its remainder is below 1e-17. */
    simd_vec p = SIMD(all)(1.0 / 6227020800.0);
    p = SIMD_FMA(p, r, SIMD(all)(1.0 / 479001600.0));
    p = SIMD_FMA(p, r, SIMD(all)(1.0 / 39916800.0));
    p = SIMD_FMA(p, r, SIMD(all)(1.0 / 3628800.0));
    p = SIMD_FMA(p, r, SIMD(all)(1.0 / 362880.0));
    p = SIMD_FMA(p, r, SIMD(all)(1.0 / 40320.0));
    p = SIMD_FMA(p, r, SIMD(all)(1.0 / 5040.0));
    p = SIMD_FMA(p, r, SIMD(all)(1.0 / 720.0));
    p = SIMD_FMA(p, r, SIMD(all)(1.0 / 120.0));
    p = SIMD_FMA(p, r, SIMD(all)(1.0 / 24.0));
    p = SIMD_FMA(p, r, SIMD(all)(1.0 / 6.0));
    p = SIMD_FMA(p, r, SIMD(all)(0.5));
    p = SIMD_FMA(p, r * r, r) + 1.0;
    return (simd_vec)((simd_bits)p + power);
}
#endif

/* exp of any number: 0 below -708, the largest finite power above 709. */
SIMD_INLINE simd_vec SIMD(exp)(simd_vec x)
{
    const simd_bits small = x < SIMD(all)(-708.0);
    x = SIMD_MIN(SIMD_MAX(x, SIMD(all)(-708.0)), SIMD(all)(709.0));
    return simd_select(small, SIMD(all)(0.0), SIMD(exp_normal)(x));
}

/* exp(x) - 1 without cancellation near 0, given e = exp(x). */
SIMD_INLINE simd_vec SIMD(expm1)(simd_vec x, simd_vec e)
{
    simd_vec p = SIMD(all)(1.0 / 3628800.0);
    p = SIMD_FMA(p, x, SIMD(all)(1.0 / 362880.0));
    p = SIMD_FMA(p, x, SIMD(all)(1.0 / 40320.0));
    p = SIMD_FMA(p, x, SIMD(all)(1.0 / 5040.0));
    p = SIMD_FMA(p, x, SIMD(all)(1.0 / 720.0));
    p = SIMD_FMA(p, x, SIMD(all)(1.0 / 120.0));
    p = SIMD_FMA(p, x, SIMD(all)(1.0 / 24.0));
    p = SIMD_FMA(p, x, SIMD(all)(1.0 / 6.0));
    p = SIMD_FMA(p, x, SIMD(all)(0.5));
    p = SIMD_FMA(p, x * x, x);
    return simd_select((x < SIMD(all)(0.1)) & (x > SIMD(all)(-0.1)), p, e - 1.0);
}

/* log of a positive normal number to about one unit in the last place. */
SIMD_INLINE simd_vec SIMD(log)(simd_vec x)
{
    const double two52 = 0x1p52;
    /* The offset puts the mantissa into [sqrt(1/2), sqrt(2)) and keeps the biased exponent positive. */
    const simd_bits bits = (simd_bits)x, shifted = bits + (int64_t)(0x3ff0000000000000 - 0x3fe6a09e667f3bcd);
    const simd_bits k = (shifted >> 52) & 0xfff;
    const simd_vec m = (simd_vec)(bits - ((k - 1023) << 52));
    const simd_vec e = (simd_vec)(k | (simd_bits)SIMD(all)(two52)) - (two52 + 1023.0);
    const simd_vec s = (m - 1.0) / (m + 1.0), z = s * s;
    simd_vec p = SIMD(all)(1.0 / 23.0);
    p = SIMD_FMA(p, z, SIMD(all)(1.0 / 21.0));
    p = SIMD_FMA(p, z, SIMD(all)(1.0 / 19.0));
    p = SIMD_FMA(p, z, SIMD(all)(1.0 / 17.0));
    p = SIMD_FMA(p, z, SIMD(all)(1.0 / 15.0));
    p = SIMD_FMA(p, z, SIMD(all)(1.0 / 13.0));
    p = SIMD_FMA(p, z, SIMD(all)(1.0 / 11.0));
    p = SIMD_FMA(p, z, SIMD(all)(1.0 / 9.0));
    p = SIMD_FMA(p, z, SIMD(all)(1.0 / 7.0));
    p = SIMD_FMA(p, z, SIMD(all)(1.0 / 5.0));
    p = SIMD_FMA(p, z, SIMD(all)(1.0 / 3.0));
    p = SIMD_FMA(p * z, s, s);
    p = SIMD_FMA(e, SIMD(all)(0x1.ef35793c76730p-45), 2.0 * p);
    return SIMD_FMA(e, SIMD(all)(0x1.62e42fefa3800p-1), p);
}

/* ---- one pass for each build ------------------------------------------------------------------------------------ */

#elif defined(SIMD_BODY)

#define SIMD_W 4
#define SIMD_BUILD baseline
#define SIMD_TARGET
#define SIMD_FMA(a, b, c) ((a) * (b) + (c))
#define SIMD_MAX(a, b) simd_max_baseline(a, b)
#define SIMD_MIN(a, b) simd_min_baseline(a, b)
#define SIMD_MAX_FLOATS(a, b) simd_select_floats((a) > (b), a, b)
#define SIMD_MIN_FLOATS(a, b) simd_select_floats((a) < (b), a, b)
#include "_simd.h"
#include SIMD_BODY
#undef SIMD_BUILD
#undef SIMD_TARGET
#undef SIMD_FMA
#undef SIMD_MAX
#undef SIMD_MIN
#undef SIMD_MAX_FLOATS
#undef SIMD_MIN_FLOATS

#ifdef SIMD_X86
#define SIMD_BUILD avx2
#define SIMD_TARGET __attribute__((target("avx2,fma")))
#define SIMD_FMA(a, b, c) ((simd_vec)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#define SIMD_MAX(a, b) ((simd_vec)_mm256_max_pd((__m256d)(a), (__m256d)(b)))
#define SIMD_MIN(a, b) ((simd_vec)_mm256_min_pd((__m256d)(a), (__m256d)(b)))
#define SIMD_MAX_FLOATS(a, b) ((simd_floats)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define SIMD_MIN_FLOATS(a, b) ((simd_floats)_mm256_min_ps((__m256)(a), (__m256)(b)))
/* Stores by a mask take long on some processors, loads do not. */
#define SIMD_READ_SOME(p, left, fill)                                                                                  \
    simd_select(SIMD(places)(left), (simd_vec)_mm256_maskload_pd(p, (__m256i)SIMD(places)(left)), SIMD(all)(fill))
#include "_simd.h"
#include SIMD_BODY
#undef SIMD_W
#undef SIMD_BUILD
#undef SIMD_TARGET
#undef SIMD_FMA
#undef SIMD_MAX
#undef SIMD_MIN
#undef SIMD_MAX_FLOATS
#undef SIMD_MIN_FLOATS
#undef SIMD_READ_SOME

#define SIMD_W 8
#define SIMD_BUILD avx512
#ifdef SIMD_WIDE_ON_AVX2
#define SIMD_TARGET __attribute__((target("avx2,fma")))
#define SIMD_FMA(a, b, c) simd_fma_of_two(a, b, c)
#define SIMD_MAX(a, b) simd_max_of_two(a, b)
#define SIMD_MIN(a, b) simd_min_of_two(a, b)
#define SIMD_MAX_FLOATS(a, b) simd_select_floats((a) > (b), a, b)
#define SIMD_MIN_FLOATS(a, b) simd_select_floats((a) < (b), a, b)
#define SIMD_LOOK_UP(table, n) simd_look_up_of_two(table, (simd_bits)(n))
#define SIMD_SCALE(a, e) simd_scale_of_two(a, e)
#else
#define SIMD_TARGET __attribute__((target("avx512f,avx2,fma")))
#define SIMD_FMA(a, b, c) ((simd_vec)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c)))
#define SIMD_MAX(a, b) ((simd_vec)_mm512_max_pd((__m512d)(a), (__m512d)(b)))
#define SIMD_MIN(a, b) ((simd_vec)_mm512_min_pd((__m512d)(a), (__m512d)(b)))
#define SIMD_MAX_FLOATS(a, b) ((simd_floats)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define SIMD_MIN_FLOATS(a, b) ((simd_floats)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define SIMD_READ_SOME(p, left, fill)                                                                                  \
    ((simd_vec)_mm512_mask_loadu_pd((__m512d)SIMD(all)(fill), (__mmask8)((1u << (left)) - 1u), p))
/* Entry n mod 16 of a table of sixteen. */
#define SIMD_LOOK_UP(table, n)                                                                                         \
    ((simd_vec)_mm512_permutex2var_pd(_mm512_loadu_pd(table), (__m512i)(n), _mm512_loadu_pd((table) + 8)))
/* a 2^e for a whole number e. */
#define SIMD_SCALE(a, e) ((simd_vec)_mm512_scalef_pd((__m512d)(a), (__m512d)(e)))
#define SIMD_WRITE_SOME(p, left, v) _mm512_mask_storeu_pd(p, (__mmask8)((1u << (left)) - 1u), (__m512d)(v))
#endif
#include "_simd.h"
#include SIMD_BODY
#undef SIMD_BUILD
#undef SIMD_TARGET
#undef SIMD_FMA
#undef SIMD_MAX
#undef SIMD_MIN
#undef SIMD_MAX_FLOATS
#undef SIMD_MIN_FLOATS
#undef SIMD_READ_SOME
#undef SIMD_WRITE_SOME
#undef SIMD_LOOK_UP
#undef SIMD_SCALE
#endif

#undef SIMD_W
#undef SIMD_BODY
#endif
