/*
 * Ordinary payments are made one after another in event time; each gets a time of arrival and waits
 * in a queue, together with the payments of attacks, until everything that arrives earlier has been
 * made.
 */
#include "processor/offline/generator.h"

#include <stdio.h>

#include "base/ensure.h"
#include "base/hash.h"
#include "base/memory.h"
#include "processor/expression/stable_math.h"
#include "processor/offline/generator_attack.h"
#include "processor/offline/generator_queue.h"
#include "processor/offline/generator_world.h"

enum {
    SECOND_US = 1000 * 1000,
    HOUR_S = 3600,
    MINUTE_S = 60,
    DAY_S = 24 * HOUR_S,
    OUT_OF_ORDER_MAX_S = 30,
    LATE_MIN_S = 60,
    LATE_MAX_S = 45 * MINUTE_S,
    AGAIN_MAX_S = 5 * MINUTE_S,
    QUIET_AFTER_ATTACK_S = 12 * HOUR_S,
    PER_MINUTE_MAX = 4, /* of an ordinary user */
    PICKS_MAX = 32,
    ORDINARY_CENTS_MIN = 100,
    ORDINARY_CENTS_MAX = 250 * 1000,
    /* A record can be too late only once its partition knows what time it is. */
    POISON_AFTER = 1000,
    TOO_LATE_S = 2 * DAY_S,
    PROFILE_AGE_S = DAY_S,
    TEXT_SIZE = 40
};

/* Of the logarithm of what a user pays; wider, and ordinary payments would look unusual. */
#define AMOUNT_SPREAD 0.45

/* Ahead of every clock that will run this. */
static const int64_t future_us = (int64_t)20 * 365 * DAY_S * SECOND_US;

/* When a user paid last, in seconds after the start (saturating), and until when he does not. */
struct habit {
    int32_t paid_s[PER_MINUTE_MAX];
    int32_t quiet_until_s;
};

struct generator {
    struct generator_options options;
    struct world world;
    struct prng prng;
    struct generator_queue queue;
    struct habit *habits;
    char id_prefix[12];
    int64_t start_us, next_us, next_attack_us;
    uint64_t numbers, arrivals, made;
    uint32_t bursts;
    int next_attack, next_poison;
    uint64_t attack_counts[ATTACK_COUNT];
    /* The text of the event handed out. */
    char id[TEXT_SIZE], user[TEXT_SIZE], card[TEXT_SIZE], merchant[TEXT_SIZE], device[TEXT_SIZE];
    char row_id[TEXT_SIZE]; /* of the table row handed out */
};

/* --- names ---------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *rule, *text;
} attacks[] = {
    [ATTACK_NONE] = { "", "", "" },
#define ATTACK(name, rule, text) [ATTACK_##name] = { #name, rule, text },
#include "processor/offline/generator_attacks.def"
#undef ATTACK
};

static const struct {
    const char *name;
    enum status avro, json, line, row;
} poisons[] = {
    [POISON_NONE] = { "", ST_OK, ST_OK, ST_OK, ST_OK },
#define POISON(name, avro, json, line, row) \
    [POISON_##name] = { #name, ST_##avro, ST_##json, ST_##line, ST_##row },
#include "processor/offline/generator_poison.def"
#undef POISON
};

const char *generator_attack_name(enum generator_attack attack)
{
    return attacks[attack].name;
}

const char *generator_attack_rule(enum generator_attack attack)
{
    return attacks[attack].rule;
}

const char *generator_attack_text(enum generator_attack attack)
{
    return attacks[attack].text;
}

enum generator_attack generator_attack_of_name(struct bytes name)
{
    for (int i = 1; i < ATTACK_COUNT; i++) {
        if (bytes_equal(name, bytes_of_string(attacks[i].name)))
            return (enum generator_attack)i;
    }
    return ATTACK_NONE;
}

const char *generator_poison_name(enum generator_poison poison)
{
    return poisons[poison].name;
}

enum status generator_poison_reason(enum generator_poison poison, enum generator_encoding encoding)
{
    switch (encoding) {
    case ENCODING_AVRO: return poisons[poison].avro;
    case ENCODING_JSON: return poisons[poison].json;
    case ENCODING_JSON_LINE: return poisons[poison].line;
    case ENCODING_CSV:
    case ENCODING_DATUM: return poisons[poison].row;
    }
    UNREACHABLE();
}

/* --- life ----------------------------------------------------------------------------------------- */

