/*
 * Standbys over a log in memory: what a takeover finds is compared with a naive owner that keeps
 * its state in an array.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/random.h"
#include "fake_log.h"
#include "processor/engine/restore.h"
#include "processor/engine/standby.h"
#include "state/overlay.h"

enum { KEYS = 12, ROW_MAX = 64, SECOND = 1000 * 1000 };

/* --- a naive owner of partition 0 ---------------------------------------------------------------- */

struct owned_row {
    uint8_t bytes[ROW_MAX];
    size_t size; /* 0: there is none */
};

struct owner {
    struct fake_log *log;
    struct state_identity identity;
    struct commit_metadata committed;
    struct owned_row rows[KEYS];
    bool dirty[KEYS]; /* put since the last checkpoint began */
    uint64_t appends;
    int64_t tail_offset; /* where the last transaction lies */
    /* the checkpoint that is being written */
    bool running;
    bool frozen[KEYS];
    struct owned_row frozen_rows[KEYS];
    struct commit_checkpoint target;
};

static struct bytes key_of(int number, uint8_t buffer[2])
{
    buffer[0] = 'k';
    buffer[1] = (uint8_t)number;
    return bytes_of(buffer, 2);
}

static struct bytes value_of(const struct owned_row *row)
{
    return row->size == 0 ? BYTES_NONE : bytes_of(row->bytes, row->size);
}

static void add_noise(struct owned_row *row, struct prng *prng, size_t size)
{
    for (size_t i = 0; i < size; i++)
        row->bytes[row->size++] = (uint8_t)prng_next(prng);
}

/* A row that was put since the last checkpoint began may grow instead. */
static struct row_change change_row(struct owner *owner, int k, struct prng *prng)
{
    enum { PUT_MAX = 12, GROWTH_MAX = 4 };
    struct owned_row *row = &owner->rows[k];
    const size_t before = row->size;
    if (owner->dirty[k] && before > 0 && before + GROWTH_MAX <= ROW_MAX && prng_chance(prng, 2, 3)) {
        owner->appends++;
        add_noise(row, prng, 1 + (size_t)prng_below(prng, GROWTH_MAX));
        return (struct row_change){ .value = bytes_of(row->bytes + before, row->size - before), .position = before };
    }
    owner->dirty[k] = true;
    row->size = 0;
    if (!prng_chance(prng, 1, 5))
        add_noise(row, prng, 1 + (size_t)prng_below(prng, PUT_MAX));
    return (struct row_change){ .value = value_of(row) };
}

static void owner_init(struct owner *owner, struct fake_log *log)
{
    *owner = (struct owner){
        .log = log,
        .identity = { .format_version = STATE_FORMAT_VERSION,
                      .incarnation = 77,
                      .partition_count = FAKE_PARTITIONS,
                      .cluster_id = "cluster",
                      .group = "group" },
        .committed = { .incarnation = 77 },
    };
}

/* At most `rows_max` rows of the checkpoint go along; the last of them with the end mark. */
static void slice(struct owner *owner, int rows_max, struct commit_metadata *metadata)
{
    int left = 0;
    for (int k = 0; k < KEYS; k++) {
        uint8_t key[2];
        if (owner->frozen[k] && rows_max > 0) {
            fake_log_append(owner->log, FAKE_CHANGELOG, 0, key_of(k, key),
                            value_of(&owner->frozen_rows[k]));
            owner->frozen[k] = false;
            rows_max--;
        }
        left += owner->frozen[k];
    }
    if (left > 0)
        return;
    fake_log_end_mark(owner->log, 0, &owner->identity, owner->target.number, owner->target.seq);
    metadata->checkpoint = owner->target;
    owner->running = false;
}

static void transaction(struct owner *owner, struct prng *prng, int changes)
{
    struct row_change changed[KEYS];
    uint8_t keys[KEYS][2];
    size_t count = 0;
    for (int k = 0; k < KEYS; k++) {
        if (!prng_chance(prng, (uint64_t)changes, KEYS))
            continue;
        changed[count] = change_row(owner, k, prng);
        changed[count++].key = key_of(k, keys[k]);
    }
    struct commit_metadata metadata = owner->committed;
    metadata.seq++;
    metadata.nonce = prng_next(prng) | 1;
    if (owner->running)
        slice(owner, (int)prng_below(prng, 4), &metadata);
    owner->tail_offset = owner->log->partitions[FAKE_TAIL][0].end;
    metadata.tail_offset = owner->tail_offset;
    fake_log_changes(owner->log, 0, &metadata, changed, count);
    owner->committed = metadata;
}

