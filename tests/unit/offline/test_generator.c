#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/embedded.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/memory.h"
#include "processor/offline/generator.h"
#include "processor/offline/generator_payload.h"
#include "processor/offline/generator_queue.h"
#include "schemas/decoder.h"
#include "schemas/registry.h"

#define MINUTE_MS INT64_C(60000)
#define START_MS  INT64_C(1769817600000) /* 2026-01-31T00:00:00Z */

static struct generator_options usual(void)
{
    return (struct generator_options){
        .seed = 7,
        .user_count = 20000,
        .start_ms = START_MS,
        .per_second = 2,
        .daily_rhythm = true,
        .out_of_order_share = 0.02,
        .late_share = 0.01,
        .duplicate_share = 0.01,
        .poison_share = 0.01,
        .encoding = ENCODING_AVRO,
        .attacks = GENERATOR_ALL_ATTACKS,
        .attack_interval_ms = 5 * MINUTE_MS,
    };
}

static struct generator *make(const struct generator_options *options)
{
    struct generator *generator = NULL;
    struct error err;
    cr_assert_eq(generator_create(&generator, options, &err), ST_OK, "%s", err.text);
    return generator;
}

/* A hash of `count` events as they are written. */
static uint64_t digest(const struct generator_options *options, int count)
{
    struct generator *generator = make(options);
    struct buffer all;
    buffer_init(&all);
    for (int i = 0; i < count; i++) {
        struct generator_event event;
        generator_next(generator, &event);
        buffer_put_be64(&all, (uint64_t)event.arrival_ms);
        buffer_put_optional_run(&all, event.key);
        generator_write_value(&all, &event, options->encoding, 1);
        generator_write_truth(&all, &event, options->encoding);
    }
    const uint64_t hash = hash64(buffer_view(&all));
    buffer_fini(&all);
    generator_destroy(&generator);
    return hash;
}

