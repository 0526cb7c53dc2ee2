#include "state/tail.h"

#include <inttypes.h>

#include "base/ensure.h"
#include "base/memory.h"

enum { FORMAT = 2, VARINT_BYTES_MAX = 10 };

enum entry_kind {
    ENTRY_PUT,
    ENTRY_DELETE,
    ENTRY_FRAGMENT,
    ENTRY_LAST_FRAGMENT,
    ENTRY_APPEND,
    ENTRY_KIND_COUNT
};

/* ---- writing ------------------------------------------------------------------------------- */

/* Goes over the rows twice, first to count the records: each of them says how many there are. */
struct packer {
    const struct tail_transaction *transaction;
    struct bytes metadata; /* as text */
    size_t record_bytes_max;
    tail_emit_fn *emit; /* NULL: only counts */
    void *context;
    struct buffer record;
    size_t entry_count_at; /* in `record` */
    size_t size;           /* of the record so far, also when it is not written */
    uint32_t entry_count;
    uint32_t part;
    uint32_t part_count;
};

static enum status pack(struct packer *packer, struct error *err);
static enum status pack_change(struct packer *packer, const struct row_change *change, struct error *err);
static enum status pack_fragments(struct packer *packer, const struct row_change *row, struct error *err);
static enum status pack_appends(struct packer *packer, const struct row_change *row, struct error *err);
static void begin_record(struct packer *packer);
static enum status end_record(struct packer *packer, struct error *err);
static void add_entry(struct packer *packer, enum entry_kind kind, const struct row_change *change);

enum status tail_write(const struct tail_transaction *transaction, size_t record_bytes_max,
                       tail_emit_fn *emit, void *context, struct error *err)
{
    char text[COMMIT_METADATA_SIZE];
    struct packer packer = {
        .transaction = transaction,
        .metadata = bytes_of(text, (size_t)commit_metadata_format(text, transaction->metadata)),
        .record_bytes_max = record_bytes_max == 0 ? TAIL_RECORD_BYTES : record_bytes_max,
    };
    buffer_init(&packer.record);
    enum status status = pack(&packer, err);
    ENSURE(status == ST_OK); /* only `emit` can fail */

    packer.part_count = packer.part;
    packer.part = 0;
    packer.emit = emit;
    packer.context = context;
    status = pack(&packer, err);
    buffer_fini(&packer.record);
    ENSURE(status != ST_OK || packer.part == packer.part_count);
    return status;
}

static enum status pack(struct packer *packer, struct error *err)
{
    begin_record(packer);
    for (size_t i = 0; i < packer->transaction->change_count; i++)
        TRY(pack_change(packer, &packer->transaction->changes[i], err));
    return end_record(packer, err);
}

static size_t varint_size(uint64_t x)
{
    size_t size = 1;
    for (; x >= 0x80; x >>= 7)
        size++;
    return size;
}

static size_t run_size(struct bytes b)
{
    return varint_size(b.size) + b.size;
}

static size_t entry_size(enum entry_kind kind, const struct row_change *change)
{
    return 1 + run_size(change->key) + (kind == ENTRY_APPEND ? varint_size(change->position) : 0) +
           (kind == ENTRY_DELETE ? 0 : run_size(change->value));
}

static enum entry_kind kind_of(const struct row_change *change)
{
    return change->value.data == NULL ? ENTRY_DELETE : change->position > 0 ? ENTRY_APPEND : ENTRY_PUT;
}

static enum status pack_change(struct packer *packer, const struct row_change *change, struct error *err)
{
    const enum entry_kind kind = kind_of(change);
    const size_t size = entry_size(kind, change);
    if (packer->size + size > packer->record_bytes_max && packer->entry_count > 0) {
        TRY(end_record(packer, err));
        begin_record(packer);
    }
    if (packer->size + size > packer->record_bytes_max)
        return kind == ENTRY_APPEND ? pack_appends(packer, change, err) : pack_fragments(packer, change, err);
    add_entry(packer, kind, change);
    return ST_OK;
}

/* Of a value, in this record. */
static size_t room_for(const struct packer *packer, struct bytes key)
{
    const size_t overhead = 1 + run_size(key) + 2 * VARINT_BYTES_MAX;
    /* A key that fills a record was refused when the row was put. */
    ENSURE(packer->size + overhead < packer->record_bytes_max);
    return packer->record_bytes_max - packer->size - overhead;
}

