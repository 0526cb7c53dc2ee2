/* Whose checkpoint is next, watched over many of them. */
#include <criterion/criterion.h>

#include "processor/engine/checkpoint_turns.h"

enum { LANES = 4, BYTES_MAX = 1000 * 1000 };
static const struct checkpoint_pace full_only = { .bytes_max = BYTES_MAX,
                                                  .interval_us = INT64_MAX };

/* Partitions that are equally busy; what is frozen is written three times as fast as rows come. */
struct busy {
    struct checkpoint_turn turns[LANES];
    uint64_t frozen[LANES];
    uint64_t most; /* that waited or was being written, ever */
};

static uint64_t waiting(const struct busy *busy)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < LANES; i++)
        bytes += busy->turns[i].active_bytes + busy->frozen[i];
    return bytes;
}

static void change_and_write(struct busy *busy)
{
    enum { CHANGED = 100, WRITTEN = 3 * LANES * CHANGED };
    uint64_t room = WRITTEN;
    for (size_t i = 0; i < LANES; i++) {
        const uint64_t written = busy->frozen[i] < room ? busy->frozen[i] : room;
        busy->turns[i].active_bytes += CHANGED;
        busy->frozen[i] -= written;
        room -= written;
        busy->turns[i].running = busy->frozen[i] > 0;
        busy->turns[i].ready = !busy->turns[i].running;
    }
    busy->most = waiting(busy) > busy->most ? waiting(busy) : busy->most;
}

Test(checkpoint_turns, equally_busy_partitions_come_one_after_the_other)
{
    enum { STEPS = 100 * 1000, BETWEEN_TRANSACTIONS = 20, WARM = 3 * LANES };
    struct busy busy = { .most = 0 };
    int begun = 0, of_lane[LANES] = { 0 };
    for (int step = 0; step < STEPS; step++) {
        change_and_write(&busy);
        const size_t next = step % BETWEEN_TRANSACTIONS > 0
                                ? LANES
                                : checkpoint_turns_next(busy.turns, LANES, &full_only);
        if (next == LANES)
            continue;
        cr_assert(!busy.turns[next].running);
        /* An equal part of the memory would be a quarter of 85 %. */
        if (++begun > WARM)
            cr_expect_gt(busy.turns[next].active_bytes, BYTES_MAX / 100 * 30, "checkpoint %d",
                         begun);
        of_lane[next]++;
        busy.frozen[next] = busy.turns[next].active_bytes;
        busy.turns[next].active_bytes = 0;
    }
    cr_expect_gt(begun, 5 * WARM);
    for (int i = 0; i < LANES; i++)
        cr_expect(of_lane[i] >= begun / LANES - 1 && of_lane[i] <= begun / LANES + 1,
                  "partition %d has begun %d", i, of_lane[i]);
    cr_expect_lt(busy.most, BYTES_MAX);
}

Test(checkpoint_turns, what_is_begun_for_memory_is_worth_it)
{
    struct checkpoint_turn turns[] = { { .active_bytes = BYTES_MAX, .running = true },
                                       { .active_bytes = 50, .ready = true } };
    cr_expect_eq(checkpoint_turns_next(turns, 2, &full_only), 2);
    turns[0] = (struct checkpoint_turn){ .active_bytes = BYTES_MAX, .ready = true };
    cr_expect_eq(checkpoint_turns_next(turns, 2, &full_only), 0);
    turns[0].ready = false; /* a transaction is in hand: it is not the other's turn for that */
    cr_expect_eq(checkpoint_turns_next(turns, 2, &full_only), 2);
    turns[0].ready = true;
    turns[0].active_bytes = BYTES_MAX / 2;
    cr_expect_eq(checkpoint_turns_next(turns, 2, &full_only), 2);
    cr_expect_eq(checkpoint_turns_next(turns, 0, &full_only), 0);
}

Test(checkpoint_turns, by_the_clock_they_are_spread_over_the_interval)
{
    enum { INTERVAL = 10 * 1000, WRITING = 300, STEP = 10, STEPS = 100 * INTERVAL / STEP };
    struct checkpoint_turn turns[LANES];
    int64_t ended[LANES] = { 0 }, began[LANES] = { 0 }, last = 0;
    int begun = 0;
    for (int64_t now = INTERVAL; now < (int64_t)STEPS * STEP; now += STEP) {
        for (size_t i = 0; i < LANES; i++) {
            const bool running = began[i] > 0 && now < began[i] + WRITING;
            ended[i] = began[i] > 0 && !running ? began[i] + WRITING : ended[i];
            turns[i] = (struct checkpoint_turn){ 1, now - ended[i], running, .ready = !running };
        }
        const struct checkpoint_pace pace = { .bytes_max = BYTES_MAX,
                                              .interval_us = INTERVAL,
                                              .since_start_us = now - last };
        const size_t next = checkpoint_turns_next(turns, LANES, &pace);
        if (next == LANES)
            continue;
        begun++;
        if (last > 0)
            cr_expect_geq(now - last, INTERVAL / LANES);
        if (began[next] > 0)
            cr_expect(now - began[next] >= INTERVAL &&
                      now - began[next] <= INTERVAL + WRITING + INTERVAL / LANES);
        last = began[next] = now;
    }
    cr_expect_gt(begun, 90 * LANES);
}

Test(checkpoint_turns, who_has_waited_longest_is_first)
{
    const struct checkpoint_pace pace = { .bytes_max = BYTES_MAX, .interval_us = 10, .since_start_us = 10 };
    struct checkpoint_turn turns[] = {
        { .waited_us = 11, .ready = true }, { .waited_us = 30 }, { .waited_us = 13, .ready = true }, { .waited_us = 12, .ready = true },
    };
    cr_expect_eq(checkpoint_turns_next(turns, 4, &pace), 2);
    turns[2].ready = turns[3].ready = false;
    cr_expect_eq(checkpoint_turns_next(turns, 4, &pace), 0);
    turns[0].waited_us = 9;
    cr_expect_eq(checkpoint_turns_next(turns, 4, &pace), 4);
}
