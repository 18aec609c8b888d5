/* NeuMF on a CPU: LANES pairs at once, one in each lane.

   Vectors and hidden units come first and pairs last, so that every loop runs over whole vectors of
   the processor, and a block of pairs stays in the L1 cache. Layers can be as narrow as ten units:
   a library's matrix product takes longer to start than to compute such a block.

   The order of sums is fixed: the same batch gives the same bits. NaN is passed on: no comparison
   removes it. */

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
/* Rows summed at once: at least eight vectors, so that none waits for the sum before it. */
enum { TOGETHER = VECTORS < 8 ? 2 : 1 };

typedef float vector __attribute__((vector_size(4 * WIDE)));
typedef int32_t mask __attribute__((vector_size(4 * WIDE)));
typedef union {
    vector of[VECTORS];
    float at[LANES];
} lanes;

#define EACH_VECTOR for (int q = 0; q < VECTORS; q++)

/* Widths of the layers, and where each layer begins in the one array of all weights: W (out, in),
   row by row, then b (out). */
typedef struct {
    int64_t d;         /* factors of a vector of GMF, and of a vector of the MLP */
    int64_t num_users; /* rows of users in the table; rows of items follow */
    int64_t num_items;
    int64_t layers;
    const int64_t *width;
    const int64_t *weight;
    const int64_t *bias;
    int64_t head;       /* d weights of GMF, then weights of the last layer */
    int64_t history[2]; /* vectors of items in a history: GMF's table and the MLP's table */
    float *values;      /* first the table: each row has GMF's vector, then the MLP's */
    float *gradient;    /* as `values`; kernels add to it */
} model;

/* `add_product` for at most TOGETHER rows of W, so that their sums stay in registers. */
static inline void add_sums(int rows, int64_t in, const float *restrict w, int64_t out_step,
                            int64_t in_step, const lanes *restrict x, lanes *restrict y) {
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
static void add_product(int64_t out, int64_t in, const float *restrict w, int64_t out_step,
                        int64_t in_step, const lanes *restrict x, lanes *restrict y) {
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
        EACH_VECTOR y[o].of[q] = (vector)((mask)y[o].of[q] & ~(y[o].of[q] < 0)); /* NaN stays NaN */
}

static void add_rows(int64_t count, const lanes *restrict x, lanes *restrict y) {
    for (int64_t o = 0; o < count; o++)
        EACH_VECTOR y[o].of[q] += x[o].of[q];
}

/* Returns the sum of all layers' widths. */
static int64_t units_of(const model *m) {
    int64_t units = 0;
    for (int64_t k = 0; k < m->layers; k++)
        units += m->width[k];
    return units;
}

/* Computes the outputs of the other layers from the first one's, at `h`, each after the one before;
   returns where the last layer's begin. */
static lanes *hidden_layers(const model *m, lanes *h) {
    for (int64_t k = 1; k < m->layers; k++) {
        const int64_t out = m->width[k], in = m->width[k - 1];
        lanes *next = h + in;
        fill(out, m->values + m->bias[k], next);
        add_product(out, in, m->values + m->weight[k], in, 1, h, next);
        relu(out, h = next);
    }
    return h;
}
