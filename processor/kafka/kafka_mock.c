#include "processor/kafka/kafka_mock.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/buffer.h"
#include "base/ensure.h"
#include "base/map.h"
#include "base/memory.h"

enum { FDS_MAX = 4096 };

struct committed {
    int64_t offset;
    struct bytes metadata; /* ours */
};

struct kafka_mock {
    rd_kafka_t *host; /* a mock cluster lives in a client; this one does nothing else */
    rd_kafka_mock_cluster_t *cluster;
    pthread_mutex_t lock;
    struct map *committed; /* group NUL topic NUL partition -> struct committed */
};

/*
 * The cluster answers with Nagle's algorithm on: the second of two answers waits 40 ms for the first
 * one's acknowledgement, in every commit. There is no setting, but a connection takes after the
 * socket that accepted it, and those are this process's own listening sockets on the loopback.
 */
static void send_answers_at_once(const struct kafka_mock *mock)
{
    const char *brokers = kafka_mock_brokers(mock);
    const long limit = sysconf(_SC_OPEN_MAX) < FDS_MAX ? sysconf(_SC_OPEN_MAX) : FDS_MAX;
    for (int fd = 0; fd < limit; fd++) {
        struct sockaddr_in address;
        socklen_t size = sizeof address, flag_size = sizeof(int);
        int listening = 0;
        char port[16]; /* what is not ours would not mind either */
        const int on = 1;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &flag_size) != 0 || !listening ||
            getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
            address.sin_family != AF_INET)
            continue;
        snprintf(port, sizeof port, ":%d", ntohs(address.sin_port));
        if (strstr(brokers, port) != NULL)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
}

enum status kafka_mock_open(struct kafka_mock **out, int broker_count, struct error *err)
{
    ENSURE(*out == NULL);
    AUTO(kafka_mock_close) struct kafka_mock *mock = mem_alloc(sizeof *mock);
    ENSURE(pthread_mutex_init(&mock->lock, NULL) == 0);
    map_create(&mock->committed, sizeof(struct committed));
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "3", NULL,
                      0); /* not that the host itself has no brokers */
    mock->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (mock->host == NULL) {
        rd_kafka_conf_destroy(conf);
        return FAIL(err, ST_KAFKA, "the in-process cluster cannot be made: %s", text);
    }
    mock->cluster = rd_kafka_mock_cluster_new(mock->host, broker_count);
    if (mock->cluster == NULL)
        return FAIL(err, ST_KAFKA, "the in-process cluster cannot be made");
#if RD_KAFKA_VERSION >= 0x02080000 /* before, a new group always takes 3 s to form */
    rd_kafka_mock_group_initial_rebalance_delay_ms(mock->cluster, 0);
#endif
    send_answers_at_once(mock);
    *out = TAKE(mock);
    return ST_OK;
}

void kafka_mock_close(struct kafka_mock **mock_ref)
{
    struct kafka_mock *mock = TAKE(*mock_ref);
    if (mock == NULL)
        return;
    if (mock->cluster != NULL)
        rd_kafka_mock_cluster_destroy(mock->cluster);
    if (mock->host != NULL)
        rd_kafka_destroy(mock->host);
    struct map_iterator it = map_iterate(mock->committed);
    while (map_next(&it))
        mem_free((void *)(uintptr_t)((struct committed *)it.value)->metadata.data);
    map_destroy(&mock->committed);
    pthread_mutex_destroy(&mock->lock);
    mem_free(mock);
}

const char *kafka_mock_brokers(const struct kafka_mock *mock)
{
    return rd_kafka_mock_cluster_bootstraps(mock->cluster);
}

enum status kafka_mock_create_topic(struct kafka_mock *mock, const char *name, int partitions,
                                    struct error *err)
{
    const rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(mock->cluster, name, partitions, 1);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return FAIL(err, ST_KAFKA, "the topic '%s': %s", name, rd_kafka_err2str(code));
    return ST_OK;
}

void *kafka_mock_handle(struct kafka_mock *mock)
{
    return mock->cluster;
}

/* --- committed offsets ----------------------------------------------------------------------- */

static void put_key(struct buffer *key, const char *group, const struct kafka_mock_offset *offset)
{
    buffer_clear(key);
    buffer_put(key, group, strlen(group) + 1);
    buffer_put(key, offset->topic, strlen(offset->topic) + 1);
    buffer_put_be32(key, (uint32_t)offset->partition);
}

void kafka_mock_commit(struct kafka_mock *mock, const char *group,
                       const struct kafka_mock_offset *offsets, size_t count)
{
    struct buffer key;
    buffer_init(&key);
    pthread_mutex_lock(&mock->lock);
    for (size_t i = 0; i < count; i++) {
        put_key(&key, group, &offsets[i]);
        struct committed *committed = map_insert(mock->committed, buffer_view(&key), NULL);
        mem_free((void *)(uintptr_t)committed->metadata.data);
        committed->offset = offsets[i].offset;
        committed->metadata = offsets[i].metadata;
        if (offsets[i].metadata.data != NULL)
            committed->metadata.data = mem_copy(offsets[i].metadata.data, offsets[i].metadata.size);
    }
    pthread_mutex_unlock(&mock->lock);
    buffer_fini(&key);
}

void kafka_mock_committed(struct kafka_mock *mock, const char *group,
                          struct kafka_mock_offset *offset)
{
    struct buffer key;
    buffer_init(&key);
    put_key(&key, group, offset);
    offset->offset = -1;
    offset->metadata = BYTES_NONE;
    pthread_mutex_lock(&mock->lock);
    const struct committed *committed = map_find(mock->committed, buffer_view(&key));
    if (committed != NULL) {
        offset->offset = committed->offset;
        offset->metadata = committed->metadata;
        if (committed->metadata.data != NULL)
            offset->metadata.data = mem_copy(committed->metadata.data, committed->metadata.size);
    }
    pthread_mutex_unlock(&mock->lock);
    buffer_fini(&key);
}
