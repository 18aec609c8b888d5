/* The order of an epoch's pairs, and uniform draws from the items that a user does not have. */

#include <stdint.h>

/* Writes the numbers below `total` into `order`, batch after batch of `size`, ascending in each:
   number i is in the batch that contains place drawn[i], `drawn` being a permutation. `next` has an
   entry for each batch. */
void neumf_order(int64_t total, int64_t size, const int32_t *drawn, int64_t *next, int64_t *order) {
    for (int64_t batch = 0; batch * size < total; batch++)
        next[batch] = batch * size;
    for (int64_t i = 0; i < total; i++)
        order[next[drawn[i] / (int32_t)size]++] = i;
}

/* The items that each user does not have. keys[starts[u]] to before keys[starts[u + 1]] are
   e_j − j, for the items e_0 < e_1 < … that user u has: how many free items precede each. */
typedef struct {
    int64_t users;
    const int64_t *starts;
    const int64_t *free; /* number of free items of each user */
    const int32_t *keys;
} free_items;

/* The r-th item, from 0, that a user does not have, r = uniform · free. */
static int64_t item_of(const free_items *o, int64_t user, double uniform) {
    const int64_t last = o->free[user] - 1, drawn = (int64_t)(uniform * (double)(last + 1));
    const int64_t r = drawn < last ? drawn : last;
    const int32_t *first = o->keys + o->starts[user], *at = first;
    int64_t left = o->starts[user + 1] - o->starts[user];
    /* No branch depends on a value that is read, so that the processor starts the next draws while
       this one waits for memory. */
    for (int64_t half; left > 1; left -= half) {
        half = left / 2;
        at += (at[half - 1] <= r) * half;
    }
    return r + (at - first) + (left && *at <= r);
}

enum { CACHED_KEYS = 1 << 18 }; /* number of keys that fit in the L2 cache */

/* Draws items[i] for users[i] by uniform[i]. Users should ascend in every `run` of draws: the
   kernel then draws in all runs for as many users as have CACHED_KEYS keys, before it goes on to
   the next users. `next` has an entry for each run. */
void neumf_draw(const free_items *o, int64_t count, int64_t run, const int64_t *users,
                const double *uniform, int64_t *next, int64_t *items) {
    const int64_t runs = (count + run - 1) / run;
    for (int64_t k = 0; k < runs; k++)
        next[k] = k * run;
    for (int64_t user = 0; user < o->users;) {
        const int64_t first = o->starts[user];
        while (user < o->users && o->starts[user] - first < CACHED_KEYS)
            user++;
        for (int64_t k = 0; k < runs; k++) {
            const int64_t end = (k + 1) * run < count ? (k + 1) * run : count;
            for (; next[k] < end && (user == o->users || users[next[k]] < user); next[k]++)
                items[next[k]] = item_of(o, users[next[k]], uniform[next[k]]);
        }
    }
}
