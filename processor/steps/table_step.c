/* What happens to a record of a reference table: decoded, keyed, timed, and put where lookups find it. */
#include "processor/steps/step.h"

static enum status key_of_record(const struct input_record *input, struct bytes *key, struct error *err)
{
    *key = input->key;
    if (key->size == 0)
        return FAIL(err, ST_NULL_KEY, "a deletion needs the record's key");
    return ST_OK;
}

enum status table_step_decode(const struct plan_table *table, struct decoder *decoder,
                              const struct input_record *input, struct value *columns, struct bytes *key,
                              int64_t *time_us, bool *deleted, struct arena *arena, struct error *err)
{
    *time_us = input->timestamp_ms * 1000;
    *deleted = input->value.data == NULL;
    if (*deleted)
        return key_of_record(input, key, err);

    TRY(decoder_decode(decoder, input->value, columns, arena, err));
    struct expression_context expression = { .slots = columns, .arena = arena, .err = err };
    const struct value key_value = expression_evaluate(table->key, &expression);
    *key = step_value_text(&key_value, arena);
    if (key->size == 0)
        return FAIL(err, ST_NULL_KEY, "the table's key is null or empty");
    if (table->time != NULL) {
        const struct value time = expression_evaluate(table->time, &expression);
        if (time.kind != VALUE_TIMESTAMP)
            return FAIL(err, ST_NULL_TIME, "the row's time is null");
        *time_us = time.i;
    }
    return expression.failure;
}

enum status table_step_apply(struct step_context *context, const struct plan_table *table, struct decoder *decoder,
                             const struct input_record *input, struct error *err)
{
    struct value *columns = arena_alloc(context->arena, (table->spec.column_count + 1) * sizeof *columns);
    struct bytes key;
    int64_t time_us;
    bool deleted;
    TRY(table_step_decode(table, decoder, input, columns, &key, &time_us, &deleted, context->arena, err));
    return table_put(context->tables[table - context->plan->tables], key, time_us, deleted ? NULL : columns, err);
}
