/*
 * registry_client: HTTP requests to a schema registry that may have several URLs. The only user of
 * libcurl.
 *
 * The settings are shared by threads and never change, but for the URL that worked last. A client
 * belongs to one thread and keeps its connection. Secrets go to the server and nowhere else:
 * redirects are not followed, and no message holds a header or a URL's credentials (URLs with
 * credentials are refused).
 */
#ifndef WEIR_SCHEMAS_REGISTRY_CLIENT_H
#define WEIR_SCHEMAS_REGISTRY_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "schemas/registry.h"
#include "schemas/registry_reply.h"

struct registry_settings {
    char **urls; /* without a slash at the end */
    size_t url_count;
    char *user, *password, *bearer_token;
    char *ca_file, *client_cert_file, *client_key_file;
    int64_t timeout_ms;
    _Atomic size_t preferred; /* the URL that worked last */
    atomic_bool stopping;     /* ends requests that are under way, within a second */
};

/* Copies the options; ST_INVALID when they make no sense. */
MUST_CHECK enum status registry_settings_init(struct registry_settings *settings,
                                              const struct registry_http_options *options,
                                              struct error *err);
void registry_settings_fini(struct registry_settings *settings);

struct registry_client;
void registry_client_create(struct registry_client **out, struct registry_settings *borrowed);
void registry_client_destroy(struct registry_client **client);

struct registry_request {
    enum registry_question question;
    const char *path;   /* from "/", encoded */
    struct bytes body;  /* BYTES_NONE: GET, else POST */
    int64_t timeout_ms; /* for all URLs together; 0: the settings' for each */
};

/*
 * Asks one URL after the other until one gives an answer other than REPLY_FAILED. `reply` is to be
 * given to fini.
 */
void registry_client_ask(struct registry_client *client, const struct registry_request *request,
                         struct registry_reply *reply);

#endif
