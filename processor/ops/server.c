#include "processor/ops/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"

enum { CONNECTIONS_MAX = 64, IDLE_TIMEOUT_S = 10, BACKLOG = 32 };

struct ops_server {
    struct MHD_Daemon *daemon;
    struct ops_source source;
};

/* --- routes ------------------------------------------------------------------------------------------------------------ */

static unsigned answer_health(const struct ops_source *source, struct buffer *out)
{
    return source->healthy(source->self, out) ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned answer_ready(const struct ops_source *source, struct buffer *out)
{
    return source->ready(source->self, out) ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned answer_metrics(const struct ops_source *source, struct buffer *out)
{
    source->metrics(source->self, out);
    return MHD_HTTP_OK;
}

static unsigned answer_status(const struct ops_source *source, struct buffer *out)
{
    source->status(source->self, out);
    return MHD_HTTP_OK;
}

static const struct route {
    const char *path;
    const char *content_type;
    unsigned (*answer)(const struct ops_source *source, struct buffer *out);
} routes[] = {
    { "/healthz", "text/plain; charset=utf-8", answer_health },
    { "/readyz", "text/plain; charset=utf-8", answer_ready },
    { "/metrics", "text/plain; version=0.0.4; charset=utf-8", answer_metrics },
    { "/status", "application/json", answer_status },
};

static const struct route *find_route(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    }
    return NULL;
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned code, const char *content_type,
                                 struct bytes text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(text.size, (void *)text.data, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    const enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    static const char plain[] = "text/plain; charset=utf-8";
    const struct ops_server *server = context;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, plain, BYTES_LITERAL("GET only\n"));
    const struct route *route = find_route(url);
    if (route == NULL)
        return send_text(connection, MHD_HTTP_NOT_FOUND, plain,
                         BYTES_LITERAL("there are /healthz /readyz /metrics /status\n"));
    struct buffer text;
    buffer_init(&text);
    const unsigned code = route->answer(&server->source, &text);
    const enum MHD_Result result = send_text(connection, code, route->content_type, buffer_view(&text));
    buffer_fini(&text);
    return result;
}

/* --- listening ----------------------------------------------------------------------------------------------------------- */

static enum status split_address(const char *address, char *host, size_t host_size, const char **port,
                                 struct error *err)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == '\0' || (size_t)(colon - address) >= host_size)
        return FAIL(err, ST_INVALID, "http: '%s' is no host:port", address);
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';
    if (host[0] == '[' && host[strlen(host) - 1] == ']') {
        host[strlen(host) - 1] = '\0';
        memmove(host, host + 1, strlen(host));
    }
    *port = colon + 1;
    return ST_OK;
}

static int open_socket(const struct addrinfo *info)
{
    const int on = 1;
    const int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    close(fd);
    return -1;
}

static enum status listen_on(const char *address, int *fd, struct error *err)
{
    char host[256];
    const char *port = NULL;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    TRY(split_address(address, host, sizeof host, &port, err));
    const int failed = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &found);
    if (failed != 0)
        return FAIL(err, ST_INVALID, "http: '%s': %s", address, gai_strerror(failed));
    *fd = open_socket(found);
    const int why = errno;
    freeaddrinfo(found);
    if (*fd < 0)
        return FAIL(err, ST_IO_FAILED, "http: cannot listen on %s: %s", address, strerror(why));
    return ST_OK;
}

enum status ops_server_start(struct ops_server **out, const char *address, const struct ops_source *source,
                             struct error *err)
{
    ENSURE(*out == NULL);
    int fd;
    TRY(listen_on(address, &fd, err));
    struct ops_server *server = mem_alloc(sizeof *server);
    server->source = *source;
    server->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_request, server,
                                      MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                                      (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                                      (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_END);
    if (server->daemon == NULL) {
        close(fd);
        mem_free(server);
        return FAIL(err, ST_IO_FAILED, "http: cannot start the server on %s", address);
    }
    LOG_INFO("http.listening", "address=%s", address);
    *out = server;
    return ST_OK;
}

void ops_server_stop(struct ops_server **server)
{
    if (*server == NULL)
        return;
    MHD_stop_daemon((*server)->daemon);
    mem_free(*server);
    *server = NULL;
}
