/* Soft-DTW along anti-diagonals; included once for each build by _softdtw_loops.h.
 *
 * Diagonal t holds the cells (i, t - i), indexed by i. Lanes behind the last row of a diagonal compute rubbish that no
 * valid cell reads: the cells next to both ends are reset to a border each time.
 */

/* Costs of the cells i..i+W-1 of diagonal t, whose last row is hi. */
SIMD_INLINE simd_vec SIMD(sdtw_cost)(const sdtw_problem *p, int kind, ptrdiff_t t, ptrdiff_t i, ptrdiff_t hi) {
    if (kind == SDTW_MATRIX) {
        const double *c = p->cost + t;
        const ptrdiff_t s = p->m - 1;
        simd_vec costs;
        SIMD_UNROLL
        for (ptrdiff_t k = 0; k < SIMD_W; k++) costs[k] = c[(i + k <= hi ? i + k : hi) * s];
        return costs;
    }
    const double *x = p->x + i, *y = p->y + (p->m - 1 - t) + i;
    const simd_vec gap = SIMD(load)(x) - SIMD(load)(y);
    simd_vec c = gap * gap;
    if (kind == SDTW_SPACE || kind == SDTW_GAK) {
        for (ptrdiff_t k = 1; k < p->d; k++) {
            const simd_vec g = SIMD(load)(x + k * (p->n + SDTW_LANES)) - SIMD(load)(y + k * (p->m + SDTW_LANES));
            c = SIMD_FMA(g, g, c);
        }
    }
    return c;
}

/* 2^-(c scale) = factor 2^-k with a whole k: how much the exponent of a cell falls. */
typedef struct {
    simd_vec factor, fall;
} SIMD(sdtw_power);

#ifdef SIMD_LOOK_UP
/* 16 c scale = n + rest, n in the low bits of a number; fall is 16 k. */
typedef struct {
    simd_vec n, rest;
} SIMD(sdtw_sixteenths);
SIMD_INLINE SIMD(sdtw_sixteenths) SIMD(sdtw_split)(simd_vec c, simd_vec scale) {
    const simd_vec fine = scale * SIMD(all)(16.0), magic = SIMD(all)(SDTW_MAGIC), n = SIMD_FMA(c, fine, magic);
    return (SIMD(sdtw_sixteenths)){n, SIMD_FMA(-c, fine, n - magic)};
}
SIMD_INLINE SIMD(sdtw_power) SIMD(sdtw_power_of)(simd_vec c, simd_vec scale) {
    const SIMD(sdtw_sixteenths) s = SIMD(sdtw_split)(c, scale);
    const simd_bits none = (simd_bits)SIMD(all)(0.0), whole = (simd_bits)s.n & ~(none + 15);
    const simd_vec factor = SIMD(exp2_sixteenth)(s.rest) * SIMD_LOOK_UP(simd_sixteenths, (simd_bits)s.n);
    return (SIMD(sdtw_power)){factor, (simd_vec)whole - SIMD(all)(SDTW_MAGIC)};
}
SIMD_INLINE simd_vec SIMD(sdtw_fallen)(simd_vec top, SIMD(sdtw_power) power) {
    return SIMD_FMA(power.fall, SIMD(all)(-0.0625), top);
}
/* The same as one number, where it is a normal one. */
SIMD_INLINE simd_vec SIMD(sdtw_number_of)(simd_vec c, simd_vec scale) {
    const SIMD(sdtw_sixteenths) s = SIMD(sdtw_split)(c, scale);
    return SIMD(exp2_sixteenth)(s.rest) * SIMD(minus_sixteenths)((simd_bits)s.n);
}
#else
SIMD_INLINE SIMD(sdtw_power) SIMD(sdtw_power_of)(simd_vec c, simd_vec scale) {
    const simd_vec magic = SIMD(all)(SDTW_MAGIC), k = SIMD_FMA(c, scale, magic) - magic;
    return (SIMD(sdtw_power)){SIMD(exp2)(SIMD_FMA(-c, scale, k)), k};
}
SIMD_INLINE simd_vec SIMD(sdtw_fallen)(simd_vec top, SIMD(sdtw_power) power) { return top - power.fall; }
/* The same as one number, where it is a normal one. */
SIMD_INLINE simd_vec SIMD(sdtw_number_of)(simd_vec c, simd_vec scale) {
    const simd_vec magic = SIMD(all)(SDTW_MAGIC), power = SIMD_FMA(c, scale, magic);
    const simd_vec factor = SIMD(exp2)(SIMD_FMA(-c, scale, power - magic));
    return (simd_vec)((simd_bits)factor - ((simd_bits)power << 52));
}
#endif

