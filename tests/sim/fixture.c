#include "fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "processor/topology/topology.h"

static const int64_t START_MS = INT64_C(1767225600000); /* 2026-01-01T00:00:00Z */

static const char payment_schema[] =
    "{\"type\":\"record\",\"name\":\"Payment\",\"fields\":["
    "{\"name\":\"id\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"user\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"cents\",\"type\":\"long\",\"default\":0},"
    "{\"name\":\"shop\",\"type\":[\"null\",\"string\"],\"default\":null}]}";
static const char profile_schema[] =
    "{\"type\":\"record\",\"name\":\"Profile\",\"fields\":["
    "{\"name\":\"user\",\"type\":\"string\"},{\"name\":\"level\",\"type\":\"long\"}]}";
static const char blocked_schema[] =
    "{\"type\":\"record\",\"name\":\"Blocked\",\"fields\":["
    "{\"name\":\"shop\",\"type\":\"string\"},{\"name\":\"why\",\"type\":\"long\"}]}";

static const char stream_text[] = "topology: sim\n"
                                  "streams:\n"
                                  "  payments:\n"
                                  "    topic: payments\n"
                                  "    format: json\n"
                                  "    schema: payment.avsc\n"
                                  "    key: user\n"
                                  "    id: id\n"
                                  "    time: at\n"
                                  "    out_of_order: 5s\n"
                                  "    accept_late: 10m\n"
                                  "    max_ahead: 0s\n"
                                  "    dedupe: 5m\n"
                                  "    remember: { for: 3m }\n";
static const char profiles_text[] = "  profiles:\n"
                                    "    topic: profiles\n"
                                    "    format: json\n"
                                    "    schema: profile.avsc\n"
                                    "    key: user\n";
static const char blocked_text[] = "  blocked:\n"
                                   "    topic: blocked\n"
                                   "    format: json\n"
                                   "    schema: blocked.avsc\n"
                                   "    key: shop\n"
                                   "    scope: everywhere\n";
static const char rules_text[] = "features:\n"
                                 "  n:      count(over 1m)\n"
                                 "  spend:  sum(cents over 2m)\n"
                                 "  kinds:  distinct(shop over 1m)\n"
                                 "  before: last(cents over previous 1)\n"
                                 "rules:\n"
                                 "  velocity:\n"
                                 "    when: n > 3\n"
                                 "    severity: high\n"
                                 "    message: \"{n} payments\"\n"
                                 "  burst:\n"
                                 "    when: spend > 1500\n"
                                 "    severity: low\n"
                                 "  spree:\n"
                                 "    when: spend > 700\n"
                                 "    severity: low\n"
                                 "    repeat: once per 3m\n"
                                 "  spread:\n"
                                 "    when: kinds >= 3\n"
                                 "    severity: low\n"
                                 "    repeat: on rise\n"
                                 "  jump:\n"
                                 "    when: cents > 3 * before\n"
                                 "    severity: medium\n";
static const char profile_rule[] = "  above_level:\n"
                                   "    when: cents > profiles[user].level\n"
                                   "    severity: medium\n";
static const char blocked_rule[] = "  blocked_shop:\n"
                                   "    when: shop in blocked\n"
                                   "    severity: high\n";
static const char outputs_text[] = "outputs:\n"
                                   "  alerts: { topic: alerts, format: avro }\n"
                                   "  dead_letters: { topic: dead-letters }\n";

static struct plan *plans[FIXTURE_VARIANTS];
static struct topics topics[FIXTURE_VARIANTS];

static bool find_schema(void *context, const char *name, struct bytes *content)
{
    (void)context;
    const char *const text = strcmp(name, "payment.avsc") == 0   ? payment_schema
                             : strcmp(name, "profile.avsc") == 0 ? profile_schema
                                                                 : blocked_schema;
    *content = bytes_of_string(text);
    return true;
}

