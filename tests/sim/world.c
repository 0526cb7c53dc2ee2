#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "processor/engine/worker_state.h"
#include "state/tail.h"
#include "tampering.h"

enum {
    SLOTS_MAX = 4,
    PROCESSES_MAX = 12,
    ARENA_BLOCK = 64 * 1024,
    STEPS_MAX = 3 * 1000 * 1000,
};
static const int64_t SECOND_US = 1000 * 1000;
static const int64_t HEAL_LIMIT_US = INT64_C(600) * 1000 * 1000;
static const int64_t READABLE_US = INT64_C(10) * 1000 * 1000;
static const int64_t NEVER_US = INT64_MAX;

struct slot {
    struct disk *disk;
    struct process *process; /* NULL: down */
    int64_t start_us;        /* when the next one starts */
};

struct world {
    struct world_settings settings;
    struct prng prng; /* what happens */
    struct prng nonces;
    struct sim_cluster *cluster;
    struct ledger *ledger;
    const struct topics *topics;
    struct arena *arena;
    struct fixture_record *records;
    size_t record_count, appended;
    int64_t next_append_us;
    struct slot slots[SLOTS_MAX];
    struct process *processes[PROCESSES_MAX]; /* all that live, zombies too */
    struct disk *zombie_disks[PROCESSES_MAX];
    size_t process_count;
    int processes_started;
    struct disk_faults disk_faults;
    uint64_t watched_commits, steps;
    bool healed, quiet; /* quiet: nothing goes wrong any more, not even pauses */
    struct tampering *tampering;
    bool is_tampered;                        /* and not put right yet */
    bool given_up[PROCESS_PARTITIONS_MAX]; /* since then */
    uint64_t small_moments;
    struct world_result *result;
};

/* --- telling --------------------------------------------------------------------------------- */

static int64_t now_us(const struct world *world)
{
    const struct clock clock = sim_clock(world->cluster);
    return clock_us(&clock);
}