static struct bytes split_off(struct bytes *rest, size_t size)
{
    const struct bytes first = bytes_of(rest->data, size);
    *rest = bytes_of(rest->data + size, rest->size - size);
    return first;
}

/* Starts in an empty record; the last fragment shares its record with the rows behind it. */
static enum status pack_fragments(struct packer *packer, const struct row_change *row, struct error *err)
{
    struct row_change part = { .key = row->key };
    struct bytes rest = row->value;
    for (size_t room; (room = room_for(packer, row->key)) < rest.size;) {
        part.value = split_off(&rest, room);
        add_entry(packer, ENTRY_FRAGMENT, &part);
        TRY(end_record(packer, err));
        begin_record(packer);
    }
    part.value = rest;
    add_entry(packer, ENTRY_LAST_FRAGMENT, &part);
    return ST_OK;
}

/* The same with entries that stand for themselves, one behind the other. */
static enum status pack_appends(struct packer *packer, const struct row_change *row, struct error *err)
{
    struct row_change part = *row;
    struct bytes rest = row->value;
    for (size_t room; (room = room_for(packer, row->key)) < rest.size;) {
        part.value = split_off(&rest, room);
        add_entry(packer, ENTRY_APPEND, &part);
        part.position += room;
        TRY(end_record(packer, err));
        begin_record(packer);
    }
    part.value = rest;
    add_entry(packer, ENTRY_APPEND, &part);
    return ST_OK;
}

static void write_header(struct packer *packer)
{
    struct buffer *record = &packer->record;
    buffer_clear(record);
    buffer_put_u8(record, FORMAT);
    buffer_put_be32(record, packer->part);
    buffer_put_be32(record, packer->part_count);
    buffer_put_run(record, packer->metadata);
    packer->entry_count_at = record->size;
    buffer_put_be32(record, 0); /* known at its end */
    if (packer->part > 0)
        return;
    const struct tail_transaction *transaction = packer->transaction;
    buffer_put_varint(record, transaction->input_count);
    for (size_t i = 0; i < transaction->input_count; i++) {
        buffer_put_run(record, transaction->inputs[i].topic);
        buffer_put_varint(record, (uint64_t)transaction->inputs[i].partition);
        buffer_put_zigzag(record, transaction->inputs[i].next_offset);
    }
}

/* A header is written even when records are only counted, for its size. */
static void begin_record(struct packer *packer)
{
    write_header(packer);
    packer->size = packer->record.size;
    packer->entry_count = 0;
}

static enum status end_record(struct packer *packer, struct error *err)
{
    ENSURE(packer->part < UINT32_MAX);
    packer->part++;
    if (packer->emit == NULL)
        return ST_OK;
    const uint32_t count = __builtin_bswap32(packer->entry_count);
    memcpy(packer->record.data + packer->entry_count_at, &count, sizeof count);
    ENSURE(packer->record.size == packer->size && packer->size <= packer->record_bytes_max);
    return packer->emit(packer->context, buffer_view(&packer->record), err);
}

static void add_entry(struct packer *packer, enum entry_kind kind, const struct row_change *change)
{
    packer->size += entry_size(kind, change);
    packer->entry_count++;
    if (packer->emit == NULL)
        return;
    buffer_put_u8(&packer->record, (uint8_t)kind);
    buffer_put_run(&packer->record, change->key);
    if (kind == ENTRY_APPEND)
        buffer_put_varint(&packer->record, change->position);
    if (kind != ENTRY_DELETE)
        buffer_put_run(&packer->record, change->value);
}

/* ---- reading ------------------------------------------------------------------------------- */

struct record_header {
    uint32_t part;
    uint32_t part_count;
    struct bytes metadata; /* the text */
    uint32_t entry_count;
};

struct entry {
    enum entry_kind kind;
    struct row_change change;
};

struct tail_reader {
    struct tail_reader_events events;
    uint32_t next_part; /* 0: between transactions */
    uint32_t part_count;
    struct buffer metadata; /* the transaction's text */
    struct buffer entries;  /* of all its parts */
    struct buffer names;    /* what the inputs' topics are views of */
    struct tail_input *inputs;
    size_t input_count;
    bool in_fragments; /* fragments of `fragment_key` were read, but not the last */
    struct buffer fragment_key;
    struct buffer fragments;
};

