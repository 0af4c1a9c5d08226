/* Sinkhorn sweeps in single precision: twice as many numbers in a register, half as many bytes.
 *
 * Vectors are padded to whole panels of SINGLE_PANEL entries; a padded point is one without mass. A potential of a
 * point without mass is SINGLE_NONE, as in _sinkhorn_loops.h. What is computed here only starts the double kernel: its
 * certificate holds for any potentials.
 */
#ifndef SIMD_BUILD

#include "_simd.h"

#define SINGLE_PANEL 16
#define SINGLE_LANES 8
#define SINGLE_NONE (-1e30f)
#define SINGLE_MASSLESS (-1e29f)
#if defined(__clang__)
#define SINGLE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SINGLE_UNROLL _Pragma("GCC unroll 16")
#endif

typedef float simd_singles __attribute__((vector_size(32)));
typedef int32_t simd_masks __attribute__((vector_size(32)));
typedef float simd_loose_singles __attribute__((vector_size(32), aligned(4), may_alias));
typedef float simd_panel __attribute__((vector_size(4 * SINGLE_PANEL)));
typedef float simd_loose_panel __attribute__((vector_size(4 * SINGLE_PANEL), aligned(4), may_alias));

/* What a half sweep leaves: of the side that it makes optimal, or of the other. */
typedef struct {
    double sent; /* sum x exp(-u eps/rho) of the new potentials */
    double paid; /* sum y (1 - exp(-v eps/rho)) of the old ones */
    double gap;  /* sum y exp(-v eps/rho) h(d): see sink_residuals */
    float low;   /* smallest product where there is mass */
} single_sums;

SIMD_DISPATCH(float, single_max, (const float *v, ptrdiff_t n), (v, n))
SIMD_DISPATCH(void, single_exp, (const float *v, float shift, float *out, ptrdiff_t n), (v, shift, out, n))
SIMD_DISPATCH(float, single_mix, (const float *tops, const float *cost, float scale, float *out, ptrdiff_t n),
              (tops, cost, scale, out, n))
SIMD_DISPATCH(void, single_product,
              (const float *panels, ptrdiff_t step, ptrdiff_t stride, ptrdiff_t count, const float *vectors,
               ptrdiff_t apart, ptrdiff_t length, ptrdiff_t columns, float *out, ptrdiff_t gap),
              (panels, step, stride, count, vectors, apart, length, columns, out, gap))
SIMD_DISPATCH(void, single_update,
              (const float *product, float shift, const float *mass, const float *logmass, float omega, float ratio,
               float *u, single_sums *sums, ptrdiff_t n),
              (product, shift, mass, logmass, omega, ratio, u, sums, n))
SIMD_DISPATCH(void, single_residual,
              (const float *product, float shift, const float *mass, const float *logmass, const float *v, float omega,
               float ratio, float *weight, float *image, single_sums *sums, ptrdiff_t n),
              (product, shift, mass, logmass, v, omega, ratio, weight, image, sums, n))
SIMD_DISPATCH(float, single_remember,
              (const float *v, float *image, float shift, float *lastg, float *lastr, float *dg, float *dr,
               ptrdiff_t n),
              (v, image, shift, lastg, lastr, dg, dr, n))
SIMD_DISPATCH(void, single_gram,
              (const float *weight, const float *a, const float *b, ptrdiff_t stride, ptrdiff_t count, double *out,
               ptrdiff_t n),
              (weight, a, b, stride, count, out, n))
SIMD_DISPATCH(float, single_combine,
              (const float *image, const float *dg, ptrdiff_t stride, const double *theta, ptrdiff_t count, float *v,
               ptrdiff_t n),
              (image, dg, stride, theta, count, v, n))
SIMD_DISPATCH(void, single_hold, (const float *image, float share, float *v, ptrdiff_t n), (image, share, v, n))

#define SIMD_BODY "_sinkhorn_single.h"
#include "_simd.h"

#else

SIMD_INLINE simd_singles SIMD(eight)(float a) { return (simd_singles){a, a, a, a, a, a, a, a}; }
SIMD_INLINE simd_singles SIMD(take)(const float *p) { return *(const simd_loose_singles *)p; }
SIMD_INLINE void SIMD(put)(float *p, simd_singles v) { *(simd_loose_singles *)p = v; }

