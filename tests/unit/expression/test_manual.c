/* What docs/expressions.md says is true: its examples are run, and it knows every function. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "processor/expression/functions.h"
#include "world.h"

static char *read_manual(void)
{
    FILE *file = fopen(WEIR_SOURCE_DIR "/docs/expressions.md", "rb");
    cr_assert_not_null(file);
    struct buffer text;
    buffer_init(&text);
    for (int c = fgetc(file); c != EOF; c = fgetc(file))
        buffer_put_u8(&text, (uint8_t)c);
    fclose(file);
    char *copy = mem_copy_string(buffer_text(&text));
    buffer_fini(&text);
    return copy;
}

/* "EXPRESSION   → TYPE VALUE" */
static bool check_example(struct world *world, char *line)
{
    static const char arrow[] = " \u2192 ";
    char *outcome = strstr(line, arrow);
    if (outcome == NULL)
        return false;
    *outcome = '\0';
    outcome += strlen(arrow);
    cr_expect_str_eq(world_run(world, line), outcome, "%s", line);
    return true;
}

Test(manual, its_examples_are_true)
{
    struct world world;
    world_init(&world);
    char *manual = read_manual();
    bool is_code = false;
    int examples = 0;
    for (char *rest = manual, *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (strncmp(line, "```", 3) == 0)
            is_code = !is_code;
        else if (is_code)
            examples += check_example(&world, line);
    }
    cr_expect_gt(examples, 20);
    mem_free(manual);
    world_fini(&world);
}

Test(manual, has_every_function_in_the_words_of_the_table)
{
    char *manual = read_manual();
    for (const struct function *function = functions_all(); function->name != NULL; function++) {
        char *row = mem_format("| `%s` | %s |\n", function->usage, function->help);
        cr_expect_not_null(strstr(manual, row), "missing: %s", row);
        mem_free(row);
    }
    mem_free(manual);
}