static enum status check_options(const struct generator_options *options, struct error *err)
{
    const double shares[] = { options->out_of_order_share, options->late_share,
                              options->duplicate_share, options->poison_share };
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        if (!(shares[i] >= 0 && shares[i] <= 0.5))
            return FAIL(err, ST_INVALID, "a share lies between 0 and 0.5");
    }
    if (options->user_count < 1 || options->user_count > WORLD_USERS_MAX)
        return FAIL(err, ST_INVALID, "there can be 1 to %d users", WORLD_USERS_MAX);
    if (!(options->per_second > 0 && options->per_second <= 1e6))
        return FAIL(err, ST_INVALID, "there can be up to 1,000,000 payments a second");
    if (options->start_ms < 0 || options->start_ms > INT64_C(100) * 366 * DAY_S * 1000)
        return FAIL(err, ST_INVALID, "the start lies between 1970 and 2070");
    return ST_OK;
}

enum status generator_create(struct generator **out, const struct generator_options *options,
                             struct error *err)
{
    ENSURE(*out == NULL);
    TRY(check_options(options, err));
    struct generator *generator = mem_alloc(sizeof *generator);
    generator->options = *options;
    world_init(&generator->world, options->seed, options->user_count);
    generator->prng = prng_of_seed(options->seed ^ 0x7765697267656e);
    generator_queue_init(&generator->queue);
    generator->habits = mem_alloc_array(options->user_count, sizeof *generator->habits);
    for (uint32_t i = 0; i < options->user_count; i++) {
        for (int j = 0; j < PER_MINUTE_MAX; j++)
            generator->habits[i].paid_s[j] = -MINUTE_S;
    }
    /* Two runs into one topic must not look like duplicates of each other. */
    const int64_t identity[] = { (int64_t)options->seed, options->start_ms };
    snprintf(generator->id_prefix, sizeof generator->id_prefix, "%08x-",
             (unsigned)hash64(bytes_of(identity, sizeof identity)));
    generator->start_us = generator->next_us = options->start_ms * 1000;
    generator->next_attack_us = generator->start_us + options->attack_interval_ms * 1000;
    *out = generator;
    return ST_OK;
}

void generator_destroy(struct generator **generator_ref)
{
    struct generator *generator = TAKE(*generator_ref);
    if (generator == NULL)
        return;
    generator_queue_fini(&generator->queue);
    mem_free(generator->habits);
    mem_free(generator);
}

/* --- habits --------------------------------------------------------------------------------------- */

static int32_t seconds_after_start(const struct generator *generator, int64_t time_us)
{
    const int64_t s = (time_us - generator->start_us) / SECOND_US;
    return s < 0 ? 0 : s > INT32_MAX / 2 ? INT32_MAX / 2 : (int32_t)s;
}

static bool may_pay(const struct habit *habit, int32_t now_s)
{
    return now_s >= habit->quiet_until_s && now_s - habit->paid_s[0] >= MINUTE_S;
}

static void remember_payment(struct habit *habit, int32_t now_s)
{
    for (int i = 1; i < PER_MINUTE_MAX; i++)
        habit->paid_s[i - 1] = habit->paid_s[i];
    habit->paid_s[PER_MINUTE_MAX - 1] = now_s;
}

static uint32_t pick_payer(struct generator *generator, int32_t now_s)
{
    uint32_t user = 0;
    for (int i = 0; i < PICKS_MAX; i++) {
        user = world_pick_user(&generator->world, &generator->prng);
        if (may_pay(&generator->habits[user], now_s))
            break;
    }
    return user;
}

/* Somebody who pays seldom, and was left in peace for a while. */
static uint32_t pick_victim(struct generator *generator, int32_t now_s)
{
    const uint32_t count = generator->world.user_count;
    uint32_t user = 0;
    for (int i = 0; i < PICKS_MAX; i++) {
        user = count / 2 + (uint32_t)prng_below(&generator->prng, count - count / 2);
        if (may_pay(&generator->habits[user], now_s))
            break;
    }
    return user;
}

/* --- arrivals --------------------------------------------------------------------------------------- */

static bool draw_share(struct prng *prng, double share)
{
    return prng_unit(prng) < share;
}

static void enqueue(struct generator *generator, struct payment *payment)
{
    payment->arrival_order = generator->arrivals++;
    generator_queue_put(&generator->queue, payment);
}

