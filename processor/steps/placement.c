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

static bool explains(enum partitioner partitioner, const struct event *event)
{
    const int32_t count = event->context->partition_count;
    return event->input->partition == (partitioner == PARTITIONER_MURMUR2 ? hash_partition_murmur2(event->key, count)
                                                                          : hash_partition_crc32(event->key, count));
}

static enum status learn(const struct event *event, struct error *err)
{
    const bool murmur2 = explains(PARTITIONER_MURMUR2, event), crc32 = explains(PARTITIONER_CRC32, event);
    if (murmur2 && crc32)
        return ST_OK;
    if (!murmur2 && !crc32)
        return FAIL(err, ST_WRONG_PARTITION, "neither murmur2 nor CRC32 places this key in partition %" PRId32,
                    event->input->partition);
    *event->context->partitioner = murmur2 ? PARTITIONER_MURMUR2 : PARTITIONER_CRC32;
    return ST_OK;
}

static enum status check_place(const struct event *event, struct error *err)
{
    const enum partitioner known = *event->context->partitioner;
    if (known == PARTITIONER_UNKNOWN)
        return learn(event, err);
    if (explains(known, event))
        return ST_OK;
    const enum partitioner other = known == PARTITIONER_MURMUR2 ? PARTITIONER_CRC32 : PARTITIONER_MURMUR2;
    return FAIL(err, ST_WRONG_PARTITION, "%s does not place this key in partition %" PRId32 "%s",
                partitioner_name(known), event->input->partition,
                explains(other, event) ? ", the other partitioner does: its producer places keys differently" : "");
}

static enum status placement_process(struct event *event, struct error *err)
{
    if (event->context->partition_count == 0)
        return ST_OK;
    if (!bytes_equal(event->input->key, event->key))
        return FAIL(err, ST_WRONG_PARTITION, "the record's key %s the stream's key (%s)",
                    event->input->key.data == NULL ? "is null, not" : "differs from", event->stream->plan->key_text);
    return check_place(event, err);
}

const struct step_type step_placement = { .name = "placement", .process = placement_process };
