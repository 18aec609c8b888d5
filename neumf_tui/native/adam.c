/* One step of Adam. */

#include <math.h>
#include <stdint.h>

/* mean ← mean + first (g − mean), square ← square + second (g² − square), and
   value ← value − rate · mean / (√square + epsilon), with g = gradient + decay · value. */
void neumf_adam(int64_t count, float *restrict values, const float *restrict gradient,
                float *restrict mean, float *restrict square,
                float first, float second, float rate, float epsilon, float decay) {
    for (int64_t k = 0; k < count; k++) {
        const float g = gradient[k] + decay * values[k];
        mean[k] += first * (g - mean[k]);
        square[k] += second * (g * g - square[k]);
        values[k] -= rate * mean[k] / (sqrtf(square[k]) + epsilon);
    }
}
