/*
 * generator: realistic card payments (schemas/transaction.avsc) with what makes a stream hard: daily
 * rhythm, records out of order, late, twice or broken, and named attacks.
 *
 * The same options give the same events on every machine: no clock, no libm. An event says what it
 * is meant to be (attack, poison), which its payload does not. Ordinary users keep within limits (no
 * five payments a minute, nothing above 2,500, no journeys), and nobody pays while he is being
 * attacked and the half day after, so alerts of the shipped rules lead back to attacks, but for a
 * few that real customers would cause too.
 *
 * One thread. Endless: the caller decides how many events it takes.
 */
#ifndef WEIR_PROCESSOR_OFFLINE_GENERATOR_H
#define WEIR_PROCESSOR_OFFLINE_GENERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "schemas/value.h"

enum generator_attack {
    ATTACK_NONE,
#define ATTACK(name, rule, text) ATTACK_##name,
#include "processor/offline/generator_attacks.def"
#undef ATTACK
    ATTACK_COUNT
};

enum generator_poison {
    POISON_NONE,
#define POISON(name, avro, json, line, row) POISON_##name,
#include "processor/offline/generator_poison.def"
#undef POISON
    POISON_COUNT
};

/* How an event is written: it decides which poison is possible. */
enum generator_encoding { ENCODING_AVRO, ENCODING_JSON, ENCODING_JSON_LINE, ENCODING_CSV, ENCODING_DATUM };

/* "" for none. */
const char *generator_attack_name(enum generator_attack attack);
/* ATTACK_NONE when there is none of that name. */
enum generator_attack generator_attack_of_name(struct bytes name);
/* The rule of card-fraud.yaml that must alert it. */
const char *generator_attack_rule(enum generator_attack attack);
const char *generator_attack_text(enum generator_attack attack);
const char *generator_poison_name(enum generator_poison poison);
/* The dead letter's reason; ST_OK: this encoding does not have it. */
enum status generator_poison_reason(enum generator_poison poison, enum generator_encoding encoding);

#define GENERATOR_ALL_ATTACKS ((1u << ATTACK_COUNT) - 2)

/* Shares are of ordinary payments, 0 .. 0.5 each. */
struct generator_options {
    uint64_t seed;
    uint32_t user_count;       /* 1 .. 10,000,000 */
    int64_t start_ms;          /* event time of the first payment */
    double per_second;         /* ordinary payments in event time, on the average of a day */
    bool daily_rhythm;         /* or always as many */
    double out_of_order_share; /* arrive up to 30 s behind */
    double late_share;         /* arrive 1 to 45 minutes behind: phones without network */
    double duplicate_share;    /* arrive once more within 5 minutes, byte for byte */
    double poison_share;
    enum generator_encoding encoding;
    uint32_t attacks;            /* bit 1 << ATTACK_...: these take turns */
    int64_t attack_interval_ms;  /* of event time between two; 0: only generator_attack_at */
};

enum { GENERATOR_COLUMNS = 10 };

struct generator_event {
    uint64_t number;
    int64_t arrival_ms; /* the record's timestamp */
    int64_t time_ms;    /* when the payment was made */
    struct bytes key;   /* none: the record has no key */
    bool misplaced;     /* must not lie in the partition of its key */
    enum generator_attack attack;
    uint32_t burst;  /* counts the attacks from 1; 0: none */
    bool ends_burst; /* the last of its attack to arrive, but for duplicates */
    enum generator_poison poison;
    bool duplicate;
    /* In the order of schemas/transaction.avsc; text lives until the next event. */
    struct value columns[GENERATOR_COLUMNS];
    bool has_place;
    int32_t lat_e6, lon_e6; /* the place again, in millionths */
};

struct generator;

/* ST_INVALID says which option is out of its range. */
MUST_CHECK enum status generator_create(struct generator **out,
                                        const struct generator_options *options, struct error *err);
void generator_destroy(struct generator **generator);

/* The event that arrives next. */
void generator_next(struct generator *generator, struct generator_event *event);
/* From the next payment on. */
void generator_set_rate(struct generator *generator, double per_second);
/* Begins an attack at an event time that has not been reached; gives its burst number. */
uint32_t generator_attack_at(struct generator *generator, enum generator_attack attack,
                             int64_t time_ms);
/* How many attacks of that name have begun. */
uint64_t generator_attack_count(const struct generator *generator, enum generator_attack attack);

/* The rows of the tables; text lives until the next row. */
struct generator_profile {
    struct bytes user_id, country;
    int64_t updated_at_ms;
};
uint32_t generator_profile_count(const struct generator *generator);
void generator_profile(struct generator *generator, uint32_t index, struct generator_profile *out);

struct generator_blocked_merchant {
    struct bytes merchant_id, reason;
};
uint32_t generator_blocked_merchant_count(const struct generator *generator);
void generator_blocked_merchant(struct generator *generator, uint32_t index,
                                struct generator_blocked_merchant *out);

#endif
