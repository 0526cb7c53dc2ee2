#include "schemas/avro_program.h"

#include <string.h>

#include "base/ensure.h"
#include "base/map.h"
#include "base/memory.h"
#include "schemas/avro_machine.h"
#include "schemas/avro_resolution.h"
#include "schemas/avro_step.h"
#include "schemas/schema_default.h"

enum {
    PROGRAM_STEPS_MAX = 1 << 16, /* a schema that needs more was made to exhaust us */
    INLINE_DEPTH_MAX = 16,       /* of skipped records; deeper ones become sub-programs */
    PROGRAM_BLOCK_BYTES = 4096
};

/* A wanted column as seen from some node: what is left of its path below that node. */
struct wanted {
    uint32_t slot;
    const char *rest;
};

/* What a sub-program skips: a datum of `node`, or one entry of a map. Hashed as bytes: no padding. */
struct skipped {
    const struct schema *node;
    uint64_t is_entry;
};

struct subprogram {
    struct skipped what;
    uint32_t start;
};

struct compiler {
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

static enum status compile(struct compiler *compiler, const struct schema *writer,
                           const struct schema *reader, const struct decoder_column *columns,
                           size_t column_count, struct error *err);
static enum status emit_read(struct compiler *compiler, const struct schema *writer,
                             const struct schema *reader, const struct wanted *wanted, size_t count,
                             struct error *err);
static void emit_skip(struct compiler *compiler, const struct schema *node, int depth);

/* ---- life and use ---- */

enum status avro_program_compile(struct avro_program **out, const struct schema *writer,
                                 const struct schema *reader, const struct decoder_column *columns,
                                 size_t column_count, struct error *err)
{
    ENSURE(*out == NULL);
    struct error unread;
    if (err == NULL)
        err = &unread; /* places are put in front of it on the way up */
    AUTO(avro_program_destroy) struct avro_program *program = mem_alloc(sizeof *program);
    arena_create(&program->arena, PROGRAM_BLOCK_BYTES);
    struct compiler compiler = { .program = program, .place = "" };
    avro_resolution_create(&compiler.resolution);
    map_create(&compiler.inlined, 0);
    map_create(&compiler.subprograms, sizeof(uint32_t));
    arena_create(&compiler.scratch, PROGRAM_BLOCK_BYTES);

    const enum status status = compile(&compiler, writer, reader, columns, column_count, err);

    arena_destroy(&compiler.scratch);
    mem_free(compiler.list);
    map_destroy(&compiler.subprograms);
    map_destroy(&compiler.inlined);
    avro_resolution_destroy(&compiler.resolution);
    if (status == ST_OK)
        *out = TAKE(program);
    return status;
}

void avro_program_destroy(struct avro_program **program)
{
    if (*program == NULL)
        return;
    mem_free((*program)->steps);
    mem_free((*program)->targets);
    mem_free((*program)->symbols);
    mem_free((*program)->constants);
    mem_free((*program)->places);
    arena_destroy(&(*program)->arena);
    mem_free(*program);
    *program = NULL;
}

enum status avro_program_read(const struct avro_program *program, struct bytes *data,
                              struct value *slots, struct error *err)
{
    const uint8_t *start = data->data != NULL ? data->data : (const uint8_t *)"";
    struct value no_slot; /* with no columns the caller may have none, and &NULL[0] is undefined */
    struct avro_machine machine = { .program = program,
                                    .at = start,
                                    .end = start + data->size,
                                    .slots = slots != NULL ? slots : &no_slot };
    const enum avro_fault fault = avro_machine_run(&machine, 0, 0);
    if (fault != FAULT_NONE)
        return FAIL(err, ST_UNDECODABLE, "'%s': %s (at byte %zu of %zu)",
                    program->places[machine.failed_step], avro_fault_text(fault),
                    (size_t)(machine.at - start), data->size);
    *data = bytes_of(machine.at, (size_t)(machine.end - machine.at));
    return ST_OK;
}

enum status avro_program_run(const struct avro_program *program, struct bytes datum,
                             struct value *slots, struct arena *arena, struct error *err)
{
    (void)arena; /* nothing that Avro can say needs a copy */
    struct bytes rest = datum;
    TRY(avro_program_read(program, &rest, slots, err));
    if (rest.size != 0)
        return FAIL(err, ST_UNDECODABLE, "%zu bytes follow the datum, which ends at byte %zu",
                    rest.size, datum.size - rest.size);
    return ST_OK;
}

/* ---- lists that grow ---- */

static void *grown(void *list, size_t count, size_t *capacity, size_t more, size_t item_size)
{
    if (count + more <= *capacity)
        return list;
    *capacity = 2 * *capacity + more + 8;
    return mem_resize_array(list, *capacity, item_size);
}

static void emit(struct compiler *compiler, struct avro_step step)
{
    struct avro_program *program = compiler->program;
    if (program->step_count == PROGRAM_STEPS_MAX) {
        compiler->too_large = true; /* the program will not be used */
        return;
    }
    if (program->step_count == compiler->step_capacity) {
        size_t capacity = compiler->step_capacity;
        program->places =
            grown(program->places, program->step_count, &capacity, 1, sizeof *program->places);
        program->steps = grown(program->steps, program->step_count, &compiler->step_capacity, 1,
                               sizeof *program->steps);
    }
    program->places[program->step_count] = compiler->place;
    program->steps[program->step_count++] = step;
}

static uint32_t here(const struct compiler *compiler)
{
    return (uint32_t)compiler->program->step_count;
}

/* Jumps lead here. */
static uint32_t label(struct compiler *compiler)
{
    compiler->label = here(compiler);
    return here(compiler);
}

/* Emits a jump whose target comes later; see land(). */
static uint32_t emit_jump(struct compiler *compiler, struct avro_step step)
{
    const uint32_t index = here(compiler);
    emit(compiler, step);
    return index;
}

static void land(struct compiler *compiler, uint32_t jump)
{
    const uint32_t target = label(compiler);
    if (!compiler->too_large)
        compiler->program->steps[jump].target = target;
}

static void emit_set(struct compiler *compiler, uint32_t slot, struct value value)
{
    struct avro_program *program = compiler->program;
    program->constants = grown(program->constants, program->constant_count,
                               &compiler->constant_capacity, 1, sizeof *program->constants);
    emit(compiler, (struct avro_step){
                       .op = STEP_SET, .slot = slot, .size = (uint32_t)program->constant_count });
    program->constants[program->constant_count++] = value;
}

static void emit_nulls(struct compiler *compiler, const struct wanted *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        emit_set(compiler, wanted[i].slot, value_null());
}

/* ---- skipping ---- */

/* Joins neighbours: three doubles and a float are one skip of 28 bytes. */
static void emit_skip_of(struct compiler *compiler, enum avro_op op, uint64_t size)
{
    struct avro_program *program = compiler->program;
    struct avro_step *last =
        program->step_count > compiler->label ? &program->steps[program->step_count - 1] : NULL;
    if (last != NULL && last->op == op && last->size + size <= UINT32_MAX)
        last->size += (uint32_t)size;
    else
        emit(compiler, (struct avro_step){ .op = (uint8_t)op, .size = (uint32_t)size });
}

static uint32_t subprogram_of(struct compiler *compiler, struct skipped what)
{
    bool is_new;
    uint32_t *index = map_insert(compiler->subprograms, bytes_of(&what, sizeof what), &is_new);
    if (is_new) {
        compiler->list = grown(compiler->list, compiler->list_count, &compiler->list_capacity, 1,
                               sizeof *compiler->list);
        *index = (uint32_t)compiler->list_count;
        compiler->list[compiler->list_count++] = (struct subprogram){ .what = what };
    }
    return *index;
}

static void emit_skip_fields(struct compiler *compiler, const struct schema *record, int depth)
{
    for (size_t i = 0; i < record->count; i++)
        emit_skip(compiler, record->fields[i].type, depth + 1);
}

/* A record is skipped in place once; after that by a call, which also ends recursion. */
static void emit_skip_record(struct compiler *compiler, const struct schema *record, int depth)
{
    bool is_new;
    map_insert(compiler->inlined, bytes_of(&record, sizeof record), &is_new);
    if (is_new && depth < INLINE_DEPTH_MAX)
        emit_skip_fields(compiler, record, depth);
    else /* the index of the sub-program becomes a step in emit_subprograms */
        emit(compiler, (struct avro_step){
                           .op = STEP_CALL,
                           .target = subprogram_of(compiler, (struct skipped){ .node = record }) });
}

static void emit_skip_union(struct compiler *compiler, const struct schema *node, int depth);

static void emit_skip_array(struct compiler *compiler, const struct schema *array)
{
    const struct schema *item = array->branches[0];
    if (item->binary_size != SCHEMA_SIZE_VARIES)
        emit(compiler,
             (struct avro_step){ .op = STEP_SKIP_ITEMS, .size = (uint32_t)item->binary_size });
    else
        emit(compiler, (struct avro_step){
                           .op = STEP_SKIP_BLOCKS,
                           .target = subprogram_of(compiler, (struct skipped){ .node = item }) });
}

static void emit_skip(struct compiler *compiler, const struct schema *node, int depth)
{
    if (node->binary_size != SCHEMA_SIZE_VARIES) {
        if (node->binary_size > 0)
            emit_skip_of(compiler, STEP_SKIP, (uint64_t)node->binary_size);
        return;
    }
    switch (node->kind) {
    case SCHEMA_INT:
    case SCHEMA_LONG:
    case SCHEMA_ENUM:
        emit_skip_of(compiler, STEP_SKIP_LONGS, 1);
        return;
    case SCHEMA_BYTES:
    case SCHEMA_STRING:
        emit(compiler, (struct avro_step){ .op = STEP_SKIP_BYTES });
        return;
    case SCHEMA_RECORD:
        emit_skip_record(compiler, node, depth);
        return;
    case SCHEMA_ARRAY:
        emit_skip_array(compiler, node);
        return;
    case SCHEMA_MAP:
        emit(compiler, (struct avro_step){
                           .op = STEP_SKIP_BLOCKS,
                           .target = subprogram_of(compiler, (struct skipped){ node, true }) });
        return;
    case SCHEMA_UNION:
        emit_skip_union(compiler, node, depth);
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
static void emit_subprograms(struct compiler *compiler)
{
    for (size_t i = 0; i < compiler->list_count && !compiler->too_large; i++) {
        const struct skipped what = compiler->list[i].what;
        const struct schema *node = what.node;
        compiler->list[i].start = label(compiler);
        compiler->place = node->name == NULL
                              ? "an item"
                              : arena_copy_string(compiler->program->arena, node->name);
        if (node->kind == SCHEMA_RECORD) {
            emit_skip_fields(compiler, node, 0);
        } else if (what.is_entry) {
            emit(compiler, (struct avro_step){ .op = STEP_SKIP_BYTES });
            emit_skip(compiler, node->branches[0], 0);
        } else {
            emit_skip(compiler, node, 0);
        }
        emit(compiler, (struct avro_step){ .op = STEP_RETURN });
    }
    for (size_t i = 0; i < compiler->program->step_count; i++) {
        struct avro_step *step = &compiler->program->steps[i];
        if (step->op == STEP_CALL || step->op == STEP_SKIP_BLOCKS)
            step->target = compiler->list[step->target].start;
    }
}

/* ---- unions of the writer ---- */

static bool is_option(const struct schema *node, uint8_t *null_branch)
{
    if (node->count != 2)
        return false;
    *null_branch = node->branches[1]->kind == SCHEMA_NULL;
    return node->branches[*null_branch]->kind == SCHEMA_NULL;
}

/* Emits the jump table and gives where it begins; all branches must then be set. */
static uint32_t emit_branch_table(struct compiler *compiler, const struct schema *node)
{
    struct avro_program *program = compiler->program;
    const uint32_t first = (uint32_t)program->target_count;
    program->targets = grown(program->targets, program->target_count, &compiler->target_capacity,
                             node->count, sizeof *program->targets);
    program->target_count += node->count;
    emit(compiler,
         (struct avro_step){ .op = STEP_UNION, .size = (uint32_t)node->count, .target = first });
    return first;
}

/* The branches of a union with no wanted columns below. */
static void emit_skip_union(struct compiler *compiler, const struct schema *node, int depth)
{
    uint8_t null_branch;
    if (is_option(node, &null_branch)) {
        const uint32_t option =
            emit_jump(compiler, (struct avro_step){ .op = STEP_OPTION, .detail = null_branch });
        emit_skip(compiler, node->branches[!null_branch], depth);
        land(compiler, option);
        return;
    }
    uint32_t *jumps = arena_alloc(compiler->scratch, node->count * sizeof *jumps);
    const uint32_t first = emit_branch_table(compiler, node);
    for (size_t i = 0; i < node->count; i++) {
        compiler->program->targets[first + i] = label(compiler);
        emit_skip(compiler, node->branches[i], depth);
        jumps[i] = emit_jump(compiler, (struct avro_step){ .op = STEP_JUMP });
    }
    for (size_t i = 0; i < node->count; i++)
        land(compiler, jumps[i]);
}

/*
 * One branch of a union with wanted columns; a branch that the reader cannot take is refused when
 * it is met.
 */
static enum status emit_branch(struct compiler *compiler, const struct schema *branch,
                               const struct schema *reader, const struct wanted *wanted,
                               size_t count, struct error *err)
{
    if (avro_resolution_branch(compiler->resolution, branch, reader) != NULL)
        return emit_read(compiler, branch, reader, wanted, count, err);
    emit(compiler, (struct avro_step){ .op = STEP_REFUSE });
    return ST_OK;
}

/* Null and one other type, by far the most frequent union: the other type follows at once. */
static enum status emit_read_option(struct compiler *compiler, const struct schema *writer,
                                    uint8_t null_branch, const struct schema *reader,
                                    const struct wanted *wanted, size_t count, struct error *err)
{
    const struct schema *null = writer->branches[null_branch];
    const struct schema *other = writer->branches[!null_branch];
    const bool one_null =
        count == 1 && avro_resolution_branch(compiler->resolution, null, reader) != NULL;
    const uint32_t option =
        emit_jump(compiler, (struct avro_step){ .op = one_null ? STEP_OPTION_SLOT : STEP_OPTION,
                                                .detail = null_branch,
                                                .slot = wanted[0].slot });
    TRY(emit_branch(compiler, other, reader, wanted, count, err));
    if (one_null) {
        land(compiler, option);
        return ST_OK;
    }
    const uint32_t end = emit_jump(compiler, (struct avro_step){ .op = STEP_JUMP });
    land(compiler, option);
    TRY(emit_branch(compiler, null, reader, wanted, count, err));
    land(compiler, end);
    return ST_OK;
}

static enum status emit_read_union(struct compiler *compiler, const struct schema *writer,
                                   const struct schema *reader, const struct wanted *wanted,
                                   size_t count, struct error *err)
{
    uint8_t null_branch;
    if (is_option(writer, &null_branch))
        return emit_read_option(compiler, writer, null_branch, reader, wanted, count, err);

    uint32_t *jumps = arena_alloc(compiler->scratch, writer->count * sizeof *jumps);
    const uint32_t first = emit_branch_table(compiler, writer);
    for (size_t i = 0; i < writer->count; i++) {
        compiler->program->targets[first + i] = label(compiler);
        TRY(emit_branch(compiler, writer->branches[i], reader, wanted, count, err));
        jumps[i] = emit_jump(compiler, (struct avro_step){ .op = STEP_JUMP });
    }
    for (size_t i = 0; i < writer->count; i++)
        land(compiler, jumps[i]);
    return ST_OK;
}

/* ---- records ---- */

/* Those of `wanted` that lie in the field, seen from there. */
static const struct wanted *wanted_in(struct compiler *compiler, const struct schema_field *field,
                                      const struct wanted *wanted, size_t count, size_t *found)
{
    const size_t size = strlen(field->name);
    struct wanted *below = arena_alloc(compiler->scratch, (count + 1) * sizeof *below);
    *found = 0;
    for (size_t i = 0; i < count; i++) {
        const char *rest = wanted[i].rest;
        if (strncmp(rest, field->name, size) != 0 || (rest[size] != '\0' && rest[size] != '.'))
            continue;
        below[(*found)++] =
            (struct wanted){ .slot = wanted[i].slot, .rest = rest + size + (rest[size] == '.') };
    }
    return below;
}

static enum status emit_defaults(struct compiler *compiler, const struct schema_field *field,
                                 const struct wanted *wanted, size_t count, struct error *err)
{
    size_t found;
    const struct wanted *below = wanted_in(compiler, field, wanted, count, &found);
    for (size_t i = 0; i < found; i++) {
        struct value value = value_null();
        TRY(schema_default_value(&value, field, below[i].rest, compiler->program->arena, err));
        emit_set(compiler, below[i].slot, value);
    }
    return ST_OK;
}

/* By field of the writer, the field of the reader that it fills, or NULL. */
static const struct schema_field **
fields_filled(struct compiler *compiler, const struct schema *writer, const struct schema *reader)
{
    const struct schema_field **filled =
        arena_alloc_zeroed(compiler->scratch, (writer->count + 1) * sizeof *filled);
    for (size_t i = 0; i < reader->count; i++) {
        const struct schema_field *from = avro_resolution_field(writer, reader, &reader->fields[i]);
        if (from != NULL)
            filled[from - writer->fields] = &reader->fields[i];
    }
    return filled;
}

static enum status emit_read_field(struct compiler *compiler, const struct schema_field *from,
                                   const struct schema_field *to, const struct wanted *wanted,
                                   size_t count, struct error *err)
{
    size_t found = 0;
    const struct wanted *below = NULL;
    if (to != NULL)
        below = wanted_in(compiler, to, wanted, count, &found);
    if (found == 0)
        emit_skip(compiler, from->type, 0);
    else if (emit_read(compiler, from->type, to->type, below, found, err) != ST_OK)
        return error_prefix(err, "field '%.80s'", to->name);
    return ST_OK;
}

static enum status emit_read_record(struct compiler *compiler, const struct schema *writer,
                                    const struct schema *reader, const struct wanted *wanted,
                                    size_t count, struct error *err)
{
    const char *place = compiler->place;
    const struct schema_field **filled = fields_filled(compiler, writer, reader);
    for (size_t i = 0; i < writer->count; i++) {
        compiler->place = arena_format(compiler->program->arena, "%s%s%s", place,
                                       *place == '\0' ? "" : ".", writer->fields[i].name);
        TRY(emit_read_field(compiler, &writer->fields[i], filled[i], wanted, count, err));
    }
    compiler->place = place;
    for (size_t i = 0; i < reader->count; i++)
        if (avro_resolution_field(writer, reader, &reader->fields[i]) == NULL)
            TRY(emit_defaults(compiler, &reader->fields[i], wanted, count, err));
    return ST_OK;
}

/* ---- single values ---- */

static enum avro_op time_op(const struct schema *writer, const struct schema *reader)
{
    switch (writer->logical != LOGICAL_NONE ? writer->logical : reader->logical) {
    case LOGICAL_DATE:
        return STEP_DATE;
    case LOGICAL_TIMESTAMP_MILLIS:
        return STEP_MILLIS;
    case LOGICAL_TIMESTAMP_MICROS:
        return STEP_MICROS;
    case LOGICAL_NONE:
    case LOGICAL_DECIMAL:
    case LOGICAL_UUID:
        break;
    }
    UNREACHABLE();
}

static enum avro_op number_op(const struct schema *writer, const struct schema *reader)
{
    const bool integral = writer->kind == SCHEMA_INT || writer->kind == SCHEMA_LONG;
    if (reader->kind == SCHEMA_FLOAT)
        return integral ? STEP_LONG_TO_FLOAT : STEP_FLOAT;
    if (reader->kind == SCHEMA_DOUBLE)
        return integral                       ? STEP_LONG_TO_DOUBLE
               : writer->kind == SCHEMA_FLOAT ? STEP_FLOAT
                                              : STEP_DOUBLE;
    return reader->logical == LOGICAL_NONE ? STEP_LONG : time_op(writer, reader);
}

static enum avro_op text_op(const struct schema *writer, const struct schema *reader)
{
    if (reader->logical == LOGICAL_DECIMAL)
        return writer->kind == SCHEMA_FIXED ? STEP_DECIMAL_FIXED : STEP_DECIMAL;
    if (reader->kind == SCHEMA_FIXED)
        return STEP_FIXED;
    return reader->kind == SCHEMA_STRING ? STEP_STRING : STEP_BYTES;
}

static const char *symbol_in(const struct schema *reader, const char *symbol)
{
    for (size_t i = 0; i < reader->count; i++)
        if (strcmp(reader->symbols[i], symbol) == 0)
            return reader->symbols[i];
    return reader->enum_default < 0 ? NULL : reader->symbols[reader->enum_default];
}

static void emit_read_enum(struct compiler *compiler, const struct schema *writer,
                           const struct schema *reader, uint32_t slot)
{
    struct avro_program *program = compiler->program;
    const size_t first = program->symbol_count;
    program->symbols = grown(program->symbols, first, &compiler->symbol_capacity, writer->count,
                             sizeof *program->symbols);
    for (size_t i = 0; i < writer->count; i++)
        program->symbols[first + i] = bytes_of_string(symbol_in(reader, writer->symbols[i]));
    program->symbol_count += writer->count;
    emit(compiler, (struct avro_step){ .op = STEP_ENUM,
                                       .slot = slot,
                                       .size = (uint32_t)writer->count,
                                       .target = (uint32_t)first });
}

static void emit_read_scalar(struct compiler *compiler, const struct schema *writer,
                             const struct schema *reader, uint32_t slot)
{
    struct avro_step step = { .slot = slot,
                              .detail = reader->scale,
                              .narrow = writer->kind == SCHEMA_INT,
                              .size = (uint32_t)writer->fixed_size };
    switch (reader->kind) {
    case SCHEMA_BOOLEAN:
        step.op = STEP_BOOL;
        break;
    case SCHEMA_INT:
    case SCHEMA_LONG:
    case SCHEMA_FLOAT:
    case SCHEMA_DOUBLE:
        step.op = (uint8_t)number_op(writer, reader);
        break;
    case SCHEMA_BYTES:
    case SCHEMA_STRING:
    case SCHEMA_FIXED:
        step.op = (uint8_t)text_op(writer, reader);
        break;
    case SCHEMA_ENUM:
        emit_read_enum(compiler, writer, reader, slot);
        return;
    case SCHEMA_NULL:
    case SCHEMA_RECORD:
    case SCHEMA_ARRAY:
    case SCHEMA_MAP:
    case SCHEMA_UNION:
        UNREACHABLE(); /* schema_find_column gives scalars only */
    }
    emit(compiler, step);
}

/* ---- any node ---- */

static enum status emit_read(struct compiler *compiler, const struct schema *writer,
                             const struct schema *reader, const struct wanted *wanted, size_t count,
                             struct error *err)
{
    ENSURE(count > 0);
    if (compiler->too_large)
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "the schemas need more than %d steps",
                    PROGRAM_STEPS_MAX);
    if (writer->kind == SCHEMA_UNION)
        return emit_read_union(compiler, writer, reader, wanted, count, err);
    const struct schema *branch = avro_resolution_branch(compiler->resolution, writer, reader);
    if (branch == NULL)
        return avro_resolution_check(compiler->resolution, writer, reader, err);
    if (writer->kind == SCHEMA_NULL)
        emit_nulls(compiler, wanted, count);
    else if (branch->kind == SCHEMA_RECORD)
        return emit_read_record(compiler, writer, branch, wanted, count, err);
    else
        emit_read_scalar(compiler, writer, branch, wanted[0].slot);
    return ST_OK;
}

/* The slot of an equal path before column `index`, or `index`. */
static size_t first_of_path(const struct decoder_column *columns, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(columns[i].path, columns[index].path) == 0)
            return i;
    return index;
}

static enum status compile(struct compiler *compiler, const struct schema *writer,
                           const struct schema *reader, const struct decoder_column *columns,
                           size_t column_count, struct error *err)
{
    struct schema_column column;
    size_t count = 0;
    struct wanted *wanted = arena_alloc(compiler->scratch, (column_count + 1) * sizeof *wanted);
    for (size_t i = 0; i < column_count; i++) {
        TRY(schema_find_column(reader, columns[i].path, &column, err));
        if (first_of_path(columns, i) == i)
            wanted[count++] = (struct wanted){ .slot = (uint32_t)i, .rest = columns[i].path };
    }
    TRY(avro_resolution_check(compiler->resolution, writer, reader, err));
    if (count == 0)
        emit_skip(compiler, writer, 0);
    else
        TRY(emit_read(compiler, writer, reader, wanted, count, err));
    for (size_t i = 0; i < column_count; i++) {
        const size_t first = first_of_path(columns, i);
        if (first != i)
            emit(compiler, (struct avro_step){
                               .op = STEP_COPY, .slot = (uint32_t)i, .size = (uint32_t)first });
    }
    emit(compiler, (struct avro_step){ .op = STEP_RETURN });
    emit_subprograms(compiler);
    if (compiler->too_large)
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "the schemas need more than %d steps",
                    PROGRAM_STEPS_MAX);
    return ST_OK;
}