static void begin_checkpoint(struct owner *owner)
{
    if (owner->running)
        return;
    for (int k = 0; k < KEYS; k++) {
        owner->frozen[k] = owner->dirty[k];
        owner->frozen_rows[k] = owner->rows[k];
        owner->dirty[k] = false;
    }
    owner->target = (struct commit_checkpoint){ owner->committed.seq, owner->tail_offset,
                                                owner->committed.checkpoint.number + 1 };
    owner->running = true;
}

static void checkpoint(struct owner *owner, struct prng *prng)
{
    begin_checkpoint(owner);
    while (owner->running)
        transaction(owner, prng, 1);
}

static void trim(struct owner *owner)
{
    struct fake_partition *tail = &owner->log->partitions[FAKE_TAIL][0];
    if (owner->committed.checkpoint.number > 0 &&
        owner->committed.checkpoint.tail_offset <= tail->stable)
        tail->low = owner->committed.checkpoint.tail_offset;
}

/* --- a process with a standby ----------------------------------------------------------------------- */

struct world {
    struct fake_log log;
    struct owner owner;
    struct store *store;
    struct clock_virtual clock;
    struct standby *standby;
    struct members_port members;
    bool owner_is_there, we_are_not, unstable;
    bool disk_is_short;
};

static struct world *world_of(struct members_port *port)
{
    return (struct world *)((char *)port - offsetof(struct world, members));
}

static enum status read_members(struct members_port *port, struct members *out, struct error *err)
{
    (void)err;
    *out = (struct members){ .stable = !world_of(port)->unstable };
    if (world_of(port)->owner_is_there)
        members_add(out, "t-00000-0-x", "t-00000-0");
    if (!world_of(port)->we_are_not)
        members_add(out, "t-00001-0-y", "t-00001-0");
    return ST_OK;
}

static void close_members(struct members_port *port)
{
    (void)port;
}

static const struct members_port_type members_type = { close_members, read_members };

/* The context is the log, which the world begins with. */
static bool disk_is_short(void *context)
{
    return ((struct world *)context)->disk_is_short;
}

static struct standby_options options_of(struct world *world)
{
    return (struct standby_options){
        .topics = &world->log.topics,
        .store = world->store,
        .clock = clock_of_virtual(&world->clock),
        .partition_count = FAKE_PARTITIONS,
        .cluster_id = "cluster",
        .group = "group",
        .process = "t-00001",
        .workers = 1,
        .standbys = 1,
        .members = &world->members,
        .open_reader = fake_log_open_reader,
        .disk_is_short = disk_is_short,
        .context = &world->log,
    };
}

static void start(struct world *world)
{
    const struct standby_options options = options_of(world);
    standby_create(&world->standby, &options);
}

static void world_open(struct world *world)
{
    *world = (struct world){ .members = { &members_type }, .owner_is_there = true };
    fake_log_init(&world->log);
    owner_init(&world->owner, &world->log);
    store_open_memory(&world->store);
    start(world);
}

static void world_close(struct world *world)
{
    standby_destroy(&world->standby);
    store_close(&world->store);
    fake_log_fini(&world->log);
}

/* Long enough for everything that waits. */
static void follow(struct world *world)
{
    standby_look(world->standby);
    for (int i = 0; i < 60; i++) {
        clock_virtual_advance(&world->clock, SECOND / 5);
        standby_turn(world->standby, 0);
    }
}

static struct standby_stats stats_of(struct world *world, int32_t partition)
{
    struct standby_stats stats[FAKE_PARTITIONS];
    const size_t count = standby_stats(world->standby, stats, FAKE_PARTITIONS);
    for (size_t i = 0; i < count; i++) {
        if (stats[i].partition == partition)
            return stats[i];
    }
    return (struct standby_stats){ .state = NULL };
}

/* --- taking over -------------------------------------------------------------------------------------- */

static void check_rows(struct world *world, struct overlay *overlay, const char *what)
{
    for (int k = 0; k < KEYS; k++) {
        uint8_t key[2];
        struct bytes found;
        cr_assert_eq(overlay_get(overlay, key_of(k, key), &found, NULL), ST_OK);
        cr_assert(bytes_equal(found, value_of(&world->owner.rows[k])),
                  "%s: key %d at seq %" PRIu64, what, k, world->owner.committed.seq);
    }
}

