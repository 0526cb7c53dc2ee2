#include "state/commit_metadata.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"

enum {
    VERSION = 1,
    HEX_DIGITS = 16,
    FIXED_TEXT_MAX = 256 /* everything but the ids, at their longest */
};
_Static_assert(FIXED_TEXT_MAX + COMMIT_OWNER_IDS_MAX * COMMIT_OWNER_ID_SIZE < COMMIT_METADATA_SIZE,
               "the longest metadata must fit");

static bool is_owner_id(const char *id);
static bool is_printable(struct bytes text);
static bool take_text(struct bytes *text, const char *expected);
static bool take_unsigned(struct bytes *text, uint64_t *out);
static bool take_signed(struct bytes *text, int64_t *out);
static bool take_hex(struct bytes *text, uint64_t *out);
static bool take_owners(struct bytes *text, struct commit_metadata *out);
static const char *take_fields(struct bytes *text, struct commit_metadata *out);

int commit_metadata_format(char out[COMMIT_METADATA_SIZE], const struct commit_metadata *metadata)
{
    const struct commit_checkpoint *checkpoint = &metadata->checkpoint;
    ENSURE(metadata->owner_count >= 0 && metadata->owner_count <= COMMIT_OWNER_IDS_MAX);
    int size = snprintf(out, FIXED_TEXT_MAX,
                        "v=%d seq=%" PRIu64 " nonce=%016" PRIx64 " tail=%" PRId64 " ckpt=%" PRIu64
                        ":%" PRId64 ":%" PRIu64 " inc=%016" PRIx64 " ref=%" PRId64 " rel=%d ids=",
                        VERSION, metadata->seq, metadata->nonce, metadata->tail_offset,
                        checkpoint->seq, checkpoint->tail_offset, checkpoint->number,
                        metadata->incarnation, metadata->reference_offset, metadata->released);
    ENSURE(size > 0 && size < FIXED_TEXT_MAX);
    for (int i = 0; i < metadata->owner_count; i++) {
        ENSURE(is_owner_id(metadata->owners[i]));
        size += snprintf(out + size, (size_t)(COMMIT_METADATA_SIZE - size), "%s%s",
                         i == 0 ? "" : ",", metadata->owners[i]);
    }
    ENSURE(size < COMMIT_METADATA_SIZE);
    return size;
}

enum status commit_metadata_parse(struct commit_metadata *out, struct bytes text, struct error *err)
{
    *out = (struct commit_metadata){ 0 };
    uint64_t version = 0;
    if (text.size == 0)
        return FAIL(err, ST_CORRUPT, "the committed metadata is empty");
    if (!is_printable(text) || !take_text(&text, "v=") || !take_unsigned(&text, &version))
        return FAIL(err, ST_CORRUPT, "the committed metadata is not of this program");
    if (version > VERSION)
        return FAIL(err, ST_FORMAT_NEWER,
                    "the committed metadata has version %" PRIu64 ", this program reads up to %d",
                    version, VERSION);
    const char *wrong = version == 0 ? "v" : take_fields(&text, out);
    if (wrong != NULL)
        return FAIL(err, ST_CORRUPT, "the committed metadata is damaged at '%s'", wrong);
    return ST_OK;
}

/* NULL, or the name of the first field that is missing or malformed. */
static const char *take_fields(struct bytes *text, struct commit_metadata *out)
{
    uint64_t released = 0;
    if (!take_text(text, " seq=") || !take_unsigned(text, &out->seq))
        return "seq";
    if (!take_text(text, " nonce=") || !take_hex(text, &out->nonce))
        return "nonce";
    if (!take_text(text, " tail=") || !take_signed(text, &out->tail_offset))
        return "tail";
    if (!take_text(text, " ckpt=") || !take_unsigned(text, &out->checkpoint.seq) ||
        !take_text(text, ":") || !take_signed(text, &out->checkpoint.tail_offset) ||
        !take_text(text, ":") || !take_unsigned(text, &out->checkpoint.number))
        return "ckpt";
    if (!take_text(text, " inc=") || !take_hex(text, &out->incarnation))
        return "inc";
    if (!take_text(text, " ref=") || !take_signed(text, &out->reference_offset))
        return "ref";
    if (!take_text(text, " rel=") || !take_unsigned(text, &released) || released > 1)
        return "rel";
    out->released = released == 1;
    if (!take_text(text, " ids=") || !take_owners(text, out))
        return "ids";
    /* What follows are fields of a later writer. */
    return text->size == 0 || text->data[0] == ' ' ? NULL : "ids";
}

static struct bytes without(struct bytes text, size_t size)
{
    return bytes_of(text.data + size, text.size - size);
}

static bool take_text(struct bytes *text, const char *expected)
{
    const struct bytes prefix = bytes_of_string(expected);
    if (!bytes_starts_with(*text, prefix))
        return false;
    *text = without(*text, prefix.size);
    return true;
}

/* As printf writes it: without sign and leading zeros. */
static bool take_unsigned(struct bytes *text, uint64_t *out)
{
    size_t digits = 0;
    uint64_t x = 0;
    for (; digits < text->size && text->data[digits] >= '0' && text->data[digits] <= '9'; digits++)
        if (__builtin_mul_overflow(x, 10, &x) ||
            __builtin_add_overflow(x, (uint64_t)(text->data[digits] - '0'), &x))
            return false;
    if (digits == 0 || (digits > 1 && text->data[0] == '0'))
        return false;
    *out = x;
    *text = without(*text, digits);
    return true;
}

static bool take_signed(struct bytes *text, int64_t *out)
{
    const bool negative = take_text(text, "-");
    uint64_t size = 0;
    if (!take_unsigned(text, &size) || size > (uint64_t)INT64_MAX + negative)
        return false;
    if (negative && size == 0)
        return false;
    *out = negative ? (int64_t)-size : (int64_t)size;
    return true;
}

static bool take_hex(struct bytes *text, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    if (text->size < HEX_DIGITS)
        return false;
    uint64_t x = 0;
    for (int i = 0; i < HEX_DIGITS; i++) {
        const char *digit = memchr(digits, text->data[i], HEX_DIGITS);
        if (digit == NULL)
            return false;
        x = x << 4 | (uint64_t)(digit - digits);
    }
    *out = x;
    *text = without(*text, HEX_DIGITS);
    return true;
}

static size_t owner_id_size(struct bytes text)
{
    size_t size = 0;
    while (size < text.size && text.data[size] != ',' && text.data[size] != ' ')
        size++;
    return size;
}

static bool take_owners(struct bytes *text, struct commit_metadata *out)
{
    if (owner_id_size(*text) == 0)
        return text->size == 0 || text->data[0] == ' ';
    do {
        const size_t size = owner_id_size(*text);
        if (size == 0 || size >= COMMIT_OWNER_ID_SIZE || out->owner_count == COMMIT_OWNER_IDS_MAX)
            return false;
        memcpy(out->owners[out->owner_count], text->data, size);
        out->owners[out->owner_count++][size] = '\0';
        *text = without(*text, size);
    } while (take_text(text, ","));
    return true;
}

static bool is_printable(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] > '~')
            return false;
    return true;
}

static bool is_owner_id(const char *id)
{
    const struct bytes text = bytes_of(id, strnlen(id, COMMIT_OWNER_ID_SIZE));
    return text.size > 0 && text.size < COMMIT_OWNER_ID_SIZE && is_printable(text) &&
           owner_id_size(text) == text.size;
}