/* The digests stand here so that another machine, compiler or library that draws differently is seen. */
Test(generator, the_same_seed_gives_the_same_bytes_everywhere)
{
    static const struct {
        const char *name;
        enum generator_encoding encoding;
        uint64_t digest;
    } rows[] = {
        { "avro", ENCODING_AVRO, 0xd76490a243b539d2 },
        { "json", ENCODING_JSON, 0xc0af00329744f6af },
        { "csv", ENCODING_CSV, 0x7f78779b2b0f9157 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct generator_options options = usual();
        options.encoding = rows[i].encoding;
        const uint64_t found = digest(&options, 30000);
        cr_expect_eq(found, rows[i].digest, "%s: 0x%016lx", rows[i].name, found);
        options.seed++;
        cr_expect_neq(digest(&options, 30000), found, "%s: another seed", rows[i].name);
    }
}

Test(generator, hands_events_out_in_the_order_of_their_arrival)
{
    const struct generator_options options = usual();
    struct generator *generator = make(&options);
    int64_t last_ms = 0;
    int out_of_order = 0, late = 0, again = 0;
    for (int i = 0; i < 50000; i++) {
        struct generator_event event;
        generator_next(generator, &event);
        cr_assert_geq(event.arrival_ms, last_ms, "event %d", i);
        last_ms = event.arrival_ms;
        if (event.poison != POISON_NONE)
            continue;
        const int64_t behind_ms = event.arrival_ms - event.time_ms;
        cr_assert(behind_ms >= 0 && behind_ms <= 50 * MINUTE_MS, "event %d: %ld", i, behind_ms);
        again += event.duplicate;
        late += behind_ms > 30000 && !event.duplicate;
        out_of_order += behind_ms > 0 && behind_ms <= 30000 && !event.duplicate;
    }
    cr_expect(again > 350 && again < 650, "%d of 50,000 twice, 1 %% wanted", again);
    cr_expect(late > 350 && late < 650, "%d late, 1 %% wanted", late);
    cr_expect(out_of_order > 800 && out_of_order < 1200, "%d out of order, 2 %% wanted", out_of_order);
    generator_destroy(&generator);
}

Test(generator, a_duplicate_is_the_original_byte_for_byte_and_comes_after_it)
{
    const struct generator_options options = usual();
    struct generator *generator = make(&options);
    struct map *seen = NULL;
    struct buffer value;
    buffer_init(&value);
    map_create(&seen, sizeof(uint64_t));
    int duplicates = 0;
    for (int i = 0; i < 50000; i++) {
        struct generator_event event;
        generator_next(generator, &event);
        buffer_clear(&value);
        if (!generator_write_value(&value, &event, ENCODING_AVRO, 1) || event.poison != POISON_NONE)
            continue;
        bool is_new;
        uint64_t *hash = map_insert(seen, event.columns[0].text, &is_new);
        cr_assert_eq(is_new, !event.duplicate, "event %d", i);
        if (event.duplicate)
            cr_assert_eq(*hash, hash64(buffer_view(&value)), "event %d", i);
        *hash = hash64(buffer_view(&value));
        duplicates += event.duplicate;
    }
    cr_expect_gt(duplicates, 300);
    map_destroy(&seen);
    buffer_fini(&value);
    generator_destroy(&generator);
}

/* --- payloads ------------------------------------------------------------------------------------- */

static const char *const paths[GENERATOR_COLUMNS] = {
    "tx_id",   "user_id",      "card_id",    "merchant_id", "device_id",
    "country", "amount_cents", "event_time", "lat",         "lon",
};

struct reading {
    struct schema_document *schema;
    struct registry *registry;
    struct decoder *decoder;
    struct decoder_column columns[GENERATOR_COLUMNS];
    int32_t id;
};

static void open_reading(struct reading *reading, bool avro)
{
    struct error err;
    const struct embedded_file *file = embedded_find("schemas/transaction.avsc");
    cr_assert_not_null(file);
    *reading = (struct reading){ .id = 0 };
    cr_assert_eq(schema_parse(&reading->schema, (const char *)file->data, file->size, &err), ST_OK);
    for (size_t i = 0; i < GENERATOR_COLUMNS; i++) {
        struct schema_column column;
        cr_assert_eq(schema_find_column(schema_root(reading->schema), paths[i], &column, &err),
                     ST_OK, "%s", err.text);
        reading->columns[i] = (struct decoder_column){ paths[i], column.type };
    }
    registry_open_memory(&reading->registry);
    cr_assert_eq(registry_register(reading->registry, "transactions-value",
                                   bytes_of(file->data, file->size), 1000, &reading->id, &err),
                 ST_OK);
    const struct schema *root = schema_root(reading->schema);
    const enum status st =
        avro ? decoder_create_avro(&reading->decoder, root, reading->columns, GENERATOR_COLUMNS,
                                   reading->registry, &err)
             : decoder_create_json(&reading->decoder, root, reading->columns, GENERATOR_COLUMNS,
                                   &err);
    cr_assert_eq(st, ST_OK, "%s", err.text);
}

static void close_reading(struct reading *reading)
{
    decoder_destroy(&reading->decoder);
    registry_close(&reading->registry);
    schema_document_destroy(&reading->schema);
}

static void read_back(bool avro)
{
    struct generator_options options = usual();
    options.encoding = avro ? ENCODING_AVRO : ENCODING_JSON;
    struct generator *generator = make(&options);
    struct reading reading;
    struct arena *arena = NULL;
    struct buffer value;
    arena_create(&arena, 4096);
    buffer_init(&value);
    open_reading(&reading, avro);
    for (int i = 0; i < 20000; i++) {
        struct generator_event event;
        struct value slots[GENERATOR_COLUMNS];
        struct error err = { .status = ST_OK };
        generator_next(generator, &event);
        buffer_clear(&value);
        if (!generator_write_value(&value, &event, options.encoding, reading.id)) {
            cr_assert_eq(generator_poison_reason(event.poison, options.encoding), ST_NULL_VALUE);
            continue;
        }
        arena_reset(arena);
        const enum status st =
            decoder_decode(reading.decoder, buffer_view(&value), slots, arena, &err);
        const enum status reason = generator_poison_reason(event.poison, options.encoding);
        const bool undecodable =
            reason == ST_UNDECODABLE || reason == ST_BAD_FRAMING || reason == ST_UNKNOWN_SCHEMA;
        cr_assert_eq(st, undecodable ? reason : ST_OK, "event %d, poison '%s': %s %s", i,
                     generator_poison_name(event.poison), status_name(st), err.text);
        for (size_t c = 0; st == ST_OK && c < GENERATOR_COLUMNS; c++)
            cr_assert(value_same(&slots[c], &event.columns[c]), "event %d, %s", i, paths[c]);
    }
    close_reading(&reading);
    buffer_fini(&value);
    arena_destroy(&arena);
    generator_destroy(&generator);
}

Test(generator, avro_is_read_back_with_the_schema_and_poison_is_refused)
{
    read_back(true);
}

Test(generator, json_is_read_back_with_the_schema_and_poison_is_refused)
{
    read_back(false);
}

Test(generator, every_kind_of_poison_comes_where_its_encoding_has_it)
{
    static const enum generator_encoding encodings[] = { ENCODING_AVRO, ENCODING_JSON,
                                                         ENCODING_JSON_LINE, ENCODING_CSV,
                                                         ENCODING_DATUM };
    for (size_t e = 0; e < sizeof encodings / sizeof encodings[0]; e++) {
        struct generator_options options = usual();
        options.encoding = encodings[e];
        struct generator *generator = make(&options);
        int found[POISON_COUNT] = { 0 };
        for (int i = 0; i < 10000; i++) {
            struct generator_event event;
            generator_next(generator, &event);
            found[event.poison]++;
            cr_assert_eq(event.misplaced, event.poison == POISON_wrong_partition);
            const bool keyed = event.key.data != NULL;
            cr_assert_eq(keyed, event.poison != POISON_empty_user);
            if (keyed)
                cr_assert_eq(bytes_equal(event.key, event.columns[1].text),
                             event.poison != POISON_wrong_key);
        }
        for (int p = 1; p < POISON_COUNT; p++) {
            const bool wanted =
                generator_poison_reason((enum generator_poison)p, encodings[e]) != ST_OK;
            cr_expect_eq(found[p] > 0, wanted, "encoding %d: %d of %s", (int)encodings[e], found[p],
                         generator_poison_name((enum generator_poison)p));
        }
        generator_destroy(&generator);
    }
}

/* --- attacks -------------------------------------------------------------------------------------- */

enum { PAYMENTS_MAX = 32 };

struct story {
    enum generator_attack attack;
    int count, countries, devices_new, blocked;
    int64_t first_ms, last_ms; /* event time */
    int64_t low_cents, high_cents;
    bool in_order, one_user, one_card, no_device_twice;
    int64_t before_full_minute, after_full_minute;
    double degrees; /* between the last two places */
};

static bool text_is(const struct value *value, const char *text)
{
    return bytes_equal(value->text, bytes_of_string(text));
}

/* One attack in a quiet world. */
static struct story tell(enum generator_attack attack)
{
    struct generator_options options = usual();
    options.attack_interval_ms = 0;
    options.poison_share = options.duplicate_share = options.late_share = 0;
    struct generator *generator = make(&options);
    struct generator_event event;
    struct story story = { .attack = attack, .in_order = true, .one_user = true, .one_card = true,
                           .low_cents = INT64_MAX };
    char user[32] = "", card[32] = "", countries[PAYMENTS_MAX][4];
    int32_t lat = 0, lon = 0;
    generator_next(generator, &event);
    const uint32_t burst = generator_attack_at(generator, attack, START_MS + 10 * MINUTE_MS + 1234);
    cr_assert_eq(burst, 1);
    bool over = false;
    while (!over) {
        generator_next(generator, &event);
        if (event.burst != burst)
            continue;
        cr_assert_eq(event.attack, attack);
        cr_assert_lt(story.count, PAYMENTS_MAX);
        over = event.ends_burst;
        if (story.count == 0) {
            snprintf(user, sizeof user, "%.*s", (int)event.columns[1].text.size,
                     (const char *)event.columns[1].text.data);
            snprintf(card, sizeof card, "%.*s", (int)event.columns[2].text.size,
                     (const char *)event.columns[2].text.data);
        }
        story.one_user &= text_is(&event.columns[1], user);
        story.one_card &= text_is(&event.columns[2], card);
        story.in_order &= event.time_ms == event.arrival_ms;
        story.first_ms = story.count == 0 || event.time_ms < story.first_ms ? event.time_ms
                                                                           : story.first_ms;
        story.last_ms = event.time_ms > story.last_ms ? event.time_ms : story.last_ms;
        const int64_t amount = event.columns[6].i;
        story.low_cents = amount < story.low_cents ? amount : story.low_cents;
        story.high_cents = amount > story.high_cents ? amount : story.high_cents;
        bool known = false;
        for (int i = 0; i < story.countries; i++)
            known |= text_is(&event.columns[5], countries[i]);
        if (!known)
            snprintf(countries[story.countries++], 4, "%.2s",
                     (const char *)event.columns[5].text.data);
        story.devices_new += event.columns[4].kind == VALUE_STRING &&
                             memchr(event.columns[4].text.data, '-', event.columns[4].text.size) !=
                                 NULL &&
                             event.columns[4].text.size > strlen("d0000000-9");
        for (uint32_t i = 0; i < generator_blocked_merchant_count(generator); i++) {
            struct generator_blocked_merchant blocked;
            generator_blocked_merchant(generator, i, &blocked);
            story.blocked += bytes_equal(blocked.merchant_id, event.columns[3].text);
        }
        const int64_t in_minute = event.time_ms % MINUTE_MS;
        story.before_full_minute += in_minute > MINUTE_MS / 2;
        story.after_full_minute += in_minute < MINUTE_MS / 2;
        story.degrees = abs(event.lat_e6 - lat) / 1e6 + abs(event.lon_e6 - lon) / 1e6;
        lat = event.lat_e6;
        lon = event.lon_e6;
        story.count++;
    }
    generator_destroy(&generator);
    cr_expect(story.one_user, "%s", generator_attack_name(attack));
    return story;
}

Test(generator, attacks_are_what_their_names_say)
{
    struct story s = tell(ATTACK_velocity);
    cr_expect(s.count > 5 && s.last_ms - s.first_ms < MINUTE_MS && s.in_order);

    s = tell(ATTACK_straddle);
    cr_expect(s.count == 6 && s.last_ms - s.first_ms < MINUTE_MS && s.in_order);
    cr_expect(s.before_full_minute == 3 && s.after_full_minute == 3);

    s = tell(ATTACK_out_of_order_straddle);
    cr_expect(s.count == 6 && s.last_ms - s.first_ms < MINUTE_MS && !s.in_order);
    cr_expect(s.before_full_minute == 3 && s.after_full_minute == 3);

    s = tell(ATTACK_slow_burn);
    cr_expect(s.count == 23 && s.countries == 4 && s.one_card && s.high_cents <= 2000);
    cr_expect(s.last_ms - s.first_ms < 360 * MINUTE_MS && s.last_ms - s.first_ms > 300 * MINUTE_MS);

    s = tell(ATTACK_test_then_spend);
    cr_expect(s.count == 4 && s.low_cents < 200 && s.high_cents > 50000);
    cr_expect(s.last_ms - s.first_ms < 10 * MINUTE_MS);

    s = tell(ATTACK_high_amount);
    cr_expect(s.count == 1 && s.low_cents > 300000);

    s = tell(ATTACK_blocked_merchant);
    cr_expect(s.count == 1 && s.blocked == 1);

    s = tell(ATTACK_impossible_travel);
    cr_expect(s.count == 2 && s.countries == 2 && s.degrees > 10 &&
              s.last_ms - s.first_ms <= MINUTE_MS);

    s = tell(ATTACK_new_device);
    cr_expect(s.count == 1 && s.devices_new == 1 && s.low_cents > 50000);

    s = tell(ATTACK_location_mismatch);
    cr_expect(s.count == 1 && s.low_cents > 100000);
}

Test(generator, attacks_take_turns_and_have_names)
{
    const struct generator_options options = usual();
    struct generator *generator = make(&options);
    for (int i = 0; i < 60000; i++) {
        struct generator_event event;
        generator_next(generator, &event);
        cr_assert_eq(event.attack == ATTACK_NONE, event.burst == 0);
    }
    for (int i = 1; i < ATTACK_COUNT; i++) {
        const enum generator_attack attack = (enum generator_attack)i;
        const char *name = generator_attack_name(attack);
        const uint64_t begun = generator_attack_count(generator, attack);
        const uint64_t first = generator_attack_count(generator, (enum generator_attack)1);
        cr_expect(begun > 5 && begun + 1 >= first && begun <= first, "%s: %lu", name, begun);
        cr_expect_eq(generator_attack_of_name(bytes_of_string(name)), attack, "%s", name);
    }
    cr_expect_eq(generator_attack_of_name(BYTES_LITERAL("velocit")), ATTACK_NONE);
    generator_destroy(&generator);
}

/* What makes an alert of an ordinary payment would be counted as our mistake. */
Test(generator, ordinary_users_keep_within_limits)
{
    enum { KEPT = 5 };
    struct generator_options options = usual();
    options.per_second = 200;
    options.daily_rhythm = false;
    struct generator *generator = make(&options);
    struct map *users = NULL;
    map_create(&users, KEPT * sizeof(int64_t));
    for (int i = 0; i < 100000; i++) {
        struct generator_event event;
        generator_next(generator, &event);
        if (event.attack != ATTACK_NONE || event.poison != POISON_NONE || event.duplicate ||
            event.time_ms != event.arrival_ms)
            continue;
        bool is_new;
        int64_t *times = map_insert(users, event.columns[1].text, &is_new);
        cr_assert(times[0] == 0 || event.time_ms - times[0] >= MINUTE_MS - 1000,
                  "event %d: six payments in a minute", i);
        memmove(times, times + 1, (KEPT - 1) * sizeof *times);
        times[KEPT - 1] = event.time_ms;
        cr_assert_leq(event.columns[6].i, 250000);
    }
    cr_expect_gt(map_count(users), 5000);
    map_destroy(&users);
    generator_destroy(&generator);
}

/* --- tables and options --------------------------------------------------------------------------- */

Test(generator, every_user_has_a_profile_with_his_country)
{
    struct generator_options options = usual();
    options.attack_interval_ms = 0;
    struct generator *generator = make(&options);
    int at_home = 0, count = 0;
    cr_assert_eq(generator_profile_count(generator), options.user_count);
    for (int i = 0; i < 5000; i++) {
        struct generator_event event;
        generator_next(generator, &event);
        if (event.poison != POISON_NONE)
            continue;
        char user[32];
        snprintf(user, sizeof user, "%.*s", (int)event.columns[1].text.size,
                 (const char *)event.columns[1].text.data);
        struct generator_profile profile;
        generator_profile(generator, (uint32_t)strtoul(user + 1, NULL, 10), &profile);
        cr_assert(bytes_equal(profile.user_id, bytes_of_string(user)));
        cr_assert_lt(profile.updated_at_ms, START_MS);
        at_home += bytes_equal(profile.country, event.columns[5].text);
        count++;
    }
    cr_expect(at_home > count * 9 / 10 && at_home < count, "%d of %d", at_home, count);
    generator_destroy(&generator);
}

Test(generator, options_out_of_range_are_refused)
{
    struct generator_options rows[6];
    for (size_t i = 0; i < 6; i++)
        rows[i] = usual();
    rows[0].user_count = 0;
    rows[1].per_second = 0;
    rows[2].late_share = 0.6;
    rows[3].poison_share = -0.1;
    rows[4].start_ms = -1;
    rows[5].duplicate_share = nan("");
    for (size_t i = 0; i < 6; i++) {
        struct generator *generator = NULL;
        struct error err;
        cr_expect_eq(generator_create(&generator, &rows[i], &err), ST_INVALID, "row %zu", i);
        cr_expect_null(generator);
    }
}

Test(generator_queue, gives_payments_by_arrival_and_then_by_order)
{
    struct prng prng = prng_from_env("TEST_SEED", 11);
    struct generator_queue queue;
    generator_queue_init(&queue);
    uint64_t order = 0, put = 0, taken = 0;
    int64_t floor_us = 0;
    uint64_t floor_order = 0;
    for (int step = 0; step < 20000; step++) {
        if (queue.count == 0 || prng_chance(&prng, 11, 20)) {
            const struct payment payment = { .arrival_us = floor_us + (int64_t)prng_below(&prng, 9),
                                             .arrival_order = ++order };
            generator_queue_put(&queue, &payment);
            put++;
            continue;
        }
        const struct payment payment = generator_queue_take(&queue);
        taken++;
        cr_assert(payment.arrival_us > floor_us ||
                      (payment.arrival_us == floor_us && payment.arrival_order > floor_order),
                  "TEST_SEED=%lu step=%d", prng.seed, step);
        floor_us = payment.arrival_us;
        floor_order = payment.arrival_order;
    }
    cr_expect_eq(put - taken, queue.count);
    generator_queue_fini(&queue);
}
