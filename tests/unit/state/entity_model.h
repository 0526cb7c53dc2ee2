/*
 * entity_model: the naive oracle of the entity log. It keeps every event that ever came in a plain
 * array, in order, and computes an aggregate by walking all of them, word by word as entity_log.h
 * defines it.
 *
 * Columns come from a fixed pool, so that a topology can gain and lose them; a measure is a pool
 * column or is computed from one. A model_spec is one version of the topology.
 */
#ifndef WEIR_TESTS_STATE_ENTITY_MODEL_H
#define WEIR_TESTS_STATE_ENTITY_MODEL_H

#include "base/random.h"
#include "state/entity_log.h"

enum {
    POOL = 14,
    SOURCES = 2 * POOL, /* a column, or what is computed from column - POOL */
    MODEL_EVENTS_MAX = 800,
    MODEL_ALERTED_MAX = 6,
    MODEL_WINDOWS_MAX = 6,
    MODEL_AGGREGATES_MAX = 12
};

struct model_event {
    int64_t time_us, offset;
    struct value sources[SOURCES];
    uint32_t alerted[MODEL_ALERTED_MAX];
    size_t alerted_count;
};

struct model_entity {
    struct model_event *events; /* MODEL_EVENTS_MAX */
    size_t count;
};

struct model_spec {
    struct layout_column columns[POOL];
    int source_of[SOURCES]; /* of a measure */
    struct window_spec windows[MODEL_WINDOWS_MAX];
    struct aggregate_spec aggregates[MODEL_AGGREGATES_MAX];
    struct entity_log_spec log;
    bool is_plain; /* counts, sums, distinct values and tops of numbers, without groups: what an image can hold (entity_image.h) */
};

/* Which columns of the pool the topology has. */
struct model_pool {
    bool active[POOL], gone[POOL];
};
void model_pool_init(struct model_pool *pool, struct prng *prng);
/* Adds, removes or retypes some. What is gone never comes back. */
void model_pool_change(struct model_pool *pool, struct prng *prng);

/* Random windows and aggregates over the pool's columns; times are multiples of unit_us, so that
 * edges are often hit. retention_us, look_back_us and the chunk sizes of `log` are left alone. */
void model_spec_init(struct model_spec *spec, const struct model_pool *pool, int64_t unit_us,
                     struct prng *prng);

/* Random values of the active columns, and what is computed from them, into sources. */
void model_any_values(struct model_event *event, const struct model_pool *pool, struct prng *prng,
                      struct arena *arena);
/* The values in the order of the spec's columns. */
void model_columns(const struct model_spec *spec, const struct model_event *event,
                   struct value *columns);

/* Inserts in order; the index. */
size_t model_insert(struct model_entity *entity, const struct model_event *event);
size_t model_position_of(const struct model_entity *entity, int64_t time_us);
/* The events that the aggregate takes for the event at e, newest first. */
size_t model_members(const struct model_spec *spec, const struct aggregate_spec *aggregate,
                     const struct model_entity *entity, size_t e, size_t members[MODEL_EVENTS_MAX]);
struct value model_result(const struct model_spec *spec, const struct aggregate_spec *aggregate,
                          const struct model_entity *entity, size_t e);

#endif
