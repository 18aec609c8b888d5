/* NeuMF on a CPU: LANES pairs at a time, one in each lane.

   Vectors and hidden units come first and pairs last, so that every loop runs over whole vectors of the processor, and what a
   block of pairs needs stays in the first-level cache. Layers are as narrow as ten units: a library's matrix product spends more
   time on beginning than on such a block.

   Sums are taken in one order, whatever runs beside: the same batch gives the same bits. Values that are not numbers are
   passed on, never compared away. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined __AVX512F__
#define WIDE 16 /* floats in a vector of the processor */
#elif defined __AVX__
#define WIDE 8
#else
#define WIDE 4
#endif
enum { LANES = 64, VECTORS = LANES / WIDE };
/* Sums at once: eight vectors of them or more, so that none waits for the one before it. */
enum { TOGETHER = VECTORS < 8 ? 2 : 1 };

typedef float vector __attribute__((vector_size(4 * WIDE)));
typedef int32_t mask __attribute__((vector_size(4 * WIDE)));
typedef union {
    vector of[VECTORS];
    float at[LANES];
} lanes;

#define EACH_VECTOR for (int q = 0; q < VECTORS; q++)

/* Widths of the layers, and where each begins in the weights, which are one array: W (out, in), row by row, and b (out). */
typedef struct {
    int64_t d;         /* factors of a vector of GMF, and of one of the MLP */
    int64_t num_users; /* rows of the table that belong to users; items follow */
    int64_t layers;
    const int64_t *width;
    const int64_t *weight;
    const int64_t *bias;
    int64_t head;       /* d weights of GMF, then those of the last layer */
    int64_t history[2]; /* tables of GMF's and of the MLP's vectors of items in a history */
    float *values;      /* the table first: a row has the vector of GMF, then that of the MLP */
    float *gradient;    /* as `values`; added to */
} model;

/* `add_product` for so few rows of W, TOGETHER at most, that their sums stay in the processor. */
static inline void add_sums(int rows, int64_t in, const float *restrict w, int64_t out_step, int64_t in_step,
                            const lanes *restrict x, lanes *restrict y) {
    lanes sum[TOGETHER];
    for (int r = 0; r < rows; r++)
        sum[r] = y[r];
    for (int64_t i = 0; i < in; i++)
        for (int r = 0; r < rows; r++) {
            const float weight = w[r * out_step + i * in_step];
            EACH_VECTOR sum[r].of[q] += weight * x[i].of[q];
        }
    for (int r = 0; r < rows; r++)
        y[r] = sum[r];
}

/* y_o = y_o + Σ_i w[o·out_step + i·in_step] x_i */
static void add_product(int64_t out, int64_t in, const float *restrict w, int64_t out_step, int64_t in_step,
                        const lanes *restrict x, lanes *restrict y) {
    int64_t o = 0;
    for (; o + TOGETHER <= out; o += TOGETHER)
        add_sums(TOGETHER, in, w + o * out_step, out_step, in_step, x, y + o);
    for (; o < out; o++)
        add_sums(1, in, w + o * out_step, out_step, in_step, x, y + o);
}

static void fill(int64_t count, const float *restrict values, lanes *restrict y) {
    for (int64_t o = 0; o < count; o++)
        EACH_VECTOR y[o].of[q] = values[o] - (vector){0};
}

static void relu(int64_t count, lanes *restrict y) {
    for (int64_t o = 0; o < count; o++)
        EACH_VECTOR y[o].of[q] = (vector)((mask)y[o].of[q] & ~(y[o].of[q] < 0)); /* what is not a number stays so */
}

static void add_rows(int64_t count, const lanes *restrict x, lanes *restrict y) {
    for (int64_t o = 0; o < count; o++)
        EACH_VECTOR y[o].of[q] += x[o].of[q];
}
