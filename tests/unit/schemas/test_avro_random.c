/* avro-c is the oracle: it encodes, we decode. */
#include <criterion/criterion.h>
#include <inttypes.h>

#include "avro_random.h"
#include "base/memory.h"
#include "program_case.h"
#include "schemas/avro_writer.h"

enum { COLUMNS_MAX = 4096, DATUM_MAX = 1 << 20 };

struct column_list {
    struct decoder_column columns[COLUMNS_MAX];
    size_t count;
    struct arena *arena;
};

struct round {
    uint64_t seed;
    int number;
    struct prng prng;
    struct buffer writer_text, reader_text;
    struct schema_document *writer, *reader;
    struct column_list *list;
    struct value *slots;
    avro_schema_t schema;
    avro_value_iface_t *class;
    struct avro_program *program;
    char *datum;
};

static void add_column(void *context, const char *path, const struct schema_column *column)
{
    struct column_list *list = context;
    cr_assert_lt(list->count, COLUMNS_MAX);
    list->columns[list->count++] =
        (struct decoder_column){ .path = arena_copy_string(list->arena, path),
                                 .type = column->type };
}

/* A few of the columns in random order, or all of them. */
static void choose_columns(struct round *round)
{
    struct column_list *list = round->list;
    list->count = 0;
    schema_each_column(schema_root(round->reader), add_column, list);
    if (prng_chance(&round->prng, 1, 2))
        return;
    for (size_t i = 0; i < list->count; i++) {
        const size_t other = prng_below(&round->prng, list->count);
        const struct decoder_column swapped = list->columns[i];
        list->columns[i] = list->columns[other];
        list->columns[other] = swapped;
    }
    list->count = prng_below(&round->prng, list->count + 1);
}

static void round_open(struct round *round, bool evolve)
{
    struct error err;
    random_schemas(&round->prng, &round->writer_text, &round->reader_text, evolve);
    const struct bytes writer = buffer_view(&round->writer_text);
    const struct bytes reader = buffer_view(&round->reader_text);
    cr_assert_eq(schema_parse(&round->writer, (const char *)writer.data, writer.size, &err), ST_OK,
                 "%.*s: %s", (int)writer.size, writer.data, err.text);
    cr_assert_eq(schema_parse(&round->reader, (const char *)reader.data, reader.size, &err), ST_OK,
                 "%.*s: %s", (int)reader.size, reader.data, err.text);
    cr_assert_eq(
        avro_schema_from_json_length((const char *)writer.data, writer.size, &round->schema), 0,
        "%.*s: %s", (int)writer.size, writer.data, avro_strerror());
    round->class = avro_generic_class_from_schema(round->schema);
    choose_columns(round);
    cr_assert_eq(avro_program_compile(&round->program, schema_root(round->writer),
                                      schema_root(round->reader), round->list->columns,
                                      round->list->count, &err),
                 ST_OK, "TEST_SEED=%" PRIu64 " round %d: %s\n%.*s\n%.*s", round->seed,
                 round->number, err.text, (int)writer.size, writer.data, (int)reader.size,
                 reader.data);
}

static void round_close(struct round *round)
{
    avro_program_destroy(&round->program);
    avro_value_iface_decref(round->class);
    avro_schema_decref(round->schema);
    schema_document_destroy(&round->writer);
    schema_document_destroy(&round->reader);
    arena_reset(round->list->arena);
}

static size_t encode(struct round *round, avro_value_t *value)
{
    avro_writer_t out = avro_writer_memory(round->datum, DATUM_MAX);
    cr_assert_eq(avro_value_write(out, value), 0, "%s", avro_strerror());
    const size_t size = (size_t)avro_writer_tell(out);
    avro_writer_free(out);
    return size;
}

static void check_datum(struct round *round, avro_value_t *value, size_t size)
{
    struct error err;
    const struct column_list *list = round->list;
    cr_assert_eq(run_exactly(round->program, round->datum, size, round->slots, &err), ST_OK,
                 "TEST_SEED=%" PRIu64 " round %d: %s\n%.*s", round->seed, round->number, err.text,
                 (int)round->writer_text.size, round->writer_text.data);
    for (size_t i = 0; i < list->count; i++) {
        const struct value expected =
            expected_value(value, schema_root(round->writer), list->columns[i].path,
                           list->columns[i].type, list->arena);
        cr_assert(value_same(&round->slots[i], &expected),
                  "TEST_SEED=%" PRIu64 " round %d: '%s'\n%.*s\n%.*s", round->seed, round->number,
                  list->columns[i].path, (int)round->writer_text.size, round->writer_text.data,
                  (int)round->reader_text.size, round->reader_text.data);
    }
}

/* Whatever the bytes are: a status, in bounded time, and no step beyond the datum's end. */
static void check_damaged(struct round *round, size_t size)
{
    struct error err;
    const size_t cut = prng_below(&round->prng, size + 1);
    if (cut < size)
        cr_assert_eq(run_exactly(round->program, round->datum, cut, round->slots, &err),
                     ST_UNDECODABLE, "TEST_SEED=%" PRIu64 " round %d: cut at %zu", round->seed,
                     round->number, cut);
    for (int i = 0; i < 3 && size > 0; i++)
        round->datum[prng_below(&round->prng, size)] ^= (char)(1 << prng_below(&round->prng, 8));
    const enum status status = run_exactly(round->program, round->datum, size, round->slots, &err);
    cr_assert(status == ST_OK || status == ST_UNDECODABLE);
}

static void check_rounds(uint64_t fallback_seed, int rounds, bool evolve)
{
    struct round round = { .prng = prng_from_env("TEST_SEED", fallback_seed) };
    round.seed = round.prng.seed;
    round.list = mem_alloc(sizeof *round.list);
    round.slots = mem_alloc_array(COLUMNS_MAX, sizeof *round.slots);
    round.datum = mem_alloc(DATUM_MAX);
    arena_create(&round.list->arena, 1 << 16);
    buffer_init(&round.writer_text);
    buffer_init(&round.reader_text);
    for (round.number = 0; round.number < rounds; round.number++) {
        round_open(&round, evolve);
        for (int i = 0; i < 10; i++) {
            avro_value_t value;
            avro_generic_value_new(round.class, &value);
            random_value_fill(&round.prng, &value);
            const size_t size = encode(&round, &value);
            check_datum(&round, &value, size);
            check_damaged(&round, size);
            avro_value_decref(&value);
        }
        round_close(&round);
    }
    buffer_fini(&round.writer_text);
    buffer_fini(&round.reader_text);
    arena_destroy(&round.list->arena);
    mem_free(round.datum);
    mem_free(round.slots);
    mem_free(round.list);
}

Test(avro_random, reads_what_avro_c_writes)
{
    check_rounds(21, 1000, false);
}

Test(avro_random, reads_it_with_schemas_that_have_evolved)
{
    check_rounds(22, 1000, true);
}