/* The real restore; true: it did not need the changelog. */
static bool restore_all(struct world *world, struct store_partition *rows, const char *what)
{
    struct error err;
    struct restore restore;
    struct overlay *overlay = NULL;
    overlay_create(&overlay, rows, &(struct overlay_options){ 0 });
    struct restore_options options = {
        .topics = &world->log.topics,
        .overlay = overlay,
        .store = rows,
        .identity = world->owner.identity,
        .target = world->owner.committed,
        .clock = clock_of_virtual(&world->clock),
    };
    cr_assert_eq(fake_log_open_reader(&world->log, &options.reader, &err), ST_OK);
    restore_init(&restore, &options);
    for (bool done = false; !done;)
        cr_assert_eq(restore_step(&restore, &done, &err), ST_OK, "%s: %s", what, err.text);
    const bool is_local = !restore.from_changelog;
    restore_fini(&restore);
    check_rows(world, overlay, what);
    overlay_destroy(&overlay);
    return is_local;
}

/* As a worker does: takes the rows, then looks what is committed, then restores. */
static bool take_over(struct world *world, const char *what)
{
    struct store_partition *rows = NULL;
    standby_take(world->standby, 0);
    fake_log_settle(&world->log);
    cr_assert_eq(world->store->type->partition_open(world->store, &rows, "task-00000", NULL),
                 ST_OK);
    const bool is_local = restore_all(world, rows, what);
    rows->type->partition_close(rows);
    standby_give(world->standby, 0);
    return is_local;
}

/* --- stories --------------------------------------------------------------------------------------------- */

Test(standby, follows_a_tail_from_its_first_transaction)
{
    struct world world;
    struct prng prng = prng_of_seed(1);
    world_open(&world);
    for (int i = 0; i < 10; i++)
        transaction(&world.owner, &prng, 3);
    fake_log_settle(&world.log);
    follow(&world);
    cr_assert_str_eq(stats_of(&world, 0).state, "following");
    cr_assert_eq(stats_of(&world, 0).seq, 10);
    cr_assert_eq(stats_of(&world, 0).behind, 0);
    cr_assert(take_over(&world, "tail only"));
    world_close(&world);
}

Test(standby, loads_the_changelog_when_the_tail_begins_later)
{
    struct world world;
    struct prng prng = prng_of_seed(2);
    world_open(&world);
    for (int i = 0; i < 30; i++)
        transaction(&world.owner, &prng, 3);
    checkpoint(&world.owner, &prng);
    fake_log_settle(&world.log);
    trim(&world.owner);
    fake_log_compact(&world.log, 0);
    for (int i = 0; i < 5; i++)
        transaction(&world.owner, &prng, 3);
    fake_log_settle(&world.log);
    follow(&world);
    cr_assert_eq(stats_of(&world, 0).seq, world.owner.committed.seq);
    cr_assert(take_over(&world, "changelog, then tail"));
    world_close(&world);
}

Test(standby, follows_what_is_next_and_nobody_else)
{
    struct world world;
    world_open(&world);
    follow(&world); /* the owner has 0 and 1, we have 2 */
    cr_assert(stats_of(&world, 0).state != NULL && stats_of(&world, 1).state != NULL);
    cr_assert(stats_of(&world, 2).state == NULL);
    world.unstable = true; /* what is said in the middle of a rebalance counts for nothing */
    world.owner_is_there = false;
    follow(&world);
    cr_assert(stats_of(&world, 0).state != NULL);
    world.unstable = false;
    follow(&world);
    cr_assert(stats_of(&world, 0).state == NULL && stats_of(&world, 1).state == NULL);
    world_close(&world);
}

Test(standby, never_writes_what_a_lane_has)
{
    struct world world;
    struct prng prng = prng_of_seed(3);
    world_open(&world);
    transaction(&world.owner, &prng, 3);
    fake_log_settle(&world.log);
    follow(&world);
    standby_take(world.standby, 0);
    standby_take(world.standby, 0);
    cr_assert(stats_of(&world, 0).state == NULL);
    struct store_partition *rows = NULL; /* it could not be opened twice */
    cr_assert_eq(world.store->type->partition_open(world.store, &rows, "task-00000", NULL), ST_OK);
    follow(&world);
    cr_assert(stats_of(&world, 0).state == NULL);
    rows->type->partition_close(rows);
    standby_give(world.standby, 0);
    follow(&world);
    cr_assert(stats_of(&world, 0).state == NULL, "another worker's lane has taken it too");
    standby_give(world.standby, 0);
    follow(&world);
    cr_assert_eq(stats_of(&world, 0).seq, 1);
    world_close(&world);
}