/* 2^(e - top) for e <= top; anything below 2^-FLOOR counts as 2^-FLOOR. base = top - SDTW_BASE. */
SIMD_INLINE simd_vec SIMD(sdtw_shift)(simd_vec e, simd_vec base) {
    return (simd_vec)((simd_bits)SIMD_MAX(e - base, SIMD(all)(SDTW_BASE - SDTW_FLOOR)) << 52);
}

/* From g to g / (2 - g). */
SIMD_INLINE SIMD(sdtw_power) SIMD(sdtw_kernel_of)(SIMD(sdtw_power) power) {
    const simd_vec e = SIMD(sdtw_fallen)(SIMD(all)(0.0), power);
    power.factor /= 2.0 - power.factor * SIMD(sdtw_shift)(e, SIMD(all)(-SDTW_BASE));
    return power;
}

/* One diagonal of mantissas and exponents, indexed by row; one slot before row 0 is legal. */
typedef struct {
    double *m, *e;
} SIMD(sdtw_line);

typedef struct {
    simd_vec sum, top;           /* of the three neighbours: sum 2^top */
    simd_vec mantissa, exponent; /* of the cell */
} SIMD(sdtw_cells);

/* The cells i..i+W-1 of diagonal t; a is the diagonal before, b the one before that. */
SIMD_INLINE void SIMD(sdtw_soft_cells)(
    const sdtw_problem *p, int kind, ptrdiff_t t, ptrdiff_t i, ptrdiff_t hi, const SIMD(sdtw_line) *a,
    const SIMD(sdtw_line) *b, SIMD(sdtw_cells) *out
) {
    SIMD(sdtw_power) power = SIMD(sdtw_power_of)(SIMD(sdtw_cost)(p, kind, t, i, hi), SIMD(all)(p->scale));
    if (kind == SDTW_GAK) power = SIMD(sdtw_kernel_of)(power);
    const simd_vec e1 = SIMD(load)(a->e + i), e2 = SIMD(load)(a->e + i - 1), e3 = SIMD(load)(b->e + i - 1);
    const simd_vec top = SIMD_MAX(SIMD_MAX(e1, e2), e3);
    const simd_vec base = top - SIMD(all)(SDTW_BASE);
    /* A product with a power of two is exact, so swapping x and y swaps the first two terms and changes no bit. */
    const simd_vec before = SIMD(load)(a->m + i) * SIMD(sdtw_shift)(e1, base);
    const simd_vec above = SIMD(load)(a->m + i - 1) * SIMD(sdtw_shift)(e2, base);
    out->sum = before + above + SIMD(load)(b->m + i - 1) * SIMD(sdtw_shift)(e3, base);
    out->mantissa = out->sum * power.factor;
    out->exponent = SIMD(sdtw_fallen)(top, power);
    out->top = top;
}

SIMD_INLINE void SIMD(sdtw_border)(const SIMD(sdtw_line) *out, sdtw_range r, double e) {
    out->m[r.lo - 1] = out->m[r.hi + 1] = 0.0;
    out->e[r.lo - 1] = out->e[r.hi + 1] = e;
}

