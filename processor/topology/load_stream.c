#include "processor/topology/load_stream.h"

#include <string.h>

#include "processor/topology/load_expression.h"
#include "processor/topology/measure.h"
#include "processor/topology/schema_file.h"
#include "processor/topology/section.h"

static const int64_t minute_us = 60 * (int64_t)1000000;

bool load_stream_find(struct loader *loader, const struct yaml_node *streams,
                      const struct yaml_pair **stream)
{
    if (streams == NULL)
        return false;
    if (streams->kind == YAML_MAP && streams->count > STREAMS_MAX)
        diagnose(loader->diagnostics, streams->pairs[STREAMS_MAX].key->position,
                 "several streams are not supported yet by this version: keep one");
    if (streams->kind == YAML_MAP && streams->count == 0 && !streams->broken) {
        diagnose(loader->diagnostics, streams->position, "'streams' names no stream");
        return false;
    }
    if (streams->kind == YAML_NULL) {
        diagnose(loader->diagnostics, streams->position, "'streams' names no stream");
        return false;
    }
    if (!section_check_names(loader, streams, "'streams'", COLUMNS_MAX))
        return false;
    *stream = &streams->pairs[0];
    return section_check_name(loader, (*stream)->key, "a stream") &&
           section_check(loader, &section_stream, (*stream)->key, (*stream)->value);
}

/* ---- options ---- */

static void load_lateness(struct loader *loader, struct plan_stream *stream,
                          const struct yaml_node *node)
{
    static const char *const words[] = { "re_evaluate", "own_time", NULL };
    stream->out_of_order_us = section_duration(loader, node, "out_of_order", 0);
    const int64_t otherwise =
        stream->out_of_order_us > 60 * minute_us ? stream->out_of_order_us : 60 * minute_us;
    stream->accept_late_us = section_duration(loader, node, "accept_late", otherwise);
    if (stream->accept_late_us < stream->out_of_order_us)
        diagnose(loader->diagnostics, yaml_map_find(node, "accept_late")->position,
                 "'accept_late' cannot be shorter than 'out_of_order'");
    stream->max_ahead_us = section_duration(loader, node, "max_ahead", 5 * minute_us);
    stream->late_own_time = section_choice(loader, node, "late_events", words, 0) == 1;
}

static void load_remember_for(struct loader *loader, struct plan_stream *stream,
                              const struct yaml_node *node)
{
    const struct yaml_node *remember = yaml_map_find(node, "remember");
    if (remember == NULL || remember->kind != YAML_MAP)
        return; /* what else it is, load_stream_remember says */
    stream->remember_us = section_duration(loader, remember, "for", 0);
}

void load_stream_options(struct loader *loader, struct plan_stream *stream,
                         const struct yaml_node *name, const struct yaml_node *node)
{
    static const char *const formats[] = { "avro", "json", NULL };
    stream->name = arena_copy_string(loader->arena, name->text);
    stream->topic = section_topic(loader, node, "topic");
    stream->format =
        (enum payload_format)section_choice(loader, node, "format", formats, FORMAT_AVRO);
    stream->schema = schema_file_load(loader, node, &stream->schema_file);
    load_lateness(loader, stream, node);
    load_remember_for(loader, stream, node);
    stream->dedupe_us = section_duration(loader, node, "dedupe", 0);
    if (stream->dedupe_us > 0 && yaml_map_find(node, "id") == NULL)
        diagnose(loader->diagnostics, yaml_map_find(node, "dedupe")->position,
                 "'dedupe' needs 'id': without one each record is an event of its own");
    if (!section_flag(loader, node, "partitioned", true))
        diagnose(loader->diagnostics, yaml_map_find(node, "partitioned")->position,
                 "'partitioned: no' needs a repartition hop, which this version does not run yet:"
                 " the topic must be partitioned by 'key'");
}

/* ---- names ---- */

static bool is_table(const struct loader *loader, const char *name)
{
    for (size_t i = 0; i < loader->plan->table_count; i++)
        if (strcmp(loader->plan->tables[i].name, name) == 0)
            return true;
    return false;
}