static void enqueue_again(struct generator *generator, const struct payment *payment)
{
    if (!draw_share(&generator->prng, generator->options.duplicate_share))
        return;
    struct payment again = *payment;
    again.duplicate = true;
    again.ends_burst = false;
    again.arrival_us += prng_between(&generator->prng, 1, AGAIN_MAX_S) * SECOND_US;
    enqueue(generator, &again);
}

/* --- attacks -------------------------------------------------------------------------------------- */

static struct payment *last_to_arrive(struct burst *burst)
{
    struct payment *last = &burst->payments[0];
    for (size_t i = 1; i < burst->count; i++) {
        if (burst->payments[i].arrival_us >= last->arrival_us)
            last = &burst->payments[i];
    }
    return last;
}

uint32_t generator_attack_at(struct generator *generator, enum generator_attack attack,
                             int64_t time_ms)
{
    struct burst burst = { .world = &generator->world, .prng = &generator->prng };
    burst.start_us = time_ms * 1000;
    const uint32_t victim = pick_victim(generator, seconds_after_start(generator, burst.start_us));
    burst.victim = world_user(&generator->world, victim);
    generator_attack_plan(&burst, attack);
    last_to_arrive(&burst)->ends_burst = true;
    generator->attack_counts[attack]++;
    generator->bursts++;
    int64_t last_us = 0;
    for (size_t i = 0; i < burst.count; i++) {
        struct payment *payment = &burst.payments[i];
        payment->number = generator->numbers++;
        payment->attack = (uint8_t)attack;
        payment->burst = generator->bursts;
        last_us = payment->time_us > last_us ? payment->time_us : last_us;
        enqueue(generator, payment);
        enqueue_again(generator, payment);
    }
    generator->habits[victim].quiet_until_s =
        seconds_after_start(generator, last_us) + QUIET_AFTER_ATTACK_S;
    return generator->bursts;
}

void generator_set_rate(struct generator *generator, double per_second)
{
    ENSURE(per_second > 0);
    generator->options.per_second = per_second;
}

uint64_t generator_attack_count(const struct generator *generator, enum generator_attack attack)
{
    return generator->attack_counts[attack];
}

static void start_attacks(struct generator *generator)
{
    const uint32_t wanted = generator->options.attacks & GENERATOR_ALL_ATTACKS;
    if (generator->options.attack_interval_ms <= 0 || wanted == 0)
        return;
    while (generator->next_attack_us <= generator->next_us) {
        do {
            generator->next_attack = generator->next_attack % (ATTACK_COUNT - 1) + 1;
        } while ((wanted & 1u << generator->next_attack) == 0);
        generator_attack_at(generator, (enum generator_attack)generator->next_attack,
                            generator->next_us / 1000 + 1);
        generator->next_attack_us += generator->options.attack_interval_ms * 1000;
    }
}

/* --- ordinary payments ---------------------------------------------------------------------------- */

/* The sum of 12 uniform numbers is as good as normal here, and the same everywhere. */
static double draw_normal(struct prng *prng)
{
    uint64_t sum = 0;
    for (int i = 0; i < 3; i++) {
        const uint64_t x = prng_next(prng);
        sum += (x & 0xffff) + (x >> 16 & 0xffff) + (x >> 32 & 0xffff) + (x >> 48);
    }
    return ((double)sum - 12 * 32767.5) / 65536;
}

static int64_t draw_amount(struct prng *prng, const struct world_user *user, int price_percent)
{
    const double cents = stable_exp(user->log_amount + AMOUNT_SPREAD * draw_normal(prng));
    int64_t amount = (int64_t)cents * price_percent / 100;
    /* Prices like 9.99 and 20.00 are what people see on their statements. */
    if (prng_chance(prng, 1, 3))
        amount = amount / 100 * 100 + 99;
    if (amount < ORDINARY_CENTS_MIN)
        return ORDINARY_CENTS_MIN;
    return amount > ORDINARY_CENTS_MAX ? ORDINARY_CENTS_MAX : amount;
}