Test(standby, keeps_rows_over_a_restart_when_the_tail_connects)
{
    struct world world;
    struct prng prng = prng_of_seed(4);
    world_open(&world);
    for (int i = 0; i < 10; i++)
        transaction(&world.owner, &prng, 3);
    fake_log_settle(&world.log);
    follow(&world);
    standby_destroy(&world.standby);
    checkpoint(&world.owner, &prng);
    fake_log_settle(&world.log);
    start(&world);
    follow(&world);
    cr_assert_eq(stats_of(&world, 0).reloads, 0);
    cr_assert_eq(stats_of(&world, 0).seq, world.owner.committed.seq);
    cr_assert(take_over(&world, "after a restart"));
    world_close(&world);
}

Test(standby, loads_again_when_the_tail_was_trimmed_under_it)
{
    struct world world;
    struct prng prng = prng_of_seed(5);
    world_open(&world);
    for (int i = 0; i < 10; i++)
        transaction(&world.owner, &prng, 3);
    fake_log_settle(&world.log);
    follow(&world);
    const uint64_t before = stats_of(&world, 0).reloads;
    for (int i = 0; i < 10; i++)
        transaction(&world.owner, &prng, 3);
    checkpoint(&world.owner, &prng);
    fake_log_settle(&world.log);
    trim(&world.owner);
    follow(&world);
    cr_assert_eq(stats_of(&world, 0).reloads, before + 1);
    cr_assert_eq(stats_of(&world, 0).seq, world.owner.committed.seq);
    cr_assert(take_over(&world, "after a trim"));
    world_close(&world);
}

Test(standby, rows_that_the_tail_has_left_behind_are_loaded_anew)
{
    struct world world;
    struct prng prng = prng_of_seed(15);
    world_open(&world);
    for (int i = 0; i < 10; i++)
        transaction(&world.owner, &prng, 3);
    fake_log_settle(&world.log);
    follow(&world);
    standby_destroy(&world.standby);
    for (int i = 0; i < 10; i++)
        transaction(&world.owner, &prng, 3);
    checkpoint(&world.owner, &prng);
    fake_log_settle(&world.log);
    trim(&world.owner);
    start(&world);
    follow(&world);
    cr_assert_eq(stats_of(&world, 0).reloads, 1);
    cr_assert_eq(stats_of(&world, 0).seq, world.owner.committed.seq);
    cr_assert(take_over(&world, "left behind"));
    world_close(&world);
}

/* A newcomer would get partition 2 of three. */
Test(standby, prepares_for_what_it_will_be_given_before_it_joins)
{
    struct world world;
    world_open(&world);
    standby_destroy(&world.standby);
    world.we_are_not = true;
    start(&world);
    world.log.poll_status = ST_KAFKA;
    follow(&world);
    cr_assert_not(standby_is_prepared(world.standby), "nothing was read yet");
    world.log.poll_status = ST_OK;
    follow(&world);
    standby_look(world.standby);
    cr_assert_str_eq(stats_of(&world, 2).state, "following");
    cr_assert(stats_of(&world, 0).state == NULL && stats_of(&world, 1).state == NULL);
    cr_assert(standby_is_prepared(world.standby));
    world.we_are_not = false;
    follow(&world);
    cr_assert(stats_of(&world, 2).state == NULL && stats_of(&world, 0).state != NULL);
    world_close(&world);
}

Test(standby, does_not_wait_where_nothing_is_to_be_waited_for)
{
    struct world world;
    world_open(&world);
    cr_assert_not(standby_is_prepared(world.standby));
    standby_look(world.standby);
    cr_assert(standby_is_prepared(world.standby), "the group knows us");
    standby_destroy(&world.standby);
    world.we_are_not = true;
    world.owner_is_there = false;
    start(&world);
    standby_look(world.standby);
    cr_assert(standby_is_prepared(world.standby), "nobody else is there");
    standby_destroy(&world.standby);
    world.owner_is_there = true;
    start(&world);
    world.log.poll_status = ST_KAFKA;
    standby_look(world.standby);
    clock_virtual_advance(&world.clock, 61 * (int64_t)SECOND);
    standby_look(world.standby);
    cr_assert(standby_is_prepared(world.standby), "nothing moves");
    cr_assert(standby_is_prepared(NULL));
    world.log.poll_status = ST_OK;
    world_close(&world);
}

