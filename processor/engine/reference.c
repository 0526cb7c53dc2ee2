#include "processor/engine/reference.h"

#include <inttypes.h>

#include "base/ensure.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "processor/steps/step.h"

enum { REFERENCE_FORMAT = 1, ARENA_BLOCK = 16 * 1024 };
static const int64_t FROM_BEGINNING = -2;

void reference_write(struct buffer *out, const struct reference_record *record)
{
    buffer_put_u8(out, REFERENCE_FORMAT);
    buffer_put_u8(out, record->is_mark ? 1 : 0);
    buffer_put_run(out, record->table);
    buffer_put_varint(out, (uint64_t)record->partition);
    buffer_put_zigzag(out, record->offset);
    buffer_put_zigzag(out, record->timestamp_ms);
    buffer_put_optional_run(out, record->key);
    buffer_put_optional_run(out, record->value);
}

enum status reference_read(struct reference_record *out, struct bytes value, struct error *err)
{
    struct reader in = reader_of(value);
    if (reader_u8(&in) > REFERENCE_FORMAT)
        return FAIL(err, ST_FORMAT_NEWER, "a reference record was written by a newer version");
    out->is_mark = reader_u8(&in) == 1;
    out->table = reader_run(&in);
    out->partition = (int32_t)reader_varint(&in);
    out->offset = reader_zigzag(&in);
    out->timestamp_ms = reader_zigzag(&in);
    out->key = reader_optional_run(&in);
    out->value = reader_optional_run(&in);
    if (!reader_done(&in))
        return FAIL(err, ST_CORRUPT, "a reference record is malformed");
    return ST_OK;
}

static enum status make_decoder(const struct plan_table *table, struct registry *registry, struct decoder **out,
                                struct error *err)
{
    if (table->format == FORMAT_JSON)
        return decoder_create_json(out, schema_root(table->schema), table->decoder_columns,
                                   table->decoder_column_count, err);
    return decoder_create_avro(out, schema_root(table->schema), table->decoder_columns, table->decoder_column_count,
                               registry, err);
}

/* --- copying ------------------------------------------------------------------------------------------------------ */

struct copier {
    const struct plan_table *table;
    struct decoder *decoder;
    struct value *columns;
    struct arena *arena;
};

enum status copier_create(struct copier **out, const struct plan *plan, int table, struct registry *registry,
                          struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(copier_destroy) struct copier *copier = mem_alloc(sizeof *copier);
    copier->table = &plan->tables[table];
    copier->columns = mem_alloc_array(copier->table->decoder_column_count + 1, sizeof *copier->columns);
    arena_create(&copier->arena, ARENA_BLOCK);
    TRY(make_decoder(copier->table, registry, &copier->decoder, err));
    *out = TAKE(copier);
    return ST_OK;
}

void copier_destroy(struct copier **copier)
{
    if (*copier == NULL)
        return;
    decoder_destroy(&(*copier)->decoder);
    mem_free((*copier)->columns);
    arena_destroy(&(*copier)->arena);
    mem_free(*copier);
    *copier = NULL;
}

enum status copier_take(struct copier *copier, const struct input_record *input, struct buffer *out,
                        struct error *err)
{
    struct bytes key;
    int64_t time_us;
    bool deleted;
    arena_reset(copier->arena);
    TRY(table_step_decode(copier->table, copier->decoder, input, copier->columns, &key, &time_us, &deleted,
                          copier->arena, err));
    const struct reference_record record = {
        .table = bytes_of_string(copier->table->name),
        .partition = input->partition,
        .offset = input->offset,
        .timestamp_ms = input->timestamp_ms,
        .key = input->key,
        .value = input->value,
    };
    reference_write(out, &record);
    return ST_OK;
}

/* --- adopting ----------------------------------------------------------------------------------------------------- */

struct copied {
    int64_t next_offset;
};

struct reference_view {
    const struct plan *plan;
    const struct topics *topics;
    struct log_reader *reader;
    struct registry *registry;
    struct everywhere_table **tables;
    struct decoder **decoders;
    struct map *copied; /* [table u8][partition be32] -> struct copied */
    struct arena *arena;
    int64_t offset;
};

static void copied_key(uint8_t key[5], int table, int32_t partition)
{
    key[0] = (uint8_t)table;
    for (int i = 0; i < 4; i++)
        key[1 + i] = (uint8_t)((uint32_t)partition >> (24 - 8 * i));
}

enum status reference_view_open(struct reference_view **out, const struct plan *plan, const struct topics *topics,
                                struct log_reader *reader, struct registry *registry, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(reference_view_close) struct reference_view *view = mem_alloc(sizeof *view);
    view->plan = plan;
    view->topics = topics;
    view->reader = reader;
    view->registry = registry;
    view->tables = mem_alloc_array(plan->table_count + 1, sizeof(struct everywhere_table *));
    view->decoders = mem_alloc_array(plan->table_count + 1, sizeof(struct decoder *));
    map_create(&view->copied, sizeof(struct copied));
    arena_create(&view->arena, ARENA_BLOCK);
    for (size_t i = 0; i < plan->table_count; i++) {
        if (plan->tables[i].scope != TABLE_EVERYWHERE)
            continue;
        everywhere_table_create(&view->tables[i], &plan->tables[i].spec);
        TRY(make_decoder(&plan->tables[i], registry, &view->decoders[i], err));
    }
    if (topics_have_everywhere(plan)) {
        const struct log_position start = { .topic = topics->reference, .offset = FROM_BEGINNING };
        TRY(reader->type->assign(reader, &start, 1, err));
    }
    *out = TAKE(view);
    return ST_OK;
}