static void add_field(struct frame *frame, const struct yaml_pair *pair)
{
    struct loader *loader = frame->loader;
    if (!section_check_name(loader, pair->key, "a field"))
        return;
    const struct frame_name *taken = NULL;
    struct frame_name *field = is_table(loader, pair->key->text)
                                   ? NULL
                                   : frame_add(frame, pair->key->text, FRAME_FIELD, &taken);
    if (field == NULL) {
        diagnose(loader->diagnostics, pair->key->position,
                 "'%s' is %s already: choose another name for the field", pair->key->text,
                 taken == NULL ? "a table" : frame_kind_text(taken->kind));
        return;
    }
    field->key = pair->key;
    field->value = pair->value;
}

void load_stream_names(struct frame *frame, const struct yaml_node *node)
{
    const struct schema_file_columns found =
        schema_file_columns(frame->loader, node, frame->stream->schema);
    for (size_t i = 0; i < found.count; i++) {
        const struct frame_name *taken = NULL;
        struct frame_name *column = frame_add(frame, found.paths[i], FRAME_COLUMN, &taken);
        if (column == NULL)
            continue; /* a schema names each path once */
        column->type = found.columns[i].type;
        column->sensitive = found.columns[i].sensitive;
    }
    const struct yaml_node *fields = yaml_map_find(node, "fields");
    if (section_check_names(frame->loader, fields, "'fields'", FIELDS_MAX))
        for (size_t i = 0; i < fields->count; i++)
            add_field(frame, &fields->pairs[i]);
}

static void want_column(struct frame *frame, const struct yaml_node *item)
{
    struct frame_name *name = item->kind == YAML_SCALAR ? frame_find(frame, item->text) : NULL;
    if (name != NULL && name->kind != FRAME_FEATURE) {
        name->wanted = true;
        return;
    }
    struct nearest_name nearest = { .wanted = item->text };
    for (size_t i = 0; i < frame->count; i++)
        if (frame->names[i].kind != FRAME_FEATURE)
            nearest_name_offer(&nearest, frame->names[i].name);
    diagnose(frame->loader->diagnostics, item->position,
             "there is no column or field '%s' to remember%s%s%s", item->text,
             nearest.best == NULL ? "" : "; did you mean '",
             nearest.best == NULL ? "" : nearest.best, nearest.best == NULL ? "" : "'?");
}

struct remember load_stream_remember(struct frame *frame, const struct yaml_node *node)
{
    struct remember says = { 0 };
    const struct yaml_node *remember = section_value(frame->loader, node, "remember");
    if (remember == NULL || !section_check(frame->loader, &section_remember, NULL, remember))
        return says;
    says.anything = true;
    const struct yaml_node *columns = section_value(frame->loader, remember, "columns");
    if (columns == NULL)
        return says;
    if (columns->kind == YAML_LIST) {
        for (size_t i = 0; i < columns->count; i++)
            want_column(frame, columns->items[i]);
        return says;
    }
    says.all = columns->kind == YAML_SCALAR && strcmp(columns->text, "all") == 0;
    if (!says.all && strcmp(columns->text, "features") != 0)
        diagnose(frame->loader->diagnostics, columns->position,
                 "'columns' is 'all', 'features' or a list of names like [amount, country]");
    return says;
}

/* ---- key, id, time, fields ---- */

struct key_columns {
    struct frame *frame;
    const char *names[COLUMNS_MAX];
    size_t count;
};

static void collect_key_column(void *context, int slot)
{
    struct key_columns *found = context;
    const struct frame *frame = found->frame;
    for (size_t i = 0; i < frame->column_count; i++) {
        if (frame->names[i].slot != slot)
            continue;
        for (size_t j = 0; j < found->count; j++)
            if (found->names[j] == frame->names[i].name)
                return;
        found->names[found->count++] = frame->names[i].name;
        return;
    }
}

static void keep_key_columns(struct frame *frame)
{
    struct plan_stream *stream = frame->stream;
    struct key_columns found = { .frame = frame };
    expression_each_slot(stream->key, collect_key_column, &found);
    const size_t bytes = (found.count + 1) * sizeof found.names[0];
    stream->key_columns = arena_alloc_zeroed(frame->loader->arena, bytes);
    memcpy(stream->key_columns, found.names, found.count * sizeof found.names[0]);
    stream->key_column_count = found.count;
}

