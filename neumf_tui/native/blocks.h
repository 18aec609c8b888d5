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

#if defined __AVX__
#define WIDE 8 /* floats in a vector of the processor; with AVX-512 twice as wide is a quarter slower */
#else
#define WIDE 4
#endif
enum { LANES = 64, VECTORS = LANES / WIDE };

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

/* y_o = y_o + Σ_i w[o·out_step + i·in_step] x_i */
static void add_product(int64_t out, int64_t in, const float *restrict w, int64_t out_step, int64_t in_step,
                        const lanes *restrict x, lanes *restrict y) {
    for (int64_t o = 0; o < out; o++) {
        lanes sum = y[o];
        const float *row = w + o * out_step;
        for (int64_t i = 0; i < in; i++) {
            float weight = row[i * in_step];
            EACH_VECTOR sum.of[q] += weight * x[i].of[q];
        }
        y[o] = sum;
    }
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
