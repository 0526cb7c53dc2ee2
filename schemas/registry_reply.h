/*
 * registry_reply: what a schema registry's HTTP answer means. Bytes from outside: nothing is
 * believed that was not checked. Pure; used by any thread.
 */
#ifndef WEIR_SCHEMAS_REGISTRY_REPLY_H
#define WEIR_SCHEMAS_REGISTRY_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

struct json_t; /* jansson */

enum registry_verdict {
    REPLY_FAILED, /* no answer, a broken one, or "later": ask again, or another server */
    REPLY_FOUND,
    REPLY_UNKNOWN, /* the registry itself says that it has no such id, subject or version */
    REPLY_REFUSED  /* it will not, and asking again will not change that */
};

/* What was asked for, hence what must be in the answer. */
enum registry_question { ASKED_SCHEMA, ASKED_ID };

struct registry_reply {
    enum registry_verdict verdict;
    char message
        [256]; /* unless FOUND: why, in words for people; no control characters, no secrets */

    struct bytes text;        /* ASKED_SCHEMA: the schema's text, borrowed until fini */
    struct bytes schema_type; /* "AVRO" unless it says otherwise */
    size_t reference_count;
    int32_t id; /* ASKED_ID */
    struct json_t *body;
};

/* A named type of another subject that the schema uses. */
struct registry_reference {
    const char *name, *subject; /* borrowed until fini */
    int32_t version;
};

enum { REGISTRY_REPLY_MAX = 10 << 20 };

/* Always fills `out`, which is to be given to fini. */
void registry_reply_read(struct registry_reply *out, enum registry_question question,
                         long http_status, struct bytes body);
/* There was no HTTP answer at all; `why` is cleaned and cut. */
void registry_reply_fail(struct registry_reply *out, const char *why);
void registry_reply_fini(struct registry_reply *reply);

struct registry_reference registry_reply_reference(const struct registry_reply *reply,
                                                   size_t index);

#endif