static void load(int variant)
{
    AUTO(mem_auto_free)
    char *text = mem_format("%s%s%s%s%s%s%s%s", stream_text, variant != 0 ? "tables:\n" : "",
                            variant & FIXTURE_TABLE_OWN ? profiles_text : "",
                            variant & FIXTURE_TABLE_EVERYWHERE ? blocked_text : "", rules_text,
                            variant & FIXTURE_TABLE_OWN ? profile_rule : "",
                            variant & FIXTURE_TABLE_EVERYWHERE ? blocked_rule : "", outputs_text);
    const struct topology_options options = { .find_embedded = find_schema };
    struct diagnostics diagnostics;
    struct error err = { .status = ST_OK };
    diagnostics_init(&diagnostics, "sim.yaml");
    const enum status st = topology_load_text(&plans[variant], "sim.yaml", bytes_of_string(text),
                                              &options, &diagnostics, &err);
    if (st != ST_OK) {
        struct buffer wrong;
        buffer_init(&wrong);
        diagnostics_format(&diagnostics, &wrong);
        fprintf(stderr, "%s%s\n", buffer_text(&wrong), err.text);
        exit(2);
    }
    diagnostics_fini(&diagnostics);
    topics_init(&topics[variant], plans[variant]);
}

const struct plan *fixture_plan(int variant)
{
    if (plans[variant] == NULL)
        load(variant);
    return plans[variant];
}

const struct topics *fixture_topics(int variant)
{
    fixture_plan(variant);
    return &topics[variant];
}

void fixture_fini(void)
{
    for (int i = 0; i < FIXTURE_VARIANTS; i++) {
        if (plans[i] == NULL)
            continue;
        topics_fini(&topics[i]);
        plan_destroy(&plans[i]);
    }
}

/* --- input ----------------------------------------------------------------------------------- */

enum { SHOPS = 6, RECENT = 5, LEAP_MIN_MS = 15 * 60 * 1000, LEAP_MAX_MS = 25 * 60 * 1000 };
enum { LATE_MAX_MS = 40 * 1000, VERY_LATE_MS = 14 * 60 * 1000 };
enum { BROKEN_ROW_ONE_IN = 20 };

struct generator {
    const struct fixture_options *options;
    const struct topics *topics;
    struct prng *prng;
    struct arena *arena;
    struct fixture_record *records;
    size_t count;
    int64_t now_ms;
    uint64_t next_id;
    size_t recent[RECENT]; /* the last good events */
};

static int32_t partition_of(const struct generator *generator, const char *user)
{
    return hash_partition_murmur2(bytes_of_string(user), generator->options->partitions);
}

static struct fixture_record *add(struct generator *generator, int topic, int32_t partition,
                                  const char *key, const char *value)
{
    struct fixture_record *record = &generator->records[generator->count++];
    *record = (struct fixture_record){
        .topic = topic,
        .partition = partition,
        .timestamp_ms = generator->now_ms,
        .key = key == NULL ? BYTES_NONE : bytes_of_string(key),
        .value = value == NULL ? BYTES_NONE : bytes_of_string(value),
        .offset = -1,
    };
    return record;
}

static void add_event(struct generator *generator)
{
    const struct fixture_options *options = generator->options;
    struct prng *prng = generator->prng;
    generator->now_ms += prng_between(prng, 0, options->step_ms_max);
    if (prng_chance(prng, options->leap, 1000))
        generator->now_ms += prng_between(prng, LEAP_MIN_MS, LEAP_MAX_MS);
    int64_t at_ms = generator->now_ms;
    if (prng_chance(prng, options->late, 1000))
        at_ms -= prng_chance(prng, 1, 20) ? VERY_LATE_MS : prng_between(prng, 0, LATE_MAX_MS);
    const int user_number = (int)prng_below(prng, (uint64_t)options->users);
    const char *user = arena_format(generator->arena, "u%d", user_number);
    const char *id = arena_format(generator->arena, "e%" PRIu64, generator->next_id++);
    const int64_t cents =
        prng_chance(prng, 1, 12) ? prng_between(prng, 300, 900) : prng_between(prng, 1, 90);
    const char *json = arena_format(generator->arena,
                                    "{\"id\":\"%s\",\"user\":\"%s\",\"at\":%" PRId64
                                    ",\"cents\":%" PRId64 ",\"shop\":\"s%d\"}",
                                    id, user, at_ms, cents, (int)prng_below(prng, SHOPS));
    generator->recent[generator->next_id % RECENT] = generator->count;
    struct fixture_record *record = add(generator, 0, partition_of(generator, user), user, json);
    record->is_event = true;
    record->user = user_number;
    record->at_ms = at_ms;
    record->cents = cents;
    record->id = id;
}