static enum status read_header(struct record_header *out, struct reader *in, struct error *err);
static enum status start_or_go_on(struct tail_reader *reader, const struct record_header *header,
                                  struct error *err);
static enum status read_inputs(struct tail_reader *reader, struct reader *in, struct error *err);
static enum status check_entries(struct tail_reader *reader, struct bytes entries, uint32_t count,
                                 struct error *err);
static enum status finish(struct tail_reader *reader, struct error *err);
static enum status deliver(struct tail_reader *reader, struct error *err);
static enum status damaged(struct error *err, const char *where);

void tail_reader_create(struct tail_reader **out, const struct tail_reader_events *events)
{
    ENSURE(*out == NULL);
    struct tail_reader *reader = mem_alloc(sizeof *reader);
    reader->events = *events;
    *out = reader; /* zeroed buffers are empty buffers */
}

void tail_reader_destroy(struct tail_reader **reader)
{
    if (*reader == NULL)
        return;
    buffer_fini(&(*reader)->metadata);
    buffer_fini(&(*reader)->entries);
    buffer_fini(&(*reader)->names);
    buffer_fini(&(*reader)->fragment_key);
    buffer_fini(&(*reader)->fragments);
    mem_free((*reader)->inputs);
    mem_free(*reader);
    *reader = NULL;
}

enum status tail_peek(struct commit_metadata *out, struct bytes record, struct error *err)
{
    struct record_header header = { 0 };
    struct reader in = reader_of(record);
    TRY(read_header(&header, &in, err));
    return commit_metadata_parse(out, header.metadata, err);
}

enum status tail_reader_feed(struct tail_reader *reader, struct bytes record, struct error *err)
{
    struct record_header header = { 0 };
    struct reader in = reader_of(record);
    TRY(read_header(&header, &in, err));
    TRY(start_or_go_on(reader, &header, err));
    if (header.part == 0)
        TRY(read_inputs(reader, &in, err));
    const struct bytes entries = reader_take(&in, reader_left(&in));
    TRY(check_entries(reader, entries, header.entry_count, err));
    buffer_put_bytes(&reader->entries, entries);
    reader->next_part++;
    return reader->next_part == reader->part_count ? finish(reader, err) : ST_OK;
}

static enum status read_header(struct record_header *out, struct reader *in, struct error *err)
{
    const uint8_t format = reader_u8(in);
    if (in->failed || format == 0)
        return damaged(err, "format");
    if (format > FORMAT)
        return FAIL(err, ST_FORMAT_NEWER,
                    "a tail record has format %d, this program reads up to %d", format, FORMAT);
    out->part = reader_be32(in);
    out->part_count = reader_be32(in);
    out->metadata = reader_run(in);
    out->entry_count = reader_be32(in);
    if (in->failed || out->part >= out->part_count)
        return damaged(err, "header");
    return ST_OK;
}

static enum status start_or_go_on(struct tail_reader *reader, const struct record_header *header,
                                  struct error *err)
{
    if (header->part != reader->next_part)
        return FAIL(err, ST_CORRUPT,
                    "a tail record is part %" PRIu32 ", part %" PRIu32 " was to come", header->part,
                    reader->next_part);
    if (header->part > 0) {
        if (header->part_count != reader->part_count ||
            !bytes_equal(header->metadata, buffer_view(&reader->metadata)))
            return damaged(err, "part of another transaction");
        return ST_OK;
    }
    reader->part_count = header->part_count;
    reader->in_fragments = false;
    buffer_clear(&reader->entries);
    buffer_clear(&reader->metadata);
    buffer_put_bytes(&reader->metadata, header->metadata);
    struct commit_metadata metadata;
    return commit_metadata_parse(&metadata, header->metadata, err);
}