/* What a program of the record must give. */
struct record_program {
    const char *key;
    bool takes_time; /* else a string or an integer */
    bool is_id;      /* an alert about a remembered event shows it, and dedupe compares it */
    const char *refusal;
};

static int id_measure(struct frame *frame, const struct node *id)
{
    struct unit measure = { .kind = UNIT_MEASURE, .loader = frame->loader, .frame = frame };
    return measure_id(&measure, id);
}

static struct expression *load_record_program(struct frame *frame, const struct yaml_node *node,
                                              const struct record_program *wanted,
                                              struct unit *unit, const char **text)
{
    const struct yaml_pair *pair = yaml_map_find_pair(node, wanted->key);
    if (pair == NULL || frame->column_count == 0)
        return NULL;
    *unit = (struct unit){ .kind = UNIT_COLUMN,
                           .loader = frame->loader,
                           .frame = frame,
                           .replayed = wanted->is_id && !frame->stream->late_own_time,
                           .identifies = wanted->is_id && frame->stream->dedupe_us > 0 };
    struct loaded_expression loaded;
    struct expression *expression = NULL;
    if (load_expression(frame->loader, &loaded, pair->key, pair->value, unit)) {
        const struct value_type type = expression_type(loaded.expression);
        char type_text[VALUE_TYPE_TEXT_SIZE];
        const bool is_right = wanted->takes_time
                                  ? type.kind == VALUE_TIMESTAMP
                                  : type.kind == VALUE_STRING || type.kind == VALUE_INT;
        if (is_right)
            expression = loaded.expression;
        else
            refuse_expression(frame->loader, unit, pair->value, wanted->refusal,
                              value_type_text(type, type_text));
        *text = loaded.text;
        if (expression != NULL && unit->identifies)
            frame->stream->id_measure = id_measure(frame, nodes_root(loaded.nodes));
    }
    loaded_expression_fini(&loaded);
    return expression;
}

static void load_fields(struct frame *frame)
{
    for (size_t i = 0; i < frame->count; i++) {
        struct frame_name *field = &frame->names[i];
        if (field->kind != FRAME_FIELD)
            continue;
        struct unit unit = {
            .kind = UNIT_FIELD, .loader = frame->loader, .frame = frame, .self = field
        };
        struct loaded_expression loaded;
        if (load_expression(frame->loader, &loaded, field->key, field->value, &unit)) {
            field->program = loaded.expression;
            field->text = loaded.text;
            field->type = expression_type(loaded.expression);
            field->sensitive = unit.sensitive;
            if (field->type.kind == VALUE_NULL)
                refuse_expression(frame->loader, &unit, field->value,
                                  "a field that is always null");
        }
        field->poisoned = unit.poisoned;
        field->diagnostic = unit.diagnostic;
        loaded_expression_fini(&loaded);
    }
}

void load_stream_programs(struct frame *frame, const struct yaml_node *node)
{
    static const struct record_program key = { "key", false, false,
                                               "a key is a string or an integer; this is %s" };
    static const struct record_program id = { "id", false, true,
                                              "an id is a string or an integer; this is %s" };
    static const struct record_program time = {
        "time", true, false,
        "'time' is a timestamp; this is %s: use from_ms(x), from_s(x) or"
        " parse_time(text)"
    };
    struct plan_stream *stream = frame->stream;
    struct unit unit = { 0 };
    stream->time = load_record_program(frame, node, &time, &unit, &stream->time_text);
    stream->id = load_record_program(frame, node, &id, &unit, &stream->id_text);
    stream->id_sensitive = stream->id != NULL && unit.sensitive;
    stream->key = load_record_program(frame, node, &key, &unit, &stream->key_text);
    stream->key_sensitive = stream->key != NULL && unit.sensitive;
    if (stream->key != NULL) {
        keep_key_columns(frame);
        if (stream->key_column_count == 0 && !frame->laid_out)
            diagnose(frame->loader->diagnostics, yaml_map_find(node, "key")->position,
                     "the key must read a column: it says whose event this is");
    }
    load_fields(frame);
}
