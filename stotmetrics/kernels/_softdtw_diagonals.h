/* Included once for each processor variant by _softdtw_variants.h, which defines SDTW_VARIANT, SDTW_TARGET, SDTW_FMA,
 * SDTW_MAX and SDTW_MIN. No include guard.
 *
 * Diagonal t holds the cells (i, t - i), indexed by i. `step` is -1 when the diagonals run forwards (the neighbours of
 * a cell lie at i - 1 and i) and +1 when they run backwards (at i + 1 and i). Lanes behind the last row of a diagonal
 * compute rubbish that no valid cell reads: the cells next to both ends are reset to a border each time.
 */

SDTW_INLINE SDTW_TARGET sdtw_vec SDTW(load)(const double *p) { return *(const sdtw_loose *)p; }
SDTW_INLINE SDTW_TARGET void SDTW(store)(double *p, sdtw_vec v) { *(sdtw_loose *)p = v; }
SDTW_INLINE SDTW_TARGET sdtw_vec SDTW(all)(double a) { return (sdtw_vec){a, a, a, a}; }

/* 2^f for |f| <= 1/2, relative error 2e-16 (minimax); exactly 1 at 0. The scheme keeps the chain of additions short:
 * what bounds the loop is how many cells the processor overlaps. */
SDTW_INLINE SDTW_TARGET sdtw_vec SDTW(exp2)(sdtw_vec f) {
    const sdtw_vec q = f * f, r = q * q;
    sdtw_vec a = SDTW_FMA(SDTW(all)(0x1.62e42fefa3a17p-1), f, SDTW(all)(1.0));
    sdtw_vec b = SDTW_FMA(SDTW(all)(0x1.c6b08d703d48ap-5), f, SDTW(all)(0x1.ebfbdff82c3b9p-3));
    sdtw_vec c = SDTW_FMA(SDTW(all)(0x1.5d87fe9cc5d6fp-10), f, SDTW(all)(0x1.3b2ab6fbde0f7p-7));
    sdtw_vec d = SDTW_FMA(SDTW(all)(0x1.ffcb55e82f22cp-17), f, SDTW(all)(0x1.4309126056718p-13));
    sdtw_vec e = SDTW_FMA(SDTW(all)(0x1.b6740fc28f781p-24), f, SDTW(all)(0x1.62c157ee59177p-20));
    a = SDTW_FMA(b, q, a);
    c = SDTW_FMA(d, q, c);
    e = SDTW_FMA(SDTW(all)(0x1.e3991e644e6abp-28), q, e);
    c = SDTW_FMA(e, r, c);
    return SDTW_FMA(c, r, a);
}

/* Costs of the cells i..i+W-1 of diagonal t, whose last row is hi. */
SDTW_INLINE SDTW_TARGET sdtw_vec SDTW(cost)(const sdtw_problem *p, int kind, ptrdiff_t t, ptrdiff_t i, ptrdiff_t hi) {
    if (kind == SDTW_MATRIX) {
        const double *c = p->cost + t;
        const ptrdiff_t s = p->m - 1;
        if (i + SDTW_W - 1 <= hi) return (sdtw_vec){c[i * s], c[(i + 1) * s], c[(i + 2) * s], c[(i + 3) * s]};
        const ptrdiff_t second = i + 1 <= hi ? i + 1 : hi, third = i + 2 <= hi ? i + 2 : hi;
        return (sdtw_vec){c[i * s], c[second * s], c[third * s], c[hi * s]};
    }
    const double *x = p->x + i, *y = p->y + (p->m - 1 - t) + i;
    const sdtw_vec gap = SDTW(load)(x) - SDTW(load)(y);
    sdtw_vec c = gap * gap;
    if (kind == SDTW_SPACE) {
        for (ptrdiff_t k = 1; k < p->d; k++) {
            const sdtw_vec g = SDTW(load)(x + k * (p->n + SDTW_W)) - SDTW(load)(y + k * (p->m + SDTW_W));
            c = SDTW_FMA(g, g, c);
        }
    }
    return c;
}

/* 2^(e - top) for e <= top; anything below 2^-FLOOR counts as 2^-FLOOR. low = top - FLOOR, base = top - 2^52 - 1023. */
SDTW_INLINE SDTW_TARGET sdtw_vec SDTW(shift)(sdtw_vec e, sdtw_vec low, sdtw_vec base) {
    return (sdtw_vec)((sdtw_bits)(SDTW_MAX(e, low) - base) << 52);
}

