/*
 * registry_http: a registry behind a server of Confluent's Schema Registry API.
 *
 * One thread fetches: workers put an id on the list (registry_lookups) and go on with other
 * partitions until it is there. What was fetched is known for good, and on disk (registry_cache).
 * Registering runs on the caller's thread with a client of its own: it happens at start, and must
 * not wait behind a lookup.
 *
 * The lock guards what is marked so, is never held during a request, a parse or a file operation,
 * and is the only one here.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "schemas/registry_cache.h"
#include "schemas/registry_client.h"
#include "schemas/registry_fetch.h"
#include "schemas/registry_ids.h"
#include "schemas/registry_lookups.h"
#include "schemas/registry_type.h"

enum {
    NEGATIVE_DEFAULT_MS = 30000,
    REGISTER_PAUSE_MIN_MS = 50,
    REGISTER_PAUSE_MAX_MS = 1000,
    REGISTER_KNOWN_MS = 2000, /* how long a registry is asked for an id that is known already */
};
static const int64_t log_interval_us = 30 * INT64_C(1000000);

struct registry_http {
    struct registry base;
    struct registry_settings settings;
    struct registry_cache *cache; /* or NULL */
    pthread_t thread;
    bool thread_started;

    pthread_mutex_t lock;   /* of what follows */
    pthread_cond_t wanted;  /* for the thread: an id is new, or it is time to stop */
    pthread_cond_t changed; /* for those who wait: something was answered */
    bool stopping;
    struct registry_ids *ids;
    struct registry_lookups *lookups;
    int64_t fetches, failures;
    char last_error[160];
    struct log_rate log_rate;
};

static struct registry_http *of(struct registry *self)
{
    return (struct registry_http *)self;
}

static int64_t now_us(void)
{
    const struct clock clock = clock_real();
    return clock_us(&clock);
}

static int64_t now_ms(void)
{
    return now_us() / 1000;
}

/* Both conditions keep monotonic time. */
static void wait_until_ms(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_ms)
{
    const struct timespec until = {
        .tv_sec = (time_t)(until_ms / 1000),
        .tv_nsec = (long)(until_ms % 1000) * 1000000,
    };
    pthread_cond_timedwait(condition, lock, &until);
}

/* ---- outcomes, under the lock ---- */

static void note_success(struct registry_http *http)
{
    http->fetches++;
    if (http->last_error[0] != '\0')
        LOG_INFO("registry.answers_again", "failures=%lld", (long long)http->failures);
    http->last_error[0] = '\0';
    http->log_rate = (struct log_rate){ 0 };
}

static void note_failure(struct registry_http *http, const char *text)
{
    http->fetches++;
    http->failures++;
    snprintf(http->last_error, sizeof http->last_error, "%s", text);
    int64_t suppressed;
    if (log_rate_allow(&http->log_rate, now_us(), log_interval_us, &suppressed))
        LOG_WARN("registry.down", "error=%s suppressed=%lld", LOG_Q(text), (long long)suppressed);
}

/* Takes the document of an OK. */
static void take_outcome(struct registry_http *http, int32_t id, enum status status,
                         struct schema_document **document, const struct error *why)
{
    if (status == ST_OK) {
        note_success(http);
        registry_ids_add(http->ids, id, document);
        registry_lookups_found(http->lookups, id);
    } else if (status == ST_REGISTRY_DOWN) {
        note_failure(http, why->text);
        registry_lookups_failed(http->lookups, id, now_ms());
    } else {
        note_success(http);
        if (registry_lookups_denied(http->lookups, id, now_ms(), why))
            LOG_WARN("registry.schema_refused", "id=%d reason=%s error=%s", id,
                     status_reason(status), LOG_Q(why->text));
    }
    pthread_cond_broadcast(&http->changed);
}

/* ---- the thread ---- */

/* Waits for an id that is due; false: stop. Under the lock. */
static bool next_id(struct registry_http *http, int32_t *id)
{
    while (!http->stopping) {
        int64_t due_ms;
        const int64_t now = now_ms();
        if (!registry_lookups_next(http->lookups, now, id, &due_ms))
            pthread_cond_wait(&http->wanted, &http->lock);
        else if (due_ms > now)
            wait_until_ms(&http->wanted, &http->lock, due_ms);
        else
            return true;
    }
    return false;
}

static void fetch_one(struct registry_http *http, struct registry_client *client, int32_t id)
{
    struct schema_document *document = NULL;
    struct error why;
    KILL_POINT(schema_fetch);
    const enum status status = registry_fetch_schema(client, id, &document, &why);
    KILL_POINT(schema_fetched);
    if (status == ST_OK && http->cache != NULL)
        registry_cache_save(http->cache, id, schema_text(document));
    pthread_mutex_lock(&http->lock);
    if (!http->stopping) /* a request that was cut off says nothing about the server */
        take_outcome(http, id, status, &document, &why);
    pthread_mutex_unlock(&http->lock);
    schema_document_destroy(&document);
}

