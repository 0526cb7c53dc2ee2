/*
 * The state signature: one line per fact, "what<TAB>value", in the order of the plan.
 *
 *     format                      1
 *     topology                    card-fraud
 *     stream payments             0                    its number
 *     stream payments topic       transactions         also: key, key type, id, time, dedupe, kept (us)
 *     column payments.amount      decimal(2)?          what the entity log remembers
 *     field payments.amount       amount_cents / 100
 *     table profiles              201                  also: topic, key, key type, scope, versions
 *     feature tx_1m               count(over 1m)
 *     rule velocity               tx_1m > 5
 *
 * To change the format: a line that old versions do not know is harmless, they skip it; anything else raises `format`, and a
 * plan reads the formats before it too.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "processor/topology/topology.h"

enum { SIGNATURE_FORMAT = 1 };

/* ---- writing ---- */

/* Normalised expressions hold no line breaks but inside texts; one there must not look like a new line. */
static void put_value(struct buffer *out, const char *value)
{
    for (const char *c = value == NULL ? "" : value; *c != '\0'; c++)
        buffer_put_u8(out, *c == '\n' || *c == '\t' ? ' ' : (uint8_t)*c);
    buffer_put_u8(out, '\n');
}

static void put_type(struct buffer *out, struct value_type type)
{
    char text[VALUE_TYPE_TEXT_SIZE];
    put_value(out, value_type_text(type, text));
}

static void put_stream(struct buffer *out, const struct plan_stream *stream)
{
    const char *name = stream->name;
    buffer_printf(out, "stream %s\t%d\n", name, stream->number);
    buffer_printf(out, "stream %s topic\t", name);
    put_value(out, stream->topic);
    buffer_printf(out, "stream %s key\t", name);
    put_value(out, stream->key_text);
    buffer_printf(out, "stream %s key type\t", name);
    put_type(out, expression_type(stream->key));
    buffer_printf(out, "stream %s id\t", name);
    put_value(out, stream->id_text);
    buffer_printf(out, "stream %s time\t", name);
    put_value(out, stream->time_text);
    buffer_printf(out, "stream %s dedupe\t%" PRId64 "\n", name, stream->dedupe_us);
    buffer_printf(out, "stream %s kept\t%" PRId64 "\n", name, stream->retention_us);
    for (size_t i = 0; i < stream->remembered_count; i++) {
        buffer_printf(out, "column %s.%s\t", name, stream->remembered_columns[i].name);
        put_type(out, stream->remembered_columns[i].type);
    }
    for (size_t i = 0; i < stream->named_count; i++)
        if (stream->slots_named[i].program != NULL) {
            buffer_printf(out, "field %s.%s\t", name, stream->slots_named[i].name);
            put_value(out, stream->slots_named[i].text);
        }
    for (size_t i = 0; i < stream->feature_count; i++) {
        buffer_printf(out, "feature %s\t", stream->features[i].name);
        put_value(out, stream->features[i].text);
    }
}

static void put_table(struct buffer *out, const struct plan_table *table)
{
    const char *name = table->name;
    buffer_printf(out, "table %s\t%d\n", name, table->number);
    buffer_printf(out, "table %s topic\t", name);
    put_value(out, table->topic);
    buffer_printf(out, "table %s key\t", name);
    put_value(out, table->key_text);
    buffer_printf(out, "table %s key type\t", name);
    put_type(out, table->key_type);
    buffer_printf(out, "table %s time\t", name);
    put_value(out, table->time_text);
    buffer_printf(out, "table %s scope\t%s\n", name,
                  table->scope == TABLE_EVERYWHERE ? "everywhere" : "copartitioned");
    buffer_printf(out, "table %s versions\t%" PRId64 "\n", name, table->spec.versions_us);
}