/* One diagonal of mantissas and exponents, indexed by row; one slot before row 0 is legal. */
typedef struct {
    double *m, *e;
} SDTW(line);

typedef struct {
    sdtw_vec sum, top;           /* of the three neighbours: sum * 2^top */
    sdtw_vec mantissa, exponent; /* of the cell */
} SDTW(cells);

/* The cells i..i+W-1 of diagonal t; a is the neighbouring diagonal, b the one beyond. */
SDTW_INLINE SDTW_TARGET void SDTW(soft_cells)(
    const sdtw_problem *p, int kind, int step, ptrdiff_t t, ptrdiff_t i, ptrdiff_t hi, const SDTW(line) *a,
    const SDTW(line) *b, SDTW(cells) *out
) {
    const sdtw_vec scale = SDTW(all)(p->scale), magic = SDTW(all)(SDTW_MAGIC);
    const sdtw_vec c = SDTW(cost)(p, kind, t, i, hi);
    const sdtw_vec k = SDTW_FMA(c, scale, magic) - magic;
    const sdtw_vec factor = SDTW(exp2)(SDTW_FMA(-c, scale, k));
    const sdtw_vec e1 = SDTW(load)(a->e + i), e2 = SDTW(load)(a->e + i + step), e3 = SDTW(load)(b->e + i + step);
    const sdtw_vec top = SDTW_MAX(SDTW_MAX(e1, e2), e3);
    const sdtw_vec low = top - SDTW(all)(SDTW_FLOOR), base = top - SDTW(all)(0x1p52 + 1023);
    /* A product with a power of two is exact, so swapping x and y swaps the first two terms and changes no bit. */
    sdtw_vec sum = SDTW(load)(a->m + i) * SDTW(shift)(e1, low, base);
    sum = SDTW_FMA(SDTW(load)(a->m + i + step), SDTW(shift)(e2, low, base), sum);
    sum = SDTW_FMA(SDTW(load)(b->m + i + step), SDTW(shift)(e3, low, base), sum);
    out->sum = sum;
    out->top = top;
    out->mantissa = sum * factor;
    out->exponent = top - k;
}

SDTW_INLINE SDTW_TARGET void SDTW(border)(const SDTW(line) *out, sdtw_range r) {
    out->m[r.lo - 1] = out->m[r.hi + 1] = 0.0;
    out->e[r.lo - 1] = out->e[r.hi + 1] = SDTW_NONE;
}

/* Move the power of two of each mantissa into its exponent. The mantissas of valid cells are positive. */
SDTW_INLINE SDTW_TARGET void SDTW(clean)(const SDTW(line) *out, sdtw_range r) {
    const sdtw_bits field = (sdtw_bits)SDTW(all)(0x1p52), fraction = field * 0 + 0xFFFFFFFFFFFFF;
    const sdtw_vec one = SDTW(all)(1.0);
    for (ptrdiff_t i = r.lo; i <= r.hi; i += SDTW_W) {
        const sdtw_bits bits = (sdtw_bits)SDTW(load)(out->m + i);
        const sdtw_vec power = (sdtw_vec)((sdtw_bits)((sdtw_words)bits >> 52) | field) - SDTW(all)(0x1p52 + 1023);
        SDTW(store)(out->e + i, SDTW(load)(out->e + i) + power);
        SDTW(store)(out->m + i, (sdtw_vec)((bits & fraction) | (sdtw_bits)one));
    }
}

SDTW_INLINE SDTW_TARGET void SDTW(lines)(double *work, ptrdiff_t n, double m, double e, SDTW(line) line[3]) {
    for (ptrdiff_t k = 0; k < 3; k++) {
        line[k].m = work + 2 * k * SDTW_BUFFER(n) + SDTW_W;
        line[k].e = line[k].m + SDTW_BUFFER(n);
        for (ptrdiff_t i = -SDTW_W; i < n + SDTW_W; i++) {
            line[k].m[i] = m;
            line[k].e[i] = e;
        }
    }
}

SDTW_INLINE SDTW_TARGET void SDTW(turn)(SDTW(line) line[3]) {
    const SDTW(line) spare = line[1];
    line[1] = line[0];
    line[0] = line[2];
    line[2] = spare;
}

