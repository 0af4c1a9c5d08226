/* One row of a Gibbs plan P_j = exp(alpha + beta_j - wa A_j - wb B_j) and all sums that Newton's method asks of it. */
#ifndef STOTMETRICS_GIBBS_H
#define STOTMETRICS_GIBBS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define STOTMETRICS_X86 1
#include <immintrin.h>
#endif

/* Exponents are clamped: no entry is 0 or infinite, so no sum divides by zero, and products of two entries stay normal
 * numbers, which are many times faster than the denormal ones below them. */
#define GIBBS_LOW (-345.0)
#define GIBBS_HIGH 709.0

/* sums: of P, of P D and of P D^2 over the row, D = A - B; columns and products: P and P D added to each column. */
typedef void (*gibbs_fn)(const double *A, const double *B, const double *beta, double alpha, double wa, double wb,
                         ptrdiff_t m, double *P, double *columns, double *products, double *sums);

static void gibbs_plain(const double *A, const double *B, const double *beta, double alpha, double wa, double wb,
                        ptrdiff_t m, double *P, double *columns, double *products, double *sums)
{
    double s0 = 0, s1 = 0, s2 = 0;
    for (ptrdiff_t j = 0; j < m; j++) {
        double e = alpha + beta[j] - wa * A[j] - wb * B[j], d = A[j] - B[j], v, vd;
        e = e < GIBBS_LOW ? GIBBS_LOW : (e > GIBBS_HIGH ? GIBBS_HIGH : e);
        v = exp(e);
        vd = v * d;
        P[j] = v;
        columns[j] += v;
        products[j] += vd;
        s0 += v;
        s1 += vd;
        s2 += vd * d;
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
}

#ifdef STOTMETRICS_X86
#define GIBBS_TARGET __attribute__((target("avx2,fma")))

GIBBS_TARGET static inline __m256d gibbs_exp(__m256d x)
{
    const __m256d magic = _mm256_set1_pd(0x1.8p52);
    __m256d k, r, p;
    x = _mm256_min_pd(_mm256_max_pd(x, _mm256_set1_pd(GIBBS_LOW)), _mm256_set1_pd(GIBBS_HIGH));
    /* x = k log 2 + r with |r| <= log(2) / 2; adding the magic number rounds, and leaves k in the low bits. */
    k = _mm256_fmadd_pd(x, _mm256_set1_pd(1.4426950408889634), magic);
    r = _mm256_sub_pd(k, magic);
    x = _mm256_fnmadd_pd(r, _mm256_set1_pd(6.93147180369123816490e-01), x);
    x = _mm256_fnmadd_pd(r, _mm256_set1_pd(1.90821492927058770002e-10), x);
    /* The Taylor series to degree 13: its remainder is below 1e-17. */
    p = _mm256_set1_pd(1.0 / 6227020800.0);
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(1.0 / 479001600.0));
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(1.0 / 39916800.0));
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(1.0 / 3628800.0));
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(1.0 / 362880.0));
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(1.0 / 40320.0));
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(1.0 / 5040.0));
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(1.0 / 720.0));
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(1.0 / 120.0));
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(1.0 / 24.0));
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(1.0 / 6.0));
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(0.5));
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(1.0));
    p = _mm256_fmadd_pd(p, x, _mm256_set1_pd(1.0));
    return _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(p), _mm256_slli_epi64(_mm256_castpd_si256(k), 52)));
}

GIBBS_TARGET static inline double gibbs_total(__m256d lanes)
{
    double v[4];
    _mm256_storeu_pd(v, lanes);
    return (v[0] + v[1]) + (v[2] + v[3]);
}

GIBBS_TARGET static void gibbs_avx2(const double *A, const double *B, const double *beta, double alpha, double wa,
                                    double wb, ptrdiff_t m, double *P, double *columns, double *products, double *sums)
{
    const __m256d va = _mm256_set1_pd(wa), vb = _mm256_set1_pd(wb), start = _mm256_set1_pd(alpha);
    __m256d s0 = _mm256_setzero_pd(), s1 = s0, s2 = s0;
    ptrdiff_t j = 0;
    for (; j + 4 <= m; j += 4) {
        __m256d a = _mm256_loadu_pd(A + j), b = _mm256_loadu_pd(B + j), d = _mm256_sub_pd(a, b), v, vd;
        v = _mm256_add_pd(start, _mm256_loadu_pd(beta + j));
        v = gibbs_exp(_mm256_fnmadd_pd(vb, b, _mm256_fnmadd_pd(va, a, v)));
        vd = _mm256_mul_pd(v, d);
        _mm256_storeu_pd(P + j, v);
        _mm256_storeu_pd(columns + j, _mm256_add_pd(_mm256_loadu_pd(columns + j), v));
        _mm256_storeu_pd(products + j, _mm256_add_pd(_mm256_loadu_pd(products + j), vd));
        s0 = _mm256_add_pd(s0, v);
        s1 = _mm256_add_pd(s1, vd);
        s2 = _mm256_fmadd_pd(vd, d, s2);
    }
    gibbs_plain(A + j, B + j, beta + j, alpha, wa, wb, m - j, P + j, columns + j, products + j, sums);
    sums[0] += gibbs_total(s0);
    sums[1] += gibbs_total(s1);
    sums[2] += gibbs_total(s2);
}
#endif

static gibbs_fn choose_gibbs(void)
{
#ifdef STOTMETRICS_X86
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return gibbs_avx2;
#endif
    return gibbs_plain;
}

#endif
