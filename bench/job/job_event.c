#include "job_event.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/ensure.h"
#include "base/memory.h"

enum {
    MERCHANTS = 100 * 1000,
    COUNTRIES = 24,
    LATE_MS = 30 * 1000,
};
static const int64_t MINUTE_MS = 60 * 1000, SIX_HOURS_MS = INT64_C(6) * 3600 * 1000,
                     DAY_MS = INT64_C(24) * 3600 * 1000;

/* What a user did in the last day, in order of time; of one time, in order of arrival. */
struct payment {
    int64_t time_ms;
    int32_t amount_cents;
    uint8_t country;
};
struct user {
    struct payment *payments;
    uint32_t first, end, capacity;
};

struct job {
    struct job_options options;
    struct prng prng;
    struct user *users;
    double *chance;   /* alias method: stay here with this chance, */
    uint32_t *instead; /* else go there */
    uint64_t number;
    double now_ms;
};

/* --- who pays: Vose's alias method, so that any distribution costs two random numbers ---------------------- */

static double weight_of(const struct job_options *options, uint32_t rank)
{
    switch (options->distribution) {
    case JOB_UNIFORM: return 1;
    case JOB_MANDELBROT: return pow((double)rank + 51, -0.99);
    case JOB_ZIPF: return pow((double)rank + 1, -0.99);
    }
    UNREACHABLE();
}

static void build_alias(struct job *job)
{
    const uint32_t n = job->options.users;
    uint32_t *small = mem_alloc_array(n, sizeof *small), *large = mem_alloc_array(n, sizeof *large);
    uint32_t smalls = 0, larges = 0;
    double sum = 0;
    job->chance = mem_alloc_array(n, sizeof *job->chance);
    job->instead = mem_alloc_array(n, sizeof *job->instead);
    for (uint32_t i = 0; i < n; i++)
        sum += job->chance[i] = weight_of(&job->options, i);
    for (uint32_t i = 0; i < n; i++) {
        job->chance[i] *= n / sum;
        job->instead[i] = i;
        if (job->chance[i] < 1)
            small[smalls++] = i;
        else
            large[larges++] = i;
    }
    while (smalls > 0 && larges > 0) {
        const uint32_t less = small[--smalls], more = large[larges - 1];
        job->instead[less] = more;
        job->chance[more] -= 1 - job->chance[less];
        if (job->chance[more] < 1) {
            larges--;
            small[smalls++] = more;
        }
    }
    mem_free(small);
    mem_free(large);
}

static uint32_t any_user(struct job *job)
{
    const uint32_t i = (uint32_t)prng_below(&job->prng, job->options.users);
    return job->options.distribution == JOB_UNIFORM || prng_unit(&job->prng) < job->chance[i]
               ? i : job->instead[i];
}

void job_create(struct job **out, const struct job_options *options)
{
    ENSURE(*out == NULL && options->users > 0);
    struct job *job = mem_alloc(sizeof *job);
    job->options = *options;
    job->prng = prng_of_seed(options->seed);
    job->users = mem_alloc_array(options->users, sizeof *job->users);
    job->now_ms = (double)options->start_ms;
    build_alias(job);
    *out = job;
}

void job_destroy(struct job **job_ref)
{
    struct job *job = *job_ref;
    if (job == NULL)
        return;
    for (uint32_t i = 0; i < job->options.users; i++)
        mem_free(job->users[i].payments);
    mem_free(job->users);
    mem_free(job->chance);
    mem_free(job->instead);
    mem_free(job);
    *job_ref = NULL;
}

/* --- the oracle ---------------------------------------------------------------------------------------------- */

static void make_room(struct user *user)
{
    if (user->end < user->capacity)
        return;
    const uint32_t count = user->end - user->first;
    memmove(user->payments, user->payments + user->first, count * sizeof *user->payments);
    user->first = 0;
    user->end = count;
    if (count * 4 < user->capacity * 3)
        return;
    user->capacity = user->capacity == 0 ? 8 : 2 * user->capacity;
    user->payments = mem_resize_array(user->payments, user->capacity, sizeof *user->payments);
}

/* Puts it behind everything that is not newer; returns where. */
static uint32_t insert(struct user *user, const struct payment *payment)
{
    make_room(user);
    uint32_t at = user->end++;
    for (; at > user->first && user->payments[at - 1].time_ms > payment->time_ms; at--)
        user->payments[at] = user->payments[at - 1];
    user->payments[at] = *payment;
    const int64_t newest_ms = user->payments[user->end - 1].time_ms;
    while (user->payments[user->first].time_ms <= newest_ms - DAY_MS - MINUTE_MS)
        user->first++;
    return at;
}

struct figures {
    uint32_t in_minute, in_six_hours, countries;
    int64_t cents_in_day;
};

static struct figures look_back(const struct user *user, uint32_t at)
{
    struct figures figures = { 0 };
    uint32_t seen = 0;
    const int64_t t = user->payments[at].time_ms;
    for (uint32_t i = at + 1; i-- > user->first && user->payments[i].time_ms > t - DAY_MS;) {
        const struct payment *payment = &user->payments[i];
        figures.cents_in_day += payment->amount_cents;
        figures.in_minute += payment->time_ms > t - MINUTE_MS;
        if (payment->time_ms > t - SIX_HOURS_MS) {
            figures.in_six_hours++;
            seen |= UINT32_C(1) << payment->country;
        }
    }
    figures.countries = (uint32_t)__builtin_popcount(seen);
    return figures;
}

