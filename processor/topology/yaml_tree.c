#include "processor/topology/yaml_tree.h"

#include <libfyaml.h>
#include <string.h>

#include "base/arena.h"
#include "base/ensure.h"
#include "base/map.h"
#include "base/memory.h"
#include "processor/topology/yaml_position.h"

enum { ARENA_BLOCK_BYTES = 16 << 10, QUOTED_MAX = 80 };

struct yaml_tree {
    struct arena *arena;
    char *text;
    size_t size;
    struct yaml_node *root;
};

/* An event of libfyaml in our own words: its tokens die with it. */
struct event {
    enum fy_event_type type;
    struct yaml_node *node; /* of a scalar, or the start of a map or a list */
    bool no_mark;           /* an empty scalar: nothing stands there */
};

struct parse {
    struct yaml_tree *tree;
    struct diagnostics *diagnostics;
    struct fy_diag *messages;
    struct fy_parser *parser;
    int cut_line;  /* of the last value that a comma cut, or 0 */
    bool stopped;  /* a syntax error, or something after which nothing makes sense */
    size_t cursor; /* offset of cursor_position: places are asked for in ascending order */
    struct file_position cursor_position;
};

static struct file_position position_at(struct parse *parse, size_t offset)
{
    if (offset < parse->cursor) {
        parse->cursor = 0;
        parse->cursor_position = (struct file_position){ 1, 1 };
    }
    const struct bytes rest =
        bytes_of(parse->tree->text + parse->cursor, parse->tree->size - parse->cursor);
    const struct file_position moved = file_position_of(rest, offset - parse->cursor);
    struct file_position position = parse->cursor_position;
    position.column = moved.line > 1 ? moved.column : position.column + moved.column - 1;
    position.line += moved.line - 1;
    parse->cursor = offset;
    parse->cursor_position = position;
    return position;
}

/* ---- what the bytes must be before YAML sees them ---- */

/*
 * The size of the UTF-8 character at `at`, or 0 when it is none (overlong forms and surrogates
 * included).
 */
static size_t utf8_size(struct bytes text, size_t at)
{
    const uint8_t lead = text.data[at];
    if (lead < 0x80)
        return 1;
    const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || size > text.size - at)
        return 0;
    const uint8_t second = text.data[at + 1];
    const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((text.data[at + i] & 0xc0) != 0x80)
            return 0;
    return size;
}

