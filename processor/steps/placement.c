/*
 * placement: the record lies where its key belongs. Two clients that place keys differently split one user over two
 * partitions, which is fraud missed in silence; so each record is checked, not assumed.
 *
 * The partitioner is stated in the settings or learnt: the first record that only one of the two known functions explains
 * decides, and the task remembers it.
 */
#include <inttypes.h>

#include "base/hash.h"
#include "processor/steps/step.h"

static const char *partitioner_name(enum partitioner partitioner)
{
    return partitioner == PARTITIONER_MURMUR2 ? "murmur2" : "CRC32";
}

static enum status check_place(const struct event *event, bool murmur2, bool crc32, struct error *err)
{
    enum partitioner *partitioner = event->context->partitioner;
    if (*partitioner == PARTITIONER_UNKNOWN) {
        if (murmur2 && crc32)
            return ST_OK;
        if (!murmur2 && !crc32)
            return FAIL(err, ST_WRONG_PARTITION, "neither murmur2 nor CRC32 places this key in partition %" PRId32,
                        event->input->partition);
        *partitioner = murmur2 ? PARTITIONER_MURMUR2 : PARTITIONER_CRC32;
        return ST_OK;
    }
    if (*partitioner == PARTITIONER_MURMUR2 ? murmur2 : crc32)
        return ST_OK;
    return FAIL(err, ST_WRONG_PARTITION, "%s does not place this key in partition %" PRId32 "%s",
                partitioner_name(*partitioner), event->input->partition,
                murmur2 || crc32 ? ", the other partitioner does: its producer places keys differently" : "");
}

static enum status placement_process(struct event *event, struct error *err)
{
    const int32_t count = event->context->partition_count;
    if (count == 0)
        return ST_OK;
    if (!bytes_equal(event->input->key, event->key))
        return FAIL(err, ST_WRONG_PARTITION, "the record's key %s the stream's key (%s)",
                    event->input->key.data == NULL ? "is null, not" : "differs from", event->stream->plan->key_text);
    const int32_t partition = event->input->partition;
    return check_place(event, hash_partition_murmur2(event->key, count) == partition,
                       hash_partition_crc32(event->key, count) == partition, err);
}

const struct step_type step_placement = { .name = "placement", .process = placement_process };
