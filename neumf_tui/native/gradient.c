/* The gradient of a batch. */

#include "blocks.h"

enum loss { BPR, BCE, SOFTMAX };

/* y_o = 0 where the unit x_o is 0 */
static void relu_back(int64_t count, const lanes *restrict x, lanes *restrict y) {
    for (int64_t o = 0; o < count; o++)
        EACH_VECTOR y[o].of[q] = (vector)((mask)y[o].of[q] & ~(x[o].of[q] <= 0));
}

/* sums[o·step + i] += x_o y_i for each lane; `sum_of` adds the lanes after the last block */
static void add_outer(int64_t out, int64_t in, const lanes *restrict x, const lanes *restrict y,
                      vector *restrict sums, int64_t step) {
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++) {
            vector sum = sums[o * step + i];
            EACH_VECTOR sum += x[o].of[q] * y[i].of[q];
            sums[o * step + i] = sum;
        }
}

static void add_lanes(int64_t count, const lanes *restrict x, vector *restrict sums) {
    for (int64_t o = 0; o < count; o++)
        EACH_VECTOR sums[o] += x[o].of[q];
}

static float softplus(float x, float *slope) {
    float small = expf(-fabsf(x));
    *slope = (x < 0 ? small : 1) / (1 + small);
    return (x < 0 ? 0 : x) + log1pf(small);
}

/* Returns the loss of the first n lanes, and sets its gradient, 0 in the other lanes. Scores and
   gradient have a row for the positive, then one for each negative. */
static double loss_of(enum loss kind, int64_t items, int64_t n, const lanes *restrict score,
                      lanes *restrict delta) {
    double loss = 0;
    memset(delta, 0, items * sizeof *delta);
    for (int64_t l = 0; l < n; l++) {
        float positive = score[0].at[l], slope;
        if (kind == BPR) {
            for (int64_t m = 1; m < items; m++) {
                loss += softplus(score[m].at[l] - positive, &slope);
                delta[m].at[l] = slope;
                delta[0].at[l] -= slope;
            }
        } else if (kind == BCE) {
            loss += softplus(-positive, &slope);
            delta[0].at[l] = -slope;
            for (int64_t m = 1; m < items; m++) {
                loss += softplus(score[m].at[l], &slope);
                delta[m].at[l] = slope;
            }
        } else {
            float most = positive, sum = 0;
            for (int64_t m = 1; m < items; m++)
                most = score[m].at[l] > most ? score[m].at[l] : most;
            for (int64_t m = 0; m < items; m++)
                sum += delta[m].at[l] = expf(score[m].at[l] - most);
            for (int64_t m = 0; m < items; m++)
                delta[m].at[l] /= sum;
            delta[0].at[l] -= 1;
            loss += logf(sum) + most - positive;
        }
    }
    return loss;
}

typedef float four __attribute__((vector_size(16)));
typedef int32_t places_of_four __attribute__((vector_size(16)));
#if defined __clang__
#define PICK(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else /* GCC has __builtin_shufflevector only since version 12 */
#define PICK(x, y, ...) __builtin_shuffle(x, y, (places_of_four){__VA_ARGS__})
#endif

static four four_at(const float *x) {
    four y;
    memcpy(&y, x, sizeof y);
    return y;
}

/* Transposes four by four values. Moving a block value by value would take longer than computing
   with it. */
static void transpose(four x[4]) {
    const four low = PICK(x[0], x[1], 0, 4, 1, 5), high = PICK(x[0], x[1], 2, 6, 3, 7);
    const four low_below = PICK(x[2], x[3], 0, 4, 1, 5), high_below = PICK(x[2], x[3], 2, 6, 3, 7);
    x[0] = PICK(low, low_below, 0, 1, 4, 5), x[1] = PICK(low, low_below, 2, 3, 6, 7);
    x[2] = PICK(high, high_below, 0, 1, 4, 5), x[3] = PICK(high, high_below, 2, 3, 6, 7);
}

