#include "processor/topology/load_expression.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "processor/topology/yaml_position.h"

enum { REFUSAL_SIZE = 512 };

static void poison(struct unit *unit, size_t diagnostic)
{
    unit->poisoned = true;
    unit->diagnostic = diagnostic;
}

/* Something that YAML took for something else than a text. */
static bool is_text(struct loader *loader, const struct yaml_node *name,
                    const struct yaml_node *value, struct unit *unit, const char *what)
{
    if (value->broken)
        poison(unit, DIAGNOSTICS_MAX);
    else if (value->kind == YAML_NULL && value->size > 0)
        poison(unit, diagnose(loader->diagnostics, value->position,
                              "'%s' needs %s; '%s' is null, which is always unknown", name->text,
                              what, value->text));
    else if (value->kind == YAML_NULL)
        poison(unit, diagnose(loader->diagnostics, name->position, "'%s' needs %s after the colon",
                              name->text, what));
    else if (value->kind == YAML_SCALAR)
        return true;
    else
        poison(
            unit,
            diagnose(loader->diagnostics, value->position,
                     "'%s' needs %s; YAML reads %s: quote the whole value", name->text, what,
                     value->kind == YAML_MAP ? "{ } or ': ' as a map" : "[ ] or '- ' as a list"));
    return false;
}

/* A quote or a parenthesis that is never closed: something is missing at the end. */
static bool is_unfinished(const char *text)
{
    char quote = 0;
    int open = 0;
    for (; *text != '\0'; text++) {
        if (quote != 0)
            quote = *text == quote ? 0 : quote;
        else if (*text == '\'' || *text == '"')
            quote = *text;
        else
            open += (*text == '(' || *text == '[') - (*text == ')' || *text == ']');
    }
    return quote != 0 || open > 0;
}

/* A comment that cut the expression: what is left cannot stand alone. */
static bool is_cut_by_comment(const struct loader *loader, const struct yaml_node *value,
                              size_t offset)
{
    return yaml_comment_after(loader->text, value).size > 0 &&
           (offset >= value->size || is_unfinished(value->text));
}

static void report(struct loader *loader, const struct yaml_node *value, struct unit *unit,
                   struct expression_position position, const struct error *err)
{
    if (unit->poisoned || unit->needs != NULL)
        return; /* this error may well follow from the other; or it is not the last word */
    const char *text = unit->refusal != NULL ? unit->refusal : err->text;
    if (is_cut_by_comment(loader, value, position.offset)) {
        poison(unit,
               diagnose(loader->diagnostics, yaml_position_in(loader->text, value, value->size),
                        "YAML reads what follows ' #' as a comment, and what is left is no"
                        " expression (%s): quote the whole value",
                        text));
        return;
    }
    poison(unit, diagnose(loader->diagnostics,
                          yaml_position_in(loader->text, value, position.offset), "%s", text));
}

bool load_expression(struct loader *loader, struct loaded_expression *out,
                     const struct yaml_node *name, const struct yaml_node *value, struct unit *unit)
{
    *out = (struct loaded_expression){ 0 };
    if (!is_text(loader, name, value, unit, "an expression"))
        return false;
    struct error err = { 0 };
    struct expression_position position = { 0 };
    if (expression_parse(&out->nodes, value->text, &position, &err) != ST_OK) {
        report(loader, value, unit, position, &err);
        return false;
    }
    const struct scope scope = unit_scope(unit);
    struct expression *expression = NULL;
    const enum status status =
        expression_compile(&expression, nodes_root(out->nodes), &scope, &position, &err);
    if (status != ST_OK) {
        report(loader, value, unit, position, &err);
        return false;
    }
    out->expression = plan_memory_keep_expression(loader->programs, &expression);
    out->text = loader_node_text(loader, nodes_root(out->nodes));
    return !unit->poisoned && unit->needs == NULL;
}

void refuse_expression(struct loader *loader, struct unit *unit, const struct yaml_node *value,
                       const char *format, ...)
{
    char text[REFUSAL_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ENSURE(!unit->poisoned);
    poison(unit, diagnose(loader->diagnostics, value->position, "%s", text));
}

void loaded_expression_fini(struct loaded_expression *loaded)
{
    nodes_destroy(&loaded->nodes);
}

struct template *load_message(struct loader *loader, const struct yaml_node *name,
                              const struct yaml_node *value, struct unit *unit)
{
    if (!is_text(loader, name, value, unit, "a text"))
        return NULL;
    if (yaml_comment_after(loader->text, value).size > 0) {
        poison(unit,
               diagnose(loader->diagnostics, yaml_position_in(loader->text, value, value->size),
                        "YAML reads what follows ' #' as a comment: put the message into"
                        " quotes, whether this belongs to it or not"));
        return NULL;
    }
    struct error err = { 0 };
    struct expression_position position = { 0 };
    const struct scope scope = unit_scope(unit);
    struct template *message = NULL;
    if (template_compile(&message, value->text, &scope, &position, &err) != ST_OK) {
        report(loader, value, unit, position, &err);
        return NULL;
    }
    return plan_memory_keep_template(loader->programs, &message);
}