__attribute__((format(printf, 2, 3))) static void trace(const struct world *world,
                                                        const char *format, ...)
{
    va_list arguments;
    if (!world->settings.trace)
        return;
    fprintf(stderr, "%12.6f ", (double)now_us(world) / 1e6);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

__attribute__((format(printf, 2, 3))) static void fail(struct world *world, const char *format, ...)
{
    va_list arguments;
    if (world->result->failed)
        return;
    world->result->failed = true;
    va_start(arguments, format);
    vsnprintf(world->result->why, sizeof world->result->why, format, arguments);
    va_end(arguments);
    trace(world, "FAILED %s", world->result->why);
}

/* --- processes ------------------------------------------------------------------------------- */

static bool chance(struct world *world, uint32_t in_10000)
{
    return in_10000 > 0 && prng_chance(&world->prng, in_10000, 10000);
}

/* It stands still; also its heartbeats do. */
static void freeze_for(struct world *world, struct process *process, int64_t us)
{
    process->was_frozen = process->is_frozen = true;
    process->frozen_until_us = now_us(world) + us;
    sim_port_freeze(process->port, true);
    trace(world, "%s is frozen until %.3f", process->name, (double)process->frozen_until_us / 1e6);
    world->result->freezes++;
}

static void run(struct process *process)
{
    if (process->is_frozen)
        sim_port_freeze(process->port, false);
    process->is_frozen = false;
    process_run(process);
}

static bool is_claiming(const struct process *process)
{
    const struct worker *worker = process->worker;
    for (size_t i = 0; worker != NULL && i < worker->lane_count; i++)
        if (worker->lanes[i]->state == LANE_CLAIMING)
            return true;
    return false;
}

static bool has_transaction(const struct process *process)
{
    const struct worker *worker = process->worker;
    for (size_t i = 0; worker != NULL && i < worker->lane_count; i++)
        if (worker->lanes[i]->in_transaction)
            return true;
    return false;
}

static bool is_when(const struct process *process, enum world_when when)
{
    switch (when) {
    case FOCUS_ALWAYS: return true;
    case FOCUS_CLAIMED: return !is_claiming(process);
    case FOCUS_DECIDING: return has_transaction(process);
    }
    UNREACHABLE();
}

static void displace(struct process *process)
{
    process->was_displaced = true;
    sim_port_displace(process->port);
}

static enum process_fate in_focus(struct world *world, struct process *process, int call)
{
    for (int i = 0; i < WORLD_FOCUS_MAX; i++) {
        const struct world_focus *focus = &world->settings.focus[i];
        if (focus->call != call || !is_when(process, focus->when) || !chance(world, focus->chance))
            continue;
        /* Twice within a minute is another process of its name, as far as it can tell. */
        if (focus->happens == FOCUS_DISPLACED && process->was_displaced)
            continue;
        trace(world, "%s in call %d: %s", process->name, call,
              (const char *[]){ "frozen", "a rebalance", "dies", "displaced" }[focus->happens]);
        switch (focus->happens) {
        case FOCUS_FREEZE:
            freeze_for(world, process, prng_between(&world->prng, 1000, focus->freeze_us_max));
            return FATE_PAUSE;
        case FOCUS_REBALANCE: sim_rebalance(world->cluster); return FATE_PAUSE;
        case FOCUS_DEATH: return FATE_DIE;
        case FOCUS_DISPLACED: displace(process); break;
        }
    }
    return FATE_GO_ON;
}

static enum process_fate at_moment(void *context, struct process *process, int call,
                                   int64_t *pause_us)
{
    struct world *world = context;
    (void)call;
    world->result->moments++;
    if (world->settings.exact && !world->quiet) {
        world->small_moments++;
        if (world->small_moments == world->settings.crash_at) {
            world->result->crash_reached = true;
            trace(world, "%s dies at moment %" PRIu64 " (call %d)", process->name,
                  world->small_moments, call);
            return FATE_DIE;
        }
        if (world->settings.crash_again_after > 0 &&
            world->small_moments == world->settings.crash_at + world->settings.crash_again_after) {
            world->result->crash_again_reached = true;
            return FATE_DIE;
        }
        return FATE_GO_ON;
    }
    if (!world->quiet && !world->healed) {
        const enum process_fate fate = in_focus(world, process, call);
        if (fate != FATE_GO_ON)
            return fate;
    }
    if (world->quiet || !chance(world, world->settings.habits.pause))
        return FATE_GO_ON;
    /* Healed, a process gives way, but stands still no more: it would outlast its transactions. */
    if (!world->healed && prng_chance(&world->prng, 1, 2))
        *pause_us = prng_between(&world->prng, 0, world->settings.habits.pause_us_max);
    return FATE_PAUSE;
}

static void note_state(struct world *world, struct process *process, struct lane *lane)
{
    uint64_t hash = 0;
    struct error err = { .status = ST_OK };
    const struct disk_faults faults = world->disk_faults;
    world->disk_faults = (struct disk_faults){ .write_fails = 0 };
    const enum status st = ledger_hash_rows(lane->overlay, &hash, &err);
    world->disk_faults = faults;
    if (st == ST_IO_FAILED)
        return; /* the disk failed for another partition since: this one is opened again, too */
    if (st != ST_OK)
        fail(world, "%s: its rows cannot be read: %s", process->name, err.text);
    else
        ledger_note_state(world->ledger, lane->partition, &lane->committed, hash,
                          arena_copy_string(world->arena, process->name));
}

/* Has somebody else committed since the process read where to restore to? */
static bool was_overtaken(const struct world *world, const struct process *process,
                          int32_t partition)
{
    struct bytes text;
    struct commit_metadata metadata = { .nonce = 0 };
    if (sim_committed(world->cluster, 0, partition, &text) >= 0)
        ENSURE(commit_metadata_parse(&metadata, text, NULL) == ST_OK);
    return metadata.nonce != process->seen[partition].target_nonce;
}

/* Something was done to the partition, and this is what has to be said of it. */
static bool is_refused(struct world *world, const struct lane *lane)
{
    if (!world->is_tampered ||
        tampering_expects(world->tampering, lane->partition) != lane->trouble.status)
        return false;
    if (!world->given_up[lane->partition])
        trace(world, "partition %d is refused: %s", lane->partition, lane->trouble.text);
    world->given_up[lane->partition] = true;
    return true;
}

/* A partition that is given up, though nothing explains it; one that was, is opened again by a
 * restart. */
static bool has_failed(struct world *world, struct process *process, const struct lane *lane)
{
    if (lane->state == LANE_RESTORING && lane->kind == LANE_TASK)
        process->seen[lane->partition].target_nonce = lane->committed.nonce;
    if (lane->state != LANE_FAILED)
        return false;
    if (lane->kind == LANE_TASK && is_refused(world, lane))
        return false;
    if (!disk_failed(process->options.disk) && !was_overtaken(world, process, lane->partition))
        fail(world, "%s gave partition %d up, which nothing explains: %s", process->name,
             lane->partition, lane->trouble.text);
    trace(world, "%s gave partition %d up: %s", process->name, lane->partition, lane->trouble.text);
    return true;
}

/* Alone with a sound disk it never needs the changelog: the tail reaches back to what is flushed. */
static void check_local_rows(struct world *world, const struct process *process,
                             const struct lane *lane)
{
    const struct world_settings *settings = &world->settings;
    const struct disk_faults *faults = &settings->disk_faults;
    if (settings->slots > 1 || settings->habits.twin > 0 ||
        faults->write_fails + faults->read_fails + faults->corrupt > 0)
        return;
    if (process->seen[lane->partition].had_rows && lane->restore.from_changelog)
        fail(world, "%s loaded the changelog of partition %d, though its own rows were there",
             process->name, lane->partition);
}

/* A lane that has claimed was restored: what it restored is judged; and now and then what it
 * has. */
static void after_turn(void *context, struct process *process)
{
    struct world *world = context;
    for (size_t i = 0; i < process->worker->lane_count; i++) {
        struct lane *lane = process->worker->lanes[i];
        process->must_restart |= has_failed(world, process, lane);
        if (lane->kind != LANE_TASK || lane->state != LANE_READY || lane->touched)
            continue;
        struct process_partition *seen = &process->seen[lane->partition];
        const uint64_t nonce =
            lane->restore.options.target.nonce + (uint64_t)lane->restore.started_us;
        const bool is_new = !seen->seen || seen->nonce != nonce;
        if (!is_new && !prng_chance(&world->prng, 1, world->settings.note_one_in))
            continue;
        seen->nonce = nonce;
        seen->seen = true;
        if (is_new) {
            world->result->restores++;
            check_local_rows(world, process, lane);
            trace(world, "%s restored partition %d at seq %" PRIu64 " from %s", process->name,
                  lane->partition, lane->committed.seq,
                  lane->restore.from_changelog ? "the changelog" : "its disk");
        }
        note_state(world, process, lane);
    }
}

static void start_process(struct world *world, int slot_number)
{
    struct slot *slot = &world->slots[slot_number];
    const struct world_settings *settings = &world->settings;
    const struct process_options options = {
        .number = world->processes_started++,
        .slot = slot_number,
        .cluster = world->cluster,
        .ledger = world->ledger,
        .topics = world->topics,
        .disk = slot->disk,
        .disk_faults = &world->disk_faults,
        .poll_step_us = settings->poll_step_us,
        .worker = {
            .plan = fixture_plan(settings->fixture.variant),
            .topics = world->topics,
            .number = slot_number,
            .alert_schema_id = 1,
            .start = START_EARLIEST,
            .partitioner = settings->partitioner,
            .commit_interval_ms = settings->commit_interval_ms,
            .alert_floor_us = settings->alert_floor_us,
            .checkpoint_interval_ms = settings->checkpoint_interval_ms,
            .checkpoint_slice_rows = settings->slice_rows,
            .checkpoint_write_rows = settings->write_rows,
            .job_steps = settings->job_steps,
            .transaction_records_max = settings->records_max,
            .active_bytes_max = settings->active_bytes_max,
            .entity_cache_bytes = settings->entity_cache_bytes == 0 ? 1 << 20 : settings->entity_cache_bytes,
            .row_cache_bytes = 1 << 20,
        },
        .hooks = { at_moment, after_turn, world },
    };
    ENSURE(slot->process == NULL && world->process_count < PROCESSES_MAX);
    process_start(&slot->process, &options);
    for (int32_t p = 0; p < settings->fixture.partitions; p++) {
        char name[32];
        snprintf(name, sizeof name, "task-%05d", (int)p);
        slot->process->seen[p].had_rows = disk_seq(slot->disk, name) > 0;
    }
    for (size_t i = 0; i < world->process_count; i++)
        slot->process->shares_identity |= world->processes[i]->options.slot == slot_number;
    world->processes[world->process_count++] = slot->process;
    trace(world, "%s starts", slot->process->name);
}

static bool transactions_fail(const struct world *world)
{
    const struct sim_faults *faults = &world->settings.faults;
    return faults->fatal + faults->abortable + faults->request_lost + faults->response_lost +
               faults->end_txn_unknown >
           0;
}

/* Is the way it ended explained by what was done to it? */
static bool is_explained(const struct world *world, const struct process *process)
{
    const enum status st = process->status;
    if (st == ST_INTERRUPTED || (st == ST_OK && process->stop))
        return true;
    if (status_class_of(st) == CLASS_RETRY && !process->started && !world->healed)
        return true; /* at its start: whoever started it starts it again */
    if (disk_failed(process->options.disk) &&
        (st == ST_IO_FAILED || st == ST_DISK_FULL || st == ST_CORRUPT))
        return true;
    if (st == ST_KAFKA && !world->healed &&
        strstr(process->error.text, "in a row were rolled back") != NULL &&
        (transactions_fail(world) || process->shares_identity))
        return true;
    if (process->shares_identity && (st == ST_FENCED || st == ST_REFUSED || st == ST_REASSIGNED))
        return true;
    return false;
}

static void reap(struct world *world, size_t i)
{
    struct process *process = world->processes[i];
    struct slot *slot = &world->slots[process->options.slot];
    const bool owns_slot = slot->process == process;
    world->result->checkpoints += process->checkpoints;
    world->result->recoveries += process->recoveries;
    world->result->aborts += process->aborts;
    world->result->rebalances += process->rebalances;
    trace(world, "%s ended: %s %s", process->name, status_name(process->status),
          process->error.text);
    if (!is_explained(world, process))
        fail(world, "%s ended with %s, which nothing explains: %s", process->name,
             status_name(process->status), process->error.text);
    struct disk *disk = process->options.disk;
    disk_crash(disk, process->status == ST_OK ? DISK_KEEP_ALL : world->settings.survival);
    process_destroy(&process);
    world->processes[i] = world->processes[--world->process_count];
    if (owns_slot) {
        slot->process = NULL;
        const bool exact = world->settings.exact;
        slot->start_us =
            now_us(world) +
            (exact ? 1000 : prng_between(&world->prng, 1000, world->settings.habits.down_us_max));
        if (exact ? world->settings.crash_loses_disk && !world->quiet
                  : !world->healed && chance(world, world->settings.habits.lost_disk)) {
            trace(world, "the disk of sim-%d is lost", (int)(slot - world->slots));
            world->result->lost_disks++;
            disk_wipe(disk);
        }
        return;
    }
    for (size_t j = 0; j < PROCESSES_MAX; j++) {
        if (world->zombie_disks[j] == disk)
            disk_destroy(&world->zombie_disks[j]);
    }
}

static void crash(struct world *world, struct process *process)
{
    trace(world, "%s crashes", process->name);
    world->result->crashes++;
    process_kill(process);
}

/* The identity gets a second process on another machine, while the first is frozen. */
static void start_twin(struct world *world, struct process *process)
{
    struct slot *slot = &world->slots[process->options.slot];
    if (slot->process != process || world->process_count + SLOTS_MAX >= PROCESSES_MAX)
        return;
    for (size_t j = 0; j < PROCESSES_MAX; j++) {
        if (world->zombie_disks[j] != NULL)
            continue;
        world->zombie_disks[j] = TAKE(slot->disk);
        break;
    }
    disk_create(&slot->disk, &world->prng);
    slot->process = NULL;
    slot->start_us =
        now_us(world) + prng_between(&world->prng, 0, world->settings.habits.down_us_max);
    for (size_t i = 0; i < world->process_count; i++) {
        if (world->processes[i]->options.slot == process->options.slot)
            world->processes[i]->shares_identity = true;
    }
}

static void freeze(struct world *world, struct process *process)
{
    freeze_for(world, process,
               prng_between(&world->prng, 1000, world->settings.habits.freeze_us_max));
    if (prng_chance(&world->prng, world->settings.habits.twin, 10000))
        start_twin(world, process);
}

/* --- what goes wrong ------------------------------------------------------------------------- */

static bool somebody_loads_a_changelog(const struct world *world)
{
    for (size_t i = 0; i < world->process_count; i++) {
        const struct worker *worker = world->processes[i]->worker;
        for (size_t j = 0; worker != NULL && j < worker->lane_count; j++) {
            if (worker->lanes[j]->state == LANE_RESTORING &&
                worker->lanes[j]->restore.phase == RESTORE_CHANGELOG)
                return true;
        }
    }
    return false;
}

static struct process *any_process(struct world *world)
{
    return world->process_count == 0
               ? NULL
               : world->processes[prng_below(&world->prng, world->process_count)];
}

static void trouble(struct world *world)
{
    const struct world_habits *habits = &world->settings.habits;
    struct process *process = any_process(world);
    if (process != NULL && chance(world, habits->crash)) {
        crash(world, process);
        return;
    }
    if (process != NULL && chance(world, habits->freeze) && !process->is_frozen &&
        process->state != PROCESS_ENDED) {
        freeze(world, process);
        return;
    }
    if (process != NULL && chance(world, habits->stop)) {
        trace(world, "%s is asked to stop", process->name);
        process->stop = true;
    }
    if (chance(world, habits->crash_all)) {
        trace(world, "everything crashes");
        for (size_t i = 0; i < world->process_count; i++)
            crash(world, world->processes[i]);
    }
    if (chance(world, habits->rebalance)) {
        trace(world, "a rebalance");
        sim_rebalance(world->cluster);
    }
    if (chance(world, habits->compact)) {
        const bool tombstones =
            prng_chance(&world->prng, 1, 2) && !somebody_loads_a_changelog(world);
        sim_compact(world->cluster, world->topics->changelog,
                    (int32_t)prng_below(&world->prng, (uint64_t)world->settings.fixture.partitions),
                    tombstones);
    }
}

/* --- time ------------------------------------------------------------------------------------ */

static void append_one(struct world *world)
{
    struct fixture_record *record = &world->records[world->appended++];
    record->offset = sim_append(world->cluster, record->topic, record->partition,
                                record->timestamp_ms, record->key, record->value);
    ledger_note_input(world->ledger, record);
}

static void append_due(struct world *world)
{
    if (world->appended == world->record_count || now_us(world) < world->next_append_us)
        return;
    int burst = world->settings.exact
                    ? world->settings.burst_max
                    : (int)prng_between(&world->prng, 1, world->settings.burst_max);
    while (burst-- > 0 && world->appended < world->record_count)
        append_one(world);
    world->next_append_us =
        now_us(world) + (world->settings.exact
                             ? world->settings.gap_us_max
                             : prng_between(&world->prng, 0, world->settings.gap_us_max));
}

static void start_due(struct world *world)
{
    for (int i = 0; i < world->settings.slots; i++) {
        if (world->slots[i].process == NULL && world->slots[i].start_us <= now_us(world))
            start_process(world, i);
    }
}

static bool can_run(const struct world *world, const struct process *process)
{
    const int64_t now = now_us(world);
    return process->frozen_until_us <= now &&
           (process->state == PROCESS_READY || process->wake_us <= now);
}

static struct process *pick(struct world *world)
{
    struct process *ready[PROCESSES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < world->process_count; i++)
        if (can_run(world, world->processes[i]))
            ready[count++] = world->processes[i];
    return count == 0 ? NULL : count == 1 ? ready[0] : ready[prng_below(&world->prng, count)];
}

static void earlier(int64_t *first, int64_t when)
{
    if (when < *first)
        *first = when;
}

static void pass_time(struct world *world)
{
    int64_t next = NEVER_US;
    for (size_t i = 0; i < world->process_count; i++) {
        const struct process *process = world->processes[i];
        const int64_t wake = process->state == PROCESS_READY ? 0 : process->wake_us;
        earlier(&next, wake > process->frozen_until_us ? wake : process->frozen_until_us);
    }
    for (int i = 0; i < world->settings.slots; i++)
        if (world->slots[i].process == NULL)
            earlier(&next, world->slots[i].start_us);
    if (world->appended < world->record_count)
        earlier(&next, world->next_append_us);
    ENSURE(next != NEVER_US);
    const int64_t now = now_us(world);
    sim_advance(world->cluster, next > now ? next - now : 1);
}

static void reap_ended(struct world *world)
{
    for (size_t i = world->process_count; i-- > 0;)
        if (world->processes[i]->state == PROCESS_ENDED)
            reap(world, i);
}

/* Whoever watches readiness. */
static void restart_failed(struct world *world)
{
    for (size_t i = 0; i < world->process_count; i++)
        if (world->processes[i]->must_restart && world->processes[i]->state != PROCESS_ENDED)
            process_kill(world->processes[i]);
}

static void step(struct world *world)
{
    append_due(world);
    start_due(world);
    if (!world->healed && !world->settings.exact)
        trouble(world);
    restart_failed(world);
    reap_ended(world);
    struct process *process = pick(world);
    if (process == NULL) {
        pass_time(world);
        return;
    }
    run(process);
    reap_ended(world);
    const uint64_t commits = sim_transactions_committed(world->cluster);
    if (commits != world->watched_commits) {
        world->watched_commits = commits;
        tampering_remember(world->tampering);
        if (!world->is_tampered && !ledger_watch(world->ledger))
            fail(world, "%s", ledger_verdict(world->ledger));
    }
    if (++world->steps > STEPS_MAX)
        fail(world, "%d steps, and no end", STEPS_MAX);
}

/* --- the course of a world ------------------------------------------------------------------- */

static void heal(struct world *world)
{
    trace(world, "everything heals");
    world->healed = true;
    world->disk_faults = (struct disk_faults){ .write_fails = 0 };
    sim_heal(world->cluster);
    for (size_t i = 0; i < world->process_count; i++)
        earlier(&world->processes[i]->frozen_until_us, now_us(world));
}

static bool a_checkpoint_runs(const struct world *world)
{
    for (size_t i = 0; i < world->process_count; i++) {
        const struct worker *worker = world->processes[i]->worker;
        for (size_t j = 0; worker != NULL && j < worker->lane_count; j++)
            if (worker->lanes[j]->checkpoint.running)
                return true;
    }
    return false;
}

/* Whose last stable offset is still held back; NULL: no topic's. */
static const char *unreadable(const struct world *world)
{
    for (int topic = 0; topic < world->topics->count; topic++) {
        const int32_t count = topic == world->topics->alerts ? ALERT_PARTITIONS
                              : topic == world->topics->tail || topic == world->topics->journal ||
                                      topic == world->topics->changelog
                                  ? world->settings.fixture.partitions
                                  : 1;
        for (int32_t p = 0; p < count; p++) {
            const struct sim_bounds bounds = sim_bounds(world->cluster, topic, p);
            if (bounds.last_stable < bounds.high_watermark)
                return world->topics->items[topic].name;
        }
    }
    return NULL;
}

/* Who took over has ended what the last owner left open. */
static void wait_until_readable(struct world *world)
{
    const int64_t limit_us = now_us(world) + READABLE_US;
    while (!world->result->failed && unreadable(world) != NULL) {
        step(world);
        if (now_us(world) > limit_us)
            fail(world, "what was committed to '%s' cannot be read: a transaction is still open",
                 unreadable(world));
    }
}

/*
 * Whoever dies in its claim is named in no M yet: nobody but itself, started again, ends what it left open, or else time
 * does. Here nobody starts any more.
 */
static void wait_for_time_outs(struct world *world)
{
    enum { STEPS = 16 };
    const int64_t timeout_us = world->settings.transaction_timeout_us;
    for (int i = 0; unreadable(world) != NULL && !world->result->failed; i++) {
        sim_advance(world->cluster, timeout_us / STEPS + SECOND_US);
        if (i == 2 * STEPS)
            fail(world, "what was committed to '%s' cannot be read: a transaction does not time out",
                 unreadable(world));
    }
}

static void run_to_the_end(struct world *world)
{
    while (!world->result->failed && world->appended < world->record_count)
        step(world);
    if (world->settings.exact) { /* its troubles come by themselves */
        while (!world->result->failed && !ledger_is_done(world->ledger) &&
               now_us(world) < HEAL_LIMIT_US)
            step(world);
    }
    heal(world);
    const int64_t limit_us =
        now_us(world) + HEAL_LIMIT_US + (int64_t)world->record_count * SECOND_US;
    while (!world->result->failed && !ledger_is_done(world->ledger)) {
        step(world);
        if (now_us(world) > limit_us)
            fail(world, "everything has healed, and after %d s not all input is committed",
                 (int)(HEAL_LIMIT_US / SECOND_US));
    }
    if (world->settings.outlasts)
        wait_until_readable(world);
    while (!world->result->failed && a_checkpoint_runs(world)) {
        step(world);
        if (now_us(world) > limit_us)
            fail(world, "all input is committed, and a checkpoint does not end");
    }
}

static bool has_all_partitions(const struct world *world, const struct process *process)
{
    for (int32_t p = 0; p < world->settings.fixture.partitions; p++)
        if (!process->seen[p].seen)
            return false;
    return true;
}

static void end_processes(struct world *world, bool gently)
{
    if (gently) {
        const int64_t limit_us = now_us(world) + HEAL_LIMIT_US;
        for (size_t i = 0; i < world->process_count; i++)
            world->processes[i]->stop = true;
        for (int i = 0; i < world->settings.slots; i++)
            world->slots[i].start_us = NEVER_US;
        while (world->process_count > 0 && !world->result->failed) {
            struct process *process = pick(world);
            if (process == NULL)
                pass_time(world);
            else
                run(process);
            for (size_t i = world->process_count; i-- > 0;) {
                if (world->processes[i]->state != PROCESS_ENDED)
                    continue;
                const int slot = world->processes[i]->options.slot;
                reap(world, i);
                world->slots[slot].start_us = NEVER_US;
            }
            if (now_us(world) > limit_us)
                fail(world, "a process that was asked to stop does not");
        }
    }
    for (size_t i = 0; i < world->process_count; i++)
        process_kill(world->processes[i]);
    reap_ended(world);
    for (int i = 0; i < world->settings.slots; i++)
        world->slots[i].start_us = NEVER_US;
}

/* One process alone takes everything over. */
static void restore_alone(struct world *world, const char *from)
{
    if (world->result->failed)
        return;
    trace(world, "one process alone restores from %s", from);
    const int64_t limit_us = now_us(world) + HEAL_LIMIT_US;
    start_process(world, 0);
    while (!world->result->failed && !(world->slots[0].process != NULL &&
                                       has_all_partitions(world, world->slots[0].process))) {
        step(world);
        if (now_us(world) > limit_us)
            fail(world, "one process alone does not come to restore everything from %s", from);
    }
    end_processes(world, false);
}

/* --- what somebody did behind everybody's back ----------------------------------------------- */

static bool all_are_given_up(struct world *world)
{
    const struct process *process = world->slots[0].process;
    bool all = true;
    for (int32_t p = 0; p < world->settings.fixture.partitions; p++) {
        if (tampering_expects(world->tampering, p) == ST_OK)
            continue;
        if (process != NULL && process->seen[p].seen)
            fail(world, "%s goes on with partition %d, which has to be refused with %s",
                 process->name, p, status_name(tampering_expects(world->tampering, p)));
        all &= world->given_up[p];
    }
    return all;
}

/* Nothing is committed, and nothing is lost: put right, it goes on. */
static void tamper(struct world *world)
{
    if (world->result->failed || world->settings.exact)
        return;
    const enum tampering_kind kind =
        (enum tampering_kind)prng_below(&world->prng, TAMPERING_KINDS);
    if (kind != TAMPER_OFFSETS_OLDER && prng_chance(&world->prng, 1, 2))
        disk_wipe(world->slots[0].disk);
    const int count = tampering_do(world->tampering, kind, world->slots[0].disk);
    if (count == 0)
        return;
    trace(world, "%d partitions are tampered with (%d)", count, (int)kind);
    world->result->tampered += (uint64_t)count;
    world->is_tampered = true;
    const int64_t limit_us = now_us(world) + HEAL_LIMIT_US;
    start_process(world, 0);
    while (!all_are_given_up(world) && !world->result->failed) {
        step(world);
        if (now_us(world) > limit_us)
            fail(world, "a partition that was tampered with is not given up");
    }
    end_processes(world, false);
    if (!tampering_is_as_left(world->tampering))
        fail(world, "something was committed for a partition that was tampered with");
    if (!tampering_undo(world->tampering))
        fail(world, "the tail says something else than what was committed");
    world->is_tampered = false;
    if (kind < TAMPER_INPUT_REPLACED) /* where an input was made again only new state helps */
        restore_alone(world, "what was put right");
}

static uint64_t next_nonce(void *context)
{
    return prng_next(context);
}

static void create_cluster(struct world *world)
{
    const struct world_settings *settings = &world->settings;
    struct sim_topic topics[SIM_TOPICS_MAX];
    for (int i = 0; i < world->topics->count; i++) {
        const struct topic *topic = &world->topics->items[i];
        const bool everywhere =
            topic->role == TOPIC_TABLE &&
            fixture_plan(settings->fixture.variant)->tables[i - world->topics->first_table].scope ==
                TABLE_EVERYWHERE;
        topics[i] = (struct sim_topic){
            .name = topic->name,
            .partition_count = topic->role == TOPIC_ALERTS ? ALERT_PARTITIONS
                               : topic->role == TOPIC_DEAD_LETTERS || topic->role == TOPIC_REFERENCE
                                   ? 1
                               : everywhere ? settings->fixture.everywhere_partitions
                                            : settings->fixture.partitions,
            .append_time = topic->role != TOPIC_STREAM && topic->role != TOPIC_TABLE,
        };
    }
    const struct sim_options options = {
        .seed = settings->seed ^ 0x51a7e,
        .topics = topics,
        .topic_count = (size_t)world->topics->count,
        .group = "sim",
        .session_timeout_us = settings->session_timeout_us,
        .transaction_timeout_us = settings->transaction_timeout_us,
        .faults = settings->faults,
    };
    sim_cluster_create(&world->cluster, &options);
}

static void world_init(struct world *world, const struct world_settings *settings,
                       struct world_result *result)
{
    *world = (struct world){ .settings = *settings, .result = result };
    world->prng = prng_of_seed(settings->seed);
    world->nonces = prng_of_seed(settings->seed + UINT64_C(0x9e3779b97f4a7c15));
    random_set_nonce_source(next_nonce, &world->nonces);
    world->topics = fixture_topics(settings->fixture.variant);
    arena_create(&world->arena, ARENA_BLOCK);
    fixture_generate(&settings->fixture, &world->prng, world->arena, &world->records,
                     &world->record_count);
    create_cluster(world);
    const struct ledger_options ledger = {
        .variant = settings->fixture.variant,
        .partitions = settings->fixture.partitions,
        .everywhere_partitions = settings->fixture.everywhere_partitions,
        .partitioner = settings->partitioner,
        .cluster = world->cluster,
        .straight = settings->straight && settings->fixture.variant == 0,
        .naive = true,
    };
    ledger_create(&world->ledger, &ledger);
    const struct tampering_options tampering = { settings->fixture.variant,
                                                 settings->fixture.partitions, world->cluster,
                                                 settings->seed ^ 0x7a3be };
    tampering_create(&world->tampering, &tampering);
    world->disk_faults = settings->disk_faults;
    for (int i = 0; i < settings->slots; i++)
        disk_create(&world->slots[i].disk, &world->prng);
}

static void dump_tail_record(void *context, const struct log_record *record,
                             const struct log_header *headers, size_t header_count)
{
    struct commit_metadata metadata;
    (void)headers;
    (void)header_count;
    if (tail_peek(&metadata, record->value, NULL) == ST_OK)
        trace(context,
              "  tail %d offset %" PRId64 " seq %" PRIu64 " nonce %" PRIx64 " checkpoint %" PRIu64
              " of %s",
              record->partition, record->offset, metadata.seq, metadata.nonce,
              metadata.checkpoint.seq, metadata.owners[0]);
}

/* What the cluster holds when a world has failed. */
static void dump(struct world *world)
{
    for (int32_t p = 0; p < world->settings.fixture.partitions; p++) {
        struct bytes text;
        const int64_t offset = sim_committed(world->cluster, 0, p, &text);
        const struct sim_bounds tail = sim_bounds(world->cluster, world->topics->tail, p);
        trace(world,
              "partition %d: committed %" PRId64 " %.*s; tail %" PRId64 "..%" PRId64 "..%" PRId64,
              p, offset, (int)text.size, (const char *)text.data, tail.start, tail.last_stable,
              tail.high_watermark);
        sim_read(world->cluster, world->topics->tail, p, dump_tail_record, world);
    }
}

static void world_fini(struct world *world)
{
    for (size_t i = 0; i < world->process_count; i++) {
        if (world->processes[i]->state != PROCESS_ENDED)
            process_kill(world->processes[i]);
        process_destroy(&world->processes[i]);
    }
    for (int i = 0; i < world->settings.slots; i++)
        disk_destroy(&world->slots[i].disk);
    for (int i = 0; i < PROCESSES_MAX; i++)
        disk_destroy(&world->zombie_disks[i]);
    tampering_destroy(&world->tampering);
    ledger_destroy(&world->ledger);
    sim_cluster_destroy(&world->cluster);
    arena_destroy(&world->arena);
    random_set_nonce_source(NULL, NULL);
}

void world_run(const struct world_settings *settings, struct world_result *result)
{
    struct world world;
    *result = (struct world_result){ .failed = false };
    world_init(&world, settings, result);
    run_to_the_end(&world);
    if (!result->failed) {
        world.quiet = settings->exact;
        end_processes(&world, settings->exact ? false : prng_chance(&world.prng, 1, 2));
        restore_alone(&world, "its disk");
        disk_wipe(world.slots[0].disk);
        restore_alone(&world, "nothing");
        tamper(&world);
        wait_for_time_outs(&world);
    }
    if (!result->failed && !ledger_judge(world.ledger))
        fail(&world, "%s", ledger_verdict(world.ledger));
    if (result->failed && settings->trace)
        dump(&world);
    const struct ledger_counts counts = ledger_counts(world.ledger);
    result->commits = sim_transactions_committed(world.cluster);
    result->alerts = counts.alerts;
    result->dead_letters = counts.dead_letters;
    result->deletes = counts.deletes;
    result->records = world.appended;
    world_fini(&world);
}

/* --- the swarm ------------------------------------------------------------------------------- */

/* Often 0, else up to the maximum, mostly small. */
static uint32_t habit(struct prng *prng, uint32_t max)
{
    if (prng_chance(prng, 1, 3))
        return 0;
    return (uint32_t)prng_below(prng, 1 + prng_below(prng, max) + 1);
}

static int64_t one_of(struct prng *prng, const int64_t *values, size_t count)
{
    return values[prng_below(prng, count)];
}
#define ONE_OF(prng, ...)                            \
    one_of((prng), (const int64_t[]){ __VA_ARGS__ }, \
           sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

static void draw_habits(struct world_habits *habits, struct prng *prng)
{
    *habits = (struct world_habits){
        .crash = habit(prng, 100),
        .freeze = habit(prng, 60),
        .stop = habit(prng, 20),
        .rebalance = habit(prng, 20),
        .compact = habit(prng, 200),
        .crash_all = habit(prng, 3),
        .pause = (uint32_t)ONE_OF(prng, 0, 20, 100, 500, 2000),
        .lost_disk = habit(prng, 4000),
        .twin = habit(prng, 4000),
        .freeze_us_max = ONE_OF(prng, 1, 10, 40) * SECOND_US,
        .down_us_max = ONE_OF(prng, 50 * 1000, 2 * 1000 * 1000, 20 * 1000 * 1000),
        .pause_us_max = ONE_OF(prng, 100, 5000, 100 * 1000),
    };
}

static void draw_faults(struct sim_faults *faults, struct prng *prng)
{
    *faults = (struct sim_faults){
        .request_lost = habit(prng, 60),
        .response_lost = habit(prng, 60),
        .end_txn_delayed = habit(prng, 200),
        .end_txn_unknown = habit(prng, 200),
        .abortable = habit(prng, 60),
        .fatal = habit(prng, 30),
        .busy = habit(prng, 60),
        .duplicate = habit(prng, 100),
        .marker_delay_us_max = ONE_OF(prng, 0, 1000, 20 * 1000, 200 * 1000),
        .delay_us_max = ONE_OF(prng, 0, 10 * 1000, 500 * 1000, 5 * 1000 * 1000),
    };
}

void world_draw(struct world_settings *out, uint64_t seed)
{
    struct prng prng = prng_of_seed(seed ^ UINT64_C(0x5eed));
    *out = (struct world_settings){
        .seed = seed,
        .note_one_in = 400,
        .slots = (int)prng_between(&prng, 1, SLOTS_MAX),
        .fixture = {
            .variant = prng_chance(&prng, 1, 2) ? 0 : (int)prng_below(&prng, FIXTURE_VARIANTS),
            .partitions = (int32_t)prng_between(&prng, 1, 4),
            .everywhere_partitions = (int32_t)prng_between(&prng, 1, 2),
            .users = (int)prng_between(&prng, 3, 8),
            .events = (size_t)ONE_OF(&prng, 400, 1000, 2200),
            .step_ms_max = ONE_OF(&prng, 2000, 5000, 20000),
            .late = habit(&prng, 200), .duplicate = habit(&prng, 80), .poison = habit(&prng, 60),
            .leap = habit(&prng, 20), .table = habit(&prng, 150),
        },
        .session_timeout_us = ONE_OF(&prng, 1, 6) * SECOND_US,
        .transaction_timeout_us = ONE_OF(&prng, 5, 30) * SECOND_US,
        .commit_interval_ms = ONE_OF(&prng, 1, 5, 20),
        .alert_floor_us = ONE_OF(&prng, 1, 2000),
        .checkpoint_interval_ms = ONE_OF(&prng, 5, 50, 300, 2000),
        .slice_rows = (size_t)ONE_OF(&prng, 1, 3, 10, 1000),
        .write_rows = (size_t)ONE_OF(&prng, 1, 3, 10, 1000),
        .records_max = (size_t)ONE_OF(&prng, 1, 3, 20),
        .partitioner = prng_chance(&prng, 1, 2) ? PARTITIONER_MURMUR2 : PARTITIONER_UNKNOWN,
        .burst_max = (int)ONE_OF(&prng, 1, 4, 30),
        .gap_us_max = ONE_OF(&prng, 1000, 5000, 30 * 1000),
        .poll_step_us = ONE_OF(&prng, 2000, 20 * 1000, 100 * 1000),
        .straight = prng_chance(&prng, 1, 4),
    };
    draw_habits(&out->habits, &prng);
    draw_faults(&out->faults, &prng);
    if (prng_chance(&prng, 1, 5))
        out->disk_faults =
            (struct disk_faults){ habit(&prng, 30), habit(&prng, 3), habit(&prng, 3) };
    out->job_steps = (int)ONE_OF(&prng, 1, 2, 1000);
    out->active_bytes_max = (uint64_t)ONE_OF(&prng, 0, 0, 10 * 1000, 40 * 1000);
    out->entity_cache_bytes = (uint64_t)ONE_OF(&prng, 0, 20 * 1000, 60 * 1000, 200 * 1000);
}
