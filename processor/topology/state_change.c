/*
 * state_change: whether the state of one topology can serve another (plan_check_state_change), and
 * in words what becomes of it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "processor/topology/signature.h"
#include "processor/topology/topology.h"

static bool ends_with(struct bytes what, const char *ending)
{
    const struct bytes end = bytes_of_string(ending);
    return what.size >= end.size &&
           memcmp(what.data + what.size - end.size, end.data, end.size) == 0;
}

/* ---- what is refused ---- */

static const char way_out[] =
    "give the topology a new name, so that it starts with a state of its own, or throw this state"
    " away with 'weir reset'";

static enum status check_stream(const struct plan_stream *stream, const struct signature *old,
                                const struct signature *new, struct error *err)
{
    static const char *const parts[] = { "topic", "key", "key type", "id" };
    if (signature_fact_of(old, "stream", stream->name, "") == NULL)
        return FAIL(err, ST_REFUSED, "the state was made with another stream, '%s' is new: %s",
                    stream->name, way_out);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *was = signature_fact_of(old, "stream", stream->name, parts[i]);
        const char *is = signature_fact_of(new, "stream", stream->name, parts[i]);
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
    const char *scope = signature_fact_of(signature, "table", table, "scope");
    return scope != NULL && strcmp(scope, "copartitioned") == 0;
}

static enum status check_table(const struct plan_table *table, const struct signature *old,
                               const struct signature *new, struct error *err)
{
    static const char *const parts[] = { "topic", "key", "key type", "time" };
    if (!is_partitioned(old, table->name) || !is_partitioned(new, table->name))
        return ST_OK; /* rows that every task sees are read again at each start */
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *was = signature_fact_of(old, "table", table->name, parts[i]);
        const char *is = signature_fact_of(new, "table", table->name, parts[i]);
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
 * A table whose topic was read for another table before goes on where that one stopped: it would
 * lack every row that came until then.
 */
static enum status check_topic_of_new_table(const struct plan_table *table,
                                            const struct signature *old, struct error *err)
{
    if (table->scope == TABLE_EVERYWHERE || is_partitioned(old, table->name))
        return ST_OK;
    struct map_iterator it = map_iterate(old->facts);
    while (map_next(&it)) {
        const char *value = *(const char **)it.value;
        if (bytes_starts_with(it.key, BYTES_LITERAL("table ")) && ends_with(it.key, " topic") &&
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
        const char *was = signature_fact_of(old, "stream", plan->streams[i].name, "");
        if (was != NULL && strtol(was, NULL, 10) != plan->streams[i].number)
            return FAIL(err, ST_REFUSED, "stream '%s' has another place among the streams: %s",
                        plan->streams[i].name, way_out);
    }
    return ST_OK;
}

static enum status check_all(const struct plan *plan, const struct signature *old,
                             const struct signature *new, struct error *err)
{
    const char *topology = signature_fact(old, BYTES_LITERAL("topology"));
    if (strcmp(topology, plan->name) != 0)
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
enum { MEANING_COUNT = sizeof meanings / sizeof meanings[0] };

/* Facts that are durations are shown as such, 0 as "off". */
static void put_value(struct buffer *changes, struct bytes what, const char *value)
{
    const bool is_duration = ends_with(what, " dedupe") || ends_with(what, " versions");
    const struct value duration = value_duration(strtoll(value, NULL, 10));
    if (!is_duration)
        buffer_printf(changes, "'%s'", value);
    else if (duration.i == 0)
        buffer_put_string(changes, "off");
    else
        value_format(changes, &duration);
}

static void describe_fact(struct buffer *changes, struct bytes what, const char *was,
                          const char *is)
{
    size_t i = 0;
    while (i < MEANING_COUNT && !bytes_starts_with(what, bytes_of_string(meanings[i].prefix)))
        i++;
    if (i == MEANING_COUNT)
        return; /* written by a version that knows more */
    buffer_put_bytes(changes, what);
    if (was == NULL) {
        buffer_put_string(changes, " is new");
    } else if (is == NULL) {
        buffer_put_string(changes, " is gone");
    } else {
        buffer_put_string(changes, " was ");
        put_value(changes, what, was);
        buffer_put_string(changes, " and is now ");
        put_value(changes, what, is);
    }
    const char *meaning = was == NULL  ? meanings[i].added
                          : is == NULL ? meanings[i].removed
                                       : meanings[i].changed;
    buffer_printf(changes, "%s%s\n", meaning == NULL ? "" : ": ", meaning == NULL ? "" : meaning);
}

static bool is_detail_of_new(const struct signature *other, struct bytes what)
{
    /* "table profiles topic" says nothing more when "table profiles" itself came or went. */
    const uint8_t *first = memchr(what.data, ' ', what.size);
    if (first == NULL)
        return false;
    const size_t left = what.size - (size_t)(first + 1 - what.data);
    const uint8_t *second = memchr(first + 1, ' ', left);
    return second != NULL &&
           signature_fact(other, bytes_of(what.data, (size_t)(second - what.data))) == NULL;
}

static void describe_kept(struct buffer *changes, const struct plan_stream *stream,
                          const struct signature *old)
{
    const char *was = signature_fact_of(old, "stream", stream->name, "kept");
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

static void describe_changes(struct buffer *changes, const struct plan *plan,
                             const struct signature *old, const struct signature *new)
{
    struct map_iterator it = map_iterate(new->facts);
    while (map_next(&it)) {
        const char *is = *(const char **)it.value;
        const char *was = signature_fact(old, it.key);
        const bool is_same = was != NULL && strcmp(was, is) == 0;
        if (!is_same && !ends_with(it.key, " kept") &&
            !(was == NULL && is_detail_of_new(old, it.key)))
            describe_fact(changes, it.key, was, is);
    }
    it = map_iterate(old->facts);
    while (map_next(&it))
        if (signature_fact(new, it.key) == NULL && !is_detail_of_new(new, it.key))
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