/* The forward run; with kept_m, the sums of every diagonal go one after another into kept_m and kept_e. */
SDTW_INLINE SDTW_TARGET void SDTW(soft_run)(
    const sdtw_problem *p, int kind, double *work, double *kept_m, double *kept_e, sdtw_total *total
) {
    SDTW(line) line[3];
    SDTW(cells) cells;
    SDTW(lines)(work, p->n, 0.0, SDTW_NONE, line);
    /* The cell before the first one. */
    line[1].m[-1] = 1.0;
    line[1].e[-1] = 0.0;
    sdtw_range r = {0, -1};
    ptrdiff_t left = INTERRUPT_SLICE;
    for (ptrdiff_t t = 0; t <= p->n + p->m - 2; t++) {
        sdtw_range_forward(p, t, &r);
        if (interrupt_turn(&left, (r.hi - r.lo + 1) * (p->d + 1))) break;
        for (ptrdiff_t i = r.lo; i <= r.hi; i += SDTW_W) {
            SDTW(soft_cells)(p, kind, -1, t, i, r.hi, &line[0], &line[1], &cells);
            SDTW(store)(line[2].m + i, cells.mantissa);
            SDTW(store)(line[2].e + i, cells.exponent);
            if (kept_m) {
                SDTW(store)(kept_m + (i - r.lo), cells.sum);
                SDTW(store)(kept_e + (i - r.lo), cells.top);
            }
        }
        if (kept_m) {
            kept_m += r.hi - r.lo + 1;
            kept_e += r.hi - r.lo + 1;
        }
        /* Two diagonals in a row: a diagonal step jumps over one. */
        if (t % SDTW_CLEAN <= 1) SDTW(clean)(&line[2], r);
        SDTW(border)(&line[2], r);
        SDTW(turn)(line);
    }
    total->mantissa = line[0].m[p->n - 1];
    total->exponent = line[0].e[p->n - 1];
}

/* What the probability of visiting each of the cells i..i+W-1 adds to the gradients, or to the alignment. */
SDTW_INLINE SDTW_TARGET void SDTW(spend)(
    const sdtw_problem *p, int kind, ptrdiff_t t, ptrdiff_t i, ptrdiff_t hi, sdtw_vec visited, const sdtw_gradient *g
) {
    if (kind == SDTW_MATRIX) {
        for (ptrdiff_t k = 0; k < SDTW_W && i + k <= hi; k++) g->alignment[(i + k) * (p->m - 1) + t] = visited[k];
        return;
    }
    const ptrdiff_t j = p->m - 1 - t + i;
    for (ptrdiff_t k = 0; k < (kind == SDTW_LINE ? 1 : p->d); k++) {
        const ptrdiff_t at_x = k * (p->n + SDTW_W) + i, at_y = k * (p->m + SDTW_W) + j;
        const sdtw_vec pull = 2.0 * visited * (SDTW(load)(p->x + at_x) - SDTW(load)(p->y + at_y));
        SDTW(store)(g->x + at_x, SDTW(load)(g->x + at_x) + pull);
        SDTW(store)(g->y + at_y, SDTW(load)(g->y + at_y) - pull);
    }
}

/* The backward run: G[i,j] = K[i,j] (G[i+1,j+1] + G[i+1,j] + G[i,j+1]) and E = (Z / K) G / Z[last]. */
SDTW_INLINE SDTW_TARGET void SDTW(gradient_run)(
    const sdtw_problem *p, int kind, double *work, const double *kept_m, const double *kept_e, const sdtw_total *total,
    const sdtw_gradient *g
) {
    static const int64_t lanes[2 * SDTW_W] = {-1, -1, -1, -1, 0, 0, 0, 0};
    const sdtw_vec inverse = SDTW(all)(1.0 / total->mantissa), exponent = SDTW(all)(total->exponent);
    SDTW(line) line[3];
    SDTW(cells) cells;
    SDTW(lines)(work, p->n, 0.0, SDTW_NONE, line);
    line[1].m[p->n] = 1.0;
    line[1].e[p->n] = 0.0;
    sdtw_range r = {p->n - 1, p->n - 1};
    ptrdiff_t left = INTERRUPT_SLICE;
    for (ptrdiff_t t = p->n + p->m - 2; t >= 0; t--) {
        sdtw_range_backward(p, t, &r);
        if (interrupt_turn(&left, (r.hi - r.lo + 1) * (p->d + 1))) break;
        kept_m -= r.hi - r.lo + 1;
        kept_e -= r.hi - r.lo + 1;
        for (ptrdiff_t i = r.lo; i <= r.hi; i += SDTW_W) {
            SDTW(soft_cells)(p, kind, 1, t, i, r.hi, &line[0], &line[1], &cells);
            SDTW(store)(line[2].m + i, cells.mantissa);
            SDTW(store)(line[2].e + i, cells.exponent);
            const sdtw_vec power = SDTW(load)(kept_e + (i - r.lo)) + cells.exponent - exponent;
            const sdtw_vec clipped = SDTW_MIN(SDTW_MAX(power, SDTW(all)(-SDTW_FLOOR)), SDTW(all)(SDTW_FLOOR));
            const sdtw_vec unit = (sdtw_vec)((sdtw_bits)(clipped + SDTW(all)(0x1p52 + 1023)) << 52);
            sdtw_vec visited = SDTW(load)(kept_m + (i - r.lo)) * cells.mantissa * inverse * unit;
            if (i + SDTW_W - 1 > r.hi) {
                const sdtw_vec mask = SDTW(load)((const double *)(lanes + (i + SDTW_W - 1 - r.hi)));
                visited = (sdtw_vec)((sdtw_bits)visited & (sdtw_bits)mask);
            }
            SDTW(spend)(p, kind, t, i, r.hi, visited, g);
        }
        if (t % SDTW_CLEAN <= 1) SDTW(clean)(&line[2], r);
        SDTW(border)(&line[2], r);
        SDTW(turn)(line);
    }
}

