#include "ledger_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "naive.h"

enum { STRAIGHT_CUT = 7 };

/* --- the other judges ------------------------------------------------------------------------ */

bool ledger_judge_straight(struct journal_check *check)
{
    struct ledger *ledger = check->ledger;
    const struct input_log *log = &ledger->inputs[0][check->partition];
    struct reference_task straight;
    uint64_t chain = 0;
    reference_task_init(&straight, &(struct reference_task_options){ ledger->options.variant,
                                                                     ledger->options.partitions,
                                                                     ledger->options.partitioner });
    for (size_t i = 0; i < (size_t)check->next_offset[0]; i++) {
        reference_task_feed(&straight, log->items[i], 0);
        if (i % STRAIGHT_CUT != STRAIGHT_CUT - 1 && i + 1 < (size_t)check->next_offset[0])
            continue;
        reference_task_prepare(&straight);
        chain = output_book_chain(chain, task_outputs(straight.task));
        reference_task_commit(&straight);
    }
    reference_task_fini(&straight);
    return chain == check->output_chain ||
           ledger_wrong(ledger,
                        "partition %d: read straight in one go, the input gives other outputs",
                        check->partition);
}

static bool compare_ids(struct journal_check *check, const char *rule, struct map *found,
                        const char *const *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int *times = map_find(found, bytes_of_string(expected[i]));
        if (times == NULL || *times != 1)
            return ledger_wrong(check->ledger,
                                "partition %d: rule %s should alert on %s once, and did %d times",
                                check->partition, rule, expected[i], times == NULL ? 0 : *times);
    }
    return map_count(found) == count ||
           ledger_wrong(check->ledger, "partition %d: rule %s alerted on %zu events, %zu are right",
                        check->partition, rule, map_count(found), count);
}

bool ledger_judge_naive(struct journal_check *check)
{
    struct ledger *ledger = check->ledger;
    const struct input_log *log = &ledger->inputs[0][check->partition];
    struct arena *arena = NULL;
    struct naive_alerts alerts;
    arena_create(&arena, LEDGER_ARENA_BLOCK);
    naive_judge(&alerts, log->items, (size_t)check->next_offset[0], arena);
    const bool fine =
        compare_ids(check, "velocity", check->velocity, alerts.velocity, alerts.velocity_count) &&
        compare_ids(check, "burst", check->burst, alerts.burst, alerts.burst_count);
    arena_destroy(&arena);
    return fine;
}
