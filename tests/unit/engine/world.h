/* world: a task over state in memory, fed with JSON payments: what the tests of the engine stand on. */
#ifndef WEIR_TESTS_UNIT_ENGINE_WORLD_H
#define WEIR_TESTS_UNIT_ENGINE_WORLD_H

#include <stdint.h>

#include "processor/engine/task.h"
#include "state/store.h"

struct world {
    struct plan *plan;
    struct store *store;
    struct store_partition *partition;
    struct overlay *overlay;
    struct task *task;
    int64_t next_offset;
    struct buffer log; /* "rule event_id cause\n" or "dead reason offset\n" of committed outputs */
};

/* `rules` and `features` are the sections of those names, `stream` more lines of the stream. */
void world_open(struct world *world, const char *stream, const char *features, const char *rules);
void world_close(struct world *world);
/* A payment of user u at second `at_s` (may be fractional), with the next offset. */
void world_pay(struct world *world, const char *id, const char *user, double at_s, int64_t cents);
/* Any value; key NULL: none. */
void world_feed(struct world *world, const char *key, const char *json);
void world_commit(struct world *world);
void world_abort(struct world *world);
/* A new task over the same rows, as after a restart. */
void world_restart(struct world *world);
const char *world_log(struct world *world);

#endif
