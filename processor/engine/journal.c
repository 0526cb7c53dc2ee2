#include "processor/engine/journal.h"

#include "base/memory.h"
#include "schemas/avro_writer.h"

enum { JOURNAL_FORMAT = 2 };

void journal_runs_add(struct journal_runs *runs, const char *topic, int64_t offset)
{
    if (runs->count > 0) {
        struct journal_run *last = &runs->items[runs->count - 1];
        if (last->topic == topic) {
            last->last_offset = offset;
            last->count++;
            return;
        }
    }
    if (runs->count == runs->capacity) {
        runs->capacity = runs->capacity == 0 ? 16 : runs->capacity * 2;
        runs->items = mem_resize_array(runs->items, runs->capacity, sizeof *runs->items);
    }
    runs->items[runs->count++] = (struct journal_run){ topic, offset, offset, 1 };
}

void journal_runs_skip(struct journal_runs *runs, const char *topic, int64_t offset, enum status reason)
{
    if (runs->skip_count == runs->skip_capacity) {
        runs->skip_capacity = runs->skip_capacity == 0 ? 4 : runs->skip_capacity * 2;
        runs->skips = mem_resize_array(runs->skips, runs->skip_capacity, sizeof *runs->skips);
    }
    runs->skips[runs->skip_count++] = (struct journal_skip){ topic, offset, reason };
}

void journal_runs_clear(struct journal_runs *runs)
{
    runs->count = runs->skip_count = 0;
}

void journal_runs_fini(struct journal_runs *runs)
{
    mem_free(runs->items);
    mem_free(runs->skips);
    *runs = (struct journal_runs){ .items = NULL };
}

static void put_hash(struct buffer *out, struct hash128 hash)
{
    buffer_put_be64(out, hash.high);
    buffer_put_be64(out, hash.low);
}

static void write_skips(struct buffer *out, const struct journal_runs *runs)
{
    if (runs->skip_count > 0)
        avro_write_long(out, (int64_t)runs->skip_count);
    for (size_t i = 0; i < runs->skip_count; i++) {
        avro_write_bytes(out, bytes_of_string(runs->skips[i].topic));
        avro_write_long(out, runs->skips[i].offset);
        avro_write_bytes(out, bytes_of_string(status_reason(runs->skips[i].reason)));
    }
    avro_write_long(out, 0);
}

struct hash128 journal_write(struct buffer *out, const struct journal_entry *entry)
{
    const size_t start = out->size;
    buffer_put_u8(out, JOURNAL_FORMAT);
    avro_write_long(out, (int64_t)entry->metadata->seq);
    avro_write_long(out, (int64_t)entry->metadata->nonce);
    avro_write_long(out, (int64_t)entry->metadata->incarnation);
    if (entry->runs->count > 0) {
        avro_write_long(out, (int64_t)entry->runs->count);
        for (size_t i = 0; i < entry->runs->count; i++) {
            const struct journal_run *run = &entry->runs->items[i];
            avro_write_bytes(out, bytes_of_string(run->topic));
            avro_write_long(out, run->first_offset);
            avro_write_long(out, run->last_offset);
            avro_write_long(out, run->count);
        }
    }
    avro_write_long(out, 0);
    write_skips(out, entry->runs);
    avro_write_long(out, entry->poll_ms);
    avro_write_long(out, entry->metadata->reference_offset);
    avro_write_bytes(out, bytes_of_string(entry->topology_digest));
    avro_write_bytes(out, bytes_of_string(entry->weir_version));
    avro_write_long(out, (int64_t)outputs_count(entry->outputs));
    put_hash(out, outputs_hash(entry->outputs));
    put_hash(out, entry->previous);
    return hash128(bytes_of(out->data + start, out->size - start));
}
