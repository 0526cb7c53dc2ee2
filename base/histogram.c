/*
 * Bucket 0..15 holds the values 0..15; after them each power of two has 16 buckets of equal width.
 * Relaxed atomics: as cheap as plain accesses here, and a reader on another thread is defined.
 */
#include "base/histogram.h"

#include "base/ensure.h"

enum { SUB_BITS = 4, SUB_COUNT = 1 << SUB_BITS };
_Static_assert((64 - SUB_BITS + 1) * SUB_COUNT <= HISTOGRAM_BUCKETS,
               "every 64-bit value has a bucket");

static uint64_t load(const uint64_t *x)
{
    return __atomic_load_n(x, __ATOMIC_RELAXED);
}

static void store(uint64_t *x, uint64_t value)
{
    __atomic_store_n(x, value, __ATOMIC_RELAXED);
}

static unsigned bucket_of(uint64_t value)
{
    if (value < SUB_COUNT)
        return (unsigned)value;
    const unsigned shift = 63u - (unsigned)__builtin_clzll(value) - SUB_BITS;
    return (shift + 1) * SUB_COUNT + (unsigned)(value >> shift & (SUB_COUNT - 1));
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_last(unsigned bucket)
{
    if (bucket < SUB_COUNT)
        return bucket;
    const unsigned shift = bucket / SUB_COUNT - 1;
    const uint64_t first = (uint64_t)(SUB_COUNT + bucket % SUB_COUNT) << shift;
    return first + (((uint64_t)1 << shift) - 1);
}

void histogram_clear(struct histogram *h)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        store(&h->counts[i], 0);
    store(&h->total, 0);
    store(&h->sum, 0);
    store(&h->max, 0);
}

void histogram_add(struct histogram *h, uint64_t value)
{
    uint64_t *count = &h->counts[bucket_of(value)];
    store(count, load(count) + 1);
    store(&h->total, load(&h->total) + 1);
    store(&h->sum, load(&h->sum) + value);
    if (value > load(&h->max))
        store(&h->max, value);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        store(&into->counts[i], load(&into->counts[i]) + load(&from->counts[i]));
    store(&into->total, load(&into->total) + load(&from->total));
    store(&into->sum, load(&into->sum) + load(&from->sum));
    if (load(&from->max) > load(&into->max))
        store(&into->max, load(&from->max));
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
    ENSURE(q >= 0 && q <= 1);
    const uint64_t total = load(&h->total);
    const uint64_t max = load(&h->max);
    const double share = q * (double)total;
    uint64_t wanted = share >= (double)total ? total : (uint64_t)share;
    if ((double)wanted < share || (wanted == 0 && total > 0))
        wanted++;
    if (wanted == 0)
        return 0;

    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += load(&h->counts[i]);
        if (seen >= wanted)
            return bucket_last(i) < max ? bucket_last(i) : max;
    }
    return max; /* torn: the total was ahead of the counts */
}

uint64_t histogram_count_below(const struct histogram *h, uint64_t value)
{
    const unsigned last = bucket_of(value);
    uint64_t seen = 0;
    for (unsigned i = 0; i <= last; i++)
        seen += load(&h->counts[i]);
    return seen;
}