#define SINGLE_SELECT(mask, yes, no)                                                                                   \
    __extension__({                                                                                                    \
        simd_masks single_mask_ = (mask);                                                                              \
        (simd_singles)((single_mask_ & (simd_masks)(yes)) | (~single_mask_ & (simd_masks)(no)));                       \
    })
#define SINGLE_MAX(a, b) SINGLE_SELECT((a) > (b), a, b)
#define SINGLE_MIN(a, b) SINGLE_SELECT((a) < (b), a, b)

SIMD_INLINE double SIMD(sum_singles)(simd_singles v)
{
    double sum = 0.0;
    SINGLE_UNROLL
    for (int k = 0; k < 8; k++) sum += (double)v[k];
    return sum;
}
SIMD_INLINE float SIMD(largest_single)(simd_singles v)
{
    float top = v[0];
    SINGLE_UNROLL
    for (int k = 1; k < 8; k++) top = v[k] > top ? v[k] : top;
    return top;
}

SIMD_INLINE int SIMD(any_of)(simd_masks mask)
{
    typedef long long wide __attribute__((vector_size(32)));
    const wide w = (wide)mask;
    return ((w[0] | w[1]) | (w[2] | w[3])) != 0;
}

/* exp to about two units in the last place; 0 below -87, the largest finite power above 88. */
SIMD_INLINE simd_singles SIMD(exp_singles)(simd_singles x)
{
    const simd_masks small = x < SIMD(eight)(-87.0f);
    x = SINGLE_MIN(SINGLE_MAX(x, SIMD(eight)(-87.0f)), SIMD(eight)(88.0f));
    const simd_singles magic = SIMD(eight)(0x1.8p23f);
    simd_singles k = x * 0x1.715476p+0f + magic;
    const simd_masks power = (simd_masks)k << 23;
    k -= magic;
    simd_singles r = x - k * 0x1.62e4p-1f;
    r = r - k * 0x1.7f7d1cp-20f;
    simd_singles p = SIMD(eight)(1.0f / 5040.0f);
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * (r * r) + r + 1.0f;
    p = (simd_singles)((simd_masks)p + power);
    return SINGLE_SELECT(small, SIMD(eight)(0.0f), p);
}

/* log of a positive normal number to about two units in the last place. */
SIMD_INLINE simd_singles SIMD(log_singles)(simd_singles x)
{
    const simd_masks bits = (simd_masks)x, shifted = bits + (0x3f800000 - 0x3f3504f3);
    const simd_masks k = (shifted >> 23) - 127;
    const simd_singles m = (simd_singles)(bits - (k << 23)), e = __builtin_convertvector(k, simd_singles);
    const simd_singles s = (m - 1.0f) / (m + 1.0f), z = s * s;
    simd_singles p = SIMD(eight)(1.0f / 9.0f);
    p = p * z + 1.0f / 7.0f;
    p = p * z + 1.0f / 5.0f;
    p = p * z + 1.0f / 3.0f;
    p = (p * z) * s + s;
    return e * 0x1.62e4p-1f + (e * 0x1.7f7d1cp-20f + 2.0f * p);
}

SIMD_ENTRY float SIMD(single_max)(const float *v, ptrdiff_t n)
{
    simd_singles top = SIMD(eight)(2 * SINGLE_NONE);
    for (ptrdiff_t i = 0; i < n; i += 8) {
        const simd_singles a = SIMD(take)(v + i);
        top = SINGLE_MAX(a, top);
    }
    return SIMD(largest_single)(top);
}

SIMD_ENTRY void SIMD(single_exp)(const float *v, float shift, float *out, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i += 8) SIMD(put)(out + i, SIMD(exp_singles)(SIMD(take)(v + i) + shift));
}

/* out = e^(tops - cost), divided by its largest and times e^scale; returns the logarithm of the largest. */
SIMD_ENTRY float SIMD(single_mix)(const float *tops, const float *cost, float scale, float *out, ptrdiff_t n)
{
    simd_singles top = SIMD(eight)(2 * SINGLE_NONE);
    for (ptrdiff_t i = 0; i < n; i += 8) {
        const simd_singles a = SIMD(take)(tops + i) - SIMD(take)(cost + i);
        top = SINGLE_MAX(a, top);
    }
    const float highest = SIMD(largest_single)(top);
    for (ptrdiff_t i = 0; i < n; i += 8)
        SIMD(put)(out + i, SIMD(exp_singles)(SIMD(take)(tops + i) - SIMD(take)(cost + i) - highest + scale));
    return highest;
}

