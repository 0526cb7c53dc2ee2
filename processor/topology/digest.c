#include "processor/topology/digest.h"

#include <inttypes.h>

#include "base/hash.h"
#include "processor/topology/topology.h"

static void put_rule(struct buffer *text, const struct plan_rule *rule)
{
    buffer_printf(text, "rule %s\n%s\n%s\n%s\n%d %" PRId64 "\n", rule->name, rule->when_text,
                  rule->message_text == NULL ? "" : rule->message_text,
                  severity_name(rule->severity), (int)rule->repeat, rule->repeat_us);
}

static void put_output(struct buffer *text, const struct plan_output *output)
{
    buffer_printf(text, "output %s %d %d\n", output->topic, (int)output->format,
                  output->payload_reference);
}

static void put_schema(struct buffer *text, const struct schema_document *schema)
{
    buffer_put_run(text, schema_text(schema));
}

void plan_digest(struct plan *plan)
{
    struct buffer text;
    buffer_init(&text);
    plan_state_signature(plan, &text);
    for (size_t i = 0; i < plan->stream_count; i++) {
        const struct plan_stream *stream = &plan->streams[i];
        buffer_printf(&text, "stream %d %" PRId64 " %" PRId64 " %" PRId64 " %d\n",
                      (int)stream->format, stream->out_of_order_us, stream->accept_late_us,
                      stream->max_ahead_us, stream->late_own_time);
        put_schema(&text, stream->schema);
    }
    for (size_t i = 0; i < plan->table_count; i++) {
        buffer_printf(&text, "table %d\n", (int)plan->tables[i].format);
        put_schema(&text, plan->tables[i].schema);
    }
    for (size_t i = 0; i < plan->rule_count; i++)
        put_rule(&text, &plan->rules[i]);
    put_output(&text, &plan->alerts);
    put_output(&text, &plan->dead_letters);
    hash128_hex(hash128(buffer_view(&text)), plan->digest);
    buffer_fini(&text);
}