static bool check_bytes(struct parse *parse, struct bytes text)
{
    if (text.size > YAML_TEXT_MAX) {
        diagnose(parse->diagnostics, (struct file_position){ 1, 1 },
                 "the file has %zu bytes; a topology has at most %d", text.size, YAML_TEXT_MAX);
        return false;
    }
    for (size_t i = 0; i < text.size;) {
        const uint8_t c = text.data[i];
        const size_t size = utf8_size(text, i);
        if (size == 0)
            diagnose(parse->diagnostics, file_position_of(text, i),
                     "byte 0x%02x is no UTF-8: save the file as UTF-8", c);
        else if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            diagnose(parse->diagnostics, file_position_of(text, i),
                     "control character 0x%02x: a topology is plain text", c);
        else {
            i += size;
            continue;
        }
        return false;
    }
    return true;
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

static void stop_at_syntax_error(struct parse *parse)
{
    void *iterator = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(parse->messages, &iterator);
    parse->stopped = true;
    if (error == NULL || error->msg == NULL) {
        diagnose(parse->diagnostics, parse->cursor_position, "this is no YAML");
        return;
    }
    if (error->line == parse->cut_line)
        return; /* the same mistake again */
    const char *hint = hint_for(error->msg);
    const struct file_position position = { error->line > 0 ? error->line : 1,
                                            error->column > 0 ? error->column : 1 };
    diagnose(parse->diagnostics, position, "%s%s%s", error->msg, hint == NULL ? "" : ": ",
             hint == NULL ? "" : hint);
}

/* ---- events ---- */

static struct yaml_node *node_create(struct parse *parse, enum yaml_kind kind)
{
    struct yaml_node *node = arena_alloc_zeroed(parse->tree->arena, sizeof *node);
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

static size_t clamp(const struct parse *parse, size_t offset)
{
    return offset < parse->tree->size ? offset : parse->tree->size;
}

static void read_scalar(struct parse *parse, struct fy_token *token, struct yaml_node *node)
{
    size_t size = 0;
    const char *text = fy_token_get_text(token, &size);
    if (text == NULL)
        size = 0;
    node->style = style_of(token);
    node->size = size;
    node->text =
        size == 0 ? "" : (const char *)arena_format(parse->tree->arena, "%.*s", (int)size, text);
    if (memchr(text == NULL ? "" : text, '\0', size) != NULL) {
        diagnose(parse->diagnostics, node->position, "a text must not hold a zero byte");
        node->broken = true;
        node->size = strlen(node->text);
    }
    if (node->style == YAML_PLAIN && is_yaml_null(node->text))
        node->kind = YAML_NULL;
}

/* The word that starts at `offset`, for a message. */
static struct bytes word_at(const struct parse *parse, size_t offset)
{
    size_t end = offset;
    while (end < parse->tree->size && end - offset < QUOTED_MAX &&
           strchr(" \t\r\n,]}", parse->tree->text[end]) == NULL)
        end++;
    return bytes_of(parse->tree->text + offset, end - offset);
}

static void refuse_mark(struct parse *parse, const struct fy_mark *mark, struct yaml_node *node,
                        char sign, const char *what, const char *instead)
{
    size_t offset = clamp(parse, mark == NULL ? parse->cursor : mark->input_pos);
    if (offset > 0 && parse->tree->text[offset] != sign && parse->tree->text[offset - 1] == sign)
        offset--; /* libfyaml's mark of an anchor is its name's */
    const struct bytes word = word_at(parse, offset);
    diagnose(parse->diagnostics, position_at(parse, offset),
             "YAML reads '%.*s' as %s: %squote the whole value", (int)word.size,
             (const char *)word.data, what, instead);
    node->broken = true;
}

static void refuse_properties(struct parse *parse, struct fy_event *event, struct yaml_node *node)
{
    struct fy_token *tag = fy_event_get_tag_token(event);
    struct fy_token *anchor = fy_event_get_anchor_token(event);
    if (event->type == FYET_ALIAS)
        refuse_mark(parse, fy_event_start_mark(event), node, '*', "an alias", "");
    else if (tag != NULL)
        refuse_mark(parse, fy_token_start_mark(tag), node, '!', "a tag",
                    "write 'not' for a negation, or ");
    else if (anchor != NULL)
        refuse_mark(parse, fy_token_start_mark(anchor), node, '&', "an anchor",
                    "write 'and' for a conjunction, or ");
}

static struct yaml_node *node_of_event(struct parse *parse, struct fy_event *event)
{
    const enum yaml_kind kind = event->type == FYET_MAPPING_START    ? YAML_MAP
                                : event->type == FYET_SEQUENCE_START ? YAML_LIST
                                                                     : YAML_SCALAR;
    struct yaml_node *node = node_create(parse, kind);
    refuse_properties(parse, event, node);
    const struct fy_mark *start = fy_event_start_mark(event);
    const struct fy_mark *end = fy_event_end_mark(event);
    node->start = start == NULL ? parse->cursor : clamp(parse, start->input_pos);
    node->end = end == NULL ? node->start : clamp(parse, end->input_pos);
    node->flow =
        kind != YAML_SCALAR && start != NULL && fy_event_get_node_style(event) == FYNS_FLOW;
    size_t shown = node->start;
    if (kind == YAML_SCALAR && shown > 0 && event->type == FYET_SCALAR && start != NULL) {
        const enum yaml_style style = style_of(event->scalar.value);
        if (style == YAML_SINGLE_QUOTED || style == YAML_DOUBLE_QUOTED)
            shown--;
        if (style == YAML_BLOCK) /* its text starts on the next line: show the first word */
            while (shown < node->end && strchr(" \n\r", parse->tree->text[shown]) != NULL)
                shown++;
    }
    node->position = position_at(parse, shown);
    if (event->type == FYET_SCALAR && start != NULL)
        read_scalar(parse, event->scalar.value, node);
    else if (kind == YAML_SCALAR)
        node->kind = YAML_NULL;
    return node;
}

/* The next event that is not the stream's; FYET_NONE at the end, or when parsing stopped. */
static struct event event_next(struct parse *parse)
{
    struct event event = { .type = FYET_NONE };
    if (parse->stopped)
        return event;
    struct fy_event *from = fy_parser_parse(parse->parser);
    if (from == NULL) {
        if (fy_parser_get_stream_error(parse->parser))
            stop_at_syntax_error(parse);
        return event;
    }
    event.type = from->type;
    event.no_mark = fy_event_start_mark(from) == NULL;
    if (from->type == FYET_SCALAR || from->type == FYET_ALIAS || from->type == FYET_MAPPING_START ||
        from->type == FYET_SEQUENCE_START)
        event.node = node_of_event(parse, from);
    else if (!event.no_mark)
        (void)position_at(parse, clamp(parse, fy_event_start_mark(from)->input_pos));
    fy_parser_event_free(parse->parser, from);
    return event;
}

/* ---- nodes ---- */

static void read_children(struct parse *parse, struct yaml_node *node, int depth);

/* Grows by doubling in the arena; what was there is left behind. */
static void *append_slot(struct parse *parse, void *items, size_t count, size_t item_size)
{
    if (count != 0 && (count < 4 || (count & (count - 1)) != 0))
        return items;
    const size_t capacity = count == 0 ? 4 : 2 * count;
    void *grown = arena_alloc_zeroed(parse->tree->arena, capacity * item_size);
    if (count > 0)
        memcpy(grown, items, count * item_size);
    return grown;
}

static bool has_colon_after(const struct parse *parse, const struct yaml_node *key)
{
    size_t at = key->end;
    if (key->style != YAML_PLAIN)
        at++; /* the closing quote */
    while (at < parse->tree->size && strchr(" \t\r\n", parse->tree->text[at]) != NULL)
        at++;
    return at < parse->tree->size && parse->tree->text[at] == ':';
}

/*
 * `{ when: if(a, b), severity: low }`: YAML ends the value at the first comma, and `b)` becomes a
 * key without a value. Nothing in a topology is written like that on purpose.
 */
struct comma_cut {
    const struct yaml_node *key; /* whose value was cut; NULL: the map starts with a lone key */
    const struct yaml_node *first, *last;
    size_t value_start;
};

static void report_cut(struct parse *parse, struct comma_cut *cut)
{
    if (cut->first == NULL)
        return;
    const size_t end = cut->last->end;
    parse->cut_line = cut->first->position.line;
    if (cut->key == NULL) {
        diagnose(parse->diagnostics, cut->first->position,
                 "YAML reads { } as a map, and '%s' in it has no value: quote the whole text",
                 cut->first->text);
    } else {
        const size_t size = end - cut->value_start;
        diagnose(parse->diagnostics, cut->first->position,
                 "inside { } YAML ends the value of '%s' at the comma: quote it: %s: \"%.*s%s\"",
                 cut->key->text, cut->key->text, (int)(size < QUOTED_MAX ? size : QUOTED_MAX),
                 parse->tree->text + cut->value_start, size < QUOTED_MAX ? "" : "...");
    }
    *cut = (struct comma_cut){ 0 };
}

static bool note_cut(struct parse *parse, struct yaml_node *map, struct comma_cut *cut,
                     const struct yaml_node *key)
{
    if (!map->flow || has_colon_after(parse, key))
        return false;
    if (cut->first == NULL) {
        const struct yaml_pair *previous = map->count == 0 ? NULL : &map->pairs[map->count - 1];
        cut->first = key;
        if (previous != NULL) {
            cut->key = previous->key;
            cut->value_start = previous->value->start;
            previous->value->broken = true;
        } else {
            map->broken = true;
        }
    }
    cut->last = key;
    return true;
}

/* An empty key has no place of its own: the ':' before its value has. */
static struct file_position colon_before(struct parse *parse, const struct yaml_node *value)
{
    size_t at = value->start;
    while (at > 0 && parse->tree->text[at] != ':')
        at--;
    return file_position_of(bytes_of(parse->tree->text, parse->tree->size), at);
}

static bool check_key(struct parse *parse, const struct yaml_node *key,
                      const struct yaml_node *value, struct map *seen)
{
    if (key->kind == YAML_MAP || key->kind == YAML_LIST) {
        diagnose(parse->diagnostics, key->position, "a key must be a plain name");
        return false;
    }
    if (key->broken)
        return false;
    if (key->kind == YAML_NULL && key->size == 0) {
        diagnose(parse->diagnostics, colon_before(parse, value),
                 "a name is missing before the ':'");
        return false;
    }
    if (strcmp(key->text, "<<") == 0) {
        diagnose(parse->diagnostics, key->position,
                 "merge keys are not used here: write the keys out");
        return false;
    }
    bool is_new = false;
    const struct file_position **first = map_insert(seen, bytes_of(key->text, key->size), &is_new);
    if (is_new)
        *first = &key->position;
    else
        diagnose(parse->diagnostics, key->position, "'%s' occurs twice; it is first in line %d",
                 key->text, (*first)->line);
    return is_new;
}

static void map_destroy_auto(struct map **map)
{
    map_destroy(map);
}

static void read_map(struct parse *parse, struct yaml_node *map, int depth)
{
    AUTO(map_destroy_auto) struct map *seen = NULL;
    map_create(&seen, sizeof(const struct file_position *));
    struct comma_cut cut = { 0 };
    for (;;) {
        const struct event key = event_next(parse);
        if (key.node == NULL)
            break; /* the map's end */
        read_children(parse, key.node, depth);
        const struct event value = event_next(parse);
        if (value.node == NULL)
            break; /* parsing stopped */
        if (value.no_mark && note_cut(parse, map, &cut, key.node))
            continue;
        report_cut(parse, &cut);
        read_children(parse, value.node, depth);
        if (!check_key(parse, key.node, value.node, seen))
            continue;
        if (key.node->kind == YAML_NULL)
            key.node->kind = YAML_SCALAR; /* a key "null" is a name that nobody knows */
        map->pairs = append_slot(parse, map->pairs, map->count, sizeof map->pairs[0]);
        map->pairs[map->count++] = (struct yaml_pair){ key.node, value.node };
    }
    report_cut(parse, &cut);
}

static void read_list(struct parse *parse, struct yaml_node *list, int depth)
{
    for (;;) {
        const struct event item = event_next(parse);
        if (item.node == NULL)
            break;
        read_children(parse, item.node, depth);
        list->items = append_slot(parse, list->items, list->count, sizeof list->items[0]);
        list->items[list->count++] = item.node;
    }
}

static void read_children(struct parse *parse, struct yaml_node *node, int depth)
{
    if (node->kind != YAML_MAP && node->kind != YAML_LIST)
        return;
    if (depth == YAML_DEPTH_MAX) {
        diagnose(parse->diagnostics, node->position, "this is nested too deeply");
        parse->stopped = true;
    } else if (node->kind == YAML_MAP) {
        read_map(parse, node, depth + 1);
    } else {
        read_list(parse, node, depth + 1);
    }
}

static void read_documents(struct parse *parse)
{
    int documents = 0;
    for (;;) {
        const struct event event = event_next(parse);
        if (event.type == FYET_NONE)
            break;
        if (event.type == FYET_DOCUMENT_START && ++documents > 1) {
            diagnose(parse->diagnostics, parse->cursor_position,
                     "a second document starts here; a topology file holds one");
            break;
        }
        if (event.node == NULL)
            continue;
        read_children(parse, event.node, 0);
        parse->tree->root = event.node;
    }
    if (parse->tree->root == NULL && !parse->stopped)
        diagnose(parse->diagnostics, (struct file_position){ 1, 1 },
                 "the file is empty; a topology starts with 'topology: NAME'");
}

static void run_parser(struct parse *parse)
{
    struct fy_diag_cfg messages;
    fy_diag_cfg_default(&messages);
    messages.fp = NULL;
    messages.colorize = false;
    parse->messages = fy_diag_create(&messages);
    ENSURE(parse->messages != NULL);
    fy_diag_set_collect_errors(parse->messages, true);
    const struct fy_parse_cfg settings = { .search_path = "",
                                           .flags = FYPCF_JSON_NONE | FYPCF_DISABLE_MMAP_OPT,
                                           .diag = parse->messages };
    parse->parser = fy_parser_create(&settings);
    ENSURE(parse->parser != NULL);
    if (fy_parser_set_string(parse->parser, parse->tree->text, parse->tree->size) == 0)
        read_documents(parse);
    fy_parser_destroy(parse->parser);
    fy_diag_destroy(parse->messages);
}

void yaml_tree_parse(struct yaml_tree **out, struct bytes text, struct diagnostics *diagnostics)
{
    ENSURE(*out == NULL);
    struct yaml_tree *tree = mem_alloc(sizeof *tree);
    arena_create(&tree->arena, ARENA_BLOCK_BYTES);
    *out = tree;
    struct parse parse = { .tree = tree, .diagnostics = diagnostics, .cursor_position = { 1, 1 } };
    if (bytes_starts_with(text, BYTES_LITERAL("\xef\xbb\xbf")))
        text =
            bytes_of(text.data + 3, text.size - 3); /* a byte order mark: editors do not count it */
    if (!check_bytes(&parse, text))
        return;
    tree->text = mem_copy_string_n((const char *)text.data, text.size);
    tree->size = text.size;
    run_parser(&parse);
    if (parse.stopped)
        tree->root = NULL; /* half a tree would give errors about what is missing */
}

void yaml_tree_destroy(struct yaml_tree **tree)
{
    if (*tree == NULL)
        return;
    arena_destroy(&(*tree)->arena);
    mem_free((*tree)->text);
    mem_free(TAKE(*tree));
}

struct yaml_node *yaml_tree_root(const struct yaml_tree *tree)
{
    return tree->root;
}

struct bytes yaml_tree_text(const struct yaml_tree *tree)
{
    return bytes_of(tree->text, tree->size);
}

struct yaml_node *yaml_map_find(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->pairs[i].key->text, key) == 0)
            return map->pairs[i].value;
    return NULL;
}
