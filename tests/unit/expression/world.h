/*
 * world: a scope in which a name of every type has a value, tables have rows, and aggregates are
 * planned by writing them down. What expression tests compile against and run in.
 */
#ifndef WEIR_TESTS_UNIT_EXPRESSION_WORLD_H
#define WEIR_TESTS_UNIT_EXPRESSION_WORLD_H

#include "processor/expression/expression.h"
#include "processor/expression/template.h"

enum { WORLD_SLOTS_MAX = 64, WORLD_AGGREGATES_MAX = 8 };

struct world {
    struct scope scope;
    struct value slots[WORLD_SLOTS_MAX];
    struct arena *arena;
    struct error err;
    struct expression_position position;
    struct expression_context context;          /* of the last evaluation */
    char aggregates[WORLD_AGGREGATES_MAX][256]; /* normalised, in the order of planning */
    size_t aggregate_count;
    struct aggregate_call last_call; /* its pointers are valid during the call only */
    size_t lookup_count;
    size_t screened; /* evaluations that the condition's screen had made needless */
};

void world_init(struct world *world);
void world_fini(struct world *world);
/* The slot of a name; the test fails when there is none. */
int world_slot(const char *name);
/* The names in slot order: NULL behind the last. */
const char *world_name(int slot, struct value_type *type);
/* The row that `lookup` finds; false when there is none. */
bool world_row_of(const char *table, const struct value *key, const char *column,
                  struct value *out);

/*
 * Parses, compiles and evaluates. What came of it, valid until the next call:
 *     "int 8"                         type and value
 *     "decimal(2)? null, overflow"    what was counted
 *     "error 3+1: text"               offset + size: message
 */
const char *world_run(struct world *world, const char *text);
/* NULL, and err and position are set, when it does not compile. Destroy it. */
struct expression *world_compile(struct world *world, const char *text);
struct value world_evaluate(struct world *world, const struct expression *expression);

/* Rows of expression and outcome: asserts each. */
struct world_row {
    const char *text, *outcome;
};
void world_assert_rows(const struct world_row *rows, size_t count);
#define WORLD_ASSERT_ROWS(rows) world_assert_rows((rows), sizeof(rows) / sizeof *(rows))

#endif