/* Copies a row of `table` into each of n lanes: row places[l], or l without places. The other lanes
   get the first one's row. */
static void gather(int64_t width, int64_t n, const float *restrict table,
                   const int64_t *restrict places, lanes *restrict x) {
    for (int64_t l = 0; l < LANES; l += 4) {
        const float *row[4];
        for (int r = 0; r < 4; r++) {
            const int64_t place = l + r < n ? l + r : 0;
            row[r] = table + (places ? places[place] : place) * width;
        }
        int64_t k = 0;
        for (; k + 4 <= width; k += 4) {
            four values[4];
            for (int r = 0; r < 4; r++)
                values[r] = four_at(row[r] + k);
            transpose(values);
            for (int r = 0; r < 4; r++)
                memcpy(x[k + r].at + l, values + r, sizeof *values);
        }
        for (; k < width; k++)
            for (int r = 0; r < 4; r++)
                x[k].at[l + r] = row[r][k];
    }
}

/* Adds each of n lanes to its row of `table`. */
static void scatter(int64_t width, int64_t n, const lanes *restrict x, float *restrict table,
                    const int64_t *restrict places) {
    for (int64_t l = 0; l < n; l += 4) {
        const int64_t count = n - l < 4 ? n - l : 4;
        float *row[4];
        for (int64_t r = 0; r < count; r++)
            row[r] = table + (places ? places[l + r] : l + r) * width;
        int64_t k = 0;
        for (; k + 4 <= width; k += 4) {
            four values[4];
            for (int r = 0; r < 4; r++)
                values[r] = four_at(x[k + r].at + l);
            transpose(values);
            for (int64_t r = 0; r < count; r++) { /* in turn: rows may be the same */
                const four sum = four_at(row[r] + k) + values[r];
                memcpy(row[r] + k, &sum, sizeof sum);
            }
        }
        for (; k < width; k++)
            for (int64_t r = 0; r < count; r++)
                row[r][k] += x[k].at[l + r];
    }
}

static void add_scaled(int64_t count, float scale, const float *restrict x, float *restrict y) {
    for (int64_t k = 0; k < count; k++)
        y[k] += scale * x[k];
}

/* The training data of one step. */
typedef struct {
    const int64_t *users;
    const int64_t *positives;
    int64_t negatives;
    const int64_t *negative; /* (negatives, pairs), rows `step` apart; 0: shared */
    int64_t step;
    const float *score_offset; /* (negatives, pairs), subtracted from scores; or null */
    int64_t offset_step;
    const float *dropout[2]; /* (pairs, d), factors of users' vectors; or null */
    const int32_t *history;  /* items of all histories; null: no histories */
    int64_t history_size;
    const int64_t *start;    /* (pairs), where each pair's history begins */
    const int64_t *count;    /* (pairs), its number of items, oldest first */
    const float *weight;     /* (length), of the latest item, of the one before it, … */
    int64_t length;
    enum loss loss;
    int separate_paths; /* GMF and MLP are two models; the loss is their sum */
} batch;

/* Returns a number whose highest bit is set if x is negative or not below `limit`. */
static inline uint64_t outside(int64_t x, int64_t limit) {
    return (uint64_t)x | ((uint64_t)(limit - 1) - (uint64_t)x);
}

/* Returns whether all that the pairs `begin` to before `end` name is in the tables; the items of
   histories are not looked at. */
static __attribute__((noinline)) int is_within_tables(const model *m, const batch *b, int64_t begin, int64_t end) {
    uint64_t wrong = 0;
    for (int64_t pair = begin; pair < end; pair++)
        wrong |= outside(b->users[pair], m->num_users) | outside(b->positives[pair], m->num_items);
    for (int64_t j = 0; j < b->negatives; j++) {
        const int64_t *row = b->negative + (b->step ? j * b->step : j);
        const int64_t first = b->step ? begin : 0, last = b->step ? end : 1;
        for (int64_t pair = first; pair < last; pair++)
            wrong |= outside(row[pair], m->num_items);
    }
    for (int64_t pair = begin; b->history && pair < end; pair++) {
        const int64_t start = b->start[pair], count = b->count[pair];
        if (start < 0 || start > b->history_size || count < 0 || count > b->history_size - start)
            return 0;
    }
    return !(wrong >> 63);
}

