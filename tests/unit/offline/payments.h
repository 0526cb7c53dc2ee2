/* payments: a small topology, files of payments in every format, and what a backtest makes of them. */
#ifndef WEIR_TESTS_UNIT_OFFLINE_PAYMENTS_H
#define WEIR_TESTS_UNIT_OFFLINE_PAYMENTS_H

#include "base/buffer.h"
#include "processor/offline/backtest.h"
#include "processor/topology/topology.h"

/* More than two payments within a minute; one above 100. The schema: id, user, at (millis), cents, note?, fraud?. */
struct plan *payments_plan(void);

struct folder {
    char path[64];
};
struct folder folder_make(void);
void folder_remove(struct folder *folder);
/* Writes `folder/name`; a name that ends in .gz is compressed. The path lives until the next 8 calls. */
const char *folder_write(const struct folder *folder, const char *name, struct bytes content);
const char *folder_write_text(const struct folder *folder, const char *name, const char *content);

struct payment {
    const char *id, *user;
    int64_t at_ms;
    int64_t cents;
    const char *note; /* NULL: none */
    bool fraud;
};
extern const struct payment payments[];
extern const size_t payment_count;

void payments_write_csv(struct buffer *out);
void payments_write_json(struct buffer *out);
void payment_write_json(struct buffer *out, const struct payment *payment);
void payment_write_avro(struct buffer *out, const struct payment *payment);
struct bytes payments_schema(void);

/* Everything that a backtest of the files gave: alerts as JSON and dead letters, a line each. */
struct run {
    struct plan *plan;
    struct backtest_result result;
    struct buffer log, features;
    enum status status;
    struct error err;
};
struct run run_files(const char *const *paths, size_t count, const char *label);
struct run run_file(const char *path);
/* With alerts that are counted only. */
struct run run_unread(const char *path);
void run_fini(struct run *run);

#endif