/* One panel of sixteen rows times `columns` vectors, as many at a time as hide the latency of an addition:
 * out[j][i] = sum_k panel[k][i] vectors[j][k]. Every sum runs over k in the same order, whatever the number of columns.
 */
#if SIMD_W == 8
#define SINGLE_COLUMNS 12
SIMD_INLINE void SIMD(single_panel)(const float *panel, ptrdiff_t step, const float *vectors, ptrdiff_t apart,
                                    ptrdiff_t length, float *out, ptrdiff_t gap, const int columns)
{
    simd_panel sums[SINGLE_COLUMNS];
    SINGLE_UNROLL
    for (int j = 0; j < columns; j++) sums[j] = (simd_panel){0};
    for (ptrdiff_t k = 0; k < length; k++) {
        const simd_panel a = *(const simd_loose_panel *)(panel + k * step);
        SINGLE_UNROLL
        for (int j = 0; j < columns; j++) sums[j] += a * vectors[j * apart + k];
    }
    SINGLE_UNROLL
    for (int j = 0; j < columns; j++) *(simd_loose_panel *)(out + j * gap) = sums[j];
}
#else
#define SINGLE_COLUMNS 6
SIMD_INLINE void SIMD(single_panel)(const float *panel, ptrdiff_t step, const float *vectors, ptrdiff_t apart,
                                    ptrdiff_t length, float *out, ptrdiff_t gap, const int columns)
{
    simd_singles low[SINGLE_COLUMNS], high[SINGLE_COLUMNS];
    SINGLE_UNROLL
    for (int j = 0; j < columns; j++) low[j] = high[j] = SIMD(eight)(0.0f);
    for (ptrdiff_t k = 0; k < length; k++) {
        const simd_singles a = SIMD(take)(panel + k * step), b = SIMD(take)(panel + k * step + 8);
        SINGLE_UNROLL
        for (int j = 0; j < columns; j++) {
            const simd_singles factor = SIMD(eight)(vectors[j * apart + k]);
            low[j] += a * factor;
            high[j] += b * factor;
        }
    }
    SINGLE_UNROLL
    for (int j = 0; j < columns; j++) {
        SIMD(put)(out + j * gap, low[j]);
        SIMD(put)(out + j * gap + 8, high[j]);
    }
}
#endif

/* `count` panels, `stride` numbers apart, the entries of each `step` apart, times vectors that are `apart`. A panel
 * stays in the first cache while all vectors pass. */
SIMD_ENTRY void SIMD(single_product)(const float *panels, ptrdiff_t step, ptrdiff_t stride, ptrdiff_t count,
                                     const float *vectors, ptrdiff_t apart, ptrdiff_t length, ptrdiff_t columns,
                                     float *out, ptrdiff_t gap)
{
    /* As many groups as there must be, and none much smaller than another. */
    const ptrdiff_t groups = (columns + SINGLE_COLUMNS - 1) / SINGLE_COLUMNS;
    for (ptrdiff_t p = 0; p < count; p++) {
        const float *panel = panels + p * stride;
        float *to = out + p * SINGLE_PANEL;
        for (ptrdiff_t q = 0; q < groups; q++) {
            const ptrdiff_t j = q * columns / groups, end = (q + 1) * columns / groups;
            const float *v = vectors + j * apart;
            switch (end - j) {
#if SINGLE_COLUMNS == 12
            case 12: SIMD(single_panel)(panel, step, v, apart, length, to + j * gap, gap, 12); break;
            case 11: SIMD(single_panel)(panel, step, v, apart, length, to + j * gap, gap, 11); break;
            case 10: SIMD(single_panel)(panel, step, v, apart, length, to + j * gap, gap, 10); break;
            case 9: SIMD(single_panel)(panel, step, v, apart, length, to + j * gap, gap, 9); break;
            case 8: SIMD(single_panel)(panel, step, v, apart, length, to + j * gap, gap, 8); break;
            case 7: SIMD(single_panel)(panel, step, v, apart, length, to + j * gap, gap, 7); break;
#endif
            case 6: SIMD(single_panel)(panel, step, v, apart, length, to + j * gap, gap, 6); break;
            case 5: SIMD(single_panel)(panel, step, v, apart, length, to + j * gap, gap, 5); break;
            case 4: SIMD(single_panel)(panel, step, v, apart, length, to + j * gap, gap, 4); break;
            case 3: SIMD(single_panel)(panel, step, v, apart, length, to + j * gap, gap, 3); break;
            case 2: SIMD(single_panel)(panel, step, v, apart, length, to + j * gap, gap, 2); break;
            case 1: SIMD(single_panel)(panel, step, v, apart, length, to + j * gap, gap, 1); break;
            }
        }
    }
}

