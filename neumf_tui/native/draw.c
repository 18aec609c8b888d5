/* The order of an epoch's pairs, and negatives drawn alike from the items that a user does not have. */

#include <stdint.h>

/* Numbers below `total`, those of the first batch of `size`, then those of the second, …, ascending in each: i is in the batch where
   drawn[i], one of a permutation, would lie. `next` has room for a number a batch. */
void neumf_order(int64_t total, int64_t size, const int32_t *drawn, int64_t *next, int64_t *order) {
    for (int64_t batch = 0; batch * size < total; batch++)
        next[batch] = batch * size;
    for (int64_t i = 0; i < total; i++)
        order[next[drawn[i] / (int32_t)size]++] = i;
}

/* The items that each user does not have. Of the items e_0 < e_1 < … that user u has, keys[starts[u]] to before
   keys[starts[u + 1]] are e_j − j: as many items stand before each. */
typedef struct {
    int64_t users;
    const int64_t *starts;
    const int64_t *free; /* of each user, how many */
    const int32_t *keys;
} free_items;

/* The r-th, from 0, of the items that a user does not have, r = uniform · free. */
static int64_t item_of(const free_items *o, int64_t user, double uniform) {
    const int64_t last = o->free[user] - 1, drawn = (int64_t)(uniform * (double)(last + 1)), r = drawn < last ? drawn : last;
    const int32_t *first = o->keys + o->starts[user], *at = first;
    int64_t left = o->starts[user + 1] - o->starts[user];
    /* Without a branch on what is read, so that the processor begins with the next draws while this one waits for memory. */
    for (int64_t half; left > 1; left -= half) {
        half = left / 2;
        at += (at[half - 1] <= r) * half;
    }
    return r + (at - first) + (left && *at <= r);
}

enum { KEYS = 1 << 18 }; /* that the second-level cache holds */

/* The item of each draw, users[i] and uniform[i]. Where users ascend in every `run` of them, as many users at a time as have KEYS
   keys are drawn for in all runs before the next ones are. `next` has room for a number a run. */
void neumf_draw(const free_items *o, int64_t count, int64_t run, const int64_t *users, const double *uniform, int64_t *next,
                int64_t *items) {
    const int64_t runs = (count + run - 1) / run;
    for (int64_t k = 0; k < runs; k++)
        next[k] = k * run;
    for (int64_t user = 0; user < o->users;) {
        const int64_t first = o->starts[user];
        while (user < o->users && o->starts[user] - first < KEYS)
            user++;
        for (int64_t k = 0; k < runs; k++) {
            const int64_t end = (k + 1) * run < count ? (k + 1) * run : count;
            for (; next[k] < end && (user == o->users || users[next[k]] < user); next[k]++)
                items[next[k]] = item_of(o, users[next[k]], uniform[next[k]]);
        }
    }
}
