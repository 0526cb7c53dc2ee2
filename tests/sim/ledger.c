#include "ledger.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/ensure.h"
#include "base/memory.h"
#include "ledger_parts.h"
#include "state/tail.h"

bool ledger_wrong(struct ledger *ledger, const char *format, ...)
{
    va_list arguments;
    if (ledger->verdict[0] != '\0')
        return false; /* the first is the one that matters */
    va_start(arguments, format);
    vsnprintf(ledger->verdict, sizeof ledger->verdict, format, arguments);
    va_end(arguments);
    return false;
}

size_t ledger_input_count(const struct ledger *ledger)
{
    return ledger->plan->stream_count + ledger->plan->table_count;
}

bool ledger_is_everywhere(const struct ledger *ledger, int topic)
{
    return topic >= ledger->topics->first_table &&
           ledger->plan->tables[topic - ledger->topics->first_table].scope == TABLE_EVERYWHERE;
}

int32_t ledger_partitions_of(const struct ledger *ledger, int topic)
{
    return ledger_is_everywhere(ledger, topic) ? ledger->options.everywhere_partitions
                                               : ledger->options.partitions;
}

void ledger_create(struct ledger **out, const struct ledger_options *options)
{
    ENSURE(*out == NULL);
    struct ledger *ledger = mem_alloc(sizeof *ledger);
    ledger->options = *options;
    ledger->plan = fixture_plan(options->variant);
    ledger->topics = fixture_topics(options->variant);
    arena_create(&ledger->arena, LEDGER_ARENA_BLOCK);
    ledger->partitions = mem_alloc_array((size_t)options->partitions, sizeof *ledger->partitions);
    for (int32_t p = 0; p < options->partitions; p++)
        map_create(&ledger->partitions[p].tails, sizeof(struct bytes));
    for (size_t i = 0; i < ledger_input_count(ledger); i++) {
        const size_t count = (size_t)ledger_partitions_of(ledger, (int)i);
        ledger->inputs[i] = mem_alloc_array(count, sizeof *ledger->inputs[i]);
    }
    *out = ledger;
}

void ledger_destroy(struct ledger **ledger_ref)
{
    struct ledger *ledger = TAKE(*ledger_ref);
    if (ledger == NULL)
        return;
    for (int32_t p = 0; p < ledger->options.partitions; p++) {
        map_destroy(&ledger->partitions[p].tails);
        mem_free(ledger->partitions[p].notes);
    }
    for (size_t i = 0; i < ledger_input_count(ledger); i++) {
        for (int32_t p = 0; p < ledger_partitions_of(ledger, (int)i); p++)
            mem_free(ledger->inputs[i][p].items);
        mem_free(ledger->inputs[i]);
    }
    mem_free(ledger->partitions);
    arena_destroy(&ledger->arena);
    mem_free(ledger);
}

const char *ledger_verdict(const struct ledger *ledger)
{
    return ledger->verdict;
}

struct ledger_counts ledger_counts(const struct ledger *ledger)
{
    return ledger->counts;
}

int ledger_find_topic(const struct ledger *ledger, struct bytes name)
{
    for (int i = 0; i < (int)ledger_input_count(ledger); i++)
        if (bytes_equal(name, bytes_of_string(ledger->topics->items[i].name)))
            return i;
    return -1;
}

/* --- noting ---------------------------------------------------------------------------------- */

void ledger_note_input(struct ledger *ledger, const struct fixture_record *record)
{
    struct input_log *log = &ledger->inputs[record->topic][record->partition];
    ENSURE(record->offset == (int64_t)log->count);
    if (log->count == log->capacity) {
        log->capacity = log->capacity * 2 + 64;
        log->items = mem_resize_array(log->items, log->capacity, sizeof *log->items);
    }
    log->items[log->count++] = record;
}

void ledger_note_tail(struct ledger *ledger, int32_t partition, struct bytes record)
{
    struct commit_metadata metadata;
    ENSURE(tail_peek(&metadata, record, NULL) == ST_OK);
    struct map *tails = ledger->partitions[partition].tails;
    struct bytes *kept = map_insert(tails, bytes_of(&metadata.nonce, sizeof metadata.nonce), NULL);
    *kept = arena_copy(ledger->arena, record);
}

void ledger_note_state(struct ledger *ledger, int32_t partition,
                       const struct commit_metadata *committed, uint64_t state_hash,
                       const char *who)
{
    struct partition_ledger *of = &ledger->partitions[partition];
    if (of->note_count == of->note_capacity) {
        of->note_capacity = of->note_capacity * 2 + 16;
        of->notes = mem_resize_array(of->notes, of->note_capacity, sizeof *of->notes);
    }
    of->notes[of->note_count++] =
        (struct state_note){ committed->seq, committed->nonce, state_hash, who };
    ledger->counts.states++;
}

uint64_t ledger_hash_row(struct bytes key, struct bytes value)
{
    uint64_t z = hash64(key) * UINT64_C(0x9e3779b97f4a7c15) + hash64(value);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ z >> 31;
}

static bool add_row(void *context, struct bytes key, struct bytes value)
{
    uint64_t *sum = context;
    *sum += ledger_hash_row(key, value);
    return true;
}

enum status ledger_hash_rows(struct overlay *overlay, uint64_t *hash, struct error *err)
{
    static const uint8_t lowest[] = { 1 };
    *hash = 0;
    return overlay_scan(overlay, bytes_of(lowest, 1), BYTES_NONE, add_row, hash, err);
}