/* u = omega (log x - log product - shift), and what it sends. */
SIMD_ENTRY void SIMD(single_update)(const float *product, float shift, const float *mass, const float *logmass,
                                    float omega, float ratio, float *u, single_sums *sums, ptrdiff_t n)
{
    simd_singles sent = SIMD(eight)(0.0f), low = SIMD(eight)(1e38f);
    for (ptrdiff_t i = 0; i < n; i += 8) {
        const simd_singles s = SIMD(take)(product + i), lx = SIMD(take)(logmass + i);
        const simd_masks massive = lx > SIMD(eight)(SINGLE_MASSLESS);
        const simd_singles here = SINGLE_SELECT(massive, s, SIMD(eight)(1e38f));
        low = SINGLE_MIN(here, low);
        const simd_singles safe = SINGLE_MAX(s, SIMD(eight)(1e-37f));
        simd_singles fresh = (lx - SIMD(log_singles)(safe) - shift) * omega;
        fresh = SINGLE_SELECT(massive, fresh, SIMD(eight)(SINGLE_NONE));
        sent += SIMD(take)(mass + i) * SIMD(exp_singles)(fresh * -ratio);
        SIMD(put)(u + i, fresh);
    }
    sums->sent = SIMD(sum_singles)(sent);
    sums->low = -SIMD(largest_single)(-low);
}

/* What (u, v) is off on the side of y, and the plain image g of v. */
SIMD_ENTRY void SIMD(single_residual)(const float *product, float shift, const float *mass, const float *logmass,
                                      const float *v, float omega, float ratio, float *weight, float *image,
                                      single_sums *sums, ptrdiff_t n)
{
    simd_singles sent = SIMD(eight)(0.0f), paid = sent, gap = sent, low = SIMD(eight)(1e38f);
    const float inverse = 1.0f / omega;
    for (ptrdiff_t i = 0; i < n; i += 8) {
        const simd_singles s = SIMD(take)(product + i), ly = SIMD(take)(logmass + i), y = SIMD(take)(mass + i);
        const simd_masks massive = ly > SIMD(eight)(SINGLE_MASSLESS);
        const simd_singles here = SINGLE_SELECT(massive, s, SIMD(eight)(1e38f));
        low = SINGLE_MIN(here, low);
        const simd_singles safe = SINGLE_MAX(s, SIMD(eight)(1e-37f));
        simd_singles g = (ly - SIMD(log_singles)(safe) - shift) * omega;
        g = SINGLE_SELECT(massive, g, SIMD(eight)(SINGLE_NONE));
        const simd_singles old = SIMD(take)(v + i), off = old - g, d = off * inverse;
        const simd_singles t = off * ratio, w = y * SIMD(exp_singles)(old * -ratio);
        simd_singles h = d * (1.0f / 144.0f + d * (1.0f / 840.0f)) + 1.0f / 30.0f;
        h = (d * d) * (0.5f + d * (1.0f / 3.0f + d * (0.125f + d * h)));
        simd_singles power = 1.0f + t * (1.0f + t * (0.5f + t * (1.0f / 6.0f + t * (1.0f / 24.0f + t * (1.0f / 120.0f)))));
        /* The series serve steps below a quarter, which all but the first ones are. */
        const simd_masks far = (d > SIMD(eight)(0.25f)) | (d < SIMD(eight)(-0.25f)) | (t > SIMD(eight)(0.25f)) |
                               (t < SIMD(eight)(-0.25f));
        if (SIMD(any_of)(far)) {
            const simd_singles e = SIMD(exp_singles)(d);
            const simd_masks wide = (d > SIMD(eight)(0.25f)) | (d < SIMD(eight)(-0.25f));
            h = SINGLE_SELECT(wide, d * e - (e - 1.0f), h);
            power = SIMD(exp_singles)(t);
        }
        gap += w * h;
        paid += y - w;
        sent += w * power;
        SIMD(put)(weight + i, w);
        SIMD(put)(image + i, g);
    }
    sums->sent = SIMD(sum_singles)(sent);
    sums->paid = SIMD(sum_singles)(paid);
    sums->gap = SIMD(sum_singles)(gap);
    sums->low = -SIMD(largest_single)(-low);
}

