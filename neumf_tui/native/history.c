/* Vectors of histories: weighted sums of the vectors of their latest items. */

#include <stdint.h>

/* Adds to each row of `sums` (users, d) the vectors of the latest items of the user's history,
   latest first: items[starts[u]] to before items[starts[u] + sizes[u]], oldest first, of which at
   most `length` count. An item `k` places back has the weight weights[k] / roots[u]. Returns 0 if a
   history is not within the `total` items, or an item not within the `rows` of `vectors`. */
int neumf_history_sums(int64_t users, int64_t d, int64_t rows, const float *vectors, int64_t total,
                       const int64_t *items, const int64_t *starts, const int64_t *sizes,
                       int64_t length, const float *weights, const float *roots, float *sums) {
    for (int64_t u = 0; u < users; u++, sums += d) {
        if (starts[u] < 0 || sizes[u] < 0 || sizes[u] > total - starts[u])
            return 0;
        const int64_t end = starts[u] + sizes[u];
        const int64_t count = sizes[u] < length ? sizes[u] : length;
        for (int64_t k = 0; k < count; k++) {
            const int64_t item = items[end - 1 - k];
            if (item < 0 || item >= rows)
                return 0;
            const float weight = weights[k] / roots[u];
            for (int64_t c = 0; c < d; c++)
                sums[c] += weight * vectors[item * d + c];
        }
    }
    return 1;
}
