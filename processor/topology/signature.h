/*
 * signature: the part of a plan that state depends on, as text (plan_state_signature), and that
 * text as facts again. Its format is specified in signature.c.
 */
#ifndef WEIR_PROCESSOR_TOPOLOGY_SIGNATURE_H
#define WEIR_PROCESSOR_TOPOLOGY_SIGNATURE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/map.h"

enum { SIGNATURE_FORMAT = 1 };

struct signature {
    char *text;        /* cut into the strings that `facts` points to */
    struct map *facts; /* "what" -> const char *value, in the order of the text */
};

/*
 * ST_CORRUPT when the text is none; ST_FORMAT_NEWER. To be freed with signature_fini in any case.
 */
MUST_CHECK enum status signature_read(struct signature *out, struct bytes text, struct error *err);
void signature_fini(struct signature *signature);

/* NULL when there is no such fact. */
const char *signature_fact(const struct signature *signature, struct bytes what);
/* The fact "KIND NAME PART", or "KIND NAME" when part is "". */
const char *signature_fact_of(const struct signature *signature, const char *kind, const char *name,
                              const char *part);

#endif
