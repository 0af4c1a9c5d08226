/* Pairs of equally long series within a band, side by side in the lanes of a few vectors; included once for each build,
 * after _softdtw_lanes.h.
 *
 * A band leaves a diagonal of one pair too few cells to fill a vector, so every lane is a pair here. The cells of a
 * diagonal do not depend on each other, and several vectors go through each of them: their chains overlap. The
 * arithmetic is that of one pair along its diagonals, to the last bit.
 */

/* The points of one vector of pairs: those of x, then those of y. */
SIMD_INLINE const simd_vec *SIMD(sdtw_banded_points)(const sdtw_banded *p, ptrdiff_t d, int group) {
    return (const simd_vec *)p->work + group * (p->n + p->m) * d;
}

SIMD_INLINE simd_vec *SIMD(sdtw_banded_lines)(const sdtw_banded *p, ptrdiff_t d) {
    return (simd_vec *)p->work + SDTW_GROUPS * (p->n + p->m) * d;
}

SIMD_INLINE void SIMD(sdtw_banded_hard_run)(const sdtw_banded *p, ptrdiff_t d, double *out) {
    const sdtw_problem band = {.n = p->n, .m = p->m, .first = p->first, .last = p->last};
    const simd_vec none = SIMD(all)(INFINITY);
    const ptrdiff_t cells = SDTW_GROUPS * (p->n + 2);
    simd_vec *a = SIMD(sdtw_banded_lines)(p, d) + SDTW_GROUPS, *b = a + cells, *new = b + cells;
    for (ptrdiff_t k = 0; k < 3 * cells; k++) a[k - SDTW_GROUPS] = none;
    for (int g = 0; g < SDTW_GROUPS; g++) b[g - SDTW_GROUPS] = SIMD(all)(0.0);
    sdtw_range r = {0, -1};
    ptrdiff_t left = INTERRUPT_SLICE;
    for (ptrdiff_t t = 0; t <= p->n + p->m - 2; t++) {
        sdtw_range_forward(&band, t, &r);
        if (interrupt_turn(&left, SDTW_GROUPS * SIMD_W * (r.hi - r.lo + 1) * (d + 1))) break;
        for (ptrdiff_t i = r.lo; i <= r.hi; i++) {
            SIMD_UNROLL
            for (int g = 0; g < SDTW_GROUPS; g++) {
                const simd_vec *x = SIMD(sdtw_banded_points)(p, d, g), *y = x + (p->n + t - i) * d;
                const ptrdiff_t at = i * SDTW_GROUPS + g;
                x += i * d;
                const simd_vec gap = x[0] - y[0];
                simd_vec c = gap * gap;
                for (ptrdiff_t k = 1; k < d; k++) {
                    const simd_vec far = x[k] - y[k];
                    c = SIMD_FMA(far, far, c);
                }
                new[at] = c + SIMD_MIN(SIMD_MIN(a[at], a[at - SDTW_GROUPS]), b[at - SDTW_GROUPS]);
            }
        }
        for (int g = 0; g < SDTW_GROUPS; g++)
            new[(r.lo - 1) * SDTW_GROUPS + g] = new[(r.hi + 1) * SDTW_GROUPS + g] = none;
        simd_vec *const spare = b;
        b = a;
        a = new;
        new = spare;
    }
    for (int g = 0; g < SDTW_GROUPS; g++) SIMD(store)(out + g * SIMD_W, a[(p->n - 1) * SDTW_GROUPS + g]);
}

SIMD_INLINE void SIMD(sdtw_banded_soft_run)(const sdtw_banded *p, ptrdiff_t d, sdtw_total *total) {
    const sdtw_problem band = {.n = p->n, .m = p->m, .first = p->first, .last = p->last};
    const SIMD(sdtw_cell) none = {SIMD(all)(0.0), SIMD(all)(SDTW_NONE)};
    const ptrdiff_t cells = SDTW_GROUPS * (p->n + 2);
    SIMD(sdtw_cell) *a = (SIMD(sdtw_cell) *)SIMD(sdtw_banded_lines)(p, d) + SDTW_GROUPS, *b = a + cells;
    SIMD(sdtw_cell) *new = b + cells;
    for (ptrdiff_t k = 0; k < 3 * cells; k++) a[k - SDTW_GROUPS] = none;
    for (int g = 0; g < SDTW_GROUPS; g++) b[g - SDTW_GROUPS] = (SIMD(sdtw_cell)){SIMD(all)(1.0), SIMD(all)(0.0)};
    sdtw_range r = {0, -1};
    ptrdiff_t left = INTERRUPT_SLICE;
    for (ptrdiff_t t = 0; t <= p->n + p->m - 2; t++) {
        sdtw_range_forward(&band, t, &r);
        if (interrupt_turn(&left, SDTW_GROUPS * SIMD_W * (r.hi - r.lo + 1) * (d + 1))) break;
        for (ptrdiff_t i = r.lo; i <= r.hi; i++) {
            for (int g = 0; g < SDTW_GROUPS; g++) {
                const simd_vec *x = SIMD(sdtw_banded_points)(p, d, g), *y = x + (p->n + t - i) * d;
                const ptrdiff_t at = i * SDTW_GROUPS + g, up = at - SDTW_GROUPS;
                const simd_vec scale = SIMD(load)(p->scale + g * SIMD_W);
                SIMD(sdtw_lane_cell)(x + i * d, y, d, scale, &a[at], &a[up], &b[up], &new[at]);
                /* Two diagonals in a row: a diagonal step jumps over one. */
                if (t % SDTW_CLEAN <= 1) SIMD(sdtw_tidy)(&new[at]);
            }
        }
        for (int g = 0; g < SDTW_GROUPS; g++)
            new[(r.lo - 1) * SDTW_GROUPS + g] = new[(r.hi + 1) * SDTW_GROUPS + g] = none;
        SIMD(sdtw_cell) *const spare = b;
        b = a;
        a = new;
        new = spare;
    }
    for (int l = 0; l < SDTW_GROUPS * SIMD_W; l++) {
        const SIMD(sdtw_cell) *end = &a[(p->n - 1) * SDTW_GROUPS + l / SIMD_W];
        total[l].mantissa = end->m[l % SIMD_W];
        total[l].exponent = end->e[l % SIMD_W];
    }
}

SIMD_ENTRY void SIMD(sdtw_banded_hard)(const sdtw_banded *p, double *out) {
    if (p->d == 1) SIMD(sdtw_banded_hard_run)(p, 1, out);
    else SIMD(sdtw_banded_hard_run)(p, p->d, out);
}

SIMD_ENTRY void SIMD(sdtw_banded_soft)(const sdtw_banded *p, sdtw_total *total) {
    if (p->d == 1) SIMD(sdtw_banded_soft_run)(p, 1, total);
    else SIMD(sdtw_banded_soft_run)(p, p->d, total);
}
