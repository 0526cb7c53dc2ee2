/*
 * Does the simulated cluster (tests/sim) behave as Kafka does? The same random sequences of calls
 * are made on both, and everything that the calls show has to be the same:
 *     kafka_sim_conformance BROKERS FIRST_SEED COUNT [--trace]
 * Ends with 1 at the first difference and tells the sequence up to there; where they differ, the
 * real one is right. To see it again, begin some sequences earlier: the producers live on, and are
 * new with the first and every tenth after it.
 *
 * A broker takes its time: markers arrive after a commit is answered, trimming is asynchronous. So
 * a question is asked again until the answer is the simulated one's, for a while. What must be
 * answered with "not yet" has a short while only.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "conformance_calls.h"
#include "conformance_groups.h"

enum { PATIENCE_MS = 15000, SHORT_MS = 500, LONG_MS = 2000, PAUSE_US = 2000, GROUPS_EVERY = 40, AFRESH_EVERY = 10 };

struct run {
    struct world world;
    struct side real, simulated;
    struct text story;
    uint64_t sequences;
    bool trace;
};

/* A stable offset, or an end, that cannot be there yet: the real one only says so after a while. */
static bool is_not_yet(const struct text *expected)
{
    return strstr(expected->data, "UNSTABLE") != NULL || strstr(expected->data, "silent") != NULL;
}

static void ask_real(struct run *run, const struct call *call, const struct text *expected,
                     struct text *found)
{
    const bool is_question = call_is_question(call);
    /* A position beyond the end is told after a second. */
    const bool is_told_late = strstr(expected->data, "outside") != NULL;
    const int64_t patience_ms = is_not_yet(expected) && !is_told_late ? SHORT_MS : LONG_MS;
    const int64_t until_ms = world_ms() + PATIENCE_MS;
    for (;;) {
        *found = (struct text){ .size = 0 };
        call_make(call, &run->real, &run->world, patience_ms, found);
        if (!is_question || strcmp(found->data, expected->data) == 0 || world_ms() > until_ms)
            return;
        usleep(PAUSE_US);
    }
}

/* Markers come after the answer; what is written next has to find them where they are to be. */
static bool await_markers(struct run *run, const struct call *call)
{
    static struct text expected, found;
    const int64_t until_ms = world_ms() + PATIENCE_MS;
    expected = (struct text){ .size = 0 };
    if (!call_writes_markers(call))
        return true;
    side_bounds(&run->simulated, &expected);
    do {
        found = (struct text){ .size = 0 };
        side_bounds(&run->real, &found);
        if (strcmp(found.data, expected.data) == 0)
            return true;
        usleep(PAUSE_US);
    } while (world_ms() < until_ms);
    text_add(&run->story, "   bounds %s\n   but Kafka -> %s\n", expected.data, found.data);
    return false;
}

static bool make_call(struct run *run, struct call *call)
{
    static struct text expected, found;
    expected = (struct text){ .size = 0 };
    call_moderate(call, &run->simulated);
    call_make(call, &run->simulated, &run->world, SHORT_MS, &expected);
    side_settle(&run->simulated);
    ask_real(run, call, &expected, &found);
    call_describe(call, &run->story);
    text_add(&run->story, " -> %s\n", expected.data);
    if (strcmp(found.data, expected.data) == 0)
        return await_markers(run, call);
    text_add(&run->story, "   but Kafka -> %s\n", found.data);
    return false;
}

static bool run_sequence(struct run *run, uint64_t seed)
{
    struct call calls[CALLS_MAX];
    const int count = calls_draw(seed, calls);
    bool same = true;
    const bool afresh = run->sequences++ % AFRESH_EVERY == 0;
    side_begin(&run->real, afresh);
    side_begin(&run->simulated, afresh);
    for (int i = 0; i < count && same; i++)
        same = make_call(run, &calls[i]);
    return same;
}

static bool run_seed(struct run *run, uint64_t seed)
{
    run->story = (struct text){ .size = 0 };
    const bool same = seed % GROUPS_EVERY == GROUPS_EVERY - 1
                          ? groups_run(&run->world, seed, &run->story)
                          : run_sequence(run, seed);
    if (run->trace || !same)
        printf("seed %" PRIu64 ":\n%s", seed, run->story.data);
    return same;
}

static void open_run(struct run *run, const char *brokers)
{
    world_open(&run->world, brokers, "sim");
    side_open(&run->real, &run->world, &run->world);
    side_open(&run->simulated, NULL, &run->world);
}

static void close_run(struct run *run)
{
    side_close(&run->real);
    side_close(&run->simulated);
    world_close(&run->world);
}

int main(int argc, char **argv)
{
    static struct run run;
    if (argc < 4) {
        fprintf(stderr, "usage: kafka_sim_conformance BROKERS FIRST_SEED COUNT [--trace]\n");
        return 2;
    }
    log_set_level(LOG_LEVEL_OFF); /* that clients are fenced is no news here */
    const uint64_t first = strtoull(argv[2], NULL, 10), count = strtoull(argv[3], NULL, 10);
    run.trace = argc > 4;
    const int64_t started_ms = world_ms();
    open_run(&run, argv[1]);
    bool same = true;
    for (uint64_t seed = first; seed < first + count && same; seed++)
        same = run_seed(&run, seed);
    if (same)
        printf("%" PRIu64 " sequences, the same on both, %" PRId64 " ms\n", count,
               world_ms() - started_ms);
    fflush(stdout);
    close_run(&run);
    return same ? 0 : 1;
}
