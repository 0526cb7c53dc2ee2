/*
 * avro_emit: appends steps to the program that is being compiled. Private to avro_program and
 * avro_skip.
 *
 * The compiler's memory lives as long as compiling takes, the program's arena as long as the
 * program.
 */
#ifndef WEIR_SCHEMAS_AVRO_EMIT_H
#define WEIR_SCHEMAS_AVRO_EMIT_H

#include <stdbool.h>

#include "base/map.h"
#include "schemas/avro_resolution.h"
#include "schemas/avro_step.h"

enum { AVRO_STEPS_MAX = 1 << 16 }; /* a schema that needs more was made to exhaust us */

/*
 * What a sub-program skips: a datum of `node`, or one entry of a map. Hashed as bytes: no padding.
 */
struct skipped {
    const struct schema *node;
    uint64_t is_entry;
};

struct subprogram {
    struct skipped what;
    uint32_t start;
};

struct avro_compiler {
    struct avro_program *program;
    size_t step_capacity, target_capacity, symbol_capacity, constant_capacity;
    size_t label; /* steps before it are never merged with later ones: a jump may lead in between */
    struct avro_resolution *resolution;
    struct map *inlined;     /* set of skipped records: the first time in place, then by a call */
    struct map *subprograms; /* struct skipped -> uint32_t, its index in the list */
    struct subprogram *list;
    size_t list_count, list_capacity;
    const char *place;
    struct arena *scratch;
    bool too_large;
};

void avro_compiler_init(struct avro_compiler *compiler, struct avro_program *program);
void avro_compiler_fini(struct avro_compiler *compiler);

/* Beyond AVRO_STEPS_MAX it sets `too_large` and emits nothing: the program must not be used. */
void avro_emit(struct avro_compiler *compiler, struct avro_step step);
/* The index of the step that comes next. */
uint32_t avro_emit_here(const struct avro_compiler *compiler);
/* The same, and jumps lead there. */
uint32_t avro_emit_label(struct avro_compiler *compiler);
/* Emits a step whose target comes later; avro_emit_land makes it lead to the next step. */
uint32_t avro_emit_jump(struct avro_compiler *compiler, struct avro_step step);
void avro_emit_land(struct avro_compiler *compiler, uint32_t jump);
void avro_emit_set(struct avro_compiler *compiler, uint32_t slot, struct value value);
/* A STEP_UNION; gives where its targets begin, all of which must then be set. */
uint32_t avro_emit_branches(struct avro_compiler *compiler, const struct schema *node);

/* Null and one other type, by far the most frequent union: STEP_OPTION instead of STEP_UNION. */
bool avro_union_is_option(const struct schema *node, uint8_t *null_branch);
void *avro_list_grown(void *list, size_t count, size_t *capacity, size_t more, size_t item_size);

#endif
