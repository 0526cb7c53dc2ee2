#include "state/snooze.h"

#include "state/keys.h"

static void put_key(struct buffer *out, uint32_t rule_id, struct bytes key);
static enum status get_row(struct overlay *overlay, uint32_t rule_id, struct bytes key,
                           struct bytes *value, struct error *err);
static enum status forget(struct overlay *overlay, uint32_t rule_id, struct bytes key,
                          struct error *err);

enum status snooze_get(struct overlay *overlay, uint32_t rule_id, struct bytes key,
                       struct snooze *out, struct error *err)
{
    struct bytes value;
    *out = (struct snooze){ .last_alert_us = INT64_MIN };
    TRY(get_row(overlay, rule_id, key, &value, err));
    if (value.data == NULL)
        return ST_OK;

    struct reader in = reader_of(value);
    out->last_alert_us = reader_zigzag(&in);
    const uint8_t was_true = reader_u8(&in);
    out->was_true = was_true == 1;
    if (!reader_done(&in) || was_true > 1)
        return FAIL(err, ST_CORRUPT, "a rule's memory of an entity is damaged");
    return ST_OK;
}

enum status snooze_put(struct overlay *overlay, uint32_t rule_id, struct bytes key,
                       const struct snooze *snooze, struct error *err)
{
    if (snooze->last_alert_us == INT64_MIN && !snooze->was_true)
        return forget(overlay, rule_id, key, err);
    AUTO(buffer_fini) struct buffer row_key = { 0 };
    AUTO(buffer_fini) struct buffer value = { 0 };
    put_key(&row_key, rule_id, key);
    buffer_put_zigzag(&value, snooze->last_alert_us);
    buffer_put_u8(&value, snooze->was_true);
    return overlay_put(overlay, buffer_view(&row_key), buffer_view(&value), err);
}

/* Most entities never alerted: what is not there needs no tombstone. */
static enum status forget(struct overlay *overlay, uint32_t rule_id, struct bytes key,
                          struct error *err)
{
    struct bytes value;
    TRY(get_row(overlay, rule_id, key, &value, err));
    if (value.data == NULL)
        return ST_OK;
    AUTO(buffer_fini) struct buffer row_key = { 0 };
    put_key(&row_key, rule_id, key);
    overlay_delete(overlay, buffer_view(&row_key));
    return ST_OK;
}

static enum status get_row(struct overlay *overlay, uint32_t rule_id, struct bytes key,
                           struct bytes *value, struct error *err)
{
    AUTO(buffer_fini) struct buffer row_key = { 0 };
    put_key(&row_key, rule_id, key);
    return overlay_get(overlay, buffer_view(&row_key), value, err);
}

static void put_key(struct buffer *out, uint32_t rule_id, struct bytes key)
{
    buffer_put_u8(out, KEY_SNOOZE);
    buffer_put_be32(out, rule_id);
    buffer_put_run(out, key);
}