static void add_duplicate(struct generator *generator)
{
    if (generator->next_id < RECENT) {
        add_event(generator);
        return;
    }
    const size_t original = generator->recent[prng_below(generator->prng, RECENT)];
    struct fixture_record *record = &generator->records[generator->count++];
    *record = generator->records[original];
    record->timestamp_ms = generator->now_ms;
}

static void add_poison(struct generator *generator)
{
    struct prng *prng = generator->prng;
    const int32_t partition = (int32_t)prng_below(prng, (uint64_t)generator->options->partitions);
    const char *at = arena_format(generator->arena, "%" PRId64, generator->now_ms);
    const char *json = NULL;
    switch (prng_below(prng, 5)) {
    case 0:
        json = "{";
        break;
    case 1:
        json = arena_format(generator->arena, "{\"id\":null,\"user\":\"u0\",\"at\":%s}", at);
        break;
    case 2:
        json = arena_format(generator->arena, "{\"id\":\"x\",\"user\":null,\"at\":%s}", at);
        break;
    case 3:
        json = "{\"id\":\"y\",\"user\":\"u1\",\"at\":-1}";
        break;
    case 4:
        break; /* no value */
    }
    add(generator, 0, partition, prng_chance(prng, 1, 4) ? NULL : "u0", json);
}

static void add_row(struct generator *generator)
{
    struct prng *prng = generator->prng;
    const struct fixture_options *options = generator->options;
    const int first = generator->topics->first_table;
    const bool own = (options->variant & FIXTURE_TABLE_OWN) != 0;
    const bool deletes = prng_chance(prng, 1, 4);
    if (own && ((options->variant & FIXTURE_TABLE_EVERYWHERE) == 0 || prng_chance(prng, 1, 2))) {
        const char *user =
            arena_format(generator->arena, "u%d", (int)prng_below(prng, (uint64_t)options->users));
        const char *row = arena_format(generator->arena, "{\"user\":\"%s\",\"level\":%d}", user,
                                       (int)prng_between(prng, 20, 600));
        add(generator, first, partition_of(generator, user), user, deletes ? NULL : row);
        return;
    }
    const char *shop = arena_format(generator->arena, "s%d", (int)prng_below(prng, SHOPS));
    const uint32_t broken = options->broken_row_one_in;
    const char *row = prng_chance(prng, 1, broken == 0 ? BROKEN_ROW_ONE_IN : broken)
                          ? "["
                          : arena_format(generator->arena, "{\"shop\":\"%s\",\"why\":%d}", shop,
                                         (int)prng_below(prng, 9));
    add(generator, first + own,
        hash_partition_murmur2(bytes_of_string(shop), options->everywhere_partitions), shop,
        deletes ? NULL : row);
}

void fixture_generate(const struct fixture_options *options, struct prng *prng, struct arena *arena,
                      struct fixture_record **records, size_t *count)
{
    struct generator generator = {
        .options = options,
        .topics = fixture_topics(options->variant),
        .prng = prng,
        .arena = arena,
        .records = mem_alloc_array(options->events, sizeof(struct fixture_record)),
        .now_ms = START_MS,
    };
    while (generator.count < options->rows_first)
        add_row(&generator);
    while (generator.count < options->events) {
        const uint64_t draw = prng_below(prng, 1000);
        if (draw < options->duplicate)
            add_duplicate(&generator);
        else if (draw < options->duplicate + options->poison)
            add_poison(&generator);
        else if (options->variant != 0 &&
                 draw < options->duplicate + options->poison + options->table)
            add_row(&generator);
        else
            add_event(&generator);
    }
    *records = arena_alloc(arena, (generator.count + 1) * sizeof(struct fixture_record));
    memcpy(*records, generator.records, generator.count * sizeof(struct fixture_record));
    mem_free(generator.records);
    *count = generator.count;
}