void plan_state_signature(const struct plan *plan, struct buffer *out)
{
    buffer_printf(out, "format\t%d\n", SIGNATURE_FORMAT);
    buffer_printf(out, "topology\t%s\n", plan->name);
    for (size_t i = 0; i < plan->stream_count; i++)
        put_stream(out, &plan->streams[i]);
    for (size_t i = 0; i < plan->table_count; i++)
        put_table(out, &plan->tables[i]);
    for (size_t i = 0; i < plan->rule_count; i++) {
        buffer_printf(out, "rule %s\t", plan->rules[i].name);
        put_value(out, plan->rules[i].when_text);
    }
}

/* ---- reading ---- */

struct signature {
    char *text;        /* cut into the strings that `facts` points to */
    struct map *facts; /* "what" -> const char *value */
};

static enum status signature_read(struct signature *out, struct bytes text, struct error *err)
{
    out->text = mem_copy_string_n((const char *)text.data, text.size);
    map_create(&out->facts, sizeof(const char *));
    for (char *line = out->text; *line != '\0';) {
        char *end = strchr(line, '\n');
        char *tab = end == NULL ? NULL : memchr(line, '\t', (size_t)(end - line));
        if (tab == NULL)
            return FAIL(err, ST_CORRUPT, "the state's description of its topology is damaged");
        *tab = *end = '\0';
        const char **value = map_insert(out->facts, bytes_of(line, (size_t)(tab - line)), NULL);
        *value = tab + 1;
        line = end + 1;
    }
    return ST_OK;
}

static void signature_fini(struct signature *signature)
{
    map_destroy(&signature->facts);
    mem_free(signature->text);
}

static const char *fact(const struct signature *signature, struct bytes what)
{
    const char **value = signature->facts == NULL ? NULL : map_find(signature->facts, what);
    return value == NULL ? NULL : *value;
}

static const char *fact_of(const struct signature *signature, const char *kind, const char *name,
                           const char *part)
{
    AUTO(mem_auto_free)
    char *what = mem_format("%s %s%s%s", kind, name, *part == '\0' ? "" : " ", part);
    return fact(signature, bytes_of_string(what));
}

/* ---- what is refused ---- */

static const char way_out[] =
    "give the topology a new name, so that it starts with a state of its own, or throw this state"
    " away with 'weir reset'";

static enum status check_format(const struct signature *old, struct error *err)
{
    const char *format = fact(old, BYTES_LITERAL("format"));
    if (format == NULL)
        return FAIL(err, ST_CORRUPT, "the state's description of its topology is damaged");
    if (strtol(format, NULL, 10) > SIGNATURE_FORMAT)
        return FAIL(err, ST_FORMAT_NEWER, "the state was written by a newer version of weir");
    return ST_OK;
}

static enum status check_stream(const struct plan_stream *stream, const struct signature *old,
                                const struct signature *new, struct error *err)
{
    static const char *const parts[] = { "topic", "key", "key type", "id" };
    if (fact_of(old, "stream", stream->name, "") == NULL)
        return FAIL(err, ST_REFUSED, "the state was made with another stream, '%s' is new: %s",
                    stream->name, way_out);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *was = fact_of(old, "stream", stream->name, parts[i]);
        const char *is = fact_of(new, "stream", stream->name, parts[i]);
        if (was == NULL || strcmp(was, is) == 0)
            continue;
        return FAIL(err, ST_REFUSED,
                    "the %s of stream '%s' was '%s' and is now '%s', and everything in the state"
                    " hangs on it: %s",
                    parts[i], stream->name, was, is, way_out);
    }
    return ST_OK;
}

static bool is_partitioned(const struct signature *signature, const char *table)
{
    const char *scope = fact_of(signature, "table", table, "scope");
    return scope != NULL && strcmp(scope, "copartitioned") == 0;
}

