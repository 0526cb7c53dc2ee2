#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "processor/cli/arguments.h"

static const struct option own[] = {
    { "input", "FILE", "" },
    { "batch", "N", "" },
    { "json", NULL, "" },
    { NULL, NULL, NULL },
};
static const struct option common[] = { { "config", "FILE", "" }, { "help", NULL, "" }, { NULL, NULL, NULL } };

enum { WORDS_MAX = 128 };

/* The words of `line`, taken apart. */
static enum status parse(struct arguments *out, const char *line, struct error *err)
{
    static char text[2048];
    static char *words[WORDS_MAX];
    int count = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
        words[count++] = word;
    return arguments_parse(out, count, words, own, common, err);
}

Test(arguments, takes_operands_and_options_apart)
{
    struct arguments arguments;
    struct error err;
    cr_assert_eq(
        parse(&arguments, "t.yaml --input a.csv --json --input=b=c.csv - --config w.yaml", &err),
        ST_OK, "%s", err.text);
    cr_assert_eq(arguments.operand_count, 2);
    cr_expect_str_eq(arguments.operands[0], "t.yaml");
    cr_expect_str_eq(arguments.operands[1], "-");
    cr_expect_str_eq(arguments_nth(&arguments, "input", 0), "a.csv");
    cr_expect_str_eq(arguments_nth(&arguments, "input", 1), "b=c.csv");
    cr_expect_null(arguments_nth(&arguments, "input", 2));
    cr_expect_str_eq(arguments_text(&arguments, "input", "x"), "b=c.csv", "the last one");
    cr_expect_str_eq(arguments_text(&arguments, "config", "x"), "w.yaml");
    cr_expect_str_eq(arguments_text(&arguments, "batch", "x"), "x");
    cr_expect(arguments_has(&arguments, "json"));
    cr_expect_not(arguments_has(&arguments, "help"));
}

Test(arguments, an_empty_value_is_a_value)
{
    struct arguments arguments;
    struct error err;
    cr_assert_eq(parse(&arguments, "--input=", &err), ST_OK);
    cr_expect(arguments_has(&arguments, "input"));
    cr_expect_str_eq(arguments_text(&arguments, "input", "x"), "");
}

Test(arguments, says_what_is_wrong)
{
    static const struct {
        const char *line, *message;
    } rows[] = {
        { "--inptu a", "unknown option --inptu; did you mean --input?" },
        { "--confg=a", "unknown option --confg; did you mean --config?" },
        { "--zzz", "unknown option --zzz" },
        { "--json=yes", "--json takes no value" },
        { "--input", "--input needs a value: FILE" },
        { "--input --json", "--input needs a value: FILE; --json is an option" },
        { "-x", "unknown option -x" },
        { "1 2 3 4 5 6 7 8 9", "too many arguments" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arguments arguments;
        struct error err = { .status = ST_OK };
        cr_expect_eq(parse(&arguments, rows[i].line, &err), ST_INVALID, "%s", rows[i].line);
        cr_expect_str_eq(err.text, rows[i].message, "%s: %s", rows[i].line, err.text);
    }
}

Test(arguments, refuses_more_options_than_it_can_keep)
{
    static char *words[OPTION_VALUES_MAX + 1];
    struct arguments arguments;
    struct error err;
    for (size_t i = 0; i <= OPTION_VALUES_MAX; i++)
        words[i] = "--json";
    cr_expect_eq(arguments_parse(&arguments, OPTION_VALUES_MAX, words, own, common, &err), ST_OK);
    cr_expect_eq(arguments_parse(&arguments, OPTION_VALUES_MAX + 1, words, own, common, &err),
                 ST_INVALID);
}

Test(arguments, reads_whole_numbers)
{
    static const struct {
        const char *line;
        enum status status;
        int64_t expected;
    } rows[] = {
        { "", ST_OK, 7 },
        { "--batch 12", ST_OK, 12 },
        { "--batch -3", ST_OK, -3 },
        { "--batch 9223372036854775807", ST_OK, INT64_MAX },
        { "--batch 9223372036854775808", ST_INVALID, 0 },
        { "--batch 1k", ST_INVALID, 0 },
        { "--batch=", ST_INVALID, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arguments arguments;
        struct error err;
        int64_t found = 0;
        cr_assert_eq(parse(&arguments, rows[i].line, &err), ST_OK, "%s", err.text);
        cr_expect_eq(arguments_integer(&arguments, "batch", 7, &found, &err), rows[i].status, "%s",
                     rows[i].line);
        if (rows[i].status == ST_OK)
            cr_expect_eq(found, rows[i].expected, "%s", rows[i].line);
    }
}
