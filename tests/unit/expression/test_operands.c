#include <criterion/criterion.h>
#include <string.h>

#include "world.h"

static void put(struct buffer *out, const struct operand *operand)
{
    node_format(out, operand->left);
    buffer_printf(out, " %s ", operand->comparison);
    if (operand->right != NULL)
        node_format(out, operand->right);
    else
        buffer_printf(out, "<%s>", operand->right_text);
    buffer_put_string(out, "; ");
}

Test(operands, are_what_decides_a_condition)
{
    static const struct {
        const char *text, *operands;
    } rows[] = {
        { "tx > 5", "tx > 5; " },
        { "a > 10 * b and a > 200", "a > 10 * b; a > 200; " },
        { "a == 1 or b != 2 and c <= 3", "a == 1; b != 2; c <= 3; " },
        { "m in blocked", "m in <blocked>; " },
        { "m not in blocked", "m not in <blocked>; " },
        { "not m in blocked", "m not in <blocked>; " },
        { "c in ['DE', 'FR']", "c in <['DE', 'FR']>; " },
        { "verified", "verified is <true>; " },
        { "not verified", "verified is <false>; " },
        { "not not verified", "verified is <true>; " },
        { "not (a > 1 or b <= 2)", "a <= 1; b > 2; " },
        { "not (a == 1 and not (b < 2))", "a != 1; b < 2; " },
        { "not a >= 1", "a < 1; " },
        { "not a != 1", "a == 1; " },
        { "is_null(a)", "is_null(a) is <true>; " },
        { "if(a, b > 1, c > 2)", "if(a, b > 1, c > 2) is <true>; " },
        { "a ?? false", "a ?? false is <true>; " },
        { "true", "true is <true>; " },
        { "c in ['aaaaaaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbbbbbb', 'cccccccccccccccccccc']",
          "c in <['aaaaaaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbbbbbb', 'cccccccccc...>; " },
        { "c in ['aaaaaaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbbbbbb', 'ccccccccc\u20ac']",
          "c in <['aaaaaaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbbbbbb', 'ccccccccc...>; " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error err;
        struct expression_position position;
        struct nodes *nodes = NULL;
        cr_assert_eq(expression_parse(&nodes, rows[i].text, &position, &err), ST_OK, "%s",
                     err.text);
        struct operand operands[8];
        const size_t count = expression_operands(nodes_root(nodes), operands, 8);
        struct buffer out;
        buffer_init(&out);
        for (size_t k = 0; k < count; k++)
            put(&out, &operands[k]);
        cr_expect_str_eq(buffer_text(&out), rows[i].operands);
        buffer_fini(&out);
        nodes_destroy(&nodes);
    }
}

Test(operands, more_than_fit_are_counted_only)
{
    struct error err;
    struct expression_position position;
    struct nodes *nodes = NULL;
    cr_assert_eq(expression_parse(&nodes, "a and b and c", &position, &err), ST_OK);
    struct operand operands[3] = { { .comparison = NULL } };
    cr_expect_eq(expression_operands(nodes_root(nodes), operands, 2), 3);
    cr_expect_str_eq(operands[1].comparison, "is");
    cr_expect_null(operands[2].comparison);
    cr_expect_eq(expression_operands(nodes_root(nodes), NULL, 0), 3);
    nodes_destroy(&nodes);
}