/* image += shift, and its differences: see sink_remember. Returns the largest step. */
SIMD_ENTRY float SIMD(single_remember)(const float *v, float *image, float shift, float *lastg, float *lastr, float *dg,
                                       float *dr, ptrdiff_t n)
{
    simd_singles widest = SIMD(eight)(0.0f);
    for (ptrdiff_t i = 0; i < n; i += 8) {
        simd_singles to = SIMD(take)(image + i);
        to = SINGLE_SELECT(to > SIMD(eight)(SINGLE_MASSLESS), to + shift, to);
        const simd_singles r = to - SIMD(take)(v + i), size = SINGLE_MAX(r, -r);
        widest = SINGLE_MAX(size, widest);
        SIMD(put)(dg + i, to - SIMD(take)(lastg + i));
        SIMD(put)(dr + i, r - SIMD(take)(lastr + i));
        SIMD(put)(lastg + i, to);
        SIMD(put)(lastr + i, r);
        SIMD(put)(image + i, to);
    }
    return SIMD(largest_single)(widest);
}

SIMD_INLINE void SIMD(single_dots)(const float *weight, const float *a, const float *b, ptrdiff_t stride, double *out,
                                   ptrdiff_t n, const int count)
{
    simd_singles sum[4];
    SINGLE_UNROLL
    for (int j = 0; j < count; j++) sum[j] = SIMD(eight)(0.0f);
    for (ptrdiff_t i = 0; i < n; i += 8) {
        const simd_singles scaled = SIMD(take)(weight + i) * SIMD(take)(a + i);
        SINGLE_UNROLL
        for (int j = 0; j < count; j++) sum[j] += scaled * SIMD(take)(b + j * stride + i);
    }
    SINGLE_UNROLL
    for (int j = 0; j < count; j++) out[j] = SIMD(sum_singles)(sum[j]);
}

/* out[j] = sum weight a b[j] for `count` vectors b, `stride` apart. */
SIMD_ENTRY void SIMD(single_gram)(const float *weight, const float *a, const float *b, ptrdiff_t stride,
                                  ptrdiff_t count, double *out, ptrdiff_t n)
{
    for (; count >= 4; count -= 4, b += 4 * stride, out += 4) SIMD(single_dots)(weight, a, b, stride, out, n, 4);
    switch (count) {
    case 3: SIMD(single_dots)(weight, a, b, stride, out, n, 3); break;
    case 2: SIMD(single_dots)(weight, a, b, stride, out, n, 2); break;
    case 1: SIMD(single_dots)(weight, a, b, stride, out, n, 1); break;
    }
}

/* v = image - sum theta dg; returns how far that is from the image. */
SIMD_ENTRY float SIMD(single_combine)(const float *image, const float *dg, ptrdiff_t stride, const double *theta,
                                      ptrdiff_t count, float *v, ptrdiff_t n)
{
    simd_singles widest = SIMD(eight)(0.0f);
    for (ptrdiff_t i = 0; i < n; i += 8) {
        simd_singles move = SIMD(eight)(0.0f);
        for (ptrdiff_t j = 0; j < count; j++) move += (float)theta[j] * SIMD(take)(dg + j * stride + i);
        const simd_singles size = SINGLE_MAX(move, -move);
        widest = SINGLE_MAX(size, widest);
        SIMD(put)(v + i, SIMD(take)(image + i) - move);
    }
    return SIMD(largest_single)(widest);
}

/* v = image + share (v - image). */
SIMD_ENTRY void SIMD(single_hold)(const float *image, float share, float *v, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i += 8) {
        const simd_singles to = SIMD(take)(image + i);
        SIMD(put)(v + i, to + share * (SIMD(take)(v + i) - to));
    }
}

#undef SINGLE_COLUMNS

#endif
