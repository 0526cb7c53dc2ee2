#include "schemas/avro_program.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "schemas/avro_emit.h"
#include "schemas/avro_machine.h"
#include "schemas/avro_resolution.h"
#include "schemas/avro_skip.h"
#include "schemas/schema_default.h"

enum { PROGRAM_BLOCK_BYTES = 4096 };

/* A wanted column as seen from some node: what is left of its path below that node. */
struct wanted {
    uint32_t slot;
    const char *rest;
};

static enum status compile(struct avro_compiler *compiler, const struct schema *writer,
                           const struct schema *reader, const struct decoder_column *columns,
                           size_t column_count, struct error *err);
static enum status emit_read(struct avro_compiler *compiler, const struct schema *writer,
                             const struct schema *reader, const struct wanted *wanted, size_t count,
                             struct error *err);

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
    struct avro_compiler compiler;
    avro_compiler_init(&compiler, program);
    const enum status status = compile(&compiler, writer, reader, columns, column_count, err);
    avro_compiler_fini(&compiler);
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

/* ---- unions of the writer ---- */

/*
 * One branch of a union with wanted columns; a branch that the reader cannot take is refused when
 * it is met.
 */
static enum status emit_branch(struct avro_compiler *compiler, const struct schema *branch,
                               const struct schema *reader, const struct wanted *wanted,
                               size_t count, struct error *err)
{
    if (avro_resolution_branch(compiler->resolution, branch, reader) != NULL)
        return emit_read(compiler, branch, reader, wanted, count, err);
    avro_emit(compiler, (struct avro_step){ .op = STEP_REFUSE });
    return ST_OK;
}

/* Null and one other type, by far the most frequent union: the other type follows at once. */
static enum status emit_read_option(struct avro_compiler *compiler, const struct schema *writer,
                                    uint8_t null_branch, const struct schema *reader,
                                    const struct wanted *wanted, size_t count, struct error *err)
{
    const struct schema *null = writer->branches[null_branch];
    const struct schema *other = writer->branches[!null_branch];
    const bool one_null =
        count == 1 && avro_resolution_branch(compiler->resolution, null, reader) != NULL;
    const uint32_t option = avro_emit_jump(
        compiler, (struct avro_step){ .op = one_null ? STEP_OPTION_SLOT : STEP_OPTION,
                                      .detail = null_branch,
                                      .slot = wanted[0].slot });
    TRY(emit_branch(compiler, other, reader, wanted, count, err));
    if (one_null) {
        avro_emit_land(compiler, option);
        return ST_OK;
    }
    const uint32_t end = avro_emit_jump(compiler, (struct avro_step){ .op = STEP_JUMP });
    avro_emit_land(compiler, option);
    TRY(emit_branch(compiler, null, reader, wanted, count, err));
    avro_emit_land(compiler, end);
    return ST_OK;
}

static enum status emit_read_union(struct avro_compiler *compiler, const struct schema *writer,
                                   const struct schema *reader, const struct wanted *wanted,
                                   size_t count, struct error *err)
{
    uint8_t null_branch;
    if (avro_union_is_option(writer, &null_branch))
        return emit_read_option(compiler, writer, null_branch, reader, wanted, count, err);

    uint32_t *jumps = arena_alloc(compiler->scratch, writer->count * sizeof *jumps);
    const uint32_t first = avro_emit_branches(compiler, writer);
    for (size_t i = 0; i < writer->count; i++) {
        compiler->program->targets[first + i] = avro_emit_label(compiler);
        TRY(emit_branch(compiler, writer->branches[i], reader, wanted, count, err));
        jumps[i] = avro_emit_jump(compiler, (struct avro_step){ .op = STEP_JUMP });
    }
    for (size_t i = 0; i < writer->count; i++)
        avro_emit_land(compiler, jumps[i]);
    return ST_OK;
}

/* ---- records ---- */

