/*
 * What a refusal (isolation.h) and a record at which the process died (crash_watch.h) mean for the loop: who may process, how much at
 * once, whose record is blamed.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/log.h"
#include "processor/engine/worker_state.h"

/* One at a time: what two lanes lead to in one transaction is refused without saying whose it is. */
static const struct lane *suspected_lane(const struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        if (worker->lanes[i]->state == LANE_READY && isolation_is_suspected(&worker->lanes[i]->isolation))
            return worker->lanes[i];
    }
    return NULL;
}

bool worker_isolation_runs(const struct worker *worker)
{
    return suspected_lane(worker) != NULL;
}

bool worker_isolation_allows(const struct worker *worker, const struct lane *lane)
{
    const struct lane *suspected = suspected_lane(worker);
    return suspected == NULL || suspected == lane;
}

size_t worker_isolation_records_max(const struct worker *worker)
{
    const struct lane *suspected = suspected_lane(worker);
    const size_t most = worker->options.transaction_records_max;
    return suspected == NULL || suspected->isolation.at_once > most ? most : suspected->isolation.at_once;
}

/* --- blame --------------------------------------------------------------------------------------------------------- */

static const struct output *only_dead_letter(const struct lane *lane)
{
    const struct outputs *outputs = lane->kind == LANE_TASK ? task_outputs(lane->task) : lane->copy_outputs;
    if (outputs_count(outputs) != 1 || outputs_at(outputs, 0)->kind != OUTPUT_DEAD_LETTER)
        return NULL;
    return outputs_at(outputs, 0);
}

static enum status blame_lane(struct lane *lane, enum status why, struct error *err)
{
    struct worker *worker = lane->worker;
    const struct output *letter = only_dead_letter(lane);
    char detail[SENTENCE_DETAIL_SIZE];
    snprintf(detail, sizeof detail, "%.*s", SENTENCE_DETAIL_SIZE - 1, err->text);
    if (letter != NULL) /* it keeps its own reason */
        snprintf(detail, sizeof detail, "%.*s", (int)letter->headers[OUTPUT_DETAIL].value.size,
                 (const char *)letter->headers[OUTPUT_DETAIL].value.data);
    const struct refusal refusal = {
        .records = lane->touched_records, .topic = lane->last_topic, .offset = lane->last_offset,
        .is_dead_letter = letter != NULL, .reason = letter == NULL ? why : letter->reason, .detail = detail,
    };
    const char *topic = worker->options.topics->items[lane->last_topic].name;
    if (!isolation_refused(&lane->isolation, &refusal)) {
        snprintf(detail, sizeof detail, "%.*s", SENTENCE_DETAIL_SIZE - 1, err->text);
        return FAIL(err, ST_REFUSED, "the dead letter of %s/%" PRId32 "/%" PRId64 " is refused even without the record's value: %s",
                    topic, lane->partition, lane->last_offset, detail);
    }
    if (isolation_sentence(&lane->isolation, lane->last_topic, lane->last_offset) != NULL && lane->touched_records == 1)
        LOG_WARN("record.refused", "worker=%d topic=%s partition=%" PRId32 " offset=%" PRId64 " reason=%s",
                 worker->options.number, topic, lane->partition, lane->last_offset,
                 status_reason(lane->isolation.sentence.reason));
    else if (isolation_is_suspected(&lane->isolation))
        LOG_WARN("lane.isolated", "worker=%d partition=%" PRId32 " records=%zu at_once=%zu", worker->options.number,
                 lane->partition, lane->touched_records, lane->isolation.at_once);
    return ST_OK;
}

enum status worker_isolation_blame(struct worker *worker, enum status why, bool *blamed, struct error *err)
{
    *blamed = false;
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        if (lane->touched_records == 0)
            continue;
        *blamed = true;
        TRY(blame_lane(lane, why, err));
    }
    return ST_OK;
}

void worker_isolation_committed(struct worker *worker, struct lane *lane)
{
    if (lane->touched_records > 0) {
        const bool suspected = isolation_is_suspected(&lane->isolation);
        isolation_committed(&lane->isolation, lane->touched_records);
        worker->assignment_changed |= suspected && !isolation_is_suspected(&lane->isolation);
    }
    struct crash_suspect passed;
    for (size_t i = 0; i < lane->input_count && worker->crashes.count > 0; i++) {
        while (crash_watch_take_passed(&worker->crashes, lane->inputs[i].topic, lane->partition, lane->inputs[i].committed,
                                       &passed)) {
            if (worker->options.on_crash_passed != NULL)
                worker->options.on_crash_passed(worker->options.on_crash_passed_context, &passed);
        }
    }
}
