#include "processor/topology/yaml_reader.h"

#include <libfyaml.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "processor/topology/yaml_position.h"

enum { WORD_SIZE_MAX = 80 };

struct yaml_reader {
    const char *text;
    size_t size;
    struct arena *arena;
    struct diagnostics *diagnostics;
    struct fy_diag *messages;
    struct fy_parser *parser;
    int hushed_line; /* what is wrong with it was said already, or 0 */
    bool stopped;
    size_t cursor; /* offset of cursor_position: places are asked for in ascending order */
    struct file_position cursor_position;
};

static struct file_position position_at(struct yaml_reader *reader, size_t offset)
{
    if (offset < reader->cursor) {
        reader->cursor = 0;
        reader->cursor_position = (struct file_position){ 1, 1 };
    }
    const struct bytes rest =
        bytes_of(reader->text + reader->cursor, reader->size - reader->cursor);
    const struct file_position moved = file_position_of(rest, offset - reader->cursor);
    struct file_position position = reader->cursor_position;
    position.column = moved.line > 1 ? moved.column : position.column + moved.column - 1;
    position.line += moved.line - 1;
    reader->cursor = offset;
    reader->cursor_position = position;
    return position;
}

/* ---- libfyaml's own messages ---- */

/* What libfyaml says, and what to do about it in a topology. */
static const struct {
    const char *part, *hint;
} hints[] = {
    { "nested block mapping on the same line",
      "YAML reads ': ' as a key and its value; quote the whole value" },
    { "plain scalar cannot start with", "quote the whole value" },
    { "trailing content after",
      "a value that starts with a quote ends at the next one; put the whole"
      " expression into the other kind of quotes, or turn it round" },
    { "invalid value after mapping", "YAML reads { } as a map, and a # after a space as a comment;"
                                     " quote the whole text" },
    { "missing comma in flow", "inside { } and [ ], quote a value that holds , : [ ] { or }" },
    { "mismatched flow", "a closing bracket that does not fit the opening one" },
    { "without a closing bracket", "quote a value that starts with [" },
    { "tab character", "indent with spaces" },
    { "block scalar no linebreak", "YAML reads > and | at the start of a value as a block of text;"
                                   " turn the comparison round, or quote the whole value" },
    { "block sequence on the same line", "YAML reads '- ' as a list; quote the whole value" },
    { "invalid mapping key", "quote the whole value" },
    { "multiline plain key", "the lines below are indented as if they belonged to this value" },
};

static const char *hint_for(const char *message)
{
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strstr(message, hints[i].part) != NULL)
            return hints[i].hint;
    return NULL;
}

static void stop_at_syntax_error(struct yaml_reader *reader)
{
    void *iterator = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(reader->messages, &iterator);
    reader->stopped = true;
    if (error == NULL || error->msg == NULL) {
        diagnose(reader->diagnostics, reader->cursor_position, "this is no YAML");
        return;
    }
    if (error->line == reader->hushed_line)
        return; /* the same mistake again */
    const char *hint = hint_for(error->msg);
    const struct file_position position = { error->line > 0 ? error->line : 1,
                                            error->column > 0 ? error->column : 1 };
    diagnose(reader->diagnostics, position, "%s%s%s", error->msg, hint == NULL ? "" : ": ",
             hint == NULL ? "" : hint);
}

/* ---- events ---- */

static struct yaml_node *node_create(struct yaml_reader *reader, enum yaml_kind kind)
{
    struct yaml_node *node = arena_alloc_zeroed(reader->arena, sizeof *node);
    node->kind = kind;
    node->text = "";
    return node;
}

static bool is_yaml_null(const char *text)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static enum yaml_style style_of(struct fy_token *token)
{
    switch (fy_token_scalar_style(token)) {
    case FYSS_SINGLE_QUOTED:
        return YAML_SINGLE_QUOTED;
    case FYSS_DOUBLE_QUOTED:
        return YAML_DOUBLE_QUOTED;
    case FYSS_LITERAL:
    case FYSS_FOLDED:
        return YAML_BLOCK;
    default:
        return YAML_PLAIN;
    }
}

