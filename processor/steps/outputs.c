#include "processor/steps/outputs.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/ensure.h"
#include "base/memory.h"

enum { OUTPUT_ARENA_BLOCK = 64 * 1024, OUTPUT_ARENA_KEPT = 1024 * 1024, OUTPUT_OVERHEAD = 64 };

struct outputs {
    struct arena *arena;
    struct output **items;
    size_t count, capacity;
    size_t alerts;
    uint64_t bytes;
    struct buffer scratch;
};

void outputs_create(struct outputs **out)
{
    ENSURE(*out == NULL);
    struct outputs *outputs = mem_alloc(sizeof *outputs);
    arena_create(&outputs->arena, OUTPUT_ARENA_BLOCK);
    *out = outputs;
}

void outputs_destroy(struct outputs **outputs)
{
    if (*outputs == NULL)
        return;
    arena_destroy(&(*outputs)->arena);
    buffer_fini(&(*outputs)->scratch);
    mem_free((*outputs)->items);
    mem_free(*outputs);
    *outputs = NULL;
}

size_t outputs_count(const struct outputs *outputs)
{
    return outputs->count;
}

const struct output *outputs_at(const struct outputs *outputs, size_t i)
{
    ENSURE(i < outputs->count);
    return outputs->items[i];
}

uint64_t outputs_bytes(const struct outputs *outputs)
{
    return outputs->bytes;
}

size_t outputs_alert_count(const struct outputs *outputs)
{
    return outputs->alerts;
}

struct arena *outputs_arena(struct outputs *outputs)
{
    return outputs->arena;
}

struct buffer *outputs_scratch(struct outputs *outputs)
{
    buffer_clear(&outputs->scratch);
    return &outputs->scratch;
}

void outputs_clear(struct outputs *outputs)
{
    outputs->count = 0;
    outputs->alerts = 0;
    outputs->bytes = 0;
    arena_reset(outputs->arena);
    if (arena_footprint(outputs->arena) <= OUTPUT_ARENA_KEPT)
        return;
    arena_destroy(&outputs->arena); /* one large transaction of each of many tasks must not add up */
    arena_create(&outputs->arena, OUTPUT_ARENA_BLOCK);
}

struct output *outputs_append(struct outputs *outputs, enum output_kind kind)
{
    if (outputs->count == outputs->capacity) {
        outputs->capacity = outputs->capacity == 0 ? 64 : outputs->capacity * 2;
        outputs->items = mem_resize_array(outputs->items, outputs->capacity, sizeof(struct output *));
    }
    struct output *output = arena_alloc_zeroed(outputs->arena, sizeof *output);
    output->kind = kind;
    outputs->items[outputs->count++] = output;
    outputs->alerts += kind == OUTPUT_ALERT;
    return output;
}

static uint64_t output_bytes(const struct output *output)
{
    uint64_t bytes = OUTPUT_OVERHEAD + output->key.size + output->value.size;
    for (size_t i = 0; i < output->header_count; i++)
        bytes += strlen(output->headers[i].name) + output->headers[i].value.size;
    return bytes;
}

void outputs_complete(struct outputs *outputs, const struct output *output)
{
    outputs->bytes += output_bytes(output);
}

void outputs_truncate(struct outputs *outputs, size_t count)
{
    ENSURE(count <= outputs->count);
    while (outputs->count > count) {
        const struct output *output = outputs->items[--outputs->count];
        outputs->alerts -= output->kind == OUTPUT_ALERT;
        outputs->bytes -= output_bytes(output);
    }
}

struct hash128 outputs_hash(const struct outputs *outputs)
{
    struct buffer all;
    buffer_init(&all);
    for (size_t i = 0; i < outputs->count; i++) {
        const struct output *output = outputs->items[i];
        buffer_put_u8(&all, (uint8_t)output->kind);
        buffer_put_optional_run(&all, output->key);
        buffer_put_optional_run(&all, output->value);
    }
    const struct hash128 hash = hash128(buffer_view(&all));
    buffer_fini(&all);
    return hash;
}

static void add_header(struct outputs *outputs, struct output *output, const char *name, const char *value)
{
    ENSURE(output->header_count < OUTPUT_HEADERS_MAX);
    output->headers[output->header_count++] =
        (struct output_header){ name, arena_copy(outputs->arena, bytes_of_string(value)) };
}

void outputs_add_dead_letter(struct outputs *outputs, const struct input_record *input, enum status reason,
                             const char *detail, bool by_reference)
{
    outputs_add_cut_dead_letter(outputs, input, reason, detail, by_reference, DEAD_LETTER_VALUE_MAX);
}

void outputs_add_cut_dead_letter(struct outputs *outputs, const struct input_record *input, enum status reason,
                                 const char *detail, bool by_reference, size_t value_max)
{
    struct output *output = outputs_append(outputs, OUTPUT_DEAD_LETTER);
    struct bytes value = input->value;
    const bool truncated = !by_reference && value.size > value_max;
    if (truncated)
        value.size = value_max;
    if (by_reference)
        value = BYTES_NONE;
    struct bytes key = input->key;
    if (key.size > DEAD_LETTER_DETAIL_MAX)
        key.size = DEAD_LETTER_DETAIL_MAX;

    output->reason = reason;
    output->key = by_reference ? BYTES_NONE : arena_copy(outputs->arena, key);
    output->value = arena_copy(outputs->arena, value);
    char text[DEAD_LETTER_DETAIL_MAX];
    add_header(outputs, output, "weir.reason", status_reason(reason));
    snprintf(text, sizeof text, "%s", detail);
    ENSURE(output->header_count == OUTPUT_DETAIL);
    add_header(outputs, output, "weir.detail", text);
    add_header(outputs, output, "weir.source.topic", input->topic);
    snprintf(text, sizeof text, "%d", input->partition);
    add_header(outputs, output, "weir.source.partition", text);
    snprintf(text, sizeof text, "%lld", (long long)input->offset);
    add_header(outputs, output, "weir.source.offset", text);
    if (truncated || key.size != input->key.size)
        add_header(outputs, output, "weir.truncated", "true");
    outputs_complete(outputs, output);
}
