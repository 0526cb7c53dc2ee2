#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

enum { TEXT_MAX = 1024 };

static const char *render(struct world *world, const char *text, char out[TEXT_MAX])
{
    struct template *template = NULL;
    const enum status status =
        template_compile(&template, text, &world->scope, &world->position, &world->err);
    if (status != ST_OK) {
        cr_assert_eq(status, ST_INVALID);
        snprintf(out, TEXT_MAX, "error %zu+%zu: %s", world->position.offset, world->position.size,
                 world->err.text);
        return out;
    }
    struct expression *nothing = world_compile(world, "1"); /* prepares the context */
    (void)world_evaluate(world, nothing);
    expression_destroy(&nothing);
    struct buffer message;
    buffer_init(&message);
    template_render(template, &message, &world->context);
    snprintf(out, TEXT_MAX, "%s", buffer_text(&message));
    buffer_fini(&message);
    template_destroy(&template);
    cr_assert_null(template);
    return out;
}

Test(template, values_stand_in_the_text)
{
    static const struct world_row rows[] = {
        { "", "" },
        { "no braces", "no braces" },
        { "{n}", "7" },
        { "{n} payments in one minute, {amount} in all", "7 payments in one minute, 12.50 in all" },
        { "{n}{m}{n}", "7-37" },
        { "{ n + 1 }", "8" },
        { "{{n}}", "{n}" },
        { "{{{n}}}", "{7}" },
        { "}} {{", "} {" },
        { "{n_null} and {s_null}", "unknown and unknown" },
        { "{n_null ?? 0}", "0" },
        { "{x} {y} {yes} {s}", "2.5 -0.1 true Hello, W\u00f6rld" },
        { "{t} {gap}", "2026-01-31T12:00:00.250Z 1h30m" },
        { "{if(no, '}', '{')}", "{" },
        { "{concat(\"}\", '\\'}')}", "}'}" },
        { "{profiles[user].country}!", "DE!" },
        { "{n / zero}", "unknown" },
        { "\u20ac {amount}", "\u20ac 12.50" },
        { "{amout}", "error 1+5: unknown name 'amout'; did you mean 'amount'?" },
        { "spent {n + } here", "error 11+0: the expression ends too early: a value is missing" },
        { "{n} of {amount m}", "error 15+1: expected an operator or the end, found 'm'" },
        { "open {n",
          "error 5+1: this brace is never closed; a brace as text is written twice: {{" },
        { "open {'a}",
          "error 5+1: this brace is never closed; a brace as text is written twice: {{" },
        { "open {'a\\",
          "error 5+1: this brace is never closed; a brace as text is written twice: {{" },
        { "close }", "error 6+1: this brace closes nothing; a brace as text is written twice: }}" },
        { "empty {}",
          "error 6+2: there is nothing in these braces; braces as text are written twice: {{}}" },
        { "empty { } x",
          "error 6+3: there is nothing in these braces; braces as text are written twice: {{}}" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        char out[TEXT_MAX];
        world_init(&world);
        cr_expect_str_eq(render(&world, rows[i].text, out), rows[i].outcome, "%s: %s", rows[i].text,
                         out);
        world_fini(&world);
    }
}

static void mark(void *context, int slot)
{
    bool *marks = context;
    marks[slot] = true;
}

Test(template, the_slots_that_it_reads_are_known)
{
    struct world world;
    world_init(&world);
    struct template *template = NULL;
    cr_assert_eq(
        template_compile(&template, "a {n} b {x + m}", &world.scope, &world.position, &world.err),
        ST_OK);
    bool marks[WORLD_SLOTS_MAX] = { false };
    template_each_slot(template, mark, marks);
    for (int i = 0; i < WORLD_SLOTS_MAX; i++)
        cr_expect_eq(marks[i],
                     i == world_slot("n") || i == world_slot("m") || i == world_slot("x"));
    template_destroy(&template);
    template_destroy(&template);
    world_fini(&world);
}