static size_t clamp(const struct yaml_reader *reader, size_t offset)
{
    return offset < reader->size ? offset : reader->size;
}

static void read_scalar(struct yaml_reader *reader, struct fy_token *token, struct yaml_node *node)
{
    size_t size = 0;
    const char *text = fy_token_get_text(token, &size);
    if (text == NULL)
        size = 0;
    node->style = style_of(token);
    node->size = size;
    node->text =
        size == 0 ? "" : (const char *)arena_format(reader->arena, "%.*s", (int)size, text);
    if (memchr(text == NULL ? "" : text, '\0', size) != NULL) {
        diagnose(reader->diagnostics, node->position, "a text must not hold a zero byte");
        node->broken = true;
        node->size = strlen(node->text);
    }
    if (node->style == YAML_PLAIN && is_yaml_null(node->text))
        node->kind = YAML_NULL;
}

/* The word that starts at `offset`, for a message. */
static struct bytes word_at(const struct yaml_reader *reader, size_t offset)
{
    size_t end = offset;
    while (end < reader->size && end - offset < WORD_SIZE_MAX &&
           strchr(" \t\r\n,]}", reader->text[end]) == NULL)
        end++;
    return bytes_of(reader->text + offset, end - offset);
}

static void refuse_mark(struct yaml_reader *reader, const struct fy_mark *mark,
                        struct yaml_node *node, char sign, const char *what, const char *instead)
{
    size_t offset = clamp(reader, mark == NULL ? reader->cursor : mark->input_pos);
    if (offset > 0 && reader->text[offset] != sign && reader->text[offset - 1] == sign)
        offset--; /* libfyaml's mark of an anchor is its name's */
    const struct bytes word = word_at(reader, offset);
    diagnose(reader->diagnostics, position_at(reader, offset),
             "YAML reads '%.*s' as %s: %squote the whole value", (int)word.size,
             (const char *)word.data, what, instead);
    node->broken = true;
}

static void refuse_properties(struct yaml_reader *reader, struct fy_event *event,
                              struct yaml_node *node)
{
    struct fy_token *tag = fy_event_get_tag_token(event);
    struct fy_token *anchor = fy_event_get_anchor_token(event);
    if (event->type == FYET_ALIAS)
        refuse_mark(reader, fy_event_start_mark(event), node, '*', "an alias", "");
    else if (tag != NULL)
        refuse_mark(reader, fy_token_start_mark(tag), node, '!', "a tag",
                    "write 'not' for a negation, or ");
    else if (anchor != NULL)
        refuse_mark(reader, fy_token_start_mark(anchor), node, '&', "an anchor",
                    "write 'and' for a conjunction, or ");
}

/*
 * Where the event stands; NULL for what is not written: the value in `a:`, the start of a document
 * without ---. libfyaml 0.7 has no place for these, 0.8 that of what is next to them.
 */
static const struct fy_mark *start_of(struct fy_event *event)
{
    const struct fy_mark *start = fy_event_start_mark(event);
    const struct fy_mark *end = fy_event_end_mark(event);
    const bool is_nothing = event->type == FYET_SCALAR && start != NULL && end != NULL &&
                            start->input_pos == end->input_pos &&
                            style_of(event->scalar.value) == YAML_PLAIN;
    const bool is_implied =
        event->type == FYET_DOCUMENT_START && event->document_start.implicit;
    return is_nothing || is_implied ? NULL : start;
}

