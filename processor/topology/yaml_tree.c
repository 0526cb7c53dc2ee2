#include "processor/topology/yaml_tree.h"

#include <string.h>

#include "base/arena.h"
#include "base/ensure.h"
#include "base/map.h"
#include "base/memory.h"
#include "processor/topology/yaml_bytes.h"
#include "processor/topology/yaml_position.h"
#include "processor/topology/yaml_reader.h"

enum { ARENA_BLOCK_BYTES = 16 << 10, QUOTED_MAX = 80 };

struct yaml_tree {
    struct arena *arena;
    char *text;
    size_t size;
    struct yaml_node *root;
};

struct parse {
    struct yaml_tree *tree;
    struct diagnostics *diagnostics;
    struct yaml_reader *reader;
};

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
    yaml_reader_hush(parse->reader, cut->first->position.line);
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
        const struct yaml_event key = yaml_reader_next(parse->reader);
        if (key.node == NULL)
            break; /* the map's end */
        read_children(parse, key.node, depth);
        const struct yaml_event value = yaml_reader_next(parse->reader);
        if (value.node == NULL)
            break; /* parsing stopped */
        if (value.is_nothing && note_cut(parse, map, &cut, key.node))
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
        const struct yaml_event item = yaml_reader_next(parse->reader);
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
        yaml_reader_stop(parse->reader);
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
        const struct yaml_event event = yaml_reader_next(parse->reader);
        if (event.kind == YAML_EVENT_END)
            break;
        if (event.kind == YAML_EVENT_DOCUMENT && ++documents > 1) {
            diagnose(parse->diagnostics, yaml_reader_position(parse->reader),
                     "a second document starts here; a topology file holds one");
            break;
        }
        if (event.node == NULL)
            continue;
        read_children(parse, event.node, 0);
        parse->tree->root = event.node;
    }
    if (parse->tree->root == NULL && !yaml_reader_has_stopped(parse->reader))
        diagnose(parse->diagnostics, (struct file_position){ 1, 1 },
                 "the file is empty; a topology starts with 'topology: NAME'");
}

void yaml_tree_parse(struct yaml_tree **out, struct bytes text, struct diagnostics *diagnostics)
{
    ENSURE(*out == NULL);
    struct yaml_tree *tree = mem_alloc(sizeof *tree);
    arena_create(&tree->arena, ARENA_BLOCK_BYTES);
    *out = tree;
    if (bytes_starts_with(text, BYTES_LITERAL("\xef\xbb\xbf")))
        text = bytes_of(text.data + 3, text.size - 3); /* a byte order mark counts for nobody */
    if (!yaml_check_bytes(text, diagnostics))
        return;
    tree->text = mem_copy_string_n((const char *)text.data, text.size);
    tree->size = text.size;
    AUTO(yaml_reader_close) struct yaml_reader *reader = NULL;
    yaml_reader_open(&reader, yaml_tree_text(tree), tree->arena, diagnostics);
    struct parse parse = { .tree = tree, .diagnostics = diagnostics, .reader = reader };
    read_documents(&parse);
    if (yaml_reader_has_stopped(reader))
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

const struct yaml_pair *yaml_map_find_pair(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->pairs[i].key->text, key) == 0)
            return &map->pairs[i];
    return NULL;
}

struct yaml_node *yaml_map_find(const struct yaml_node *map, const char *key)
{
    const struct yaml_pair *pair = yaml_map_find_pair(map, key);
    return pair == NULL ? NULL : pair->value;
}