/* Hard DTW: R[i,j] = C[i,j] + min(R[i-1,j-1], R[i-1,j], R[i,j-1]). */
SDTW_INLINE SDTW_TARGET double SDTW(hard_run)(const sdtw_problem *p, int kind, double *work) {
    SDTW(line) line[3];
    SDTW(lines)(work, p->n, INFINITY, INFINITY, line);
    line[1].m[-1] = 0.0;
    sdtw_range r = {0, -1};
    ptrdiff_t left = INTERRUPT_SLICE;
    for (ptrdiff_t t = 0; t <= p->n + p->m - 2; t++) {
        const double *a = line[0].m, *b = line[1].m;
        double *out = line[2].m;
        sdtw_range_forward(p, t, &r);
        if (interrupt_turn(&left, (r.hi - r.lo + 1) * (p->d + 1))) break;
        for (ptrdiff_t i = r.lo; i <= r.hi; i += SDTW_W) {
            const sdtw_vec before = SDTW_MIN(SDTW_MIN(SDTW(load)(a + i), SDTW(load)(a + i - 1)), SDTW(load)(b + i - 1));
            SDTW(store)(out + i, SDTW(cost)(p, kind, t, i, r.hi) + before);
        }
        out[r.lo - 1] = out[r.hi + 1] = INFINITY;
        SDTW(turn)(line);
    }
    return line[0].m[p->n - 1];
}

static SDTW_TARGET void SDTW(soft)(
    const sdtw_problem *p, int kind, double *work, double *kept_m, double *kept_e, sdtw_total *total
) {
    /* Constants here, so that each call is compiled for its own kind of cost. */
    if (kind == SDTW_LINE && kept_m) SDTW(soft_run)(p, SDTW_LINE, work, kept_m, kept_e, total);
    else if (kind == SDTW_LINE) SDTW(soft_run)(p, SDTW_LINE, work, NULL, NULL, total);
    else if (kind == SDTW_SPACE && kept_m) SDTW(soft_run)(p, SDTW_SPACE, work, kept_m, kept_e, total);
    else if (kind == SDTW_SPACE) SDTW(soft_run)(p, SDTW_SPACE, work, NULL, NULL, total);
    else if (kept_m) SDTW(soft_run)(p, SDTW_MATRIX, work, kept_m, kept_e, total);
    else SDTW(soft_run)(p, SDTW_MATRIX, work, NULL, NULL, total);
}

static SDTW_TARGET void SDTW(gradient)(
    const sdtw_problem *p, int kind, double *work, const double *kept_m, const double *kept_e, const sdtw_total *total,
    const sdtw_gradient *g
) {
    if (kind == SDTW_LINE) SDTW(gradient_run)(p, SDTW_LINE, work, kept_m, kept_e, total, g);
    else if (kind == SDTW_SPACE) SDTW(gradient_run)(p, SDTW_SPACE, work, kept_m, kept_e, total, g);
    else SDTW(gradient_run)(p, SDTW_MATRIX, work, kept_m, kept_e, total, g);
}

static SDTW_TARGET double SDTW(hard)(const sdtw_problem *p, int kind, double *work) {
    if (kind == SDTW_LINE) return SDTW(hard_run)(p, SDTW_LINE, work);
    if (kind == SDTW_SPACE) return SDTW(hard_run)(p, SDTW_SPACE, work);
    return SDTW(hard_run)(p, SDTW_MATRIX, work);
}