static void *run(void *context)
{
    struct registry_http *http = context;
    struct registry_client *client;
    registry_client_create(&client, &http->settings);
    int32_t id;
    pthread_mutex_lock(&http->lock);
    while (next_id(http, &id)) {
        pthread_mutex_unlock(&http->lock);
        fetch_one(http, client, id);
        pthread_mutex_lock(&http->lock);
    }
    pthread_mutex_unlock(&http->lock);
    registry_client_destroy(&client);
    return NULL;
}

/* ---- finding ---- */

/* Under the lock. */
static enum status look_up(struct registry_http *http, int32_t id, const struct schema_document **out,
                           struct error *err)
{
    const struct schema_document *document = registry_ids_find(http->ids, id);
    if (document != NULL) {
        *out = document;
        return ST_OK;
    }
    bool is_new;
    const enum status status = registry_lookups_ask(http->lookups, id, now_ms(), &is_new, err);
    if (is_new)
        pthread_cond_signal(&http->wanted);
    if (status != ST_REGISTRY_DOWN)
        return status;
    return FAIL(err, ST_REGISTRY_DOWN, "schema id %d is not known yet%s%s", id,
                http->last_error[0] == '\0' ? "" : ": ", http->last_error);
}

static enum status http_find(struct registry *self, int32_t id, const struct schema_document **out,
                             struct error *err)
{
    struct registry_http *http = of(self);
    pthread_mutex_lock(&http->lock);
    const enum status status = look_up(http, id, out, err);
    pthread_mutex_unlock(&http->lock);
    return status;
}

static enum status http_fetch(struct registry *self, int32_t id, int64_t timeout_ms,
                              const struct schema_document **out, struct error *err)
{
    struct registry_http *http = of(self);
    const int64_t deadline_ms = now_ms() + timeout_ms;
    pthread_mutex_lock(&http->lock);
    enum status status;
    while ((status = look_up(http, id, out, err)) == ST_REGISTRY_DOWN && now_ms() < deadline_ms)
        wait_until_ms(&http->changed, &http->lock, deadline_ms);
    pthread_mutex_unlock(&http->lock);
    return status;
}

/* ---- registering ---- */

static char *register_body(struct bytes text)
{
    json_t *body = json_pack("{s:s%}", "schema", (const char *)text.data, text.size);
    if (body == NULL)
        return NULL; /* the text is not UTF-8 */
    char *encoded = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return encoded;
}

/* Asks until there is an answer or no time is left. */
static enum status ask_to_register(struct registry_http *http,
                                   const struct registry_request *request, int64_t timeout_ms,
                                   int32_t *id, struct error *err)
{
    struct registry_client *client;
    registry_client_create(&client, &http->settings);
    const int64_t deadline_ms = now_ms() + timeout_ms;
    int64_t pause_ms = REGISTER_PAUSE_MIN_MS;
    struct registry_reply reply;
    for (;;) {
        struct registry_request attempt = *request;
        attempt.timeout_ms = deadline_ms - now_ms();
        attempt.timeout_ms = attempt.timeout_ms > 0 ? attempt.timeout_ms : 1;
        registry_client_ask(client, &attempt, &reply);
        if (reply.verdict != REPLY_FAILED || now_ms() + pause_ms >= deadline_ms)
            break;
        registry_reply_fini(&reply);
        nanosleep(&(struct timespec){ .tv_sec = (time_t)(pause_ms / 1000),
                                      .tv_nsec = (long)(pause_ms % 1000) * 1000000 },
                  NULL);
        pause_ms = pause_ms * 2 < REGISTER_PAUSE_MAX_MS ? pause_ms * 2 : REGISTER_PAUSE_MAX_MS;
    }
    *id = reply.id;
    const enum registry_verdict verdict = reply.verdict;
    const enum status status = verdict == REPLY_FOUND ? ST_OK
                               : verdict == REPLY_FAILED
                                   ? FAIL(err, ST_REGISTRY_DOWN, "%s", reply.message)
                                   : FAIL(err, ST_REFUSED, "%s", reply.message);
    registry_reply_fini(&reply);
    registry_client_destroy(&client);
    return status;
}

static enum status post_schema(struct registry_http *http, const char *subject, struct bytes text,
                               int64_t timeout_ms, int32_t *id, struct error *err)
{
    AUTO(mem_auto_free) char *body = register_body(text);
    if (body == NULL)
        return FAIL(err, ST_INVALID, "it is not UTF-8");
    AUTO(buffer_fini) struct buffer path;
    buffer_init(&path);
    buffer_put_string(&path, "/subjects/");
    registry_put_segment(&path, subject);
    buffer_put_string(&path, "/versions");
    const struct registry_request request = {
        .question = ASKED_ID,
        .path = buffer_text(&path),
        .body = bytes_of_string(body),
    };
    return ask_to_register(http, &request, timeout_ms, id, err);
}