void reference_view_close(struct reference_view **view_ref)
{
    struct reference_view *view = TAKE(*view_ref);
    if (view == NULL)
        return;
    for (size_t i = 0; i < view->plan->table_count; i++) {
        everywhere_table_destroy(&view->tables[i]);
        decoder_destroy(&view->decoders[i]);
    }
    if (view->reader != NULL)
        view->reader->type->close(view->reader);
    map_destroy(&view->copied);
    arena_destroy(&view->arena);
    mem_free(view->tables);
    mem_free(view->decoders);
    mem_free(view);
}

const struct everywhere_table *const *reference_view_tables(const struct reference_view *view)
{
    return (const struct everywhere_table *const *)view->tables;
}

int64_t reference_view_offset(const struct reference_view *view)
{
    return view->offset;
}

int64_t reference_view_copied(const struct reference_view *view, int table, int32_t partition)
{
    uint8_t key[5];
    copied_key(key, table, partition);
    const struct copied *copied = map_find(view->copied, bytes_of(key, sizeof key));
    return copied == NULL ? 0 : copied->next_offset;
}

static int find_table(const struct reference_view *view, struct bytes name)
{
    for (size_t i = 0; i < view->plan->table_count; i++) {
        if (view->tables[i] != NULL && bytes_equal(name, bytes_of_string(view->plan->tables[i].name)))
            return (int)i;
    }
    return -1; /* a table that the topology no longer has */
}

static enum status adopt_row(struct reference_view *view, int table, const struct reference_record *record,
                             struct error *err)
{
    const struct plan_table *plan = &view->plan->tables[table];
    const struct input_record input = {
        .topic = plan->topic, .partition = record->partition, .offset = record->offset,
        .timestamp_ms = record->timestamp_ms, .key = record->key, .value = record->value,
    };
    struct value *columns = arena_alloc(view->arena, (plan->spec.column_count + 1) * sizeof *columns);
    struct bytes key;
    int64_t time_us;
    bool deleted;
    const enum status st = table_step_decode(plan, view->decoders[table], &input, columns, &key, &time_us, &deleted,
                                             view->arena, err);
    if (status_class_of(st) == CLASS_SKIP) {
        /* It could be read when it was copied: the reader schema changed since. Its producer must send it again. */
        LOG_WARN("reference.unreadable", "table=%s partition=%" PRId32 " offset=%" PRId64 " reason=%s", plan->name,
                 record->partition, record->offset, LOG_Q(err->text));
        return ST_OK;
    }
    TRY(st);
    everywhere_table_put(view->tables[table], key, time_us, deleted ? NULL : columns);
    return ST_OK;
}

static enum status adopt_record(struct reference_view *view, const struct log_record *log_record, struct error *err)
{
    if (log_record->kind == LOG_RECORD_OUT_OF_RANGE)
        return FAIL(err, ST_OUT_OF_RANGE, "the reference topic does not reach back to offset %" PRId64
                    ": it must be kept without retention", view->offset);
    if (log_record->kind == LOG_RECORD_EOF || log_record->offset < view->offset)
        return ST_OK;
    struct reference_record record;
    TRY(reference_read(&record, log_record->value, err));
    arena_reset(view->arena);
    const int table = find_table(view, record.table);
    if (table >= 0) {
        if (!record.is_mark)
            TRY(adopt_row(view, table, &record, err));
        uint8_t key[5];
        copied_key(key, table, record.partition);
        struct copied *copied = map_insert(view->copied, bytes_of(key, sizeof key), NULL);
        const int64_t next_offset = record.is_mark ? record.offset : record.offset + 1;
        if (next_offset > copied->next_offset)
            copied->next_offset = next_offset;
    }
    view->offset = log_record->offset + 1;
    return ST_OK;
}

enum status reference_view_adopt(struct reference_view *view, int64_t timeout_us, struct error *err)
{
    if (!topics_have_everywhere(view->plan))
        return ST_OK;
    struct log_batch batch;
    TRY(view->reader->type->poll(view->reader, timeout_us, &batch, err));
    enum status st = ST_OK;
    for (size_t i = 0; i < batch.count && st == ST_OK; i++)
        st = adopt_record(view, &batch.records[i], err);
    view->reader->type->release(view->reader, batch.records, batch.count);
    if (status_class_of(st) != CLASS_RETRY)
        return st;
    /* The registry does not answer: read the same records again later. */
    const struct log_position again = { .topic = view->topics->reference, .offset = view->offset };
    return view->reader->type->assign(view->reader, &again, 1, err);
}