/* Move the power of two of each mantissa into its exponent. The mantissas of valid cells are positive. */
SIMD_INLINE void SIMD(sdtw_clean)(const SIMD(sdtw_line) *out, sdtw_range r) {
    const simd_bits field = (simd_bits)SIMD(all)(0x1p52), fraction = field * 0 + 0xFFFFFFFFFFFFF;
    const simd_vec one = SIMD(all)(1.0);
    for (ptrdiff_t i = r.lo; i <= r.hi; i += SIMD_W) {
        const simd_bits bits = (simd_bits)SIMD(load)(out->m + i);
        const simd_vec power = (simd_vec)((simd_bits)((simd_words)bits >> 52) | field) - SIMD(all)(0x1p52 + 1023);
        SIMD(store)(out->e + i, SIMD(load)(out->e + i) + power);
        SIMD(store)(out->m + i, (simd_vec)((bits & fraction) | (simd_bits)one));
    }
}

SIMD_INLINE void SIMD(sdtw_lines)(double *work, ptrdiff_t n, double m, double e, SIMD(sdtw_line) line[3]) {
    for (ptrdiff_t k = 0; k < 3; k++) {
        line[k].m = work + 2 * k * SDTW_BUFFER(n) + SIMD_W;
        line[k].e = line[k].m + SDTW_BUFFER(n);
        for (ptrdiff_t i = -SIMD_W; i < n + SIMD_W; i++) {
            line[k].m[i] = m;
            line[k].e[i] = e;
        }
    }
}

SIMD_INLINE void SIMD(sdtw_turn)(SIMD(sdtw_line) line[3]) {
    const SIMD(sdtw_line) spare = line[1];
    line[1] = line[0];
    line[0] = line[2];
    line[2] = spare;
}

/* What is left of a probability: nothing of a tiny one, nor of what is none. */
SIMD_INLINE simd_vec SIMD(sdtw_likely)(simd_vec probability) {
    return (simd_vec)((simd_bits)probability & (simd_bits)(probability > SDTW_NOTHING));
}

/* The forward run, which keeps all sums where there is room for them. */
SIMD_INLINE void SIMD(sdtw_forward_run)(
    const sdtw_problem *p, int kind, double *work, const sdtw_sums *kept, sdtw_total *total
) {
    SIMD(sdtw_line) line[3];
    SIMD(sdtw_cells) cells;
    SIMD(sdtw_lines)(work, p->n, 0.0, SDTW_NONE, line);
    /* The cell before the first one. */
    line[1].m[-1] = 1.0;
    line[1].e[-1] = 0.0;
    sdtw_range r = {0, -1};
    ptrdiff_t left = INTERRUPT_SLICE, at = 0;
    for (ptrdiff_t t = 0; t <= p->n + p->m - 2; t++) {
        sdtw_range_forward(p, t, &r);
        if (interrupt_turn(&left, (r.hi - r.lo + 1) * (p->d + 1))) break;
        for (ptrdiff_t i = r.lo; i <= r.hi; i += SIMD_W) {
            SIMD(sdtw_soft_cells)(p, kind, t, i, r.hi, &line[0], &line[1], &cells);
            SIMD(store)(line[2].m + i, cells.mantissa);
            SIMD(store)(line[2].e + i, cells.exponent);
            if (kept) {
                SIMD(store)(kept->sum + at + (i - r.lo), cells.sum);
                SIMD(store)(kept->top + at + (i - r.lo), cells.top);
            }
        }
        at += r.hi - r.lo + 1;
        /* Two diagonals in a row: a diagonal step jumps over one. */
        if (t % SDTW_CLEAN <= 1) SIMD(sdtw_clean)(&line[2], r);
        SIMD(sdtw_border)(&line[2], r, SDTW_NONE);
        SIMD(sdtw_turn)(line);
    }
    total->mantissa = line[0].m[p->n - 1];
    total->exponent = line[0].e[p->n - 1];
    for (ptrdiff_t k = 0; kept && k < SDTW_PAD; k++) kept->sum[at + k] = kept->top[at + k] = 0.0;
}

