/* The order of an epoch's pairs, and uniform draws from the items that a user does not have. */

#include <stdint.h>

/* Writes the numbers below `total` into `order`, batch after batch of `size`, ascending in each:
   number i is in the batch that contains place drawn[i], `drawn` being a permutation. `next` has an
   entry for each batch. Returns 0 if it is no permutation. */
int neumf_order(int64_t total, int64_t size, const int32_t *drawn, int64_t *next, int64_t *order) {
    for (int64_t batch = 0; batch * size < total; batch++)
        next[batch] = batch * size;
    for (int64_t i = 0; i < total; i++) {
        if (drawn[i] < 0 || drawn[i] >= total)
            return 0;
        const int64_t batch = drawn[i] / (int32_t)size;
        if (next[batch] == (batch + 1) * size || next[batch] == total)
            return 0;
        order[next[batch]++] = i;
    }
    return 1;
}

/* Returns the r-th item, from 0, that a user does not have, with r = uniform · free. `key`: e_j − j
   of the `count` items e_0 < e_1 < … that the user has: how many free items precede each. */
static int64_t item_of(int64_t free, int64_t count, const int32_t *key, double uniform) {
    const int64_t drawn = (int64_t)(uniform * (double)free), r = drawn < free ? drawn : free - 1;
    const int32_t *at = key;
    /* No branch depends on a value that is read, so that the processor starts the next draws while
       this one waits for memory. */
    for (int64_t half; count > 1; count -= half) {
        half = count / 2;
        at += (at[half - 1] <= r) * half;
    }
    return r + (at - key) + (count && *at <= r);
}

enum { CACHED_KEYS = 1 << 18 }; /* number of keys that fit in the L2 cache */

/* Draws items[i] for users[i] by uniform[i] from the items that they do not have: free[u] for user
   u. keys[starts[u]] to before keys[starts[u + 1]] are the keys of `item_of`. Users should ascend
   in every `run` of draws: the kernel then draws in all runs for as many users as have CACHED_KEYS
   keys, before it goes on to the next users. `next` has an entry for each run. Returns 0 if there
   is no such user, if the user has all items, or if a number is not from 0 to below 1. */
int neumf_draw(int64_t num_users, const int64_t *starts, const int64_t *free, const int32_t *keys,
                int64_t count, int64_t run, const int64_t *users, const double *uniform,
                int64_t *next, int64_t *items) {
    const int64_t runs = (count + run - 1) / run;
    for (int64_t k = 0; k < runs; k++)
        next[k] = k * run;
    for (int64_t user = 0; user < num_users;) {
        const int64_t first = starts[user];
        while (user < num_users && starts[user] - first < CACHED_KEYS)
            user++;
        for (int64_t k = 0; k < runs; k++) {
            const int64_t end = (k + 1) * run < count ? (k + 1) * run : count;
            for (; next[k] < end && (user == num_users || users[next[k]] < user); next[k]++) {
                const int64_t u = users[next[k]];
                const double x = uniform[next[k]];
                if (u < 0 || u >= num_users || free[u] < 1 || !(x >= 0 && x < 1))
                    return 0;
                const int64_t begin = starts[u];
                items[next[k]] = item_of(free[u], starts[u + 1] - begin, keys + begin, x);
            }
        }
    }
    return 1;
}
