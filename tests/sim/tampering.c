#include "tampering.h"

#include <stdio.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "process.h"
#include "processor/engine/topics.h"
#include "state/commit_metadata.h"
#include "state/tail.h"

enum { ARENA_BLOCK = 16 * 1024, INPUTS_MAX = 2, REMEMBER_ONE_IN = 20 };

struct committed {
    int64_t offset; /* -1: none */
    struct bytes metadata;
};

struct tampered {
    enum status expects;
    struct committed before[INPUTS_MAX], older[INPUTS_MAX];
    struct committed left[INPUTS_MAX];
};

struct tampering {
    struct tampering_options options;
    struct prng prng;
    struct arena *arena;
    const struct topics *topics;
    int inputs[INPUTS_MAX]; /* of a task; the stream first */
    int input_count;
    struct tampered partitions[PROCESS_PARTITIONS_MAX];
};

void tampering_create(struct tampering **out, const struct tampering_options *options)
{
    ENSURE(*out == NULL && options->partitions <= PROCESS_PARTITIONS_MAX);
    struct tampering *tampering = mem_alloc(sizeof *tampering);
    *tampering = (struct tampering){ .options = *options,
                                     .prng = prng_of_seed(options->seed),
                                     .topics = fixture_topics(options->variant),
                                     .input_count = 1 };
    arena_create(&tampering->arena, ARENA_BLOCK);
    const struct plan *plan = fixture_plan(options->variant);
    for (size_t i = 0; i < plan->table_count; i++)
        if (plan->tables[i].scope == TABLE_COPARTITIONED)
            tampering->inputs[tampering->input_count++] = tampering->topics->first_table + (int)i;
    for (int32_t p = 0; p < options->partitions; p++)
        for (int i = 0; i < INPUTS_MAX; i++)
            tampering->partitions[p].older[i].offset = -1;
    *out = tampering;
}

void tampering_destroy(struct tampering **tampering_ref)
{
    struct tampering *tampering = TAKE(*tampering_ref);
    if (tampering == NULL)
        return;
    arena_destroy(&tampering->arena);
    mem_free(tampering);
}

/* --- offsets --------------------------------------------------------------------------------- */

static struct committed read_one(struct tampering *tampering, int32_t partition, int input)
{
    struct committed found;
    struct bytes text;
    found.offset =
        sim_committed(tampering->options.cluster, tampering->inputs[input], partition, &text);
    found.metadata = text.data == NULL ? BYTES_NONE : arena_copy(tampering->arena, text);
    return found;
}

static void write_one(struct tampering *tampering, int32_t partition, int input,
                      struct committed value)
{
    sim_set_committed(tampering->options.cluster, tampering->inputs[input], partition, value.offset,
                      value.metadata);
    tampering->partitions[partition].left[input] = value;
}

static bool is_same(struct committed a, struct committed b)
{
    return a.offset == b.offset && bytes_equal(a.metadata, b.metadata);
}

static uint64_t seq_of(struct committed committed)
{
    struct commit_metadata metadata = { .seq = 0 };
    if (committed.offset >= 0)
        ENSURE(commit_metadata_parse(&metadata, committed.metadata, NULL) == ST_OK);
    return metadata.seq;
}

void tampering_remember(struct tampering *tampering)
{
    if (!prng_chance(&tampering->prng, 1, REMEMBER_ONE_IN))
        return;
    const int32_t p =
        (int32_t)prng_below(&tampering->prng, (uint64_t)tampering->options.partitions);
    for (int i = 0; i < tampering->input_count; i++)
        tampering->partitions[p].older[i] = read_one(tampering, p, i);
}

static enum status put_older(struct tampering *tampering, int32_t partition,
                             const struct disk *disk)
{
    struct tampered *of = &tampering->partitions[partition];
    const uint64_t seq = seq_of(of->older[0]);
    char name[32];
    snprintf(name, sizeof name, "task-%05d", (int)partition);
    if (seq == 0 || disk_seq(disk, name) <= seq)
        return ST_OK;
    for (int i = 0; i < tampering->input_count; i++)
        write_one(tampering, partition, i, of->older[i]);
    return ST_OFFSETS_MOVED;
}

static enum status put_without_m(struct tampering *tampering, int32_t partition)
{
    const int one =
        (int)prng_below(&tampering->prng, INPUTS_MAX); /* of two: the other keeps its M */
    for (int i = 0; i < tampering->input_count; i++) {
        const int64_t offset = tampering->partitions[partition].before[i].offset;
        if (tampering->input_count > 1 && i != one && prng_chance(&tampering->prng, 1, 2))
            continue;
        write_one(tampering, partition, i,
                  (struct committed){ prng_between(&tampering->prng, 0, offset), BYTES_NONE });
    }
    return ST_OFFSETS_MOVED;
}

static enum status put_nothing(struct tampering *tampering, int32_t partition)
{
    for (int i = 0; i < tampering->input_count; i++)
        write_one(tampering, partition, i, (struct committed){ -1, BYTES_NONE });
    return ST_OFFSETS_MOVED;
}

/* The state knows the input: it is no new one. */
static enum status put_half(struct tampering *tampering, int32_t partition)
{
    if (tampering->input_count == 1 || tampering->partitions[partition].before[0].offset <= 0)
        return ST_OK;
    write_one(tampering, partition, 0, (struct committed){ -1, BYTES_NONE });
    return ST_INPUT_REPLACED;
}

