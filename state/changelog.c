#include "state/changelog.h"

#include <inttypes.h>
#include <string.h>

#include "base/ensure.h"

static const uint8_t identity_key[] = { 0x00, 'I' };
static const uint8_t end_key[] = { 0x00, 'E' };

static enum status read_identity(struct state_identity *out, struct reader *in, const char *what,
                                 struct error *err);
static int32_t read_count(struct reader *in);
static void read_name(struct reader *in, char *out, size_t size);

enum changelog_kind changelog_kind_of(struct bytes key)
{
    if (key.size == 0)
        return CHANGELOG_UNKNOWN;
    if (key.data[0] != 0x00)
        return CHANGELOG_ROW;
    if (bytes_equal(key, changelog_identity_key()))
        return CHANGELOG_IDENTITY;
    return bytes_equal(key, changelog_end_key()) ? CHANGELOG_END : CHANGELOG_UNKNOWN;
}

struct bytes changelog_identity_key(void)
{
    return bytes_of(identity_key, sizeof identity_key);
}

struct bytes changelog_end_key(void)
{
    return bytes_of(end_key, sizeof end_key);
}

void changelog_identity_write(struct buffer *out, const struct state_identity *identity)
{
    ENSURE(identity->format_version > 0);
    ENSURE(identity->partition >= 0 && identity->partition < identity->partition_count);
    buffer_put_varint(out, identity->format_version);
    buffer_put_be64(out, identity->incarnation);
    buffer_put_varint(out, (uint64_t)identity->partition);
    buffer_put_varint(out, (uint64_t)identity->partition_count);
    buffer_put_run(out, bytes_of_string(identity->cluster_id));
    buffer_put_run(out, bytes_of_string(identity->group));
}

enum status changelog_identity_read(struct state_identity *out, struct bytes value,
                                    struct error *err)
{
    struct reader in = reader_of(value);
    TRY(read_identity(out, &in, "the changelog's identity record", err));
    if (!reader_done(&in))
        return FAIL(err, ST_CORRUPT, "the changelog's identity record is damaged");
    return ST_OK;
}

void changelog_end_write(struct buffer *out, const struct changelog_end *end)
{
    buffer_put_varint(out, end->number);
    buffer_put_varint(out, end->seq);
}

enum status changelog_end_read(struct changelog_end *out, struct bytes value, struct error *err)
{
    struct reader in = reader_of(value);
    out->number = reader_varint(&in);
    out->seq = reader_varint(&in);
    if (!reader_done(&in))
        return FAIL(err, ST_CORRUPT, "the changelog's end mark is damaged");
    return ST_OK;
}

void store_position_write(struct buffer *out, const struct store_position *position)
{
    changelog_identity_write(out, &position->identity);
    buffer_put_varint(out, position->seq);
    buffer_put_be64(out, position->nonce);
}

enum status store_position_read(struct store_position *out, struct bytes record, struct error *err)
{
    struct reader in = reader_of(record);
    TRY(read_identity(&out->identity, &in, "the local state's position record", err));
    out->seq = reader_varint(&in);
    out->nonce = reader_be64(&in);
    if (!reader_done(&in))
        return FAIL(err, ST_CORRUPT, "the local state's position record is damaged");
    return ST_OK;
}

enum status state_identity_check(const struct state_identity *wanted,
                                 const struct state_identity *found, struct error *err)
{
    if (found->format_version > STATE_FORMAT_VERSION)
        return FAIL(err, ST_FORMAT_NEWER,
                    "the state has format %" PRIu32
                    ", this program reads up to %d: run a newer one",
                    found->format_version, STATE_FORMAT_VERSION);
    if (strcmp(wanted->cluster_id, found->cluster_id) != 0)
        return FAIL(err, ST_REFUSED, "the state belongs to the Kafka cluster %s, this is %s",
                    found->cluster_id, wanted->cluster_id);
    if (strcmp(wanted->group, found->group) != 0)
        return FAIL(err, ST_REFUSED, "the state belongs to the group %s, this is %s", found->group,
                    wanted->group);
    if (wanted->partition_count != found->partition_count)
        return FAIL(err, ST_REFUSED,
                    "the state was made for %" PRId32 " partitions, the input has %" PRId32
                    ": keys have moved, so `weir reset` is needed",
                    found->partition_count, wanted->partition_count);
    if (wanted->partition != found->partition)
        return FAIL(err, ST_REFUSED, "the state belongs to partition %" PRId32 ", this is %" PRId32,
                    found->partition, wanted->partition);
    if (wanted->incarnation != found->incarnation)
        return FAIL(err, ST_REFUSED,
                    "the state is from before a reset (incarnation %016" PRIx64 ", now %016" PRIx64
                    ")",
                    found->incarnation, wanted->incarnation);
    return ST_OK;
}

/* A later version's record is not read beyond its version: who knows how it goes on. */
static enum status read_identity(struct state_identity *out, struct reader *in, const char *what,
                                 struct error *err)
{
    *out = (struct state_identity){ 0 };
    const uint64_t version = reader_varint(in);
    if (in->failed || version == 0)
        return FAIL(err, ST_CORRUPT, "%s is damaged", what);
    if (version > STATE_FORMAT_VERSION)
        return FAIL(err, ST_FORMAT_NEWER,
                    "%s has format %" PRIu64 ", this program reads up to %d: run a newer one", what,
                    version, STATE_FORMAT_VERSION);
    out->format_version = (uint32_t)version;
    out->incarnation = reader_be64(in);
    out->partition = read_count(in);
    out->partition_count = read_count(in);
    read_name(in, out->cluster_id, sizeof out->cluster_id);
    read_name(in, out->group, sizeof out->group);
    if (in->failed || out->partition >= out->partition_count)
        return FAIL(err, ST_CORRUPT, "%s is damaged", what);
    return ST_OK;
}

static int32_t read_count(struct reader *in)
{
    const uint64_t x = reader_varint(in);
    if (x > INT32_MAX)
        reader_fail(in);
    return x > INT32_MAX ? 0 : (int32_t)x;
}

static void read_name(struct reader *in, char *out, size_t size)
{
    const struct bytes name = reader_run(in);
    if (name.size >= size || memchr(name.data, '\0', name.size) != NULL) {
        reader_fail(in);
        return;
    }
    memcpy(out, name.data, name.size);
    out[name.size] = '\0';
}
