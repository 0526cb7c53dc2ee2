#include <criterion/criterion.h>

#include "processor/kafka/kafka_fetch_limits.h"

/* A record that waits takes 310 bytes beside its own, in the client. */
Test(kafka_fetch_limits, what_is_fetched_ahead_fits)
{
    for (uint64_t bytes = 4 * (UINT64_C(1) << 20); bytes <= 1024 * (UINT64_C(1) << 20); bytes *= 2) {
        const struct fetch_limits limits = kafka_fetch_limits(bytes);
        cr_expect_leq(limits.records * 310, bytes);
        cr_expect_leq(limits.queue_kbytes * 1024 + limits.fetch_bytes, bytes);
        cr_expect_geq(limits.fetch_bytes, 1000 * 1000, "one record of a broker's default size");
    }
}