static enum status check_table(const struct plan_table *table, const struct signature *old,
                               const struct signature *new, struct error *err)
{
    static const char *const parts[] = { "topic", "key", "key type", "time" };
    if (!is_partitioned(old, table->name) || !is_partitioned(new, table->name))
        return ST_OK; /* rows that every task sees are read again at each start */
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *was = fact_of(old, "table", table->name, parts[i]);
        const char *is = fact_of(new, "table", table->name, parts[i]);
        if (was == NULL || strcmp(was, is) == 0)
            continue;
        return FAIL(err, ST_REFUSED,
                    "the %s of table '%s' was '%s' and is now '%s', but its rows are kept as they"
                    " were: %s",
                    parts[i], table->name, was, is, way_out);
    }
    return ST_OK;
}

/*
 * A table whose topic was read for another table before goes on where that one stopped: it would lack every row
 * that came until then.
 */
static enum status check_topic_of_new_table(const struct plan_table *table,
                                            const struct signature *old, struct error *err)
{
    if (table->scope == TABLE_EVERYWHERE || is_partitioned(old, table->name))
        return ST_OK;
    struct map_iterator it = map_iterate(old->facts);
    while (map_next(&it)) {
        const char *value = *(const char **)it.value;
        const struct bytes ending = BYTES_LITERAL(" topic");
        if (bytes_starts_with(it.key, BYTES_LITERAL("table ")) && it.key.size > ending.size &&
            memcmp(it.key.data + it.key.size - ending.size, ending.data, ending.size) == 0 &&
            strcmp(value, table->topic) == 0)
            return FAIL(err, ST_REFUSED,
                        "table '%s' reads topic '%s', which was read for another table before: its"
                        " rows would be missing here: %s",
                        table->name, table->topic, way_out);
    }
    return ST_OK;
}

static enum status check_numbers(const struct plan *plan, const struct signature *old,
                                 struct error *err)
{
    for (size_t i = 0; i < plan->stream_count; i++) {
        const char *was = fact_of(old, "stream", plan->streams[i].name, "");
        if (was != NULL && strtol(was, NULL, 10) != plan->streams[i].number)
            return FAIL(err, ST_REFUSED, "stream '%s' has another place among the streams: %s",
                        plan->streams[i].name, way_out);
    }
    return ST_OK;
}

static enum status check_all(const struct plan *plan, const struct signature *old,
                             const struct signature *new, struct error *err)
{
    TRY(check_format(old, err));
    const char *topology = fact(old, BYTES_LITERAL("topology"));
    if (topology != NULL && strcmp(topology, plan->name) != 0)
        return FAIL(err, ST_REFUSED,
                    "the state belongs to topology '%s', not to '%s': use another"
                    " state directory",
                    topology, plan->name);
    for (size_t i = 0; i < plan->stream_count; i++)
        TRY(check_stream(&plan->streams[i], old, new, err));
    TRY(check_numbers(plan, old, err));
    for (size_t i = 0; i < plan->table_count; i++) {
        TRY(check_table(&plan->tables[i], old, new, err));
        TRY(check_topic_of_new_table(&plan->tables[i], old, err));
    }
    return ST_OK;
}

/* ---- what is allowed, in sentences ---- */

/* What it means that a fact of this kind came, went or changed. */
static const struct {
    const char *prefix;
    const char *added, *removed, *changed;
} meanings[] = {
    { "rule ", "it alerts from now on", "it alerts no more",
      "the new condition holds from now on" },
    { "feature ", "it starts warm, from the events that are remembered",
      "nothing computes it any more", "it starts warm, from the events that are remembered" },
    { "field ", "it is null for events that are remembered already",
      "it is dropped from what is remembered",
      "events that are remembered already keep the value that they had" },
    { "column ", "it is null for events that are remembered already",
      "it is dropped from what is remembered",
      "it is null for events that are remembered already" },
    { "table ", NULL, NULL, NULL },
    { "stream ", NULL, NULL, NULL },
};

