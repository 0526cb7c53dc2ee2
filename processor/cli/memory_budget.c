#include "processor/cli/memory_budget.h"

#include <inttypes.h>

#include "base/ensure.h"

#define MIB (UINT64_C(1) << 20)

enum {
    FIXED_MIB = 32,
    FIXED_WORKER_MIB = 16,
    LEFT_WORKER_MIB = 64, /* less, and a worker would commit every few hundred records */
    PERCENT = 100,
};

/* The parts of what `fixed` leaves. */
static const struct part {
    const char *name;
    size_t member;
    unsigned percent;
} parts[] = {
#define PART(name, percent) { #name, offsetof(struct memory_budget, name), percent }
    PART(entities, 39), PART(uncheckpointed, 30), PART(rows, 2),          PART(blocks, 7),
    PART(memtables, 9),  PART(fetched, 5),        PART(transactions, 8),
#undef PART
};
enum { PART_COUNT = sizeof parts / sizeof parts[0] };

static uint64_t *part_of(struct memory_budget *budget, size_t i)
{
    return (uint64_t *)((char *)budget + parts[i].member);
}

enum status memory_budget_split(struct memory_budget *out, int64_t memory_bytes, int64_t workers,
                                struct error *err)
{
    ENSURE(workers > 0);
    const uint64_t all = memory_bytes < 0 ? 0 : (uint64_t)memory_bytes;
    const uint64_t count = (uint64_t)workers;
    const uint64_t fixed = (FIXED_MIB + count * FIXED_WORKER_MIB) * MIB;
    const uint64_t least = fixed + count * LEFT_WORKER_MIB * MIB;
    if (all < least)
        return FAIL(err, ST_INVALID,
                    "memory: %" PRIu64 "MB is too little for %" PRId64 " worker%s; at least %" PRIu64
                    "MB are needed",
                    all / MIB, workers, workers == 1 ? "" : "s", (least + MIB - 1) / MIB);
    *out = (struct memory_budget){ .fixed = all };
    for (size_t i = 0; i < PART_COUNT; i++) {
        *part_of(out, i) = (all - fixed) / PERCENT * parts[i].percent;
        out->fixed -= *part_of(out, i);
    }
    return ST_OK;
}

void memory_budget_describe(const struct memory_budget *budget, struct buffer *out)
{
    buffer_printf(out, "fixed=%" PRIu64, budget->fixed);
    for (size_t i = 0; i < PART_COUNT; i++)
        buffer_printf(out, " %s=%" PRIu64, parts[i].name,
                      *(const uint64_t *)((const char *)budget + parts[i].member));
}