static struct yaml_node *node_of_event(struct yaml_reader *reader, struct fy_event *event)
{
    const enum yaml_kind kind = event->type == FYET_MAPPING_START    ? YAML_MAP
                                : event->type == FYET_SEQUENCE_START ? YAML_LIST
                                                                     : YAML_SCALAR;
    struct yaml_node *node = node_create(reader, kind);
    refuse_properties(reader, event, node);
    const struct fy_mark *start = start_of(event);
    const struct fy_mark *end = start == NULL ? NULL : fy_event_end_mark(event);
    node->start = start == NULL ? reader->cursor : clamp(reader, start->input_pos);
    node->end = end == NULL ? node->start : clamp(reader, end->input_pos);
    node->flow =
        kind != YAML_SCALAR && start != NULL && fy_event_get_node_style(event) == FYNS_FLOW;
    size_t shown = node->start;
    if (kind == YAML_SCALAR && shown > 0 && event->type == FYET_SCALAR && start != NULL) {
        const enum yaml_style style = style_of(event->scalar.value);
        if (style == YAML_SINGLE_QUOTED || style == YAML_DOUBLE_QUOTED)
            shown--;
        if (style == YAML_BLOCK) /* its text starts on the next line: show the first word */
            while (shown < node->end && strchr(" \n\r", reader->text[shown]) != NULL)
                shown++;
    }
    node->position = position_at(reader, shown);
    if (event->type == FYET_SCALAR && start != NULL)
        read_scalar(reader, event->scalar.value, node);
    else if (kind == YAML_SCALAR)
        node->kind = YAML_NULL;
    return node;
}

static enum yaml_event_kind kind_of(enum fy_event_type type)
{
    switch (type) {
    case FYET_DOCUMENT_START:
        return YAML_EVENT_DOCUMENT;
    case FYET_SCALAR:
    case FYET_ALIAS:
    case FYET_MAPPING_START:
    case FYET_SEQUENCE_START:
        return YAML_EVENT_NODE;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        return YAML_EVENT_CLOSE;
    default:
        return YAML_EVENT_OTHER;
    }
}

struct yaml_event yaml_reader_next(struct yaml_reader *reader)
{
    struct yaml_event event = { .kind = YAML_EVENT_END };
    if (reader->stopped)
        return event;
    struct fy_event *from = fy_parser_parse(reader->parser);
    if (from == NULL) {
        if (fy_parser_get_stream_error(reader->parser))
            stop_at_syntax_error(reader);
        return event;
    }
    const struct fy_mark *mark = start_of(from);
    event.kind = kind_of(from->type);
    event.is_nothing = mark == NULL;
    if (event.kind == YAML_EVENT_NODE)
        event.node = node_of_event(reader, from);
    else if (mark != NULL)
        (void)position_at(reader, clamp(reader, mark->input_pos));
    fy_parser_event_free(reader->parser, from);
    return event;
}

void yaml_reader_open(struct yaml_reader **out, struct bytes text, struct arena *arena,
                      struct diagnostics *diagnostics)
{
    ENSURE(*out == NULL);
    struct yaml_reader *reader = mem_alloc(sizeof *reader);
    *reader = (struct yaml_reader){ .text = (const char *)text.data,
                                    .size = text.size,
                                    .arena = arena,
                                    .diagnostics = diagnostics,
                                    .cursor_position = { 1, 1 } };
    struct fy_diag_cfg messages;
    fy_diag_cfg_default(&messages);
    messages.fp = NULL;
    messages.colorize = false;
    reader->messages = fy_diag_create(&messages);
    ENSURE(reader->messages != NULL);
    fy_diag_set_collect_errors(reader->messages, true);
    const struct fy_parse_cfg settings = { .search_path = "",
                                           .flags = FYPCF_JSON_NONE | FYPCF_DISABLE_MMAP_OPT,
                                           .diag = reader->messages };
    reader->parser = fy_parser_create(&settings);
    ENSURE(reader->parser != NULL);
    if (fy_parser_set_string(reader->parser, reader->text, reader->size) != 0)
        stop_at_syntax_error(reader);
    *out = reader;
}

void yaml_reader_close(struct yaml_reader **reader)
{
    if (*reader == NULL)
        return;
    fy_parser_destroy((*reader)->parser);
    fy_diag_destroy((*reader)->messages);
    mem_free(TAKE(*reader));
}

struct file_position yaml_reader_position(const struct yaml_reader *reader)
{
    return reader->cursor_position;
}

void yaml_reader_stop(struct yaml_reader *reader)
{
    reader->stopped = true;
}

bool yaml_reader_has_stopped(const struct yaml_reader *reader)
{
    return reader->stopped;
}

void yaml_reader_hush(struct yaml_reader *reader, int line)
{
    reader->hushed_line = line;
}
