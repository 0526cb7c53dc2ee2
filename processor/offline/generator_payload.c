/*
 * Written by hand after schemas/transaction.avsc, field by field: a change there is a change here, and a
 * test reads the bytes back with that schema. Texts need no escapes: the generator makes letters,
 * digits, spaces and dashes.
 */
#include "processor/offline/generator_payload.h"

#include <inttypes.h>

#include "base/ensure.h"
#include "schemas/avro_writer.h"

enum {
    TX_ID,
    USER_ID,
    CARD_ID,
    MERCHANT_ID,
    DEVICE_ID,
    COUNTRY,
    AMOUNT_CENTS,
    EVENT_TIME,
    LAT,
    LON
};
_Static_assert(LON + 1 == GENERATOR_COLUMNS, "one name for each column");

enum { BRANCH_NULL = 0, BRANCH_VALUE = 1 };

const char generator_csv_header[] =
    "tx_id,user_id,card_id,merchant_id,device_id,country,amount_cents,event_time,lat,lon";

/* --- Avro --------------------------------------------------------------------------------------------- */

static void put_optional(struct buffer *out, const struct value *value)
{
    avro_write_long(out, value_is_null(value) ? BRANCH_NULL : BRANCH_VALUE);
    if (value->kind == VALUE_STRING)
        avro_write_bytes(out, value->text);
    else if (value->kind == VALUE_DOUBLE)
        avro_write_double(out, value->d);
}

static void put_datum(struct buffer *out, const struct generator_event *event)
{
    const struct value *columns = event->columns;
    for (int i = TX_ID; i <= MERCHANT_ID; i++)
        avro_write_bytes(out, columns[i].text);
    put_optional(out, &columns[DEVICE_ID]);
    avro_write_bytes(out, columns[COUNTRY].text);
    avro_write_long(out, columns[AMOUNT_CENTS].i);
    avro_write_long(out, event->time_ms);
    put_optional(out, &columns[LAT]);
    put_optional(out, &columns[LON]);
}

/* --- text --------------------------------------------------------------------------------------------- */

/* printf would take half of all the time. */
static void put_integer(struct buffer *out, int64_t number)
{
    char digits[24];
    size_t first = sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--first] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        digits[--first] = '-';
    buffer_put(out, digits + first, sizeof digits - first);
}

static void put_millionths(struct buffer *out, int32_t number)
{
    enum { DIGITS = 6 };
    int32_t rest = number < 0 ? -number : number;
    if (number < 0)
        buffer_put_u8(out, '-');
    put_integer(out, rest / 1000000);
    rest %= 1000000;
    uint8_t *at = buffer_extend(out, DIGITS + 1);
    at[0] = '.';
    for (int i = DIGITS; i > 0; i--) {
        at[i] = (uint8_t)('0' + rest % 10);
        rest /= 10;
    }
}

static void put_member(struct buffer *out, const char *name, struct bytes text)
{
    buffer_put_string(out, name);
    buffer_put_u8(out, '"');
    buffer_put_bytes(out, text);
    buffer_put_u8(out, '"');
}

static void put_json(struct buffer *out, const struct generator_event *event)
{
    const struct value *columns = event->columns;
    put_member(out, "{\"tx_id\":", columns[TX_ID].text);
    put_member(out, ",\"user_id\":", columns[USER_ID].text);
    put_member(out, ",\"card_id\":", columns[CARD_ID].text);
    put_member(out, ",\"merchant_id\":", columns[MERCHANT_ID].text);
    if (!value_is_null(&columns[DEVICE_ID]))
        put_member(out, ",\"device_id\":", columns[DEVICE_ID].text);
    put_member(out, ",\"country\":", columns[COUNTRY].text);
    buffer_put_string(out, ",\"amount_cents\":");
    put_integer(out, columns[AMOUNT_CENTS].i);
    buffer_put_string(out, ",\"event_time\":");
    put_integer(out, event->time_ms);
    if (event->has_place) {
        buffer_put_string(out, ",\"lat\":");
        put_millionths(out, event->lat_e6);
        buffer_put_string(out, ",\"lon\":");
        put_millionths(out, event->lon_e6);
    }
    buffer_put_u8(out, '}');
}

