/* How a long loop in a header hears Ctrl-C: see _interrupt.pxd, whose `turn` this is. */
#ifndef STOTMETRICS_INTERRUPT_H
#define STOTMETRICS_INTERRUPT_H

#include <stddef.h>

#include "_simd.h"

/* Elementary steps between two looks: milliseconds. */
#define INTERRUPT_SLICE ((ptrdiff_t)1 << 21)

/* Set by the module that includes this header, when it is imported. */
static int (*interrupt_ask)(void) = NULL;

static int interrupt_look(ptrdiff_t *left) {
    *left = INTERRUPT_SLICE;
    if (!interrupt_ask) return 0;
    /* Python answers, in arithmetic as Python knows it. */
    const unsigned state = simd_flush(0);
    const int asked = interrupt_ask();
    simd_restore(state);
    return asked;
}

static inline __attribute__((always_inline)) int interrupt_turn(ptrdiff_t *left, ptrdiff_t work) {
    *left -= work;
    return __builtin_expect(*left < 0, 0) && interrupt_look(left);
}

#endif
