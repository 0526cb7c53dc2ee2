#include <criterion/criterion.h>
#include <string.h>

#include "processor/topology/yaml_bytes.h"
#include "processor/topology/yaml_position.h"
#include "processor/topology/yaml_tree.h"

struct parsed {
    struct yaml_tree *tree;
    struct diagnostics diagnostics;
};

static struct parsed parse(const char *text)
{
    struct parsed parsed = { 0 };
    diagnostics_init(&parsed.diagnostics, "t.yaml");
    yaml_tree_parse(&parsed.tree, bytes_of_string(text), &parsed.diagnostics);
    return parsed;
}

static void parsed_fini(struct parsed *parsed)
{
    yaml_tree_destroy(&parsed->tree);
    diagnostics_fini(&parsed->diagnostics);
}

static void put_node(struct buffer *out, const struct yaml_node *node)
{
    buffer_printf(out, "%d:%d", node->position.line, node->position.column);
    switch (node->kind) {
    case YAML_NULL:
        buffer_put_string(out, " null");
        break;
    case YAML_SCALAR:
        buffer_printf(out, " '%s'", node->text);
        break;
    case YAML_LIST:
        buffer_put_string(out, " [");
        for (size_t i = 0; i < node->count; i++) {
            buffer_put_string(out, i == 0 ? "" : ", ");
            put_node(out, node->items[i]);
        }
        buffer_put_string(out, "]");
        break;
    case YAML_MAP:
        buffer_put_string(out, " {");
        for (size_t i = 0; i < node->count; i++) {
            buffer_put_string(out, i == 0 ? "" : ", ");
            put_node(out, node->pairs[i].key);
            buffer_put_string(out, " = ");
            put_node(out, node->pairs[i].value);
        }
        buffer_put_string(out, "}");
        break;
    }
}