/* Those of `wanted` that lie in the field, seen from there. */
static const struct wanted *wanted_in(struct avro_compiler *compiler,
                                      const struct schema_field *field, const struct wanted *wanted,
                                      size_t count, size_t *found)
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

static enum status emit_defaults(struct avro_compiler *compiler, const struct schema_field *field,
                                 const struct wanted *wanted, size_t count, struct error *err)
{
    size_t found;
    const struct wanted *below = wanted_in(compiler, field, wanted, count, &found);
    for (size_t i = 0; i < found; i++) {
        struct value value = value_null();
        TRY(schema_default_value(&value, field, below[i].rest, compiler->program->arena, err));
        avro_emit_set(compiler, below[i].slot, value);
    }
    return ST_OK;
}

/* By field of the writer, the field of the reader that it fills, or NULL. */
static const struct schema_field **fields_filled(struct avro_compiler *compiler,
                                                 const struct schema *writer,
                                                 const struct schema *reader)
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

static enum status emit_read_field(struct avro_compiler *compiler, const struct schema_field *from,
                                   const struct schema_field *to, const struct wanted *wanted,
                                   size_t count, struct error *err)
{
    size_t found = 0;
    const struct wanted *below = NULL;
    if (to != NULL)
        below = wanted_in(compiler, to, wanted, count, &found);
    if (found == 0)
        avro_skip(compiler, from->type, 0);
    else if (emit_read(compiler, from->type, to->type, below, found, err) != ST_OK)
        return error_prefix(err, "field '%.80s'", to->name);
    return ST_OK;
}

static enum status emit_read_record(struct avro_compiler *compiler, const struct schema *writer,
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

static void emit_read_enum(struct avro_compiler *compiler, const struct schema *writer,
                           const struct schema *reader, uint32_t slot)
{
    struct avro_program *program = compiler->program;
    const size_t first = program->symbol_count;
    program->symbols = avro_list_grown(program->symbols, first, &compiler->symbol_capacity,
                                       writer->count, sizeof *program->symbols);
    for (size_t i = 0; i < writer->count; i++)
        program->symbols[first + i] = bytes_of_string(symbol_in(reader, writer->symbols[i]));
    program->symbol_count += writer->count;
    avro_emit(compiler, (struct avro_step){ .op = STEP_ENUM,
                                            .slot = slot,
                                            .size = (uint32_t)writer->count,
                                            .target = (uint32_t)first });
}

static void emit_read_scalar(struct avro_compiler *compiler, const struct schema *writer,
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
    avro_emit(compiler, step);
}

/* ---- any node ---- */

static void emit_nulls(struct avro_compiler *compiler, const struct wanted *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        avro_emit_set(compiler, wanted[i].slot, value_null());
}

static enum status emit_read(struct avro_compiler *compiler, const struct schema *writer,
                             const struct schema *reader, const struct wanted *wanted, size_t count,
                             struct error *err)
{
    ENSURE(count > 0);
    if (compiler->too_large)
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "the schemas need more than %d steps",
                    AVRO_STEPS_MAX);
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

static enum status compile(struct avro_compiler *compiler, const struct schema *writer,
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
        avro_skip(compiler, writer, 0);
    else
        TRY(emit_read(compiler, writer, reader, wanted, count, err));
    for (size_t i = 0; i < column_count; i++) {
        const size_t first = first_of_path(columns, i);
        if (first != i)
            avro_emit(compiler, (struct avro_step){ .op = STEP_COPY,
                                                    .slot = (uint32_t)i,
                                                    .size = (uint32_t)first });
    }
    avro_emit(compiler, (struct avro_step){ .op = STEP_RETURN });
    avro_skip_subprograms(compiler);
    if (compiler->too_large)
        return FAIL(err, ST_INCOMPATIBLE_SCHEMA, "the schemas need more than %d steps",
                    AVRO_STEPS_MAX);
    return ST_OK;
}
