#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "world.h"

Test(syntax, habits_from_elsewhere_get_the_right_word)
{
    static const struct world_row rows[] = {
        { "n = 7", "error 2+1: '=' is not an operator here: write == to compare" },
        { "n === 7", "error 2+3: '===' is not an operator here: write == to compare" },
        { "n !== 7", "error 2+3: '!==' is not an operator here: write != for \"differs from\"" },
        { "n <> 7", "error 2+2: '<>' is not an operator here: write != for \"differs from\"" },
        { "n => 7", "error 2+2: '=>' is not an operator here: write >= for \"at least\"" },
        { "n =< 7", "error 2+2: '=<' is not an operator here: write <= for \"at most\"" },
        { "yes && no", "error 4+2: '&&' is not an operator here: write `and`" },
        { "yes & no", "error 4+1: '&' is not an operator here: write `and`" },
        { "yes || no",
          "error 4+2: '||' is not an operator here: write `or`, or concat(a, b) to join texts" },
        { "yes | no", "error 4+1: '|' is not an operator here: write `or`" },
        { "!yes", "error 0+1: '!' is not an operator here: write `not`" },
        { "yes ? 1 : 2",
          "error 4+1: '?' is not an operator here: write if(condition, a, b), or a ?? b "
          "for \"b where a is null\"" },
        { "n ** 2", "error 2+2: '**' is not an operator here: write pow(x, y)" },
        { "n ^ 2", "error 2+1: '^' is not an operator here: write pow(x, y)" },
        { "n // 2", "error 2+2: '//' is not an operator here: write floor(a / b)" },
        { "n > 5;", "error 5+1: ';' is not an operator here: an expression is one line of thought: "
                    "leave it out" },
        { "`n` > 5",
          "error 0+1: '`' is not an operator here: names are written without quotes, texts "
          "in 'quotes'" },
        { "$n > 5",
          "error 0+1: '$' is not an operator here: names are written as they are, without $" },
        { "n > 5 # five", "error 6+1: '#' is not an operator here: there are no comments in an "
                          "expression; put them in a YAML line of their own" },
        { "{n}", "error 0+1: '{' is not an operator here: braces belong into messages, not into "
                 "expressions" },
        { "country == \u201cDE\u201d",
          "error 11+3: '\u201c' is not an operator here: write straight "
          "quotes, \" or '" },
        { "country == \u2018DE\u2019",
          "error 11+3: '\u2018' is not an operator here: write straight "
          "quotes, \" or '" },
        { "n \u2265 5", "error 2+3: '\u2265' is not an operator here: write >=" },
        { "n \u2212 5", "error 2+3: '\u2212' is not an operator here: write a plain minus, -" },
        { "n\u00a0> 5",
          "error 1+2: '\u00a0' is not an operator here: this is a non-breaking space; "
          "write a plain one" },
        { "yes AND no", "error 4+3: unexpected 'AND': write `and` in small letters" },
        { "yes Or no", "error 4+2: unexpected 'Or': write `or` in small letters" },
        { "NOT yes", "error 0+3: write `not` in small letters" },
        { "n IN [1]", "error 2+2: unexpected 'IN': write `in` in small letters" },
        { "n is null",
          "error 2+2: unexpected 'is': write is_null(x) or not is_null(x); write == for "
          "\"equals\"" },
        { "n between 1 and 2", "error 2+7: unexpected 'between': write x >= a and x <= b" },
        { "s like 'a%'",
          "error 2+4: unexpected 'like': write starts_with(x, 'a'), ends_with(x, 'a') or "
          "contains(x, 'a')" },
        { "n over 1m",
          "error 2+4: unexpected 'over': `over` belongs into an aggregate: count(over 1m)" },
        { "True", "error 0+4: unknown name 'True'; write `true`" },
        { "n_null ?? NULL", "error 10+4: unknown name 'NULL'; write `null`" },
        { "+n", "error 0+1: leave the plus sign out, or put a value before it" },
        { "min(n, m)", "error 5+1: `min` looks at the values of many events; the least of several "
                       "values of one event is least(a, b)" },
        { "max(n, m)",
          "error 5+1: `max` looks at the values of many events; the greatest of several "
          "values of one event is greatest(a, b)" },
        { "len(s)", "error 0+3: unknown function 'len'; it is called 'length'" },
        { "log(x)", "error 0+3: unknown function 'log'; it is called 'ln'" },
        { "1 < n < 9", "error 6+1: comparisons do not chain; write a < b and b < c" },
        { "1 == n != 9", "error 7+2: comparisons do not chain; write a == b and b != c" },
        { "n in [1] == yes",
          "error 9+2: comparisons do not chain; put parentheses, or join two with "
          "`and`" },
        { "n == m in [1]", "error 7+2: comparisons do not chain; put parentheses, or join two with "
                           "`and`" },
        { "n in (1, 2)", "error 5+1: `in` wants a table or a list in brackets: x in ['a', 'b']" },
        { "n in 5", "error 5+1: `in` wants the name of a table, or a list: x in ['a', 'b']" },
        { "n in profiles[user].age",
          "error 5+8: `in` wants the name of a table, or a list: x in ['a', "
          "'b']" },
        { "n == not yes", "error 5+3: put `not` and what it negates in parentheses: (not ...)" },
        { "1,5 + n",
          "error 1+1: unexpected ',': a number's fraction is behind a point, and arguments "
          "stand in a function's parentheses" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(syntax, unknown_names_get_the_nearest)
{
    static const struct world_row rows[] = {
        { "amout > 5", "error 0+5: unknown name 'amout'; did you mean 'amount'?" },
        { "n > 1 and Amount > 5", "error 10+6: unknown name 'Amount'; did you mean 'amount'?" },
        { "customer.adress.country == 'a'",
          "error 0+23: unknown name 'customer.adress.country'; did you "
          "mean 'customer.address.country'?" },
        { "counrty == DE", "error 0+7: unknown name 'counrty'; did you mean 'country'?" },
        { "country == DEU", "error 11+3: unknown name 'DEU'; a text is written in quotes: 'DEU'" },
        { "count > 5", "error 0+5: 'count' is an aggregate: write count(over 1m), for example" },
        { "sum > 5", "error 0+3: 'sum' is an aggregate: write sum(amount over 1m), for example" },
        { "sqrt > 5", "error 0+4: 'sqrt' is a function: write sqrt(x)" },
        { "rond(x)", "error 0+4: unknown function 'rond'; did you mean 'round'?" },
        { "cuont(over 1m)", "error 0+5: unknown function 'cuont'; did you mean 'count'?" },
        { "amount(1)", "error 0+6: 'amount' is no function: leave the parentheses out" },
        { "frobnicate(1)", "error 0+10: unknown function 'frobnicate'" },
        { "foo.bar(1)", "error 0+7: unknown function 'foo.bar'" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(syntax, what_is_cut_short_or_too_much)
{
    static const struct world_row rows[] = {
        { "", "error 0+0: an expression is missing here" },
        { "  \n\t ", "error 5+0: an expression is missing here" },
        { "n +", "error 3+0: the expression ends too early: a value is missing" },
        { "n > ", "error 4+0: the expression ends too early: a value is missing" },
        { "not", "error 3+0: the expression ends too early: a value is missing" },
        { "n > and yes", "error 4+3: expected a value, found 'and'" },
        { "n * / 2", "error 4+1: expected a value, found '/'" },
        { "(n + 1", "error 0+1: this is never closed: ')' is missing" },
        { "(n + (m * 2)", "error 0+1: this is never closed: ')' is missing" },
        { "n + 1)", "error 5+1: this ')' has no '('" },
        { "n]", "error 1+1: this ']' has no '['" },
        { "()", "error 0+1: there is nothing between these parentheses" },
        { "(n]", "error 2+1: this ']' has no '['" },
        { "(n m)", "error 3+1: expected an operator or ')', found 'm'" },
        { "abs(n", "error 3+1: this is never closed: ')' is missing" },
        { "abs(", "error 3+1: this is never closed: ')' is missing" },
        { "abs(n,", "error 3+1: this is never closed: ')' is missing" },
        { "abs(n m)", "error 6+1: expected ',' or ')', found 'm'" },
        { "abs(n,)", "error 6+1: a value is missing before ')', or one ')' is too many" },
        { "abs(,n)", "error 4+1: expected a value, found ','" },
        { "n in [1, 2", "error 5+1: this is never closed: ']' is missing" },
        { "n in [1 2]", "error 8+1: expected ',' or ']', found '2'" },
        { "n in [1,]", "error 8+1: expected a value, found ']'" },
        { "n in", "error 4+0: `in` wants the name of a table, or a list: x in ['a', 'b']" },
        { "[1, 2]", "error 0+1: a list may only stand right of `in`: x in ['a', 'b']" },
        { "n m", "error 2+1: expected an operator or the end, found 'm'" },
        { "n 5", "error 2+1: expected an operator or the end, found '5'" },
        { "'a' 'b'", "error 4+3: expected an operator or the end, found ''b''" },
        { "n 'a very long text that is cut somewhere'",
          "error 2+40: expected an operator or the end, found ''a very long text that is cut "
          "so...'" },
        { "s == 'open", "error 5+5: this text has no closing '" },
        { "s == \"open", "error 5+5: this text has no closing \"" },
        { "s == 'open\\'", "error 5+7: this text has no closing '" },
        { "s == 'a\\qb'", "error 7+2: unknown escape; known are \\\\ \\' \\\" \\n \\t" },
        { "s == 'a\\\u00f6'", "error 7+3: unknown escape; known are \\\\ \\' \\\" \\n \\t" },
        { "profiles[user]",
          "error 0+14: a column is missing: write profiles[...].column, or `key in "
          "profiles` to ask whether there is a row" },
        { "profiles[user].",
          "error 0+14: a column is missing: write profiles[...].column, or `key in "
          "profiles` to ask whether there is a row" },
        { "profiles[user, n].age",
          "error 0+17: a table is looked up by one key: profiles[key].column" },
        { "profiles[].age", "error 0+10: a table is looked up by one key: profiles[key].column" },
        { "n .5", "error 2+2: write 0.5" },
        { "n . m", "error 2+1: a dot stands between the parts of a name, without spaces" },
        { "n. + 1", "error 0+2: a name cannot end in a dot" },
        { "\x01", "error 0+1: unexpected control character 0x01" },
        { "n \u00e9", "error 2+2: unexpected character '\u00e9'" },
        { "\xff", "error 0+0: this is not UTF-8 text" },
        { "'\xc3'", "error 0+0: this is not UTF-8 text" },
    };
    WORLD_ASSERT_ROWS(rows);
}

Test(syntax, numbers_and_durations)
{
    static const struct world_row rows[] = {
        { "007", "int 7" },
        { "0.0", "decimal(1) 0.0" },
        { "5.", "error 0+2: write 5 or 5.0" },
        { "1.2.3", "error 0+4: a number has one point only" },
        { "9223372036854775808",
          "error 0+19: this number is too large for an int (64 bits); write 1e20 "
          "for a double" },
        { "99999999999999999999999999999999999999999999",
          "error 0+44: this number is too large for an "
          "int (64 bits); write 1e20 for a double" },
        { "-9223372036854775809",
          "error 1+19: this number is too large for an int (64 bits); write 1e20 "
          "for a double" },
        { "1 - 9223372036854775808",
          "error 4+19: this number is too large for an int (64 bits); write "
          "1e20 for a double" },
        { "0.1234567890123456789",
          "error 0+21: a decimal has at most 18 digits after the point; write "
          "1.5e0 for a double" },
        { "999999999999999999999999999999999999999.0", "error 0+41: this number is too large for a "
                                                       "decimal" },
        { "1e400", "error 0+5: this number is too large for a double" },
        { "1e-400", "double 0" },
        { "1e",
          "error 0+2: '1e' is neither a number nor a duration; durations are whole numbers with "
          "the units d h m s ms us, the largest first: 30s, 1h30m, 250ms, 7d" },
        { "5min",
          "error 0+4: '5min' is neither a number nor a duration; durations are whole numbers "
          "with the units d h m s ms us, the largest first: 30s, 1h30m, 250ms, 7d" },
        { "1.5h",
          "error 0+4: '1.5h' is neither a number nor a duration; durations are whole numbers "
          "with the units d h m s ms us, the largest first: 30s, 1h30m, 250ms, 7d" },
        { "30m1h",
          "error 0+5: '30m1h' is neither a number nor a duration; durations are whole numbers "
          "with the units d h m s ms us, the largest first: 30s, 1h30m, 250ms, 7d" },
        { "12abc",
          "error 0+5: '12abc' is neither a number nor a duration; durations are whole numbers "
          "with the units d h m s ms us, the largest first: 30s, 1h30m, 250ms, 7d" },
        { "0x10",
          "error 0+4: '0x10' is neither a number nor a duration; durations are whole numbers "
          "with the units d h m s ms us, the largest first: 30s, 1h30m, 250ms, 7d" },
        { "300000000000d",
          "error 0+13: '300000000000d' is neither a number nor a duration; durations "
          "are whole numbers with the units d h m s ms us, the largest first: 30s, "
          "1h30m, 250ms, 7d" },
        { "0s", "duration 0s" },
        { "1d", "duration 1d" },
        { "'it''s'", "error 4+3: expected an operator or the end, found ''s''" },
        { "'it\\'s'", "string it's" },
        { "\"it's\"", "string it's" },
        { "'a\\\\b\\t\\n\\\"'", "string a\\b\t\n\"" },
        { "n\n  +\r\n\t1", "int 8" },
    };
    WORLD_ASSERT_ROWS(rows);
}

static char *repeated(const char *before, const char *middle, const char *after, int count)
{
    struct buffer out;
    buffer_init(&out);
    for (int i = 0; i < count; i++)
        buffer_put_string(&out, before);
    buffer_put_string(&out, middle);
    for (int i = 0; i < count; i++)
        buffer_put_string(&out, after);
    char *text = mem_copy_string(buffer_text(&out));
    buffer_fini(&out);
    return text;
}

static void assert_repeated(const char *before, const char *middle, const char *after, int count,
                            const char *outcome)
{
    struct world world;
    world_init(&world);
    char *text = repeated(before, middle, after, count);
    const char *is = world_run(&world, text);
    cr_expect(strncmp(is, outcome, strlen(outcome)) == 0, "%d of %s %s %s: %s", count, before,
              middle, after, is);
    mem_free(text);
    world_fini(&world);
}

Test(syntax, nesting_and_length_have_limits)
{
    enum { NESTING = EXPRESSION_NESTING_MAX, CHAIN = EXPRESSION_CHAIN_MAX };
    assert_repeated("(", "n", ")", NESTING, "int 7");
    assert_repeated("(", "n", ")", NESTING + 1, "error 101+1: more than 100 levels of nesting");
    assert_repeated("abs(", "n", ")", NESTING, "int 7");
    assert_repeated("abs(", "n", ")", NESTING + 1, "error 404+1: more than 100 levels of nesting");
    assert_repeated("not ", "yes", "", NESTING, "bool true");
    assert_repeated("not ", "yes", "", NESTING + 1, "error 404+3: more than 100 levels of nesting");
    assert_repeated("- ", "n", "", NESTING, "int 7");
    assert_repeated("- ", "n", "", NESTING + 1, "error 202+1: more than 100 levels of nesting");
    assert_repeated("n_null ?? ", "n", "", NESTING, "int 7");
    assert_repeated("n_null ?? ", "n", "", NESTING + 1, "error ");
    assert_repeated("(1 + ", "n", ")", NESTING, "int 107");
    assert_repeated("sum(", "n", "", NESTING + 1, "error 400+3: more than 100 levels of nesting");
    assert_repeated("", "n", " + 1", CHAIN - 1, "int 506");
    assert_repeated("", "n", " + 1", CHAIN, "error 1998+1: more than 500 operators in a row");
    assert_repeated("", "yes", " and yes", CHAIN - 1, "bool true");
    assert_repeated("least(0, ", "n", ")", 99, "int 0");
    assert_repeated("concat('', '', '', ", "n", ")", 42, "string 7");
    assert_repeated("concat('', '', '', ", "n", ")", 43, "error 813+2: too much at once");
    assert_repeated("", "n in [1", ", 7", 20000, "error 5+1: this is never closed");
    assert_repeated("", "concat('', ''", ", ''", 62, "error 6+1: this is never closed");
    assert_repeated("", "", " ", EXPRESSION_TEXT_MAX,
                    "error 65536+0: an expression is missing here");
    assert_repeated("", "n", " ", EXPRESSION_TEXT_MAX - 1, "int 7");
    assert_repeated("", "n", " ", EXPRESSION_TEXT_MAX,
                    "error 0+0: an expression has at most 65536 bytes");
}

Test(syntax, a_list_may_be_long)
{
    struct world world;
    world_init(&world);
    struct buffer text;
    buffer_init(&text);
    buffer_put_string(&text, "n in [0");
    for (int i = 9000; i > 0; i--)
        buffer_printf(&text, ", %d", i);
    buffer_put_string(&text, "]");
    cr_expect_str_eq(world_run(&world, buffer_text(&text)), "bool true");
    world.slots[world_slot("n")] = value_int(9001);
    cr_expect_str_eq(world_run(&world, buffer_text(&text)), "bool false");
    buffer_fini(&text);
    world_fini(&world);
}
