#include "processor/kafka/kafka_transactional.h"

#include "base/clock.h"
#include "base/ensure.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "processor/kafka/kafka_client.h"
#include "processor/kafka/kafka_errors.h"

/*
 * The first InitProducerId aborts what the id left open and answers CONCURRENT_TRANSACTIONS. The
 * client asks again only 500 ms later; a new client asks at once. So a call gets little time (it can
 * be resumed), and a client that had that answer is thrown away: 67 ms instead of 507 ms, measured.
 */
enum {
    INIT_MS = 60,
    PAUSE_US = 5 * 1000,
    PAUSE_MAX_US = 200 * 1000,
    OPEN_TIMEOUT_US = 30 * 1000 * 1000,
    FLUSH_MS = 2000
};

/* --- transport errors ---------------------------------------------------------------------------------- */

enum { END_TXN = 26, TXN_OFFSET_COMMIT = 28 };

/* Produce, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit. */
static bool belongs_to_transaction(int16_t api_key)
{
    return api_key == 0 || api_key == 24 || api_key == 25 || api_key == END_TXN ||
           api_key == TXN_OFFSET_COMMIT;
}

/* The errors here are the connection's, not what the broker answered. */
static rd_kafka_resp_err_t on_response(rd_kafka_t *client, int socket, const char *broker,
                                       int32_t broker_id, int16_t api_key, int16_t api_version,
                                       int32_t correlation_id, size_t size, int64_t round_trip_us,
                                       rd_kafka_resp_err_t code, void *opaque)
{
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)api_version;
    (void)correlation_id, (void)size, (void)round_trip_us;
    if (api_key == END_TXN && code == RD_KAFKA_RESP_ERR_NO_ERROR)
        KILL_POINT(commit_answered);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__DESTROY &&
        belongs_to_transaction(api_key))
        atomic_store((atomic_bool *)opaque, true);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

#ifdef WEIR_KILL_POINTS
static rd_kafka_resp_err_t on_request(rd_kafka_t *client, int socket, const char *broker,
                                      int32_t broker_id, int16_t api_key, int16_t api_version,
                                      int32_t correlation_id, size_t size, void *opaque)
{
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)api_version;
    (void)correlation_id, (void)size, (void)opaque;
    if (api_key == TXN_OFFSET_COMMIT)
        KILL_POINT(offsets_request_sent);
    if (api_key == END_TXN)
        KILL_POINT(commit_request_sent);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}
#endif

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque,
                                  char *text, size_t text_size)
{
    (void)conf, (void)text, (void)text_size;
#ifdef WEIR_KILL_POINTS
    rd_kafka_interceptor_add_on_request_sent(client, "weir", on_request, NULL);
#endif
    return rd_kafka_interceptor_add_on_response_received(client, "weir", on_response, opaque);
}

/* --- one client ------------------------------------------------------------------------------------------ */

static void ignore_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client, (void)message, (void)opaque;
}

static enum status make(rd_kafka_t **out, const struct kafka_settings *settings,
                        const struct kafka_transactional_options *options, struct error *err)
{
    rd_kafka_conf_t *conf = NULL;
    TRY(kafka_settings_configure(&conf, settings, KAFKA_PRODUCER, err));
    const enum status st = kafka_settings_set(conf, "transactional.id", options->id, err);
    if (st != ST_OK) {
        rd_kafka_conf_destroy(conf);
        return st;
    }
    /* Without a callback librdkafka's flush goes in steps of 10 ms. */
    rd_kafka_conf_set_dr_msg_cb(conf,
                                options->delivered == NULL ? ignore_delivery : options->delivered);
    if (options->tainted != NULL)
        rd_kafka_conf_interceptor_add_on_new(conf, "weir", on_new, options->tainted);
    return kafka_client_create(out, conf, RD_KAFKA_PRODUCER, options->opaque, err);
}

/* A fenced client that still has messages corrupts the heap when it is destroyed (2.0.2). */
void kafka_transactional_close(rd_kafka_t **client_ref)
{
    rd_kafka_t *client = TAKE(*client_ref);
    if (client == NULL)
        return;
    rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client, FLUSH_MS);
    rd_kafka_destroy(client);
}

/* --- taking the id ------------------------------------------------------------------------------------------ */

static enum status init(rd_kafka_t *client, const char *id, bool *concurrent, struct error *err)
{
    rd_kafka_error_t *error = rd_kafka_init_transactions(client, INIT_MS);
    *concurrent =
        error != NULL && rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS;
    const enum status st =
        kafka_errors_txn(err, client, error, KAFKA_TXN_INIT, "init_transactions");
    if (st != ST_OK && err != NULL)
        return error_prefix(err, "transactional id '%s'", id);
    return st;
}

enum status kafka_transactional_open(rd_kafka_t **out, const struct kafka_settings *settings,
                                     const struct kafka_transactional_options *options,
                                     struct error *err)
{
    ENSURE(*out == NULL);
    const struct clock clock = clock_real();
    const int64_t deadline_us = clock_us(&clock) + OPEN_TIMEOUT_US;
    AUTO(kafka_transactional_close) rd_kafka_t *client = NULL;
    for (int64_t pause_us = PAUSE_US;;) {
        bool concurrent = false;
        if (client == NULL)
            TRY(make(&client, settings, options, err));
        const enum status st = init(client, options->id, &concurrent, err);
        if (st == ST_OK)
            break;
        if (status_class_of(st) != CLASS_RETRY || clock_us(&clock) >= deadline_us)
            return st;
        if (!concurrent)
            continue; /* no answer yet: far away, or the coordinator is loading */
        kafka_transactional_close(&client);
        clock_sleep_us(&clock, pause_us);
        pause_us = pause_us * 2 > PAUSE_MAX_US ? PAUSE_MAX_US : pause_us * 2;
    }
    /* What went wrong while the id was being taken concerns no transaction. */
    if (options->tainted != NULL)
        atomic_store(options->tainted, false);
    *out = TAKE(client);
    return ST_OK;
}