static struct payment draw_payment(struct generator *generator, uint32_t payer)
{
    struct prng *prng = &generator->prng;
    const struct world_user user = world_user(&generator->world, payer);
    struct payment payment =
        generator_payment_at_home(&generator->world, &user, generator->next_us, prng);
    const uint64_t where = prng_below(prng, 100);
    if (where < 3) {
        payment.city = (int8_t)user.other_city;
        payment.merchant = world_pick_merchant(&generator->world, user.other_city, prng);
    }
    if (where < 18)
        payment.has_place = false; /* in the web */
    else if (where < 38)
        payment.device = PAYMENT_NO_DEVICE; /* the card itself */
    const struct world_merchant merchant = world_merchant(&generator->world, payment.merchant);
    payment.amount_cents = draw_amount(prng, &user, merchant.price_percent);
    return payment;
}

static void draw_arrival(struct generator *generator, struct payment *payment)
{
    const struct generator_options *options = &generator->options;
    struct prng *prng = &generator->prng;
    if (draw_share(prng, options->late_share))
        payment->arrival_us +=
            prng_between(prng, LATE_MIN_S, LATE_MAX_S) * SECOND_US;
    else if (draw_share(prng, options->out_of_order_share))
        payment->arrival_us += prng_between(prng, 1, OUT_OF_ORDER_MAX_S) * SECOND_US;
}

static void make_poison(struct generator *generator)
{
    if (generator->made < POISON_AFTER ||
        !draw_share(&generator->prng, generator->options.poison_share))
        return;
    do {
        generator->next_poison = generator->next_poison % (POISON_COUNT - 1) + 1;
    } while (generator_poison_reason((enum generator_poison)generator->next_poison,
                                     generator->options.encoding) == ST_OK);
    const uint32_t payer = world_pick_user(&generator->world, &generator->prng);
    struct payment payment = draw_payment(generator, payer);
    payment.poison = (uint8_t)generator->next_poison;
    if (payment.poison == POISON_future)
        payment.time_us += future_us;
    if (payment.poison == POISON_too_late)
        payment.time_us -= (int64_t)TOO_LATE_S * SECOND_US;
    payment.number = generator->numbers++;
    enqueue(generator, &payment);
}

/* Percent of the day's average, by the hour (UTC). */
static int rhythm_percent(int64_t time_us)
{
    static const uint8_t percent[24] = { 48,  33,  24,  20,  20,  27,  47,  77,
                                         102, 118, 128, 143, 154, 143, 133, 133,
                                         143, 164, 174, 164, 143, 118, 84,  60 };
    return percent[time_us / SECOND_US / HOUR_S % 24];
}

static void advance(struct generator *generator)
{
    double per_second = generator->options.per_second;
    if (generator->options.daily_rhythm)
        per_second = per_second * rhythm_percent(generator->next_us) / 100;
    const double wait = -stable_log(1.0 - prng_unit(&generator->prng)) / per_second;
    generator->next_us += (int64_t)(wait * SECOND_US);
}

static void make_payment(struct generator *generator)
{
    start_attacks(generator);
    const int32_t now_s = seconds_after_start(generator, generator->next_us);
    const uint32_t payer = pick_payer(generator, now_s);
    remember_payment(&generator->habits[payer], now_s);
    struct payment payment = draw_payment(generator, payer);
    payment.number = generator->numbers++;
    draw_arrival(generator, &payment);
    enqueue(generator, &payment);
    enqueue_again(generator, &payment);
    make_poison(generator);
    generator->made++;
    advance(generator);
}

/* --- events --------------------------------------------------------------------------------------- */

/* A letter and at least seven digits; printf would take a tenth of all the time. */
static size_t put_number(char *out, char letter, uint64_t number, int digits_min)
{
    char digits[24];
    int count = 0;
    while (number > 0 || count < digits_min) {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    }
    size_t size = 0;
    if (letter != '\0')
        out[size++] = letter;
    while (count > 0)
        out[size++] = digits[--count];
    return size;
}

static struct bytes name_user(char *out, uint32_t user)
{
    return bytes_of(out, put_number(out, 'u', user, 7));
}

static struct bytes name_merchant(char *out, uint32_t merchant)
{
    return bytes_of(out, put_number(out, 'm', merchant, 5));
}

/* c0000012-1: the second card of user 12. */
static struct bytes name_of_users(char *out, char letter, uint32_t user, uint64_t n)
{
    size_t size = put_number(out, letter, user, 7);
    out[size++] = '-';
    size += put_number(out + size, '\0', n, 1);
    return bytes_of(out, size);
}

