#include "http_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

enum { ROUTES_MAX = 16 };

struct http_server {
    struct http_route routes[ROUTES_MAX];
    int used[ROUTES_MAX];
    int listener;
    char url[40];
    atomic_bool stopping;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    int requests;
    char *last;
};

/* The header's value, or NULL; curl writes names as they are here. */
static const char *find_header(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    return found == NULL ? NULL : found + strlen(name);
}

/* The size of the whole request once its headers are there, else 0. */
static size_t request_size(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n");
    if (end == NULL)
        return 0;
    const char *length = find_header(text, "\r\nContent-Length:");
    return (size_t)(end + 4 - text) +
           (length == NULL || length > end ? 0 : strtoul(length, NULL, 10));
}

static void read_request(int connection, struct buffer *request)
{
    for (;;) {
        const size_t size = request_size(buffer_text(request));
        if (size > 0 && request->size >= size)
            return;
        buffer_reserve(request, 65536);
        const ssize_t got = recv(connection, request->data + request->size, 65535, 0);
        if (got <= 0)
            return;
        request->size += (size_t)got;
    }
}

static bool fits(const struct http_route *route, const char *request)
{
    const size_t size = route->request == NULL ? 0 : strlen(route->request);
    return size == 0 || (strncmp(route->request, request, size) == 0 && request[size] == ' ');
}

static struct http_route choose(struct http_server *server, const char *request)
{
    for (int i = 0; i < ROUTES_MAX && server->routes[i].status != 0; i++) {
        const struct http_route *route = &server->routes[i];
        if (fits(route, request) && (route->times == 0 || server->used[i] < route->times)) {
            server->used[i]++;
            return *route;
        }
    }
    return (struct http_route){ .status = 404, .body = "<html>not here</html>" };
}

static void answer(struct http_server *server, int connection, const struct http_route *route)
{
    for (int waited = 0; waited < route->delay_ms && !atomic_load(&server->stopping); waited += 10)
        usleep(10000);
    struct buffer out;
    buffer_init(&out);
    const char *body = route->body == NULL ? "" : route->body;
    buffer_printf(&out, "HTTP/1.1 %d Told\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
                  route->status, strlen(body) + route->padding + (route->cut ? 100 : 0), body);
    if (route->padding > 0)
        memset(buffer_extend(&out, route->padding), ' ', route->padding);
    for (size_t at = 0; at < out.size;) {
        const ssize_t put = send(connection, out.data + at, out.size - at, MSG_NOSIGNAL);
        if (put <= 0)
            break;
        at += (size_t)put;
    }
    buffer_fini(&out);
}

static void serve(struct http_server *server, int connection)
{
    struct buffer request;
    buffer_init(&request);
    read_request(connection, &request);
    if (request.size == 0) {
        buffer_fini(&request);
        return;
    }
    pthread_mutex_lock(&server->lock);
    server->requests++;
    free(server->last);
    server->last = strdup(buffer_text(&request));
    const struct http_route route = choose(server, server->last);
    pthread_mutex_unlock(&server->lock);
    buffer_fini(&request);
    answer(server, connection, &route);
}

static void *run(void *context)
{
    struct http_server *server = context;
    while (!atomic_load(&server->stopping)) {
        struct pollfd wait = { .fd = server->listener, .events = POLLIN };
        if (poll(&wait, 1, 20) <= 0)
            continue;
        const int connection = accept(server->listener, NULL, NULL);
        if (connection < 0)
            continue;
        serve(server, connection);
        close(connection);
    }
    return NULL;
}

void http_server_start(struct http_server **out, const struct http_route *routes)
{
    struct http_server *server = mem_alloc(sizeof *server);
    for (int i = 0; i < ROUTES_MAX && routes[i].status != 0; i++)
        server->routes[i] = routes[i];
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(server->listener, (struct sockaddr *)&address, size), 0);
    cr_assert_eq(listen(server->listener, 64), 0);
    cr_assert_eq(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    pthread_mutex_init(&server->lock, NULL);
    cr_assert_eq(pthread_create(&server->thread, NULL, run, server), 0);
    *out = server;
}

void http_server_stop(struct http_server **server)
{
    if (*server == NULL)
        return;
    atomic_store(&(*server)->stopping, true);
    pthread_join((*server)->thread, NULL);
    close((*server)->listener);
    pthread_mutex_destroy(&(*server)->lock);
    free((*server)->last);
    mem_free(TAKE(*server));
}

const char *http_server_url(const struct http_server *server)
{
    return server->url;
}

int http_server_requests(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    const int requests = server->requests;
    pthread_mutex_unlock(&server->lock);
    return requests;
}

char *http_server_last(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    char *last = server->last == NULL ? NULL : strdup(server->last);
    pthread_mutex_unlock(&server->lock);
    return last;
}