static enum status read_inputs(struct tail_reader *reader, struct reader *in, struct error *err)
{
    enum { INPUT_BYTES_MIN = 3 };
    const uint64_t count = reader_varint(in);
    if (count > reader_left(in) / INPUT_BYTES_MIN)
        return damaged(err, "inputs");
    buffer_clear(&reader->names);
    buffer_reserve(&reader->names, reader_left(in)); /* it must not move */
    reader->inputs = mem_resize_array(reader->inputs, count, sizeof *reader->inputs);
    reader->input_count = count;
    for (size_t i = 0; i < count; i++) {
        const struct bytes topic = reader_run(in);
        const uint64_t partition = reader_varint(in);
        const int64_t next_offset = reader_zigzag(in);
        if (in->failed || partition > INT32_MAX)
            return damaged(err, "inputs");
        buffer_put_bytes(&reader->names, topic);
        reader->inputs[i] = (struct tail_input){
            .topic = bytes_of(reader->names.data + reader->names.size - topic.size, topic.size),
            .partition = (int32_t)partition,
            .next_offset = next_offset,
        };
    }
    return in->failed ? damaged(err, "inputs") : ST_OK;
}

static bool read_entry(struct entry *out, struct reader *in)
{
    const uint8_t kind = reader_u8(in);
    if (kind >= ENTRY_KIND_COUNT)
        return false;
    out->kind = (enum entry_kind)kind;
    struct row_change *change = &out->change;
    change->key = reader_run(in);
    change->position = kind == ENTRY_APPEND ? reader_varint(in) : 0;
    change->value = kind == ENTRY_DELETE ? BYTES_NONE : reader_run(in);
    return !in->failed && change->key.size > 0 && change->key.data[0] != 0x00 &&
           (kind != ENTRY_APPEND || (change->position > 0 && change->position <= UINT32_MAX));
}

/* Whether the entry may follow what was read before it. */
static bool continues(struct tail_reader *reader, const struct entry *entry)
{
    if (entry->kind != ENTRY_FRAGMENT && entry->kind != ENTRY_LAST_FRAGMENT)
        return !reader->in_fragments;
    if (reader->in_fragments && !bytes_equal(buffer_view(&reader->fragment_key), entry->change.key))
        return false;
    if (!reader->in_fragments && entry->kind == ENTRY_LAST_FRAGMENT)
        return false;
    reader->in_fragments = entry->kind == ENTRY_FRAGMENT;
    buffer_clear(&reader->fragment_key);
    buffer_put_bytes(&reader->fragment_key, entry->change.key);
    return true;
}

/* All of it is checked before any of it is handed out. */
static enum status check_entries(struct tail_reader *reader, struct bytes entries, uint32_t count,
                                 struct error *err)
{
    struct reader in = reader_of(entries);
    struct entry entry = { 0 };
    for (uint32_t i = 0; i < count; i++)
        if (!read_entry(&entry, &in) || !continues(reader, &entry))
            return damaged(err, "rows");
    return reader_done(&in) ? ST_OK : damaged(err, "rows");
}

static enum status finish(struct tail_reader *reader, struct error *err)
{
    struct commit_metadata metadata;
    reader->next_part = 0;
    if (reader->in_fragments)
        return damaged(err, "a row without its end");
    TRY(commit_metadata_parse(&metadata, buffer_view(&reader->metadata), err));
    const struct tail_reader_events *events = &reader->events;
    if (events->wanted != NULL && !events->wanted(events->context, &metadata))
        return ST_OK;
    TRY(deliver(reader, err));
    return events->done(events->context, &metadata, reader->inputs, reader->input_count, err);
}

static enum status deliver(struct tail_reader *reader, struct error *err)
{
    struct reader in = reader_of(buffer_view(&reader->entries));
    struct entry entry;
    buffer_clear(&reader->fragments);
    while (reader_left(&in) > 0) {
        ENSURE(read_entry(&entry, &in)); /* it was checked */
        if (entry.kind == ENTRY_FRAGMENT || entry.kind == ENTRY_LAST_FRAGMENT)
            buffer_put_bytes(&reader->fragments, entry.change.value);
        if (entry.kind == ENTRY_FRAGMENT)
            continue;
        if (entry.kind == ENTRY_LAST_FRAGMENT)
            entry.change.value = buffer_view(&reader->fragments);
        TRY(reader->events.row(reader->events.context, &entry.change, err));
        buffer_clear(&reader->fragments);
    }
    return ST_OK;
}

static enum status damaged(struct error *err, const char *where)
{
    return FAIL(err, ST_CORRUPT, "a tail record is damaged (%s)", where);
}
