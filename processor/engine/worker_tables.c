/*
 * Everywhere tables must be complete before the first event: what each held when the worker started has been copied to the reference
 * topic by its owner, and adopted here.
 */
#include <inttypes.h>

#include "base/log.h"
#include "base/memory.h"
#include "processor/engine/worker_state.h"

enum { TABLE_PARTITIONS_MAX = 1024 };

/* Notes how far each everywhere table reaches now: that much must have been copied and adopted before the first event. */
static enum status note_tables_wanted(struct worker *worker, struct error *err)
{
    const struct plan *plan = worker->options.plan;
    struct log_port *port = worker->options.port;
    if (worker->bounds_reader == NULL)
        TRY(port->type->reader_open(port, SMALL_READER_BYTES, &worker->bounds_reader, err));
    worker->tables_wanted = mem_alloc_array(plan->table_count * TABLE_PARTITIONS_MAX, sizeof *worker->tables_wanted);
    for (size_t i = 0; i < plan->table_count; i++) {
        const int topic = worker->options.topics->first_table + (int)i;
        int32_t count = 0;
        if (plan->tables[i].scope != TABLE_EVERYWHERE)
            continue;
        TRY(port->type->partition_count(port, topic, &count, err));
        if (count > TABLE_PARTITIONS_MAX)
            return FAIL(err, ST_REFUSED, "table '%s' has %" PRId32 " partitions, more than %d", plan->tables[i].name, count,
                        TABLE_PARTITIONS_MAX);
        for (int32_t p = 0; p < count; p++) {
            int64_t low, high;
            const struct log_partition at = { topic, p };
            TRY(worker->bounds_reader->type->bounds(worker->bounds_reader, at, false, &low, &high, err));
            worker->tables_wanted[i * TABLE_PARTITIONS_MAX + (size_t)p] = high > low ? high : 0;
        }
    }
    return ST_OK;
}

static bool tables_are_complete(struct worker *worker)
{
    const struct plan *plan = worker->options.plan;
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (worker->lanes[i]->committed.reference_offset > reference_view_offset(worker->reference))
            return false; /* decisions already committed knew more than we do */
    }
    for (size_t i = 0; i < plan->table_count; i++) {
        for (int32_t p = 0; p < TABLE_PARTITIONS_MAX; p++) {
            const int64_t wanted = worker->tables_wanted[i * TABLE_PARTITIONS_MAX + (size_t)p];
            if (wanted > reference_view_copied(worker->reference, (int)i, p))
                return false;
        }
    }
    return true;
}

enum status worker_tables_tend(struct worker *worker, struct error *err)
{
    if (!transaction_is_empty(worker))
        return ST_OK;
    TRY(reference_view_adopt(worker->reference, 0, err));
    if (worker->tables_ready)
        return ST_OK;
    if (worker->tables_wanted == NULL) {
        const enum status st = note_tables_wanted(worker, err);
        if (st != ST_OK) {
            mem_free(worker->tables_wanted); /* all of it again, or some would be taken for not wanted */
            worker->tables_wanted = NULL;
            return st;
        }
    }
    worker->tables_ready = tables_are_complete(worker);
    if (worker->tables_ready)
        LOG_INFO("worker.tables_ready", "worker=%d reference_offset=%" PRId64, worker->options.number,
                 reference_view_offset(worker->reference));
    return ST_OK;
}