/* The id that the same text got before, from memory or the disk; ids are immutable. */
static bool known_id(struct registry_http *http, struct bytes text, int32_t *id)
{
    pthread_mutex_lock(&http->lock);
    const bool known = registry_ids_find_text(http->ids, text, id);
    pthread_mutex_unlock(&http->lock);
    return known;
}

static enum status http_register(struct registry *self, const char *subject, struct bytes text,
                                 int64_t timeout_ms, int32_t *id, struct error *err)
{
    struct registry_http *http = of(self);
    AUTO(schema_document_destroy) struct schema_document *document = NULL;
    struct error why;
    enum status status = schema_parse(&document, (const char *)text.data, text.size, &why);
    if (status != ST_OK)
        return FAIL(err, status, "schema of '%s': %s", subject, why.text);
    const bool known = known_id(http, text, id);
    int32_t answered = 0;
    if (known && timeout_ms > REGISTER_KNOWN_MS)
        timeout_ms = REGISTER_KNOWN_MS; /* a restart needs no registry */
    status = post_schema(http, subject, text, timeout_ms, &answered, &why);
    pthread_mutex_lock(&http->lock);
    if (status == ST_REGISTRY_DOWN)
        note_failure(http, why.text);
    else
        note_success(http);
    pthread_mutex_unlock(&http->lock);
    if (status == ST_REGISTRY_DOWN && known) {
        LOG_WARN("registry.register_skipped", "subject=%s id=%" PRId32 " error=%s", LOG_Q(subject), *id,
                 LOG_Q(why.text));
        return ST_OK;
    }
    if (status != ST_OK)
        return FAIL(err, status, "schema of '%s': %s", subject, why.text);

    *id = answered;
    if (http->cache != NULL)
        registry_cache_save(http->cache, *id, text);
    pthread_mutex_lock(&http->lock);
    registry_ids_add(http->ids, *id, &document);
    registry_lookups_found(http->lookups, *id);
    pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
    return ST_OK;
}

/* ---- the rest ---- */

static void http_health(struct registry *self, struct registry_health *out)
{
    struct registry_http *http = of(self);
    pthread_mutex_lock(&http->lock);
    out->schemas_known = (int64_t)registry_ids_count(http->ids);
    out->fetches = http->fetches;
    out->failures = http->failures;
    out->waiting = (int64_t)registry_lookups_waiting(http->lookups);
    memcpy(out->last_error, http->last_error, sizeof out->last_error);
    pthread_mutex_unlock(&http->lock);
}

static void http_close(struct registry *self)
{
    struct registry_http *http = of(self);
    atomic_store(&http->settings.stopping, true);
    pthread_mutex_lock(&http->lock);
    http->stopping = true;
    pthread_cond_broadcast(&http->wanted);
    pthread_mutex_unlock(&http->lock);
    if (http->thread_started)
        pthread_join(http->thread, NULL);
    registry_cache_close(&http->cache);
    registry_lookups_destroy(&http->lookups);
    registry_ids_destroy(&http->ids);
    registry_settings_fini(&http->settings);
    pthread_cond_destroy(&http->wanted);
    pthread_cond_destroy(&http->changed);
    pthread_mutex_destroy(&http->lock);
    mem_free(http);
}

static const struct registry_type registry_http = {
    .find = http_find,
    .fetch = http_fetch,
    .register_text = http_register,
    .health = http_health,
    .close = http_close,
};

static void init_lock(struct registry_http *http)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&http->lock, NULL);
    pthread_cond_init(&http->wanted, &monotonic);
    pthread_cond_init(&http->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/*
 * Signals go to the threads that know what to do with them, and a broken TLS connection raises
 * SIGPIPE here.
 */
static enum status start_thread(struct registry_http *http, struct error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure = pthread_create(&http->thread, NULL, run, http);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0)
        return FAIL(err, ST_IO_FAILED, "cannot start the registry's thread: %s", strerror(failure));
    http->thread_started = true;
    return ST_OK;
}

enum status registry_open_http(struct registry **out, const struct registry_http_options *options,
                               struct error *err)
{
    struct registry_http *http = mem_alloc(sizeof *http);
    http->base.type = &registry_http;
    init_lock(http);
    registry_ids_create(&http->ids);
    registry_lookups_create(&http->lookups,
                            options->negative_ms > 0 ? options->negative_ms : NEGATIVE_DEFAULT_MS);
    AUTO(registry_close) struct registry *made = &http->base; /* an early return closes it */
    TRY(registry_settings_init(&http->settings, options, err));
    if (options->cache_directory != NULL) {
        TRY(registry_cache_open(&http->cache, options->cache_directory, http->settings.urls,
                                http->settings.url_count, err));
        registry_cache_load(http->cache, http->ids);
    }
    TRY(start_thread(http, err));
    *out = TAKE(made);
    return ST_OK;
}
