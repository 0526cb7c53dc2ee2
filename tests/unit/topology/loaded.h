/*
 * loaded: a topology text loaded against schemas that live in the test, for the tests of this
 * folder.
 */
#ifndef WEIR_TESTS_UNIT_TOPOLOGY_LOADED_H
#define WEIR_TESTS_UNIT_TOPOLOGY_LOADED_H

#include "processor/topology/topology.h"

/*
 * tx.avsc      tx, user, card: string; card is sensitive; device, note: string?; country: string;
 *              cents, count_of: long; ok: boolean; rate: double; lat: double?; at: timestamp;
 *              raw: bytes; shop.name: string; shop.size: int
 * user.avsc    user, country: string; email: string, sensitive; since: timestamp
 * number.avsc  n: long; text: string
 */
struct loaded {
    struct plan *plan; /* NULL when there are errors */
    struct diagnostics diagnostics;
    char *text; /* the diagnostics as lines; "" when there are none */
};

struct loaded loaded_from(const char *yaml);
struct loaded loaded_from_file(const char *path); /* from the root of the source tree */
void loaded_fini(struct loaded *loaded);

/* The first lines of every topology of these tests, up to the options of stream s. */
#define HEAD                                                                              \
    "topology: t\nstreams:\n  s:\n    topic: in\n    format: json\n    schema: tx.avsc\n" \
    "    key: user\n    id: tx\n    time: at\n"

#endif