static void describe_fact(struct buffer *changes, struct bytes what, const char *was,
                          const char *is)
{
    const char *text = (const char *)what.data;
    const int size = (int)what.size;
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (!bytes_starts_with(what, bytes_of_string(meanings[i].prefix)))
            continue;
        const char *meaning = was == NULL  ? meanings[i].added
                              : is == NULL ? meanings[i].removed
                                           : meanings[i].changed;
        const char *colon = meaning == NULL ? "" : ": ";
        meaning = meaning == NULL ? "" : meaning;
        if (was == NULL)
            buffer_printf(changes, "%.*s is new%s%s\n", size, text, colon, meaning);
        else if (is == NULL)
            buffer_printf(changes, "%.*s is gone%s%s\n", size, text, colon, meaning);
        else
            buffer_printf(changes, "%.*s was '%s' and is now '%s'%s%s\n", size, text, was, is,
                          colon, meaning);
        return;
    }
}

static bool is_detail_of_new(const struct signature *other, struct bytes what)
{
    /* "table profiles topic" says nothing more when "table profiles" itself came or went. */
    const uint8_t *first = memchr(what.data, ' ', what.size);
    if (first == NULL)
        return false;
    const size_t left = what.size - (size_t)(first + 1 - what.data);
    const uint8_t *second = memchr(first + 1, ' ', left);
    return second != NULL && fact(other, bytes_of(what.data, (size_t)(second - what.data))) == NULL;
}

static void describe_kept(struct buffer *changes, const struct plan_stream *stream,
                          const struct signature *old)
{
    const char *was = fact_of(old, "stream", stream->name, "kept");
    const int64_t was_us = was == NULL ? stream->retention_us : strtoll(was, NULL, 10);
    if (was_us >= stream->retention_us)
        return;
    buffer_put_string(changes, "events are kept longer, ");
    const struct value is = value_duration(stream->retention_us);
    const struct value before = value_duration(was_us);
    value_format(changes, &is);
    buffer_put_string(changes, " instead of ");
    value_format(changes, &before);
    buffer_put_string(changes, ": look-backs longer than before are complete only when that time"
                               " has passed\n");
}

static bool is_number_of_us(struct bytes what)
{
    static const char *const endings[] = { " kept", " dedupe", " versions" };
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const struct bytes ending = bytes_of_string(endings[i]);
        if (what.size > ending.size &&
            memcmp(what.data + what.size - ending.size, ending.data, ending.size) == 0)
            return true;
    }
    return false;
}

static void describe_changes(struct buffer *changes, const struct plan *plan,
                             const struct signature *old, const struct signature *new)
{
    struct map_iterator it = map_iterate(new->facts);
    while (map_next(&it)) {
        const char *is = *(const char **)it.value;
        const char *was = fact(old, it.key);
        const bool is_same = was != NULL && strcmp(was, is) == 0;
        if (!is_same && !is_number_of_us(it.key) && !(was == NULL && is_detail_of_new(old, it.key)))
            describe_fact(changes, it.key, was, is);
    }
    it = map_iterate(old->facts);
    while (map_next(&it))
        if (fact(new, it.key) == NULL && !is_detail_of_new(new, it.key))
            describe_fact(changes, it.key, *(const char **)it.value, NULL);
    for (size_t i = 0; i < plan->stream_count; i++)
        describe_kept(changes, &plan->streams[i], old);
}

enum status plan_check_state_change(const struct plan *plan, struct bytes old_signature,
                                    struct buffer *changes, struct error *err)
{
    struct buffer text;
    buffer_init(&text);
    plan_state_signature(plan, &text);
    AUTO(signature_fini) struct signature new = { 0 };
    AUTO(signature_fini) struct signature old = { 0 };
    enum status status = signature_read(&new, buffer_view(&text), err);
    buffer_fini(&text);
    if (status == ST_OK)
        status = signature_read(&old, old_signature, err);
    if (status == ST_OK)
        status = check_all(plan, &old, &new, err);
    if (status == ST_OK)
        describe_changes(changes, plan, &old, &new);
    return status;
}