/* Returns how many items of a pair's history count. The latest one is at `items`, the one before it
   at `items` − 1. Weights times `scale` are w / √Σ w. */
static int64_t latest_items(const batch *b, int64_t pair, const int32_t **items, float *scale) {
    const int64_t count = b->history ? b->count[pair] : 0;
    const int64_t seen = count < b->length ? count : b->length;
    float total = 0;
    for (int64_t i = 0; i < seen; i++)
        total += b->weight[i];
    *scale = 1 / sqrtf(total);
    *items = seen ? b->history + b->start[pair] + count - 1 : 0;
    return seen;
}

/* Multiplies a pair's row (2d) by its dropout factors. */
static void drop(const batch *b, int64_t d, int64_t pair, float *restrict row) {
    for (int path = 0; path < 2; path++)
        if (b->dropout[path])
            for (int64_t k = 0; k < d; k++)
                row[path * d + k] *= b->dropout[path][pair * d + k];
}

/* Writes the vectors (n, 2d) of n pairs' users: their own plus their histories', after dropout. */
static void user_rows(const model *m, const batch *b, int64_t start, int64_t n, float *rows) {
    const int64_t d = m->d;
    const int32_t *items;
    float scale;
    for (int64_t l = 0; l < n; l++, rows += 2 * d) {
        memcpy(rows, m->values + b->users[start + l] * 2 * d, 2 * d * sizeof *rows);
        const int64_t seen = latest_items(b, start + l, &items, &scale);
        for (int64_t i = 0; i < seen; i++)
            for (int path = 0; path < 2; path++)
                add_scaled(d, b->weight[i] * scale,
                           m->values + m->history[path] + items[-i] * d, rows + path * d);
        drop(b, d, start + l, rows);
    }
}

/* Adds the gradient of the vectors of `user_rows`, (n, 2d), to the gradients of users and
   histories. Overwrites `rows`. */
static void user_rows_back(const model *m, const batch *b, int64_t start, int64_t n, float *rows) {
    const int64_t d = m->d;
    const int32_t *items;
    float scale;
    for (int64_t l = 0; l < n; l++, rows += 2 * d) {
        drop(b, d, start + l, rows);
        add_scaled(2 * d, 1, rows, m->gradient + b->users[start + l] * 2 * d);
        const int64_t seen = latest_items(b, start + l, &items, &scale);
        for (int64_t i = 0; i < seen; i++)
            for (int path = 0; path < 2; path++)
                add_scaled(d, b->weight[i] * scale, rows + path * d,
                           m->gradient + m->history[path] + items[-i] * d);
    }
}

/* Computes from `delta`, the gradient of the scores, the gradient of the first layer's sums into
   `back`, and adds the gradients of head and later layers to `sums`. `h`: where the last layer's
   outputs begin. `spare`: as large as `back`. */
static void back_to_first(const model *m, const lanes *delta, const lanes *h, lanes *back,
                          lanes *spare, vector *sums) {
    const int64_t last = m->width[m->layers - 1], base = m->weight[0];
    const float *head = m->values + m->head + m->d;
    add_outer(1, last, delta, h, sums + (m->head + m->d - base), 0);
    lanes *from = m->layers % 2 ? back : spare, *to = m->layers % 2 ? spare : back;
    for (int64_t o = 0; o < last; o++)
        EACH_VECTOR from[o].of[q] = head[o] * delta->of[q];
    for (int64_t k = m->layers - 1; k > 0; k--) {
        const int64_t out = m->width[k], in = m->width[k - 1];
        relu_back(out, h, from);
        h -= in;
        add_outer(out, in, from, h, sums + (m->weight[k] - base), in);
        add_lanes(out, from, sums + (m->bias[k] - base));
        memset(to, 0, in * sizeof *to);
        add_product(in, out, m->values + m->weight[k], 1, in, from, to);
        lanes *swap = from;
        from = to;
        to = swap;
    }
    relu_back(m->width[0], h, from);
}