static void write_position(struct world *world, uint64_t incarnation, uint64_t seq, uint64_t nonce)
{
    struct store_partition *rows = NULL;
    struct store_position position = { world->owner.identity, seq, nonce };
    const struct store_row poison = { BYTES_LITERAL("poison"), BYTES_LITERAL("poison") };
    struct buffer record;
    position.identity.incarnation = incarnation;
    buffer_init(&record);
    store_position_write(&record, &position);
    cr_assert_eq(world->store->type->partition_open(world->store, &rows, "task-00000", NULL),
                 ST_OK);
    cr_assert_eq(rows->type->write(rows, &poison, 1, buffer_view(&record), NULL), ST_OK);
    rows->type->partition_close(rows);
    buffer_fini(&record);
}

static void expect_no_poison(struct world *world, const char *what)
{
    struct store_partition *rows = NULL;
    struct buffer value;
    bool found;
    buffer_init(&value);
    standby_take(world->standby, 0);
    cr_assert_eq(world->store->type->partition_open(world->store, &rows, "task-00000", NULL),
                 ST_OK);
    cr_assert_eq(rows->type->get(rows, BYTES_LITERAL("poison"), &value, &found, NULL), ST_OK);
    cr_assert(!found, "%s", what);
    rows->type->partition_close(rows);
    standby_give(world->standby, 0);
    buffer_fini(&value);
}

