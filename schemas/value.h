/*
 * value: one typed value, 24 bytes, passed by value. It borrows its text: whoever made it says
 * until when (the record's arena for decoded values, the store's view for looked-up ones).
 *
 * Kinds are closed: what a schema, a table column, an expression or an aggregate can be.
 *  - INT        64-bit signed
 *  - DECIMAL    exact: integer / 10^scale, 128 bits, scale 0..DECIMAL_SCALE_MAX
 *  - DOUBLE     IEEE 754; NaN never enters a slot (it becomes null)
 *  - STRING     UTF-8 text (also enum symbols and uuids); BYTES: raw bytes
 *  - TIMESTAMP  microseconds since 1970-01-01T00:00:00Z
 *  - DURATION   microseconds A null is of kind VALUE_NULL whatever its column's type.
 */
#ifndef WEIR_SCHEMAS_VALUE_H
#define WEIR_SCHEMAS_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/int128.h"

enum value_kind {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_DECIMAL,
    VALUE_DOUBLE,
    VALUE_STRING,
    VALUE_BYTES,
    VALUE_TIMESTAMP,
    VALUE_DURATION,
    VALUE_KIND_COUNT
};

enum { DECIMAL_SCALE_MAX = 18 };

struct value {
    uint8_t kind;  /* enum value_kind */
    uint8_t scale; /* of a DECIMAL, else 0 */
    union {
        bool b;
        int64_t i; /* INT, TIMESTAMP, DURATION */
        double d;
        int128 decimal;
        struct bytes text; /* STRING, BYTES */
    };
};

/* The static type of a column or an expression. */
struct value_type {
    enum value_kind kind; /* VALUE_NULL: the literal null, fits everything */
    uint8_t scale;        /* of a DECIMAL */
    bool nullable;
};

static inline struct value value_null(void)
{
    return (struct value){ .kind = VALUE_NULL };
}
static inline struct value value_bool(bool b)
{
    return (struct value){ .kind = VALUE_BOOL, .b = b };
}
static inline struct value value_int(int64_t i)
{
    return (struct value){ .kind = VALUE_INT, .i = i };
}
static inline struct value value_string(struct bytes text)
{
    return (struct value){ .kind = VALUE_STRING, .text = text };
}
static inline struct value value_bytes(struct bytes text)
{
    return (struct value){ .kind = VALUE_BYTES, .text = text };
}
static inline struct value value_timestamp(int64_t us)
{
    return (struct value){ .kind = VALUE_TIMESTAMP, .i = us };
}
static inline struct value value_duration(int64_t us)
{
    return (struct value){ .kind = VALUE_DURATION, .i = us };
}
static inline struct value value_decimal(int128 unscaled, uint8_t scale)
{
    return (struct value){ .kind = VALUE_DECIMAL, .scale = scale, .decimal = unscaled };
}
/*
 * The same in place, for the hot paths: a value that is returned is built on the stack and copied,
 * and that copy waits for the narrow stores before it.
 */
static inline void value_set_null(struct value *out)
{
    out->kind = VALUE_NULL;
    out->scale = 0;
}
static inline void value_set_bool(struct value *out, bool b)
{
    out->kind = VALUE_BOOL;
    out->scale = 0;
    out->b = b;
}
static inline void value_set_integer(struct value *out, enum value_kind kind, int64_t i)
{
    out->kind = (uint8_t)kind;
    out->scale = 0;
    out->i = i;
}
static inline void value_set_decimal(struct value *out, int128 unscaled, uint8_t scale)
{
    out->kind = VALUE_DECIMAL;
    out->scale = scale;
    out->decimal = unscaled;
}
/* Not NaN. */
static inline void value_set_double(struct value *out, double d)
{
    out->kind = VALUE_DOUBLE;
    out->scale = 0;
    out->d = d == 0.0 ? 0.0 : d;
}
/* NaN gives null; -0.0 gives 0.0. */
struct value value_double(double d);
/*
 * The decimal whose unscaled integer is this big-endian two's complement (none: 0); false beyond
 * 128 bits.
 */
bool value_decimal_of_bytes(struct value *out, struct bytes digits, uint8_t scale);
static inline bool value_is_null(const struct value *v)
{
    return v->kind == VALUE_NULL;
}

/* "int", "decimal", ... */
const char *value_kind_name(enum value_kind kind);
/* "decimal(2)?", "string": for messages; returns `out`. */
enum { VALUE_TYPE_TEXT_SIZE = 32 };
const char *value_type_text(struct value_type type, char out[VALUE_TYPE_TEXT_SIZE]);

/*
 * Same kind, scale and content (two nulls are equal): for tests and state, not for the language's
 * `==`.
 */
bool value_same(const struct value *a, const struct value *b);
/*
 * Total order within comparable kinds: numbers among each other exactly (int, decimal, double),
 * text by bytes, timestamps, durations, false < true. Neither may be null. ENSUREs comparable
 * kinds.
 */
int value_compare(const struct value *a, const struct value *b);
bool value_kinds_comparable(enum value_kind a, enum value_kind b);

/*
 * The one text form, used in messages, alerts, CSV: true/false, 42, 12.50 (a decimal keeps its
 * scale), shortest round-trip double (1e+21, 0.1), text as it is, bytes as lower-case hex,
 * 2026-01-31T12:00:00.250Z (the fraction is left out when zero, else 3 or 6 digits), durations as
 * 1h30m, 250ms, 15us; null as "null".
 */
void value_format(struct buffer *out, const struct value *v);

/*
 * The stored form of one value of a known type (state rows, group keys): the type is not stored.
 * Equal values give equal bytes. Null is one byte. Text views returned by value_read point into the
 * reader's bytes.
 */
void value_write(struct buffer *out, const struct value *v);
/* Of a number of 64 bits, where INTEGER_STORED_MAX bytes may be overwritten; returns the end. */
enum { INTEGER_STORED_MAX = 9 };
uint8_t *value_write_integer(uint8_t *at, int64_t i);
MUST_CHECK enum status value_read(struct value *out, struct reader *in, struct value_type type,
                                  struct error *err);

#endif