static float sum_of(vector x) {
    float sum = 0;
    for (int w = 0; w < WIDE; w++)
        sum += x[w];
    return sum;
}

/* Values of one block of pairs, and sums over all blocks. `count` items are scored for a pair: the
   first `gathered` are its own (the positive first), and `shared` are the same for all pairs. */
typedef struct {
    int64_t both, first, last, units, count, gathered, shared, base, learned;
    lanes *user, *user_back;  /* vectors of GMF and MLP, and gradient */
    lanes *user_first, *user_first_back;  /* user's part of the first layer, with bias */
    lanes *item, *item_back;  /* of each gathered item; gradient of one */
    lanes *hidden;            /* outputs of all layers, of each item */
    lanes *gmf, *mlp;         /* scores of each item */
    lanes *gmf_delta, *mlp_delta;
    lanes *back, *spare;
    float *rows;              /* (LANES, both) */
    float *weighted, *item_first; /* shared items: GMF times head; part of the first layer */
    vector *sums;             /* gradients of layers and head, from `base` on, by lane */
    vector *shared_gmf, *shared_first; /* gradients of `weighted` and `item_first`, by lane */
    void *memory;
} work;

static void *place_array(char *memory, size_t *used, int64_t count, size_t size) {
    char *here = memory ? memory + *used : 0;
    *used += (count * size + 63) / 64 * 64;
    return here;
}

#define PLACE(name, count, type) w->name = place_array(memory, &used, count, sizeof(type))

/* Divides `memory`, or null, among the arrays of `w`; returns the bytes needed. */
static size_t lay_out(work *w, char *memory) {
    size_t used = 0;
    PLACE(user, w->both, lanes), PLACE(user_back, w->both, lanes);
    PLACE(user_first, w->first, lanes), PLACE(user_first_back, w->first, lanes);
    PLACE(item, w->gathered * w->both, lanes), PLACE(item_back, w->both, lanes);
    PLACE(hidden, w->count * w->units, lanes);
    PLACE(gmf, w->count, lanes), PLACE(gmf_delta, w->count, lanes);
    PLACE(mlp, w->count, lanes), PLACE(mlp_delta, w->count, lanes);
    PLACE(back, w->units, lanes), PLACE(spare, w->units, lanes);
    PLACE(rows, LANES * w->both, float);
    PLACE(weighted, w->shared * (w->both / 2), float);
    PLACE(item_first, w->shared * w->first, float);
    PLACE(sums, w->learned - w->base, vector);
    PLACE(shared_gmf, w->shared * (w->both / 2), vector);
    PLACE(shared_first, w->shared * w->first, vector);
    return used;
}

/* Allocates memory for a batch, with all sums 0; returns 0 if there is none. */
static int allocate(const model *m, const batch *b, work *w) {
    w->both = 2 * m->d, w->first = m->width[0], w->last = m->width[m->layers - 1];
    w->units = units_of(m), w->count = 1 + b->negatives;
    w->shared = b->step ? 0 : b->negatives, w->gathered = w->count - w->shared;
    w->base = m->weight[0], w->learned = m->head + m->d + w->last;
    const size_t size = lay_out(w, 0);
    if (!(w->memory = aligned_alloc(64, size)))
        return 0;
    lay_out(w, w->memory);
    memset(w->sums, 0, (char *)w->memory + size - (char *)w->sums);
    return 1;
}

