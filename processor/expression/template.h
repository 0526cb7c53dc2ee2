/*
 * template: a message with expressions in braces, "{tx_1m} payments in one minute"; `{{` and `}}`
 * are braces. A null value prints as "unknown". A position in an error counts from the start of the
 * template. Immutable once compiled, shared by threads.
 */
#ifndef WEIR_PROCESSOR_EXPRESSION_TEMPLATE_H
#define WEIR_PROCESSOR_EXPRESSION_TEMPLATE_H

#include "base/buffer.h"
#include "processor/expression/expression.h"

struct template;
MUST_CHECK enum status template_compile(struct template **out, const char *text,
                                        const struct scope *scope,
                                        struct expression_position *position, struct error *err);
void template_destroy(struct template **template);
void template_render(const struct template *template, struct buffer *out,
                     struct expression_context *context);
/* Slots that it reads: for masking sensitive columns. */
void template_each_slot(const struct template *template, void (*each)(void *context, int slot),
                        void *context);

#endif
