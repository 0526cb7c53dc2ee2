/*
 * histogram: latencies in log-linear buckets (16 per power of two, relative error <= 1/16) and
 * fixed memory. One writer thread; reading meanwhile gives a slightly torn picture, which is fine
 * for metrics.
 */
#ifndef WEIR_BASE_HISTOGRAM_H
#define WEIR_BASE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 64 * 16 };

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t sum;
    uint64_t max;
};

void histogram_clear(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The value below which a share `q` (0..1) of the samples lies; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double q);
/* How many samples were <= value (to the bucket's precision). */
uint64_t histogram_count_below(const struct histogram *h, uint64_t value);

#endif