static void weigh_shared(const model *m, const batch *b, const work *w) {
    const float *head = m->values + m->head, *weight = m->values + m->weight[0] + m->d;
    for (int64_t j = 0; j < w->shared; j++) {
        const float *row = m->values + (m->num_users + b->negative[j]) * w->both;
        for (int64_t k = 0; k < m->d; k++)
            w->weighted[j * m->d + k] = head[k] * row[k];
        for (int64_t o = 0; o < w->first; o++) {
            float sum = 0;
            for (int64_t k = 0; k < m->d; k++)
                sum += weight[o * w->both + k] * row[m->d + k];
            w->item_first[j * w->first + o] = sum;
        }
    }
}

/* Returns the j-th gathered item of the pairs from `start` on. */
static const int64_t *own_item(const batch *b, int64_t j, int64_t start) {
    return (j ? b->negative + (j - 1) * b->step : b->positives) + start;
}

/* Computes the scores of all items for the n pairs from `start` on. */
static void forward(const model *m, const batch *b, work *w, int64_t start, int64_t n) {
    const int64_t d = m->d;
    const float *head = m->values + m->head, *weight = m->values + m->weight[0];
    user_rows(m, b, start, n, w->rows);
    gather(w->both, n, w->rows, 0, w->user);
    fill(w->first, m->values + m->bias[0], w->user_first);
    add_product(w->first, d, weight, w->both, 1, w->user + d, w->user_first);
    memset(w->gmf, 0, w->count * sizeof *w->gmf);
    memset(w->mlp, 0, w->count * sizeof *w->mlp);
    for (int64_t j = 0; j < w->count; j++) {
        lanes *h = w->hidden + j * w->units;
        if (j < w->gathered) {
            lanes *item = w->item + j * w->both;
            gather(w->both, n, m->values + m->num_users * w->both, own_item(b, j, start), item);
            for (int64_t k = 0; k < d; k++)
                EACH_VECTOR w->gmf[j].of[q] += head[k] * w->user[k].of[q] * item[k].of[q];
            memcpy(h, w->user_first, w->first * sizeof *h);
            add_product(w->first, d, weight + d, w->both, 1, item + d, h);
        } else {
            fill(w->first, w->item_first + (j - w->gathered) * w->first, h);
            add_rows(w->first, w->user_first, h);
        }
        relu(w->first, h);
        add_product(1, w->last, head + d, 0, 1, hidden_layers(m, h), w->mlp + j);
    }
    add_product(w->shared, d, w->weighted, d, 1, w->user, w->gmf + w->gathered);
}

/* Returns the loss of the scores, and sets its gradient by both parts. */
static double loss_of_scores(const batch *b, work *w, int64_t start, int64_t n) {
    if (!b->separate_paths)
        add_rows(w->count, w->mlp, w->gmf);
    if (b->score_offset)
        for (int64_t j = 1; j < w->count; j++)
            for (int64_t l = 0; l < n; l++) {
                const float offset = b->score_offset[(j - 1) * b->offset_step + start + l];
                w->gmf[j].at[l] -= offset;
                w->mlp[j].at[l] -= offset;
            }
    const double loss = loss_of(b->loss, w->count, n, w->gmf, w->gmf_delta);
    if (b->separate_paths)
        return loss + loss_of(b->loss, w->count, n, w->mlp, w->mlp_delta);
    memcpy(w->mlp_delta, w->gmf_delta, w->count * sizeof *w->mlp_delta);
    return loss;
}

