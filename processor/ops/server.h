/*
 * server: the plain HTTP port of a process: /healthz, /readyz, /metrics, /status. Answers from its own thread, out of figures
 * that workers publish; it never asks a worker to do anything.
 */
#ifndef WEIR_PROCESSOR_OPS_SERVER_H
#define WEIR_PROCESSOR_OPS_SERVER_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

struct ops_server;

/* Called on the server's thread. */
struct ops_source {
    void *self;
    /* Alive: false asks for a restart. `why` gets a sentence. */
    bool (*healthy)(void *self, struct buffer *why);
    /* Every partition that it owns is being processed. */
    bool (*ready)(void *self, struct buffer *why);
    /* Prometheus text format. */
    void (*metrics)(void *self, struct buffer *out);
    /* JSON. */
    void (*status)(void *self, struct buffer *out);
};

/* address "host:port", "[::1]:port" or ":port". */
MUST_CHECK enum status ops_server_start(struct ops_server **out, const char *address, const struct ops_source *source,
                                        struct error *err);
void ops_server_stop(struct ops_server **server);

#endif