/* --- inputs ---------------------------------------------------------------------------------- */

static enum status replace(struct tampering *tampering, int32_t partition, bool shorter)
{
    struct sim_cluster *cluster = tampering->options.cluster;
    const int topic = tampering->inputs[0];
    const int64_t reached = tampering->partitions[partition].before[0].offset;
    if (reached <= 0)
        return ST_OK; /* nothing of it was processed */
    const int64_t count = shorter ? prng_between(&tampering->prng, 0, reached - 1)
                                  : reached + prng_between(&tampering->prng, 0, 3);
    sim_empty_partition(cluster, topic, partition);
    for (int64_t i = 0; i < count; i++)
        sim_append(cluster, topic, partition, -1, BYTES_NONE, bytes_of_string("another"));
    return shorter ? ST_OUT_OF_RANGE : ST_INPUT_REPLACED;
}

/* --- all of it ------------------------------------------------------------------------------- */

static enum status tamper(struct tampering *tampering, int32_t partition, enum tampering_kind kind,
                          const struct disk *disk)
{
    switch (kind) {
    case TAMPER_OFFSETS_GONE:
        return put_nothing(tampering, partition);
    case TAMPER_OFFSETS_WITHOUT_M:
        return put_without_m(tampering, partition);
    case TAMPER_OFFSETS_OLDER:
        return put_older(tampering, partition, disk);
    case TAMPER_OFFSET_GONE:
        return put_half(tampering, partition);
    case TAMPER_INPUT_REPLACED:
        return replace(tampering, partition, false);
    case TAMPER_INPUT_SHORTER:
        return replace(tampering, partition, true);
    case TAMPERING_KINDS:
        break;
    }
    UNREACHABLE();
}

int tampering_do(struct tampering *tampering, enum tampering_kind kind, const struct disk *disk)
{
    int count = 0;
    for (int32_t p = 0; p < tampering->options.partitions; p++) {
        struct tampered *of = &tampering->partitions[p];
        for (int i = 0; i < tampering->input_count; i++)
            of->before[i] = of->left[i] = read_one(tampering, p, i);
        of->expects = seq_of(of->before[0]) == 0 ? ST_OK : tamper(tampering, p, kind, disk);
        count += of->expects != ST_OK;
    }
    return count;
}

enum status tampering_expects(const struct tampering *tampering, int32_t partition)
{
    return tampering->partitions[partition].expects;
}

bool tampering_is_as_left(const struct tampering *tampering)
{
    for (int32_t p = 0; p < tampering->options.partitions; p++) {
        const struct tampered *of = &tampering->partitions[p];
        for (int i = 0; i < tampering->input_count && of->expects != ST_OK; i++) {
            struct committed found;
            found.offset =
                sim_committed(tampering->options.cluster, tampering->inputs[i], p, &found.metadata);
            if (!is_same(found, of->left[i]))
                return false;
        }
    }
    return true;
}

/* --- the way back ---------------------------------------------------------------------------- */

struct last_record {
    struct tampering *tampering;
    int32_t partition;
    struct tail_reader *reader;
    struct committed says[INPUTS_MAX];
    bool bad;
};

static bool every_transaction(void *context, const struct commit_metadata *metadata)
{
    (void)context;
    (void)metadata;
    return true;
}

static enum status no_row(void *context, const struct row_change *change, struct error *err)
{
    (void)context;
    (void)change;
    (void)err;
    return ST_OK;
}

static enum status take_positions(void *context, const struct commit_metadata *metadata,
                                  const struct tail_input *inputs, size_t count, struct error *err)
{
    struct last_record *last = context;
    const struct tampering *tampering = last->tampering;
    char text[COMMIT_METADATA_SIZE];
    const int size = commit_metadata_format(text, metadata);
    (void)err;
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < tampering->input_count; j++)
            if (bytes_equal(inputs[i].topic,
                            bytes_of_string(tampering->topics->items[tampering->inputs[j]].name)))
                last->says[j] = (struct committed){ inputs[i].next_offset,
                                                    arena_copy(tampering->arena,
                                                               bytes_of(text, (size_t)size)) };
    return ST_OK;
}

static void take_record(void *context, const struct log_record *record,
                        const struct log_header *headers, size_t header_count)
{
    struct last_record *last = context;
    (void)headers;
    (void)header_count;
    last->bad |= tail_reader_feed(last->reader, record->value, NULL) != ST_OK;
}

static bool recover(struct tampering *tampering, int32_t partition)
{
    struct last_record last = { .tampering = tampering, .partition = partition };
    const struct tail_reader_events events = { no_row, take_positions, every_transaction, &last };
    for (int i = 0; i < INPUTS_MAX; i++)
        last.says[i].offset = -1;
    tail_reader_create(&last.reader, &events);
    sim_read(tampering->options.cluster, tampering->topics->tail, partition, take_record, &last);
    tail_reader_destroy(&last.reader);
    for (int i = 0; i < tampering->input_count && !last.bad; i++) {
        last.bad |= !is_same(last.says[i], tampering->partitions[partition].before[i]);
        write_one(tampering, partition, i, last.says[i]);
    }
    return !last.bad;
}

bool tampering_undo(struct tampering *tampering)
{
    bool fine = true;
    for (int32_t p = 0; p < tampering->options.partitions; p++)
        if (tampering->partitions[p].expects != ST_OK)
            fine = recover(tampering, p) && fine;
    return fine;
}
