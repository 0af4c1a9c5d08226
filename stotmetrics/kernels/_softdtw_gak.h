/* Local costs of the global alignment kernel: q + log(2 - exp(-q)), q = |x_i - y_j|^2 / (2 sigma^2) kept below a bound;
 * included once for each build by _softdtw_loops.h. Returns the largest. */

SIMD_ENTRY double SIMD(gak_costs)(double *cost, ptrdiff_t count, double factor, double most)
{
    simd_vec dearest = SIMD(all)(0.0);
    for (ptrdiff_t i = 0; i < count; i += SIMD_W) {
        const simd_vec q = SIMD_MIN(SIMD(read)(cost + i, count - i, 0.0) * factor, SIMD(all)(most));
        const simd_vec of_pair = q + SIMD(log)(2.0 - SIMD(exp)(-q));
        SIMD(write)(cost + i, count - i, of_pair);
        dearest = SIMD_MAX(of_pair, dearest);
    }
    return SIMD(largest)(dearest);
}