/* Adds the gradient of the pairs that `forward` scored. */
static void backward(const model *m, const batch *b, work *w, int64_t start, int64_t n) {
    const int64_t d = m->d;
    const float *head = m->values + m->head, *weight = m->values + m->weight[0];
    vector *head_sums = w->sums + (m->head - w->base);
    float *items_back = m->gradient + m->num_users * w->both;
    memset(w->user_back, 0, w->both * sizeof *w->user_back);
    memset(w->user_first_back, 0, w->first * sizeof *w->user_first_back);
    for (int64_t j = 0; j < w->count; j++) {
        const lanes *last = w->hidden + (j + 1) * w->units - w->last;
        back_to_first(m, w->mlp_delta + j, last, w->back, w->spare, w->sums);
        add_rows(w->first, w->back, w->user_first_back);
        if (j >= w->gathered) {
            add_lanes(w->first, w->back, w->shared_first + (j - w->gathered) * w->first);
            continue;
        }
        const lanes *item = w->item + j * w->both;
        add_outer(w->first, d, w->back, item + d, w->sums + d, w->both);
        memset(w->item_back + d, 0, d * sizeof *w->item_back);
        add_product(d, w->first, weight + d, 1, w->both, w->back, w->item_back + d);
        for (int64_t k = 0; k < d; k++)
            EACH_VECTOR {
                const vector delta = w->gmf_delta[j].of[q], pulled = delta * item[k].of[q];
                w->item_back[k].of[q] = delta * head[k] * w->user[k].of[q];
                w->user_back[k].of[q] += head[k] * pulled;
                head_sums[k] += w->user[k].of[q] * pulled;
            }
        scatter(w->both, n, w->item_back, items_back, own_item(b, j, start));
    }
    add_outer(w->shared, d, w->gmf_delta + w->gathered, w->user, w->shared_gmf, d);
    add_product(d, w->shared, w->weighted, 1, d, w->gmf_delta + w->gathered, w->user_back);
    add_outer(w->first, d, w->user_first_back, w->user + d, w->sums, w->both);
    add_lanes(w->first, w->user_first_back, w->sums + (m->bias[0] - w->base));
    add_product(d, w->first, weight, 1, w->both, w->user_first_back, w->user_back + d);
    memset(w->rows, 0, LANES * w->both * sizeof *w->rows);
    scatter(w->both, n, w->user_back, w->rows, 0);
    user_rows_back(m, b, start, n, w->rows);
}

/* Adds the sums over all blocks to the gradient of the model. */
static void add_sums_to_gradient(const model *m, const batch *b, const work *w) {
    const int64_t d = m->d;
    for (int64_t i = w->base; i < w->learned; i++)
        m->gradient[i] += sum_of(w->sums[i - w->base]);
    const float *head = m->values + m->head, *weight = m->values + m->weight[0] + d;
    float *head_back = m->gradient + m->head, *weight_back = m->gradient + m->weight[0] + d;
    for (int64_t j = 0; j < w->shared; j++) {
        const int64_t place = (m->num_users + b->negative[j]) * w->both;
        const float *row = m->values + place;
        float *row_back = m->gradient + place;
        for (int64_t k = 0; k < d; k++) {
            const float sum = sum_of(w->shared_gmf[j * d + k]);
            row_back[k] += head[k] * sum;
            head_back[k] += row[k] * sum;
        }
        for (int64_t o = 0; o < w->first; o++) {
            const float sum = sum_of(w->shared_first[j * w->first + o]);
            add_scaled(d, sum, weight + o * w->both, row_back + d);
            add_scaled(d, sum, row + d, weight_back + o * w->both);
        }
    }
}

/* Adds the gradient of the pairs `begin` to before `end` to that of the model. Returns their summed
   loss; −1: no memory; −2: an index is outside the tables, and nothing is added. */
double neumf_gradient(const model *m, const batch *b, int64_t begin, int64_t end) {
    work w;
    if (!is_within_tables(m, b, begin, end))
        return -2;
    if (!allocate(m, b, &w))
        return -1;
    weigh_shared(m, b, &w);
    double loss = 0;
    for (int64_t start = begin; start < end; start += LANES) {
        const int64_t n = end - start < LANES ? end - start : LANES;
        forward(m, b, &w, start, n);
        loss += loss_of_scores(b, &w, start, n);
        backward(m, b, &w, start, n);
    }
    add_sums_to_gradient(m, b, &w);
    free(w.memory);
    return loss;
}