static struct value device_value(struct generator *generator, const struct payment *payment)
{
    enum { OF_THIEVES = 100 };
    if (payment->device == PAYMENT_NO_DEVICE)
        return value_null();
    const uint64_t n = payment->device == PAYMENT_NEW_DEVICE ? OF_THIEVES + payment->number
                                                             : (uint64_t)payment->device;
    return value_string(name_of_users(generator->device, 'd', payment->user, n));
}

static struct bytes name_event(struct generator *generator, uint64_t number)
{
    size_t size = strlen(generator->id_prefix);
    memcpy(generator->id, generator->id_prefix, size);
    size += put_number(generator->id + size, '\0', number, 10);
    return bytes_of(generator->id, size);
}

static void fill_columns(struct generator *generator, const struct payment *payment,
                         struct value *columns)
{
    const struct bytes none = bytes_of("", 0);
    const struct bytes id =
        payment->poison == POISON_empty_id ? none : name_event(generator, payment->number);
    const struct bytes user =
        payment->poison == POISON_empty_user ? none : name_user(generator->user, payment->user);
    size_t i = 0;
    columns[i++] = value_string(id);
    columns[i++] = value_string(user);
    columns[i++] =
        value_string(name_of_users(generator->card, 'c', payment->user, payment->card));
    columns[i++] = value_string(name_merchant(generator->merchant, payment->merchant));
    columns[i++] = device_value(generator, payment);
    columns[i++] = value_string(bytes_of_string(world_country(payment->city)));
    columns[i++] = value_int(payment->amount_cents);
    columns[i++] = value_timestamp(payment->time_us / 1000 * 1000);
    columns[i++] = payment->has_place ? value_double(payment->place.lat_e6 / 1e6) : value_null();
    columns[i++] = payment->has_place ? value_double(payment->place.lon_e6 / 1e6) : value_null();
    ENSURE(i == GENERATOR_COLUMNS);
}

static struct bytes key_of(const struct payment *payment, const struct value *columns)
{
    if (payment->poison == POISON_empty_user)
        return BYTES_NONE;
    return payment->poison == POISON_wrong_key ? columns[2].text : columns[1].text;
}

static void describe(struct generator *generator, const struct payment *payment,
                     struct generator_event *event)
{
    *event = (struct generator_event){
        .number = payment->number,
        .arrival_ms = payment->arrival_us / 1000,
        .time_ms = payment->time_us / 1000,
        .misplaced = payment->poison == POISON_wrong_partition,
        .attack = payment->attack,
        .burst = payment->burst,
        .ends_burst = payment->ends_burst,
        .poison = payment->poison,
        .duplicate = payment->duplicate,
        .has_place = payment->has_place,
        .lat_e6 = payment->place.lat_e6,
        .lon_e6 = payment->place.lon_e6,
    };
    fill_columns(generator, payment, event->columns);
    event->key = key_of(payment, event->columns);
}

void generator_next(struct generator *generator, struct generator_event *event)
{
    const struct payment *first = generator_queue_first(&generator->queue);
    while (first == NULL || first->arrival_us >= generator->next_us) {
        make_payment(generator);
        first = generator_queue_first(&generator->queue);
    }
    const struct payment payment = generator_queue_take(&generator->queue);
    describe(generator, &payment, event);
}

/* --- tables --------------------------------------------------------------------------------------- */

uint32_t generator_profile_count(const struct generator *generator)
{
    return generator->world.user_count;
}

void generator_profile(struct generator *generator, uint32_t index, struct generator_profile *out)
{
    const struct world_user user = world_user(&generator->world, index);
    int64_t updated_ms = generator->options.start_ms - (int64_t)PROFILE_AGE_S * 1000;
    *out = (struct generator_profile){
        .user_id = name_user(generator->row_id, index),
        .country = bytes_of_string(world_country(user.city)),
        .updated_at_ms = updated_ms < 0 ? 0 : updated_ms,
    };
}

uint32_t generator_blocked_merchant_count(const struct generator *generator)
{
    (void)generator;
    return WORLD_BLOCKED_MERCHANTS;
}

void generator_blocked_merchant(struct generator *generator, uint32_t index,
                                struct generator_blocked_merchant *out)
{
    static const char *const reasons[] = { "stolen terminal", "chargebacks", "money mule" };
    const uint32_t merchant = world_blocked_merchant(&generator->world, index);
    *out = (struct generator_blocked_merchant){
        .merchant_id = name_merchant(generator->row_id, merchant),
        .reason = bytes_of_string(reasons[index % (sizeof reasons / sizeof reasons[0])]),
    };
}