/* What the probability of visiting each of the cells i..i+W-1 adds to the gradients, or to the alignment. */
SIMD_INLINE void SIMD(sdtw_spend)(
    const sdtw_problem *p, int kind, ptrdiff_t t, ptrdiff_t i, ptrdiff_t hi, simd_vec visited, const sdtw_gradient *g
) {
    if (kind == SDTW_MATRIX) {
        for (ptrdiff_t k = 0; k < SIMD_W && i + k <= hi; k++) g->alignment[(i + k) * (p->m - 1) + t] = visited[k];
        return;
    }
    const ptrdiff_t j = p->m - 1 - t + i;
    for (ptrdiff_t k = 0; k < (kind == SDTW_LINE ? 1 : p->d); k++) {
        const ptrdiff_t at_x = k * (p->n + SDTW_LANES) + i, at_y = k * (p->m + SDTW_LANES) + j;
        const simd_vec gap = SIMD(load)(p->x + at_x) - SIMD(load)(p->y + at_y), weight = 2.0 * visited;
        SIMD(store)(g->x + at_x, SIMD_FMA(weight, gap, SIMD(load)(g->x + at_x)));
        SIMD(store)(g->y + at_y, SIMD_FMA(-weight, gap, SIMD(load)(g->y + at_y)));
    }
}

/* The backward run. With S the sum of the three cells before a cell, Z = K S, the probability that an alignment visits
 * it is S[i,j] H[i,j], where H = K (H[i+1,j] + H[i,j+1] + H[i+1,j+1]) runs backwards, and H = 1 / S in the last cell:
 * nothing else is divided. An H is m 2^-e in the unit 2^e of its S; e of nothing is above that of any cell. */
SIMD_INLINE void SIMD(sdtw_backward_run)(
    const sdtw_problem *p, int kind, double *work, const sdtw_sums *kept, const sdtw_gradient *g
) {
    static const int64_t lanes[2 * SDTW_LANES] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    const simd_vec scale = SIMD(all)(p->scale);
    const double nothing = -SDTW_NONE - SDTW_BASE;
    SIMD(sdtw_line) line[3]; /* of exponents less SDTW_BASE */
    SIMD(sdtw_lines)(work, p->n, 0.0, nothing, line);
    sdtw_range r = {p->n - 1, p->n - 1};
    ptrdiff_t left = INTERRUPT_SLICE, at = kept->cells;
    const ptrdiff_t last = p->n + p->m - 2;
    for (ptrdiff_t t = last; t >= 0; t--) {
        sdtw_range_backward(p, t, &r);
        if (interrupt_turn(&left, 2 * (r.hi - r.lo + 1) * (p->d + 1))) break;
        at -= r.hi - r.lo + 1;
        const double *m = line[0].m, *e = line[0].e;
        for (ptrdiff_t i = r.lo; i <= r.hi; i += SIMD_W) {
            const simd_vec sum = SIMD(load)(kept->sum + at + (i - r.lo)), top = SIMD(load)(kept->top + at + (i - r.lo));
            const SIMD(sdtw_power) power = SIMD(sdtw_power_of)(SIMD(sdtw_cost)(p, kind, t, i, r.hi), scale);
            const simd_vec own = SIMD(sdtw_fallen)(top, power);
            simd_vec h = SIMD(load)(m + i + 1) * SIMD(sdtw_shift)(own, SIMD(load)(e + i + 1));
            h = SIMD_FMA(SIMD(load)(line[1].m + i + 1), SIMD(sdtw_shift)(own, SIMD(load)(line[1].e + i + 1)), h);
            h = SIMD_FMA(SIMD(load)(m + i), SIMD(sdtw_shift)(own, SIMD(load)(e + i)), h) * power.factor;
            if (t == last) h = 1.0 / sum;
            simd_vec visited = SIMD(sdtw_likely)(h * sum);
            if (i + SIMD_W - 1 > r.hi) {
                const simd_vec mask = SIMD(load)((const double *)(lanes + (SDTW_LANES + i - 1 - r.hi)));
                visited = (simd_vec)((simd_bits)visited & (simd_bits)mask);
            }
            SIMD(store)(line[2].m + i, (simd_vec)((simd_bits)h & (simd_bits)(visited > 0.0)));
            SIMD(store)(line[2].e + i, top - SIMD(all)(SDTW_BASE));
            SIMD(sdtw_spend)(p, kind, t, i, r.hi, visited, g);
        }
        SIMD(sdtw_border)(&line[2], r, nothing);
        SIMD(sdtw_turn)(line);
    }
}

