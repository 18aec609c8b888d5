/* Scores of all items, and how many of them are above a user's target item. */

#include "blocks.h"

/* Computes the GMF and MLP parts of all scores, (users, items) each; returns 0 without memory.
   `catalogue` has blocks of LANES items, one in each lane: first the d values of GMF's vectors,
   then the items' part of the first layer. `users_gmf` (users, d): users' vectors of GMF times the
   head. `users_first` (users, width[0]): users' part of the first layer with its bias. */
int neumf_scores(const model *m, int64_t users, int64_t items, const float *users_gmf,
                 const float *users_first, const lanes *catalogue, float *gmf, float *mlp) {
    const int64_t d = m->d, first = m->width[0], last = m->width[m->layers - 1];
    const float *head = m->values + m->head + d;
    lanes *h = aligned_alloc(sizeof(lanes), units_of(m) * sizeof(lanes));
    if (!h)
        return 0;
    for (int64_t start = 0; start < items; start += LANES, catalogue += d + first) {
        const int64_t n = items - start < LANES ? items - start : LANES;
        for (int64_t u = 0; u < users; u++) {
            lanes score;
            memset(&score, 0, sizeof score);
            add_product(1, d, users_gmf + u * d, 0, 1, catalogue, &score);
            memcpy(gmf + u * items + start, &score, n * sizeof(float));
            fill(first, users_first + u * first, h);
            add_rows(first, catalogue + d, h);
            relu(first, h);
            memset(&score, 0, sizeof score);
            add_product(1, last, head, 0, 1, hidden_layers(m, h), &score);
            memcpy(mlp + u * items + start, &score, n * sizeof(float));
        }
    }
    free(h);
    return 1;
}

/* Sets `lead` to each user's number of candidates above the target less those below it; NaN if a
   score is NaN. Items that are no candidates: seen[starts[u]] to before seen[starts[u + 1]]. */
void neumf_rank_counts(int64_t users, int64_t items, const float *scores, const int64_t *targets,
                       const int64_t *starts, const int64_t *seen, float *lead) {
    for (int64_t u = 0; u < users; u++, scores += items) {
        const float target = scores[targets[u]];
        int32_t ahead = 0, odd = 0;
        for (int64_t i = 0; i < items; i++) {
            ahead += (scores[i] > target) - (scores[i] < target);
            odd |= scores[i] != scores[i];
        }
        for (int64_t i = starts[u]; i < starts[u + 1]; i++)
            ahead -= (scores[seen[i]] > target) - (scores[seen[i]] < target);
        lead[u] = odd ? NAN : (float)ahead;
    }
}
