/*
 * http_server: a schema registry's server for tests, on a loopback port of its own, that answers what it
 * was told to. One thread, one request per connection.
 */
#ifndef WEIR_TESTS_HTTP_SERVER_H
#define WEIR_TESTS_HTTP_SERVER_H

#include <stddef.h>
#include <stdint.h>

/* The first route that fits the request and is not used up answers it. */
struct http_route {
    const char *request; /* "GET /schemas/ids/7"; NULL fits everything */
    int status;
    const char *body;
    int times;      /* how often; 0: for good */
    int delay_ms;   /* before the answer */
    size_t padding; /* so many spaces behind the body */
    int cut;        /* 1: the connection breaks in the middle of the body */
};

/* ROUTE("GET /x", 200, "body", .times = 2) */
#define ROUTE(fits, code, text, ...)                                     \
    {                                                                    \
        .request = (fits), .status = (code), .body = (text), __VA_ARGS__ \
    }

struct http_server;

/* `routes` ends with an all-zero entry; a request that fits none gets 404 in HTML, as from a proxy. */
void http_server_start(struct http_server **out, const struct http_route *routes);
void http_server_stop(struct http_server **server); /* NULL-safe */

/* "http://127.0.0.1:PORT", valid until stop. */
const char *http_server_url(const struct http_server *server);
int http_server_requests(struct http_server *server);
/* The whole last request, headers and body; the caller frees. */
char *http_server_last(struct http_server *server);

#endif