Test(standby, drops_rows_of_another_state_and_of_what_was_never_committed)
{
    const struct {
        const char *name;
        uint64_t incarnation, seq, nonce;
    } rows[] = {
        { "another incarnation", 78, 5, 0 },
        { "a transaction of that number that was never committed", 77, 5, 2 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world world;
        struct prng prng = prng_of_seed(6);
        world_open(&world);
        for (int t = 0; t < 10; t++)
            transaction(&world.owner, &prng, 3);
        fake_log_settle(&world.log);
        write_position(&world, rows[i].incarnation, rows[i].seq, rows[i].nonce);
        follow(&world);
        cr_assert_eq(stats_of(&world, 0).seq, 10, "%s", rows[i].name);
        expect_no_poison(&world, rows[i].name);
        cr_assert(take_over(&world, rows[i].name));
        world_close(&world);
    }
}

Test(standby, half_a_changelog_is_no_state)
{
    struct world world;
    struct prng prng = prng_of_seed(7);
    world_open(&world);
    for (int i = 0; i < 30; i++)
        transaction(&world.owner, &prng, 3);
    checkpoint(&world.owner, &prng);
    fake_log_settle(&world.log);
    trim(&world.owner);
    world.log.partitions[FAKE_CHANGELOG][0].stable -= 1; /* the end mark cannot be read yet */
    follow(&world);
    cr_assert_eq(stats_of(&world, 0).seq, 0);
    cr_assert_not(take_over(&world, "half a changelog"));
    follow(&world);
    world_close(&world);
}

Test(standby, goes_on_after_a_failure)
{
    struct world world;
    struct prng prng = prng_of_seed(8);
    world_open(&world);
    transaction(&world.owner, &prng, 3);
    fake_log_settle(&world.log);
    world.log.poll_status = ST_KAFKA;
    follow(&world);
    world.log.poll_status = ST_OK;
    fake_log_append(&world.log, FAKE_TAIL, 1, BYTES_NONE, BYTES_LITERAL("this is no tail"));
    fake_log_settle(&world.log);
    follow(&world);
    follow(&world);
    fake_log_append(&world.log, FAKE_CHANGELOG, 1, changelog_identity_key(), BYTES_LITERAL("?"));
    fake_log_append(&world.log, FAKE_CHANGELOG, 1, BYTES_LITERAL("k"), BYTES_LITERAL("v"));
    fake_log_settle(&world.log);
    follow(&world);
    follow(&world);
    cr_assert_eq(stats_of(&world, 0).seq, 1, "the other partition's trouble is its own");
    world_close(&world);
}

static size_t bytes_of_rows(struct world *world)
{
    struct store_partition *rows = NULL;
    struct buffer position;
    buffer_init(&position);
    cr_assert_eq(world->store->type->partition_open(world->store, &rows, "task-00000", NULL),
                 ST_OK);
    cr_assert_eq(rows->type->position(rows, &position, NULL), ST_OK);
    rows->type->partition_close(rows);
    const size_t size = position.size;
    buffer_fini(&position);
    return size;
}

Test(standby, rows_that_nobody_needs_are_kept_for_a_while)
{
    for (int is_short = 0; is_short < 2; is_short++) {
        struct world world;
        struct prng prng = prng_of_seed(9);
        world_open(&world);
        transaction(&world.owner, &prng, 3);
        fake_log_settle(&world.log);
        follow(&world);
        world.owner_is_there = false; /* it is ours now, but no lane opens it */
        world.disk_is_short = is_short == 1;
        follow(&world);
        cr_assert_gt(bytes_of_rows(&world), 0, "kept at first");
        clock_virtual_advance(&world.clock, (is_short == 1 ? 61 : 3601) * (int64_t)SECOND);
        standby_turn(world.standby, 0);
        cr_assert_eq(bytes_of_rows(&world), 0, "deleted later");
        world_close(&world);
    }
}

/* --- with threads -------------------------------------------------------------------------------------------- */

/* A lane and a follower open the same rows: the store stops the program if both have them at once. */
Test(standby, a_lane_and_a_follower_never_have_the_rows_at_once, .timeout = 120)
{
    struct world world;
    struct prng prng = prng_of_seed(17);
    const struct clock clock = clock_real();
    world_open(&world);
    standby_destroy(&world.standby);
    for (int i = 0; i < 50; i++)
        transaction(&world.owner, &prng, 3);
    fake_log_settle(&world.log);
    struct standby_options options = options_of(&world);
    options.threaded = true;
    options.clock = clock;
    options.look_interval_us = 1000;
    standby_create(&world.standby, &options);
    for (int i = 0; i < 200; i++) {
        struct store_partition *rows = NULL;
        standby_take(world.standby, 0);
        cr_assert_eq(world.store->type->partition_open(world.store, &rows, "task-00000", NULL),
                     ST_OK);
        clock_sleep_us(&clock, (int64_t)prng_below(&prng, 500));
        rows->type->partition_close(rows);
        standby_give(world.standby, 0);
        for (int wait = 0; i % 8 == 0 && stats_of(&world, 0).seq < 50; wait++) {
            cr_assert_lt(wait, 60000, "it is not followed");
            clock_sleep_us(&clock, 1000);
        }
    }
    world_close(&world);
}

/* --- anything at any time ------------------------------------------------------------------------------------ */

/* What can be read grows towards what is there, each topic at its own pace. */
static void markers_arrive(struct world *world, struct prng *prng)
{
    for (int t = 0; t < FAKE_TOPICS; t++) {
        struct fake_partition *partition = &world->log.partitions[t][0];
        partition->stable = prng_between(prng, partition->stable, partition->end);
    }
}

static void restart(struct world *world)
{
    standby_destroy(&world->standby);
    start(world);
    standby_look(world->standby);
}

Test(standby, a_takeover_at_any_time_finds_the_state, .timeout = 300)
{
    struct prng prng = prng_from_env("TEST_SEED", 20260131);
    int takeovers = 0, local = 0;
    for (int run = 0; run < 400; run++) {
        struct world world;
        char what[64];
        snprintf(what, sizeof what, "TEST_SEED=%" PRIu64 " run=%d", prng.seed, run);
        world_open(&world);
        standby_look(world.standby);
        transaction(&world.owner, &prng, 3);
        for (int step = 0; step < 150; step++) {
            switch (prng_below(&prng, 40)) {
            case 0 ... 14:
                transaction(&world.owner, &prng, (int)prng_below(&prng, 6));
                break;
            case 15 ... 16:
                begin_checkpoint(&world.owner);
                break;
            case 17:
                trim(&world.owner);
                break;
            case 18:
                fake_log_compact(&world.log, 0);
                break;
            case 19:
                restart(&world);
                break;
            case 20:
                clock_virtual_advance(&world.clock, 3 * SECOND);
                break;
            case 21:
                local += take_over(&world, what);
                takeovers++;
                break;
            case 22 ... 27:
                markers_arrive(&world, &prng);
                break;
            default:
                clock_virtual_advance(&world.clock, SECOND / 5);
                standby_turn(world.standby, 0);
                break;
            }
        }
        local += take_over(&world, what);
        takeovers++;
        world_close(&world);
    }
    /* Without standbys hardly any would be local after a trim. */
    cr_assert_gt(local * 2, takeovers, "%d of %d takeovers were local", local, takeovers);
    cr_assert_lt(local, takeovers, "and some must be hard: %d of %d", local, takeovers);
}