/* --- while it runs --------------------------------------------------------------------------- */

static bool watch_offset(struct ledger *ledger, int topic, int32_t partition, bool *moved,
                         struct commit_metadata *metadata)
{
    struct bytes text;
    struct input_log *log = &ledger->inputs[topic][partition];
    const int64_t offset = sim_committed(ledger->options.cluster, topic, partition, &text);
    if (offset < 0)
        return log->watched <= 0 ||
               ledger_wrong(ledger, "topic %d partition %d: the committed offset is gone", topic,
                            partition);
    if (offset < log->watched)
        return ledger_wrong(ledger,
                            "topic %d partition %d: committed offset %" PRId64 " after %" PRId64,
                            topic, partition, offset, log->watched);
    if (offset > (int64_t)log->count)
        return ledger_wrong(
            ledger, "topic %d partition %d: committed offset %" PRId64 " lies behind the end",
            topic, partition, offset);
    *moved = offset > log->watched;
    const uint64_t hash = hash64(text);
    if (!*moved && hash == log->watched_hash)
        return true; /* nothing was committed here */
    log->watched = offset;
    log->watched_hash = hash;
    struct error err = { .status = ST_OK };
    if (commit_metadata_parse(metadata, text, &err) != ST_OK)
        return ledger_wrong(ledger, "topic %d partition %d: metadata: %s", topic, partition,
                            err.text);
    return true;
}

bool ledger_watch(struct ledger *ledger)
{
    for (int topic = 0; topic < (int)ledger_input_count(ledger); topic++) {
        for (int32_t p = 0; p < ledger_partitions_of(ledger, topic); p++) {
            struct commit_metadata metadata = { .seq = 0 };
            bool moved = false;
            if (!watch_offset(ledger, topic, p, &moved, &metadata))
                return false;
            if (topic > 0 || metadata.seq == 0)
                continue;
            struct partition_ledger *of = &ledger->partitions[p];
            if (metadata.seq < of->watched_seq || (moved && metadata.seq == of->watched_seq))
                return ledger_wrong(ledger,
                                    "partition %d: committed seq %" PRIu64 " after %" PRIu64, p,
                                    metadata.seq, of->watched_seq);
            of->watched_seq = metadata.seq;
        }
    }
    return true;
}

bool ledger_is_done(struct ledger *ledger)
{
    for (int topic = 0; topic < (int)ledger_input_count(ledger); topic++) {
        for (int32_t p = 0; p < ledger_partitions_of(ledger, topic); p++) {
            struct bytes text;
            const int64_t offset = sim_committed(ledger->options.cluster, topic, p, &text);
            if (offset < (int64_t)ledger->inputs[topic][p].count)
                return false;
        }
    }
    return true;
}

/* --- all of it ------------------------------------------------------------------------------- */

static bool judge_partition(struct ledger *ledger, int32_t partition,
                            const struct reference_log *log, struct output_book *expected)
{
    struct journal_check *check = mem_alloc(sizeof *check);
    check->ledger = ledger;
    check->partition = partition;
    check->reference_log = log;
    check->expected = expected;
    map_create(&check->row_hashes, sizeof(uint64_t));
    map_create(&check->velocity, sizeof(int));
    map_create(&check->burst, sizeof(int));
    check->hash_capacity = 64;
    check->hashes = mem_alloc_array(check->hash_capacity, sizeof(uint64_t));
    check->nonces = mem_alloc_array(check->hash_capacity, sizeof(uint64_t));
    reference_task_init(&check->reference, &(struct reference_task_options){
                                               ledger->options.variant, ledger->options.partitions,
                                               ledger->options.partitioner });
    sim_read(ledger->options.cluster, ledger->topics->journal, partition, journal_check_take,
             check);
    struct commit_metadata metadata = { .seq = 0 };
    const bool fine = !check->bad && journal_check_metadata(check, &metadata) &&
                      journal_check_notes(check) &&
                      (metadata.seq == 0 || ledger_judge_fold(check, &metadata)) &&
                      (!ledger->options.straight || ledger_judge_straight(check)) &&
                      (!ledger->options.naive || ledger_judge_naive(check));
    reference_task_fini(&check->reference);
    map_destroy(&check->row_hashes);
    map_destroy(&check->velocity);
    map_destroy(&check->burst);
    mem_free(check->hashes);
    mem_free(check->nonces);
    mem_free(check);
    return fine;
}

bool ledger_judge(struct ledger *ledger)
{
    struct reference_log log = { .count = 0 };
    struct output_book expected;
    bool fine = ledger_watch(ledger);
    arena_create(&log.arena, LEDGER_ARENA_BLOCK);
    output_book_init(&expected);
    if (topics_have_everywhere(ledger->plan))
        sim_read(ledger->options.cluster, ledger->topics->reference, 0, reference_log_take, &log);
    for (int32_t p = 0; p < ledger->options.partitions && fine; p++)
        fine = judge_partition(ledger, p, &log, &expected);
    fine = fine && ledger_judge_copies(ledger, &log, &expected);
    fine = fine && ledger_judge_outputs(ledger, &expected, ALERT_PARTITIONS);
    output_book_fini(&expected);
    arena_destroy(&log.arena);
    mem_free(log.items);
    mem_free(log.offsets);
    return fine;
}
