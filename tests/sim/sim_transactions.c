#include "sim_transactions.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "sim_model.h"

void sim_transactions_fini(struct sim_transactions *transactions)
{
    for (size_t i = 0; i < transactions->count; i++) {
        mem_free(transactions->all[i]->id);
        mem_free(transactions->all[i]->partitions);
        mem_free(transactions->all[i]);
    }
    mem_free(transactions->all);
}

struct sim_txn *sim_txn_of(struct sim_cluster *cluster, const char *id)
{
    struct sim_transactions *transactions = &cluster->transactions;
    for (size_t i = 0; i < transactions->count; i++) {
        if (strcmp(transactions->all[i]->id, id) == 0)
            return transactions->all[i];
    }
    if (transactions->count == transactions->capacity) {
        transactions->capacity = transactions->capacity * 2 + 8;
        transactions->all =
            mem_resize_array(transactions->all, transactions->capacity, sizeof *transactions->all);
    }
    struct sim_txn *txn = mem_alloc(sizeof *txn);
    *txn = (struct sim_txn){ .cluster = cluster,
                             .id = mem_copy_string(id),
                             .producer_id = (int64_t)transactions->count,
                             .epoch = -1 };
    transactions->all[transactions->count++] = txn;
    return txn;
}

/* --- markers ---------------------------------------------------------------------------------- */

/* `which` is an index into the transaction's partitions; behind them come the group's offsets. */
static void on_marker(void *self, int64_t which, int64_t unused)
{
    struct sim_txn *txn = self;
    struct sim_cluster *cluster = txn->cluster;
    (void)unused;
    ENSURE(txn->state == SIM_PREPARED && txn->markers_left > 0);
    if ((size_t)which < txn->count) {
        const struct sim_txn_partition *at = &txn->partitions[which];
        sim_partition_mark(sim_model_partition(cluster, at->topic, at->partition), txn->producer_id,
                           txn->epoch, txn->commit, sim_model_wall_ms(cluster));
    } else {
        sim_offsets_decide(cluster, txn->producer_id, txn->commit);
    }
    if (--txn->markers_left == 0)
        txn->state = SIM_COMPLETE;
}

static void prepare(struct sim_txn *txn, bool commit)
{
    struct sim_cluster *cluster = txn->cluster;
    const size_t markers = txn->count + txn->has_offsets;
    const int64_t late_us = cluster->options.faults.marker_delay_us_max;
    txn->state = SIM_PREPARED;
    txn->commit = commit;
    txn->markers_left = markers;
    cluster->transactions.committed += commit;
    for (size_t i = 0; i < markers; i++) {
        const int64_t delay_us = late_us <= 0 ? 0 : prng_between(&cluster->prng, 0, late_us);
        if (delay_us == 0)
            on_marker(txn, (int64_t)i, 0);
        else
            sim_time_plan(&cluster->time,
                          &(struct sim_event){ .at_us = cluster->time.now_us + delay_us,
                                               .happen = on_marker,
                                               .self = txn,
                                               .a = (int64_t)i,
                                               .on_its_way = true });
    }
    if (markers == 0)
        txn->state = SIM_COMPLETE;
}

/* --- time-outs -------------------------------------------------------------------------------- */

static void plan_check(struct sim_txn *txn);

static void on_check(void *self, int64_t a, int64_t b)
{
    struct sim_txn *txn = self;
    (void)a, (void)b;
    txn->is_timed = false;
    if (txn->state != SIM_ONGOING)
        return;
    if (txn->deadline_us > txn->cluster->time.now_us) {
        plan_check(txn); /* it is a later one */
        return;
    }
    txn->epoch++;
    prepare(txn, false);
}

static void plan_check(struct sim_txn *txn)
{
    if (txn->is_timed)
        return;
    txn->is_timed = true;
    sim_time_plan(
        &txn->cluster->time,
        &(struct sim_event){ .at_us = txn->deadline_us, .happen = on_check, .self = txn });
}

/* --- requests --------------------------------------------------------------------------------- */

enum sim_answer sim_txn_init(struct sim_txn *txn, int32_t *epoch)
{
    if (txn->state == SIM_ONGOING) {
        txn->epoch++; /* whoever has it open is fenced at once */
        prepare(txn, false);
        return SIM_CONCURRENT;
    }
    if (txn->state == SIM_PREPARED)
        return SIM_CONCURRENT;
    txn->state = SIM_EMPTY;
    *epoch = ++txn->epoch;
    return SIM_OK;
}

/* A transaction begins with its first request, also if the client thinks it has begun already. */
static enum sim_answer go_on(struct sim_txn *txn, int32_t epoch)
{
    if (epoch != txn->epoch)
        return SIM_INVALID_EPOCH;
    if (txn->state == SIM_PREPARED)
        return SIM_CONCURRENT;
    if (txn->state == SIM_ONGOING)
        return SIM_OK;
    txn->state = SIM_ONGOING;
    txn->count = 0;
    txn->has_offsets = false;
    txn->deadline_us = txn->cluster->time.now_us + txn->cluster->options.transaction_timeout_us;
    plan_check(txn);
    return SIM_OK;
}

static bool contains(const struct sim_txn *txn, int topic, int32_t partition)
{
    for (size_t i = 0; i < txn->count; i++) {
        if (txn->partitions[i].topic == topic && txn->partitions[i].partition == partition)
            return true;
    }
    return false;
}

enum sim_answer sim_txn_add_partition(struct sim_txn *txn, int32_t epoch, int topic,
                                      int32_t partition)
{
    const enum sim_answer answer = go_on(txn, epoch);
    if (answer != SIM_OK || contains(txn, topic, partition))
        return answer;
    if (txn->count == txn->capacity) {
        txn->capacity = txn->capacity * 2 + 8;
        txn->partitions = mem_resize_array(txn->partitions, txn->capacity, sizeof *txn->partitions);
    }
    txn->partitions[txn->count++] = (struct sim_txn_partition){ topic, partition };
    return SIM_OK;
}

enum sim_answer sim_txn_add_offsets(struct sim_txn *txn, int32_t epoch)
{
    const enum sim_answer answer = go_on(txn, epoch);
    if (answer == SIM_OK)
        txn->has_offsets = true;
    return answer;
}

enum sim_answer sim_txn_end(struct sim_txn *txn, int32_t epoch, bool commit)
{
    if (epoch != txn->epoch)
        return SIM_INVALID_EPOCH;
    switch (txn->state) {
    case SIM_EMPTY:
        return SIM_INVALID_STATE;
    case SIM_ONGOING:
        prepare(txn, commit);
        return SIM_OK;
    case SIM_PREPARED:
        return txn->commit == commit ? SIM_CONCURRENT : SIM_INVALID_STATE;
    case SIM_COMPLETE:
        return txn->commit == commit ? SIM_OK : SIM_INVALID_STATE;
    }
    UNREACHABLE();
}

enum sim_answer sim_txn_verify(const struct sim_txn *txn, int32_t epoch, int topic,
                               int32_t partition)
{
    if (epoch != txn->epoch)
        return SIM_INVALID_EPOCH;
    if (txn->state == SIM_PREPARED)
        return SIM_CONCURRENT;
    const bool is_in = topic < 0 ? txn->has_offsets : contains(txn, topic, partition);
    return txn->state == SIM_ONGOING && is_in ? SIM_OK : SIM_INVALID_STATE;
}