static void put_csv(struct buffer *out, const struct generator_event *event)
{
    for (int i = TX_ID; i <= COUNTRY; i++) {
        if (!value_is_null(&event->columns[i]))
            buffer_put_bytes(out, event->columns[i].text);
        buffer_put_u8(out, ',');
    }
    put_integer(out, event->columns[AMOUNT_CENTS].i);
    buffer_put_u8(out, ',');
    put_integer(out, event->time_ms);
    buffer_put_u8(out, ',');
    if (event->has_place)
        put_millionths(out, event->lat_e6);
    buffer_put_u8(out, ',');
    if (event->has_place)
        put_millionths(out, event->lon_e6);
}

/* --- values ------------------------------------------------------------------------------------------- */

bool generator_write_value(struct buffer *out, const struct generator_event *event,
                           enum generator_encoding encoding, int32_t schema_id)
{
    const size_t start = out->size;
    if (event->poison == POISON_null_value)
        return false;
    if (event->poison == POISON_garbage) {
        buffer_put_string(out, "this is no payment");
        return true;
    }
    switch (encoding) {
    case ENCODING_AVRO:
        avro_write_framing(out, event->poison == POISON_unknown_schema ? GENERATOR_UNKNOWN_SCHEMA_ID
                                                                       : schema_id);
        put_datum(out, event);
        break;
    case ENCODING_JSON:
    case ENCODING_JSON_LINE: put_json(out, event); break;
    case ENCODING_CSV: put_csv(out, event); break;
    case ENCODING_DATUM: put_datum(out, event); break;
    }
    if (event->poison == POISON_bad_framing)
        out->data[start] = 0xfb;
    if (event->poison == POISON_truncated)
        out->size = start + (out->size - start) * 2 / 3;
    return true;
}

void generator_write_truth(struct buffer *out, const struct generator_event *event,
                           enum generator_encoding encoding)
{
    const char *attack = generator_attack_name(event->attack);
    const char *poison = generator_poison_name(event->poison);
    put_member(out, "{\"tx_id\":", event->columns[TX_ID].text);
    put_member(out, ",\"user_id\":", event->columns[USER_ID].text);
    buffer_put_string(out, ",\"event_time\":");
    put_integer(out, event->time_ms);
    buffer_put_string(out, ",\"arrival\":");
    put_integer(out, event->arrival_ms);
    if (event->attack != ATTACK_NONE) {
        put_member(out, ",\"attack\":", bytes_of_string(attack));
        buffer_put_string(out, ",\"burst\":");
        put_integer(out, event->burst);
    }
    if (event->poison != POISON_NONE) {
        const enum status reason = generator_poison_reason(event->poison, encoding);
        put_member(out, ",\"poison\":", bytes_of_string(poison));
        put_member(out, ",\"reason\":", bytes_of_string(status_reason(reason)));
    }
    if (event->duplicate)
        buffer_put_string(out, ",\"duplicate\":true");
    buffer_put_u8(out, '}');
}

/* --- tables ------------------------------------------------------------------------------------------- */

void generator_write_profile(struct buffer *out, const struct generator_profile *profile,
                             enum generator_encoding encoding, int32_t schema_id)
{
    if (encoding == ENCODING_AVRO) {
        avro_write_framing(out, schema_id);
        avro_write_bytes(out, profile->user_id);
        avro_write_bytes(out, profile->country);
        avro_write_long(out, profile->updated_at_ms);
        return;
    }
    ENSURE(encoding == ENCODING_JSON || encoding == ENCODING_JSON_LINE);
    put_member(out, "{\"user_id\":", profile->user_id);
    put_member(out, ",\"country\":", profile->country);
    buffer_put_string(out, ",\"updated_at\":");
    put_integer(out, profile->updated_at_ms);
    buffer_put_u8(out, '}');
}

void generator_write_blocked_merchant(struct buffer *out,
                                      const struct generator_blocked_merchant *merchant,
                                      enum generator_encoding encoding, int32_t schema_id)
{
    if (encoding == ENCODING_AVRO) {
        avro_write_framing(out, schema_id);
        avro_write_bytes(out, merchant->merchant_id);
        avro_write_long(out, BRANCH_VALUE);
        avro_write_bytes(out, merchant->reason);
        return;
    }
    ENSURE(encoding == ENCODING_JSON || encoding == ENCODING_JSON_LINE);
    put_member(out, "{\"merchant_id\":", merchant->merchant_id);
    put_member(out, ",\"reason\":", merchant->reason);
    buffer_put_u8(out, '}');
}
