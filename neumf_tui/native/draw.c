/* The order of an epoch's pairs, and negatives drawn alike from the items that a user does not have. */

#include <stdint.h>

/* Numbers below `total`, those of the first batch of `size`, then those of the second, …, ascending in each: i is in the batch where
   drawn[i], one of a permutation, would lie. `next` has room for a number a batch. */
void neumf_order(int64_t total, int64_t size, const int64_t *drawn, int64_t *next, int64_t *order) {
    for (int64_t batch = 0; batch * size < total; batch++)
        next[batch] = batch * size;
    for (int64_t i = 0; i < total; i++)
        order[next[drawn[i] / size]++] = i;
}

/* The item of each draw: the r-th, from 0, of those that users[i] does not have, r = uniform[i] · free[users[i]]. Of the items
   e_0 < e_1 < … that user u has, keys[starts[u]] to before keys[starts[u + 1]] are e_j − j: as many items stand before each. */
void neumf_draw(int64_t count, const int64_t *users, const double *uniform, const int64_t *starts, const int64_t *free,
                const int32_t *keys, int64_t *items) {
    for (int64_t i = 0; i < count; i++) {
        const int64_t last = free[users[i]] - 1;
        const int64_t drawn = (int64_t)(uniform[i] * (double)(last + 1)), r = drawn < last ? drawn : last;
        const int32_t *first = keys + starts[users[i]], *at = first;
        int64_t left = starts[users[i] + 1] - starts[users[i]];
        /* Without a branch on what is read, so that the processor begins with the next draws while this one waits for memory. */
        for (int64_t half; left > 1; left -= half) {
            half = left / 2;
            at += (at[half - 1] <= r) * half;
        }
        items[i] = r + (at - first) + (left && *at <= r);
    }
}