Test(yaml_tree, nodes_know_where_they_stand)
{
    static const struct {
        const char *yaml, *tree;
    } rows[] = {
        { "a: b\n", "1:1 {1:1 'a' = 1:4 'b'}" },
        { "a:\n  b: c\n  d: [e, f]\n",
          "1:1 {1:1 'a' = 2:3 {2:3 'b' = 2:6 'c', 3:3 'd' = 3:6 [3:7 'e', 3:10 'f']}}" },
        { "{ a: 1, 'b': \"c\" }\n", "1:1 {1:3 'a' = 1:6 '1', 1:9 'b' = 1:14 'c'}" },
        { "a: ~\nb:\nc: null\n",
          "1:1 {1:1 'a' = 1:4 null, 2:1 'b' = 2:1 null, 3:1 'c' = 3:4 null}" },
        { "\xef\xbb\xbf"
          "a: b\r\nc: d\r\n",
          "1:1 {1:1 'a' = 1:4 'b', 2:1 'c' = 2:4 'd'}" },
        { "---\n# text\nä: ö # ü\nb: c\n", "3:1 {3:1 'ä' = 3:4 'ö', 4:1 'b' = 4:4 'c'}" },
        { "a: |\n  x\n  y\nb: >-\n  x\n  y\n",
          "1:1 {1:1 'a' = 2:3 'x\ny\n', 4:1 'b' = 5:3 'x y'}" },
        { "- a\n-\n  - b\n", "1:1 [1:3 'a', 3:3 [3:5 'b']]" },
        { "a: x\n   y\n\n   z\n", "1:1 {1:1 'a' = 1:4 'x y\nz'}" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct parsed parsed = parse(rows[i].yaml);
        struct buffer text;
        buffer_init(&text);
        cr_assert_eq(parsed.diagnostics.count, 0, "%s", rows[i].yaml);
        put_node(&text, yaml_tree_root(parsed.tree));
        cr_expect_str_eq(buffer_text(&text), rows[i].tree, "%s\n%s", rows[i].yaml,
                         buffer_text(&text));
        buffer_fini(&text);
        parsed_fini(&parsed);
    }
}

/* The value of `a` holds an X; in the file it stands where the first X is. */
Test(yaml_tree, a_place_in_a_text_is_found_again_in_the_file)
{
    static const char *const rows[] = {
        "a: bc X d\n",
        "a: 'b''c X'\n",
        "a: \"b\\\"\\\\ \\u00e9 \\x41 X\"\n",
        "a: \"b \\U0001F600 X\"\n",
        "a: \"b \\\n   c X\"\n",
        "a: \"b\n   c\n\n X\"\n",
        "a: b\n   c\n\n   X d\n",
        "a: |\n  b\n    c X\n  d\n",
        "a: |2\n    b\n   X\n",
        "a: >\n  b\n  c\n\n  X d\n",
        "a: äöü X\n",
        "a: X\n",
        "a: 'X'\n",
        "a:\n  X\n",
        "# c\n\n   \na:   b   X   # d\n",
        "a: b\r\n   X\r\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct parsed parsed = parse(rows[i]);
        cr_assert_eq(parsed.diagnostics.count, 0, "%s", rows[i]);
        const struct yaml_node *value = yaml_map_find(yaml_tree_root(parsed.tree), "a");
        const char *x = strchr(value->text, 'X');
        cr_assert_not_null(x, "%s", rows[i]);
        const struct bytes file = yaml_tree_text(parsed.tree);
        const struct file_position is = yaml_position_in(file, value, (size_t)(x - value->text));
        const struct file_position wanted =
            file_position_of(file, (size_t)(strchr(rows[i], 'X') - rows[i]));
        cr_expect(is.line == wanted.line && is.column == wanted.column, "%s: %d:%d, expected %d:%d",
                  rows[i], is.line, is.column, wanted.line, wanted.column);
        parsed_fini(&parsed);
    }
}

Test(yaml_tree, the_comment_behind_a_plain_value_is_found)
{
    static const struct {
        const char *yaml, *comment;
    } rows[] = {
        { "a: b # c\n", "# c" }, { "a: b   # c # d\n", "# c # d" },
        { "a: b#c\n", "" },      { "a: b\n# c\n", "" },
        { "a: 'b' # c\n", "" },  { "a: b # c", "# c" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct parsed parsed = parse(rows[i].yaml);
        const struct bytes comment = yaml_comment_after(
            yaml_tree_text(parsed.tree), yaml_map_find(yaml_tree_root(parsed.tree), "a"));
        cr_expect(
            bytes_equal(bytes_of(comment.size == 0 ? (const void *)"" : comment.data, comment.size),
                        bytes_of_string(rows[i].comment)),
            "%s", rows[i].yaml);
        parsed_fini(&parsed);
    }
}

Test(yaml_tree, a_file_may_be_as_large_as_the_limit_and_no_larger)
{
    struct buffer text;
    buffer_init(&text);
    buffer_put_string(&text, "a: b\n");
    while (text.size < YAML_TEXT_MAX)
        buffer_put_u8(&text, '\n');
    for (int more = 0; more < 2; more++) {
        struct diagnostics diagnostics;
        struct yaml_tree *tree = NULL;
        diagnostics_init(&diagnostics, "t.yaml");
        yaml_tree_parse(&tree, buffer_view(&text), &diagnostics);
        cr_assert_eq(diagnostics.errors, (size_t)more);
        yaml_tree_destroy(&tree);
        diagnostics_fini(&diagnostics);
        buffer_put_u8(&text, '\n');
    }
    buffer_fini(&text);
}

Test(yaml_tree, only_utf8_is_text)
{
    static const struct {
        const char *text;
        bool is_text;
    } rows[] = {
        { "\xc2\x80 \xdf\xbf", true },
        { "\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbd", true },
        { "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", true },
        { "\x80", false },             /* a continuation without a start */
        { "\xc1\xbf", false },         /* overlong */
        { "\xe0\x9f\xbf", false },     /* overlong */
        { "\xed\xa0\x80", false },     /* a surrogate */
        { "\xf0\x8f\xbf\xbf", false }, /* overlong */
        { "\xf4\x90\x80\x80", false }, /* beyond U+10FFFF */
        { "\xf5\x80\x80\x80", false },
        { "\xe2\x82", false }, /* cut */
        { "\xe2\x28\xa1", false },
        { "\xff", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct diagnostics diagnostics;
        diagnostics_init(&diagnostics, "t.yaml");
        cr_expect_eq(yaml_check_bytes(bytes_of_string(rows[i].text), &diagnostics), rows[i].is_text,
                     "row %zu", i);
        cr_expect_eq(diagnostics.errors == 0, rows[i].is_text, "row %zu", i);
        diagnostics_fini(&diagnostics);
    }
}