/* Hard DTW: R[i,j] = C[i,j] + min(R[i-1,j-1], R[i-1,j], R[i,j-1]). */
SIMD_INLINE double SIMD(sdtw_hard_run)(const sdtw_problem *p, int kind, double *work) {
    SIMD(sdtw_line) line[3];
    SIMD(sdtw_lines)(work, p->n, INFINITY, INFINITY, line);
    line[1].m[-1] = 0.0;
    sdtw_range r = {0, -1};
    ptrdiff_t left = INTERRUPT_SLICE;
    for (ptrdiff_t t = 0; t <= p->n + p->m - 2; t++) {
        const double *a = line[0].m, *b = line[1].m;
        double *out = line[2].m;
        sdtw_range_forward(p, t, &r);
        if (interrupt_turn(&left, (r.hi - r.lo + 1) * (p->d + 1))) break;
        for (ptrdiff_t i = r.lo; i <= r.hi; i += SIMD_W) {
            const simd_vec before = SIMD_MIN(SIMD_MIN(SIMD(load)(a + i), SIMD(load)(a + i - 1)), SIMD(load)(b + i - 1));
            if (kind == SDTW_LINE) {
                const simd_vec gap = SIMD(load)(p->x + i) - SIMD(load)(p->y + (p->m - 1 - t) + i);
                SIMD(store)(out + i, SIMD_FMA(gap, gap, before));
            } else SIMD(store)(out + i, SIMD(sdtw_cost)(p, kind, t, i, r.hi) + before);
        }
        out[r.lo - 1] = out[r.hi + 1] = INFINITY;
        SIMD(sdtw_turn)(line);
    }
    return line[0].m[p->n - 1];
}

SIMD_ENTRY void SIMD(sdtw_forward)(
    const sdtw_problem *p, int kind, double *work, const sdtw_sums *kept, sdtw_total *total
) {
    /* Constants here, so that each call is compiled for its own kind of cost. */
    if (kind == SDTW_LINE && kept) SIMD(sdtw_forward_run)(p, SDTW_LINE, work, kept, total);
    else if (kind == SDTW_LINE) SIMD(sdtw_forward_run)(p, SDTW_LINE, work, NULL, total);
    else if (kind == SDTW_SPACE && kept) SIMD(sdtw_forward_run)(p, SDTW_SPACE, work, kept, total);
    else if (kind == SDTW_SPACE) SIMD(sdtw_forward_run)(p, SDTW_SPACE, work, NULL, total);
    else if (kind == SDTW_GAK) SIMD(sdtw_forward_run)(p, SDTW_GAK, work, NULL, total);
    else if (kept) SIMD(sdtw_forward_run)(p, SDTW_MATRIX, work, kept, total);
    else SIMD(sdtw_forward_run)(p, SDTW_MATRIX, work, NULL, total);
}

SIMD_ENTRY void SIMD(sdtw_backward)(
    const sdtw_problem *p, int kind, double *work, const sdtw_sums *kept, const sdtw_gradient *g
) {
    if (kind == SDTW_LINE) SIMD(sdtw_backward_run)(p, SDTW_LINE, work, kept, g);
    else if (kind == SDTW_SPACE) SIMD(sdtw_backward_run)(p, SDTW_SPACE, work, kept, g);
    else SIMD(sdtw_backward_run)(p, SDTW_MATRIX, work, kept, g);
}

SIMD_ENTRY double SIMD(sdtw_hard)(const sdtw_problem *p, int kind, double *work) {
    if (kind == SDTW_LINE) return SIMD(sdtw_hard_run)(p, SDTW_LINE, work);
    if (kind == SDTW_SPACE) return SIMD(sdtw_hard_run)(p, SDTW_SPACE, work);
    return SIMD(sdtw_hard_run)(p, SDTW_MATRIX, work);
}
