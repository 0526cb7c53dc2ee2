#include <criterion/criterion.h>
#include <string.h>

#include "base/memory.h"
#include "world.h"

/* The caller frees it. */
static char *normalised(const char *text)
{
    struct error err;
    struct expression_position position;
    struct nodes *nodes = NULL;
    cr_assert_eq(expression_parse(&nodes, text, &position, &err), ST_OK, "%s: %s", text, err.text);
    struct buffer out;
    buffer_init(&out);
    node_format(&out, nodes_root(nodes));
    char *copy = mem_copy_string(buffer_text(&out));
    buffer_fini(&out);
    nodes_destroy(&nodes);
    return copy;
}

Test(node_format, one_text_for_one_expression)
{
    static const struct {
        const char *text, *normal;
    } rows[] = {
        { "a+b", "a + b" },
        { "( (a) )", "a" },
        { "a*(b+c)", "a * (b + c)" },
        { "(a*b)+c", "a * b + c" },
        { "a-(b-c)", "a - (b - c)" },
        { "(a-b)-c", "a - b - c" },
        { "a-(b+c)", "a - (b + c)" },
        { "a/(b*c)", "a / (b * c)" },
        { "-(a+b)", "-(a + b)" },
        { "(-a)*b", "-a * b" },
        { "a - -5", "a - -5" },
        { "a--b", "a - -b" },
        { "- 5", "-5" },
        { "-(5)", "-5" },
        { "--5", "5" },
        { "-(0s)", "0s" },
        { "-(-9223372036854775808)", "--9223372036854775808" },
        { "a>5 and b", "a > 5 and b" },
        { "(a or b) and c", "(a or b) and c" },
        { "a or (b and c)", "a or b and c" },
        { "a or (b or c)", "a or (b or c)" },
        { "not(a)", "not a" },
        { "not(a and b)", "not (a and b)" },
        { "not (a == b)", "not a == b" },
        { "(not a) == b", "(not a) == b" },
        { "a == (b == c)", "a == (b == c)" },
        { "a not in[1,2]", "not a in [1, 2]" },
        { "a in  t", "a in t" },
        { "(a in t) == b", "(a in t) == b" },
        { "a ?? (b ?? c)", "a ?? b ?? c" },
        { "(a ?? b) ?? c", "(a ?? b) ?? c" },
        { "(a+b)??c", "a + b ?? c" },
        { "a+(b??c)", "a + (b ?? c)" },
        { "(a>b)??c", "(a > b) ?? c" },
        { "f( a,b ,c )", "f(a, b, c)" },
        { "f()", "f()" },
        { "t [ k+1 ] . x.y", "t[k + 1].x.y" },
        { "12.50", "12.50" },
        { "1e3", "1000e0" },
        { "1.5e0", "1.5e0" },
        { "1e30", "1e+30" },
        { "90m", "1h30m" },
        { "24h", "1d" },
        { "0s", "0s" },
        { "-90m", "-1h30m" },
        { "true or false or null", "true or false or null" },
        { "\"it's\"", "'it\\'s'" },
        { "'a\\n\\t\\\\\"'", "'a\\n\\t\\\\\"'" },
        { "007", "7" },
        { "count( over 60s )", "count(over 1m)" },
        { "count(by a,b over 6h)", "count(over 6h by a, b)" },
        { "sum( a+b where not c of s over previous 24h delay 60s by k )",
          "sum(a + b of s where not c over previous 1d delay 1m by k)" },
        { "last(t over previous 1 events)", "last(t over previous 1)" },
        { "count()", "count()" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *once = normalised(rows[i].text);
        char *twice = normalised(once);
        cr_expect_str_eq(once, rows[i].normal);
        cr_expect_str_eq(twice, once);
        mem_free(once);
        mem_free(twice);
    }
}

Test(node_format, same_nodes_have_the_same_text)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        { "a+b", "a  + (b)", true }, { "a+b", "b+a", false },  { "60s", "1m", true },
        { "1.0", "1.00", false },    { "'a'", "\"a\"", true }, { "1", "1e0", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err;
        struct expression_position position;
        struct nodes *a = NULL, *b = NULL;
        cr_assert_eq(expression_parse(&a, rows[i].a, &position, &err), ST_OK);
        cr_assert_eq(expression_parse(&b, rows[i].b, &position, &err), ST_OK);
        cr_expect_eq(node_same(nodes_root(a), nodes_root(b)), rows[i].same, "%s", rows[i].a);
        nodes_destroy(&a);
        nodes_destroy(&b);
    }
}

Test(node_format, a_node_that_is_only_a_name_says_so)
{
    struct error err;
    struct expression_position position;
    struct nodes *nodes = NULL;
    cr_assert_eq(expression_parse(&nodes, " ( a.b ) ", &position, &err), ST_OK);
    cr_expect_str_eq(node_name(nodes_root(nodes)), "a.b");
    cr_expect_eq(node_position(nodes_root(nodes)).offset, 3);
    cr_expect_eq(node_position(nodes_root(nodes)).size, 3);
    nodes_destroy(&nodes);
    cr_assert_eq(expression_parse(&nodes, "1 + a * 2 ", &position, &err), ST_OK);
    cr_expect_null(node_name(nodes_root(nodes)));
    cr_expect_eq(node_position(nodes_root(nodes)).offset, 0);
    cr_expect_eq(node_position(nodes_root(nodes)).size, 9);
    nodes_destroy(&nodes);
}