static uint32_t verdict(struct job *job, const struct job_event *event, uint8_t country)
{
    struct user *user = &job->users[event->user];
    const struct payment payment = { event->event_ms, (int32_t)event->amount_cents, country };
    const struct figures figures = look_back(user, insert(user, &payment));
    return (uint32_t)(figures.in_minute > 5) | (uint32_t)(figures.in_six_hours >= 5 && figures.countries >= 3) << 1 |
           (uint32_t)(event->amount_cents > 300000) << 2 | (uint32_t)(event->merchant < JOB_BLOCKED) << 3 |
           (uint32_t)(figures.cents_in_day > 1000000) << 4;
}

/* --- payments -------------------------------------------------------------------------------------------------- */

static int64_t any_amount(struct job *job)
{
    if (job->options.attack_every > 0 && prng_chance(&job->prng, 1, job->options.attack_every))
        return prng_between(&job->prng, 300001, 500000);
    return 50 + (int64_t)(-250 * log(1 - prng_unit(&job->prng))); /* 3 on average, few above 20 */
}

static uint32_t any_merchant(struct job *job)
{
    struct prng *prng = &job->prng;
    if (job->options.blocked_every > 0 && prng_chance(prng, 1, job->options.blocked_every))
        return (uint32_t)prng_below(prng, JOB_BLOCKED);
    return JOB_BLOCKED + (uint32_t)prng_below(prng, MERCHANTS);
}

static uint8_t any_country(struct job *job, uint32_t user)
{
    const uint8_t home = (uint8_t)(user % COUNTRIES);
    return prng_chance(&job->prng, 1, 2000) ? (uint8_t)prng_below(&job->prng, COUNTRIES) : home;
}

void job_next(struct job *job, struct job_event *event)
{
    static const char countries[COUNTRIES][3] = { "DE", "FR", "IT", "ES", "PT", "NL", "BE", "LU", "AT", "CH", "PL", "CZ",
                                                  "DK", "SE", "NO", "FI", "IE", "GB", "GR", "HU", "RO", "BG", "HR", "SI" };
    struct prng *prng = &job->prng;
    job->now_ms += job->options.step_ms * 2 * prng_unit(prng);
    event->number = job->number++;
    event->user = any_user(job);
    event->merchant = any_merchant(job);
    event->amount_cents = any_amount(job);
    event->event_ms = (int64_t)job->now_ms;
    if (prng_chance(prng, 1, 100))
        event->event_ms -= prng_between(prng, 1, LATE_MS);
    const uint8_t country = any_country(job, event->user);
    memcpy(event->country, countries[country], sizeof event->country);
    event->alerts = verdict(job, event, country);
}

/* --- bytes ------------------------------------------------------------------------------------------------------- */

static void put_text(struct buffer *out, const char *text, int size)
{
    ENSURE(size > 0);
    buffer_put_zigzag(out, size);
    buffer_put(out, text, (size_t)size);
}

void job_key(struct buffer *out, const struct job_event *event)
{
    char text[16];
    const int size = snprintf(text, sizeof text, "u%07" PRIu32, event->user);
    buffer_put(out, text, (size_t)size);
}

void job_merchant(struct buffer *out, uint32_t merchant)
{
    char text[16];
    const int size = snprintf(text, sizeof text, "m%06" PRIu32, merchant);
    buffer_put(out, text, (size_t)size);
}

void job_value(struct buffer *out, const struct job_event *event, int32_t schema_id)
{
    char text[24];
    buffer_put_u8(out, 0);
    buffer_put_be32(out, (uint32_t)schema_id);
    put_text(out, text, snprintf(text, sizeof text, "t%011" PRIu64, event->number));
    put_text(out, text, snprintf(text, sizeof text, "u%07" PRIu32, event->user));
    put_text(out, text, snprintf(text, sizeof text, "c%07" PRIu32, event->user));
    put_text(out, text, snprintf(text, sizeof text, "m%06" PRIu32, event->merchant));
    const char mark = event->alerts == 0 ? 'd' : (char)(JOB_MARK_NONE + event->alerts);
    put_text(out, text, snprintf(text, sizeof text, "%c%07" PRIu32, mark, event->user));
    put_text(out, event->country, 2);
    buffer_put_zigzag(out, event->amount_cents);
    buffer_put_zigzag(out, event->event_ms);
}

uint32_t job_mark_of(struct bytes value)
{
    ENSURE(value.size > JOB_MARK_AT);
    const uint8_t mark = value.data[JOB_MARK_AT];
    return mark == 'd' ? 0 : (uint32_t)(mark - JOB_MARK_NONE);
}

enum job_users job_users_of(const char *name)
{
    if (strcmp(name, "uniform") == 0)
        return JOB_UNIFORM;
    return strcmp(name, "zipf") == 0 ? JOB_ZIPF : JOB_MANDELBROT;
}
