#include "processor/expression/template.h"

#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

/* Text, then perhaps the value of an expression. */
struct piece {
    struct bytes text;
    struct expression *program; /* NULL: text only */
};

struct template
{
    struct arena *arena; /* holds the texts */
    struct piece *pieces;
    size_t count;
};

struct template_parser {
    struct template *template;
    const char *text;
    size_t at;
    struct buffer literal; /* text since the last piece */
    const struct scope *scope;
    struct expression_position *position;
    struct error *err;
};

void template_destroy(struct template **template)
{
    if (*template == NULL)
        return;
    for (size_t i = 0; i < (*template)->count; i++)
        expression_destroy(&(*template)->pieces[i].program);
    mem_free((*template)->pieces);
    arena_destroy(&(*template)->arena);
    mem_free(*template);
    *template = NULL;
}

static enum status fail_at(struct template_parser *parser, size_t offset, size_t size,
                           const char *what)
{
    *parser->position = (struct expression_position){ offset, size };
    return FAIL(parser->err, ST_INVALID, "%s", what);
}

static void add_piece(struct template_parser *parser, struct expression *program)
{
    struct template *template = parser->template;
    template->pieces =
        mem_resize_array(template->pieces, template->count + 1, sizeof *template->pieces);
    template->pieces[template->count++] =
        (struct piece){ .text = arena_copy(template->arena, buffer_view(&parser->literal)),
                        .program = program };
    buffer_clear(&parser->literal);
}

/* The size of the expression up to its closing brace; a brace inside quotes closes nothing. */
static enum status find_end(struct template_parser *parser, size_t *size)
{
    const char *start = parser->text + parser->at;
    char quote = '\0';
    for (size_t i = 0; start[i] != '\0'; i++) {
        if (quote != '\0' && start[i] == '\\' && start[i + 1] != '\0')
            i++;
        else if (quote != '\0')
            quote = start[i] == quote ? '\0' : quote;
        else if (start[i] == '\'' || start[i] == '"')
            quote = start[i];
        else if (start[i] == '}') {
            *size = i;
            return ST_OK;
        }
    }
    return fail_at(parser, parser->at - 1, 1,
                   "this brace is never closed; a brace as text is written twice: {{");
}

static enum status compile_piece(struct template_parser *parser, const char *text)
{
    AUTO(nodes_destroy) struct nodes *nodes = NULL;
    struct expression *program = NULL;
    enum status status = expression_parse(&nodes, text, parser->position, parser->err);
    if (status == ST_OK)
        status = expression_compile(&program, nodes_root(nodes), parser->scope, parser->position,
                                    parser->err);
    if (status != ST_OK) {
        parser->position->offset += parser->at;
        return status;
    }
    add_piece(parser, program);
    return ST_OK;
}

/* Behind an opening brace. */
static enum status take_expression(struct template_parser *parser)
{
    size_t size = 0;
    TRY(find_end(parser, &size));
    AUTO(mem_auto_free) char *text = mem_copy_string_n(parser->text + parser->at, size);
    if (text[strspn(text, " \t\r\n")] == '\0')
        return fail_at(parser, parser->at - 1, size + 2,
                       "there is nothing in these braces; braces as text are written twice: {{}}");
    TRY(compile_piece(parser, text));
    parser->at += size + 1;
    return ST_OK;
}

static enum status take_all(struct template_parser *parser)
{
    while (parser->text[parser->at] != '\0') {
        const char c = parser->text[parser->at++];
        const bool doubled = parser->text[parser->at] == c;
        if ((c == '{' || c == '}') && doubled) {
            parser->at++;
            buffer_put_u8(&parser->literal, (uint8_t)c);
        } else if (c == '{') {
            TRY(take_expression(parser));
        } else if (c == '}') {
            return fail_at(parser, parser->at - 1, 1,
                           "this brace closes nothing; a brace as text is written twice: }}");
        } else {
            buffer_put_u8(&parser->literal, (uint8_t)c);
        }
    }
    if (parser->literal.size > 0)
        add_piece(parser, NULL);
    return ST_OK;
}

enum status template_compile(struct template **out, const char *text, const struct scope *scope,
                             struct expression_position *position, struct error *err)
{
    ENSURE(*out == NULL);
    enum { TEXTS_BLOCK = 256 };
    AUTO(template_destroy) struct template *template = mem_alloc(sizeof *template);
    arena_create(&template->arena, TEXTS_BLOCK);
    *position = (struct expression_position){ 0, 0 };
    if (strnlen(text, EXPRESSION_TEXT_MAX + 1) > EXPRESSION_TEXT_MAX)
        return FAIL(err, ST_INVALID, "a message has at most %d bytes", EXPRESSION_TEXT_MAX);

    struct template_parser parser = {
        .template = template, .text = text, .scope = scope, .position = position, .err = err
    };
    buffer_init(&parser.literal);
    const enum status status = take_all(&parser);
    buffer_fini(&parser.literal);
    TRY(status);
    *out = TAKE(template);
    return ST_OK;
}

void template_render(const struct template *template, struct buffer *out,
                     struct expression_context *context)
{
    for (size_t i = 0; i < template->count; i++) {
        const struct piece *piece = &template->pieces[i];
        buffer_put_bytes(out, piece->text);
        if (piece->program == NULL)
            continue;
        const struct value v = expression_evaluate(piece->program, context);
        if (value_is_null(&v))
            buffer_put_string(out, "unknown");
        else
            value_format(out, &v);
    }
}

void template_each_slot(const struct template *template, void (*each)(void *context, int slot),
                        void *context)
{
    for (size_t i = 0; i < template->count; i++)
        if (template->pieces[i].program != NULL)
            expression_each_slot(template->pieces[i].program, each, context);
}
