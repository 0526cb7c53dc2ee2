#include "program_case.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/memory.h"
#include "quoted_schema.h"

const char *slots_text(struct buffer *out, const struct value *slots, size_t count)
{
    buffer_clear(out);
    for (size_t i = 0; i < count; i++) {
        buffer_printf(out, "%s%s", i == 0 ? "" : ", ", value_kind_name(slots[i].kind));
        if (slots[i].kind == VALUE_NULL)
            continue;
        buffer_put_string(out, " ");
        value_format(out, &slots[i]);
    }
    return buffer_text(out);
}

/* Slots may point into the copy, hence it stays until the next call. */
enum status run_exactly(const struct avro_program *program, const void *datum, size_t size,
                        struct value *slots, struct error *err)
{
    static uint8_t *copy;
    mem_free(copy);
    copy = mem_resize_array(NULL, size > 0 ? size : 1, 1);
    memcpy(copy, datum, size);
    return avro_program_run(program, bytes_of(size > 0 ? copy : NULL, size), slots, NULL, err);
}

static size_t split_columns(const char *paths, char **text, struct decoder_column *columns)
{
    size_t count = 0;
    *text = mem_copy_string(paths);
    for (char *at = strtok(*text, ","); at != NULL; at = strtok(NULL, ","))
        columns[count++] = (struct decoder_column){ .path = at };
    return count;
}

static void check_status(const struct program_case *row, enum status got, enum status wanted,
                         const struct error *err)
{
    cr_assert_eq(got, wanted, "%s: %s%s%s", row->name, status_name(got), got == ST_OK ? "" : ": ",
                 got == ST_OK ? "" : err->text);
    cr_assert(got == ST_OK || strstr(err->text, row->expected) != NULL, "%s: %s", row->name,
              err->text);
}

static void check_run(const struct program_case *row, const struct avro_program *program,
                      size_t count)
{
    struct value slots[CASE_COLUMNS_MAX];
    struct error err;
    const enum status status = run_exactly(program, row->datum, row->datum_size, slots, &err);
    check_status(row, status, row->run, &err);
    if (status != ST_OK)
        return;
    struct buffer text;
    buffer_init(&text);
    cr_assert_str_eq(slots_text(&text, slots, count), row->expected, "%s", row->name);
    buffer_fini(&text);
    for (size_t size = 0; size < row->datum_size; size++)
        cr_assert_eq(run_exactly(program, row->datum, size, slots, &err), ST_UNDECODABLE,
                     "%s: cut after %zu bytes", row->name, size);
}

void program_case_check(const struct program_case *row)
{
    struct schema_document *writer = quoted_schema(row->writer);
    struct schema_document *reader = quoted_schema(row->reader != NULL ? row->reader : row->writer);
    struct decoder_column columns[CASE_COLUMNS_MAX];
    char *text;
    const size_t count = split_columns(row->columns, &text, columns);
    struct avro_program *program = NULL;
    struct error err;
    check_status(row,
                 avro_program_compile(&program, schema_root(writer), schema_root(reader), columns,
                                      count, &err),
                 row->compile, &err);
    mem_free(text);
    schema_document_destroy(&writer); /* a program needs it no more */
    if (program != NULL)
        check_run(row, program, count);
    avro_program_destroy(&program);
    schema_document_destroy(&reader);
}
