#include "schemas/avro_skip.h"

#include "base/ensure.h"

enum { INLINE_DEPTH_MAX = 16 }; /* deeper records become sub-programs */

/* Joins neighbours: three doubles and a float are one skip of 28 bytes. */
static void skip_of(struct avro_compiler *compiler, enum avro_op op, uint64_t size)
{
    struct avro_program *program = compiler->program;
    struct avro_step *last =
        program->step_count > compiler->label ? &program->steps[program->step_count - 1] : NULL;
    if (last != NULL && last->op == op && last->size + size <= UINT32_MAX)
        last->size += (uint32_t)size;
    else
        avro_emit(compiler, (struct avro_step){ .op = (uint8_t)op, .size = (uint32_t)size });
}

static uint32_t subprogram_of(struct avro_compiler *compiler, struct skipped what)
{
    bool is_new;
    uint32_t *index = map_insert(compiler->subprograms, bytes_of(&what, sizeof what), &is_new);
    if (is_new) {
        compiler->list = avro_list_grown(compiler->list, compiler->list_count,
                                         &compiler->list_capacity, 1, sizeof *compiler->list);
        *index = (uint32_t)compiler->list_count;
        compiler->list[compiler->list_count++] = (struct subprogram){ .what = what };
    }
    return *index;
}

static void skip_fields(struct avro_compiler *compiler, const struct schema *record, int depth)
{
    for (size_t i = 0; i < record->count; i++)
        avro_skip(compiler, record->fields[i].type, depth + 1);
}

/* A record is skipped in place once; after that by a call, which also ends recursion. */
static void skip_record(struct avro_compiler *compiler, const struct schema *record, int depth)
{
    bool is_new;
    map_insert(compiler->inlined, bytes_of(&record, sizeof record), &is_new);
    if (is_new && depth < INLINE_DEPTH_MAX)
        skip_fields(compiler, record, depth);
    else /* the index of the sub-program becomes a step in avro_skip_subprograms */
        avro_emit(compiler,
                  (struct avro_step){
                      .op = STEP_CALL,
                      .target = subprogram_of(compiler, (struct skipped){ .node = record }) });
}

static void skip_union(struct avro_compiler *compiler, const struct schema *node, int depth)
{
    uint8_t null_branch;
    if (avro_union_is_option(node, &null_branch)) {
        const uint32_t option = avro_emit_jump(
            compiler, (struct avro_step){ .op = STEP_OPTION, .detail = null_branch });
        avro_skip(compiler, node->branches[!null_branch], depth);
        avro_emit_land(compiler, option);
        return;
    }
    uint32_t *jumps = arena_alloc(compiler->scratch, node->count * sizeof *jumps);
    const uint32_t first = avro_emit_branches(compiler, node);
    for (size_t i = 0; i < node->count; i++) {
        compiler->program->targets[first + i] = avro_emit_label(compiler);
        avro_skip(compiler, node->branches[i], depth);
        jumps[i] = avro_emit_jump(compiler, (struct avro_step){ .op = STEP_JUMP });
    }
    for (size_t i = 0; i < node->count; i++)
        avro_emit_land(compiler, jumps[i]);
}

static void skip_array(struct avro_compiler *compiler, const struct schema *array)
{
    const struct schema *item = array->branches[0];
    if (item->binary_size != SCHEMA_SIZE_VARIES)
        avro_emit(compiler,
                  (struct avro_step){ .op = STEP_SKIP_ITEMS, .size = (uint32_t)item->binary_size });
    else
        avro_emit(compiler, (struct avro_step){ .op = STEP_SKIP_BLOCKS,
                                                .target = subprogram_of(
                                                    compiler, (struct skipped){ .node = item }) });
}

void avro_skip(struct avro_compiler *compiler, const struct schema *node, int depth)
{
    if (node->binary_size != SCHEMA_SIZE_VARIES) {
        if (node->binary_size > 0)
            skip_of(compiler, STEP_SKIP, (uint64_t)node->binary_size);
        return;
    }
    switch (node->kind) {
    case SCHEMA_INT:
    case SCHEMA_LONG:
    case SCHEMA_ENUM:
        skip_of(compiler, STEP_SKIP_LONGS, 1);
        return;
    case SCHEMA_BYTES:
    case SCHEMA_STRING:
        avro_emit(compiler, (struct avro_step){ .op = STEP_SKIP_BYTES });
        return;
    case SCHEMA_RECORD:
        skip_record(compiler, node, depth);
        return;
    case SCHEMA_ARRAY:
        skip_array(compiler, node);
        return;
    case SCHEMA_MAP:
        avro_emit(compiler, (struct avro_step){ .op = STEP_SKIP_BLOCKS,
                                                .target = subprogram_of(
                                                    compiler, (struct skipped){ node, true }) });
        return;
    case SCHEMA_UNION:
        skip_union(compiler, node, depth);
        return;
    case SCHEMA_NULL:
    case SCHEMA_BOOLEAN:
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
    case SCHEMA_FIXED:
        break;
    }
    UNREACHABLE(); /* of one size */
}

/* All sub-programs, also those that are first needed by others; then calls get their steps. */
void avro_skip_subprograms(struct avro_compiler *compiler)
{
    for (size_t i = 0; i < compiler->list_count && !compiler->too_large; i++) {
        const struct skipped what = compiler->list[i].what;
        const struct schema *node = what.node;
        compiler->list[i].start = avro_emit_label(compiler);
        compiler->place = node->name == NULL
                              ? "an item"
                              : arena_copy_string(compiler->program->arena, node->name);
        if (node->kind == SCHEMA_RECORD) {
            skip_fields(compiler, node, 0);
        } else if (what.is_entry) {
            avro_emit(compiler, (struct avro_step){ .op = STEP_SKIP_BYTES });
            avro_skip(compiler, node->branches[0], 0);
        } else {
            avro_skip(compiler, node, 0);
        }
        avro_emit(compiler, (struct avro_step){ .op = STEP_RETURN });
    }
    for (size_t i = 0; i < compiler->program->step_count; i++) {
        struct avro_step *step = &compiler->program->steps[i];
        if (step->op == STEP_CALL || step->op == STEP_SKIP_BLOCKS)
            step->target = compiler->list[step->target].start;
    }
}
