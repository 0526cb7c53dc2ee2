/*
 * registry_directory: a registry kept as files `<id>-<subject>.avsc`, for runs without a server.
 *
 * The subject in a name is for people: bytes other than letters, digits, '.', '_' and '-' are
 * written as %XX. Names of another form are passed over. At opening a broken file is an error,
 * because whoever put it there is looking; later it is a warning, because a worker is running. Two
 * processes may register at once: the directory is locked meanwhile.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "schemas/registry_ids.h"
#include "schemas/registry_type.h"
#include "schemas/schema_file.h"

static const int64_t scan_interval_us = 1000000;

struct registry_directory {
    struct registry base;
    char *path;
    struct clock clock;
    pthread_mutex_t lock; /* of what follows */
    struct registry_ids *ids;
    int64_t scanned_us;
    int64_t scans, failures;
    char last_error[160];
};

static struct registry_directory *of(struct registry *self)
{
    return (struct registry_directory *)self;
}

/* ---- reading ---- */

/* The id at the start of `<id>-<subject>.avsc`, or 0: ids begin at 1. */
static int32_t id_of_name(const char *name)
{
    static const char suffix[] = ".avsc";
    const size_t size = strlen(name);
    if (size < sizeof suffix || strcmp(name + size - (sizeof suffix - 1), suffix) != 0 ||
        name[0] < '1' || name[0] > '9')
        return 0;
    char *end;
    errno = 0;
    const long long id = strtoll(name, &end, 10);
    return *end == '-' && errno == 0 && id <= INT32_MAX ? (int32_t)id : 0;
}

static enum status read_file(struct registry_directory *directory, const char *name,
                             struct error *err)
{
    const int32_t id = id_of_name(name);
    const struct schema_document *known = registry_ids_find(directory->ids, id);
    AUTO(schema_document_destroy) struct schema_document *document = NULL;
    TRY(schema_file_read(&document, directory->path, name, err));
    if (known != NULL && bytes_compare(schema_text(known), schema_text(document)) != 0)
        return FAIL(err, ST_INVALID, "%s/%s: id %d has another schema already", directory->path,
                    name, id);
    registry_ids_add(directory->ids, id, &document);
    return ST_OK;
}

static int is_schema_file(const struct dirent *entry)
{
    return id_of_name(entry->d_name) != 0;
}

static void note_failure(struct registry_directory *directory, const struct error *err)
{
    directory->failures++;
    snprintf(directory->last_error, sizeof directory->last_error, "%.*s",
             (int)sizeof directory->last_error - 1, err->text);
    LOG_WARN("registry.file_ignored", "error=%s", LOG_Q(err->text));
}

/*
 * Reads every file whose id is not known yet; `strict`: every file, and the first broken one is the
 * result.
 */
static enum status scan(struct registry_directory *directory, bool strict, struct error *err)
{
    directory->scans++;
    directory->last_error[0] = '\0';
    directory->scanned_us = clock_us(&directory->clock);
    struct dirent **entries = NULL;
    const int count = scandir(directory->path, &entries, is_schema_file, alphasort);
    if (count < 0)
        return FAIL(err, ST_IO_FAILED, "cannot read the schema directory %s: %s", directory->path,
                    strerror(errno));
    enum status status = ST_OK;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        struct error why;
        if (status == ST_OK &&
            (strict || registry_ids_find(directory->ids, id_of_name(name)) == NULL) &&
            read_file(directory, name, &why) != ST_OK) {
            if (strict)
                status = FAIL(err, why.status, "%s", why.text);
            else
                note_failure(directory, &why);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* Under the lock. */
static enum status look_up(struct registry_directory *directory, int32_t id, bool scan_now,
                           const struct schema_document **out, struct error *err)
{
    const struct schema_document *document = registry_ids_find(directory->ids, id);
    if (document == NULL &&
        (scan_now || clock_us(&directory->clock) - directory->scanned_us >= scan_interval_us)) {
        struct error why;
        if (scan(directory, false, &why) != ST_OK) {
            note_failure(directory, &why);
            return FAIL(err, ST_REGISTRY_DOWN, "%s", why.text);
        }
        document = registry_ids_find(directory->ids, id);
    }
    if (document == NULL)
        return FAIL(err, ST_UNKNOWN_SCHEMA, "%s has no file for schema id %d", directory->path, id);
    *out = document;
    return ST_OK;
}

static enum status directory_find(struct registry *self, int32_t id, const struct schema_document **out,
                                  struct error *err)
{
    struct registry_directory *directory = of(self);
    pthread_mutex_lock(&directory->lock);
    const enum status status = look_up(directory, id, false, out, err);
    pthread_mutex_unlock(&directory->lock);
    return status;
}

static enum status directory_fetch(struct registry *self, int32_t id, int64_t timeout_ms,
                                   const struct schema_document **out, struct error *err)
{
    struct registry_directory *directory = of(self);
    (void)timeout_ms;
    pthread_mutex_lock(&directory->lock);
    const enum status status = look_up(directory, id, true, out, err);
    pthread_mutex_unlock(&directory->lock);
    return status;
}

/* ---- registering ---- */

static void put_file_name(struct buffer *out, int32_t id, const char *subject)
{
    buffer_printf(out, "%d-", id);
    for (const char *c = subject; *c != '\0'; c++) {
        const bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                           (*c >= '0' && *c <= '9') || *c == '.' || *c == '_' || *c == '-';
        if (plain)
            buffer_put_u8(out, (uint8_t)*c);
        else
            buffer_printf(out, "%%%02X", (unsigned char)*c);
    }
    buffer_put_string(out, ".avsc");
}

static enum status add_file(struct registry_directory *directory, const char *subject,
                            struct bytes text, int32_t *id, struct error *err)
{
    struct schema_document *document = NULL;
    TRY(schema_parse(&document, (const char *)text.data, text.size, err));
    *id = registry_ids_next(directory->ids);
    AUTO(buffer_fini) struct buffer name;
    buffer_init(&name);
    put_file_name(&name, *id, subject);
    enum status status = *id == 0
                             ? FAIL(err, ST_REFUSED, "%s has no id left", directory->path)
                             : schema_file_write(directory->path, buffer_text(&name), text, err);
    if (status == ST_OK)
        registry_ids_add(directory->ids, *id, &document);
    schema_document_destroy(&document);
    return status;
}

/* Holds the directory against other processes; `file` is to be closed, which lets go. */
static enum status lock_directory(const struct registry_directory *directory, int64_t timeout_ms,
                                  int *file, struct error *err)
{
    enum { RETRY_US = 10000 };
    const int64_t deadline_us = clock_us(&directory->clock) + timeout_ms * 1000;
    *file = open(directory->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*file < 0)
        return FAIL(err, ST_IO_FAILED, "cannot open %s: %s", directory->path, strerror(errno));
    while (flock(*file, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK && clock_us(&directory->clock) < deadline_us) {
            clock_sleep_us(&directory->clock, RETRY_US);
            continue;
        }
        const int why = errno;
        close(*file);
        return FAIL(err, why == EWOULDBLOCK ? ST_REGISTRY_DOWN : ST_IO_FAILED, "cannot lock %s: %s",
                    directory->path, strerror(why));
    }
    return ST_OK;
}

static enum status find_or_add(struct registry_directory *directory, const char *subject,
                               struct bytes text, int32_t *id, struct error *err)
{
    TRY(scan(directory, false, err)); /* another process may have added it */
    if (registry_ids_find_text(directory->ids, text, id))
        return ST_OK;
    return add_file(directory, subject, text, id, err);
}

static enum status directory_register(struct registry *self, const char *subject, struct bytes text,
                                      int64_t timeout_ms, int32_t *id, struct error *err)
{
    struct registry_directory *directory = of(self);
    int file;
    TRY(lock_directory(directory, timeout_ms, &file, err));
    pthread_mutex_lock(&directory->lock);
    const enum status status = find_or_add(directory, subject, text, id, err);
    pthread_mutex_unlock(&directory->lock);
    close(file);
    return status;
}

/* ---- the rest ---- */

static void directory_health(struct registry *self, struct registry_health *out)
{
    struct registry_directory *directory = of(self);
    pthread_mutex_lock(&directory->lock);
    out->schemas_known = (int64_t)registry_ids_count(directory->ids);
    out->fetches = directory->scans;
    out->failures = directory->failures;
    memcpy(out->last_error, directory->last_error, sizeof out->last_error);
    pthread_mutex_unlock(&directory->lock);
}

static void directory_close(struct registry *self)
{
    struct registry_directory *directory = of(self);
    registry_ids_destroy(&directory->ids);
    pthread_mutex_destroy(&directory->lock);
    mem_free(directory->path);
    mem_free(directory);
}

static const struct registry_type registry_directory = {
    .find = directory_find,
    .fetch = directory_fetch,
    .register_text = directory_register,
    .health = directory_health,
    .close = directory_close,
};

enum status registry_open_directory(struct registry **out, const char *path, struct error *err)
{
    struct registry_directory *directory = mem_alloc(sizeof *directory);
    directory->base.type = &registry_directory;
    directory->path = mem_copy_string(path);
    directory->clock = clock_real();
    pthread_mutex_init(&directory->lock, NULL);
    registry_ids_create(&directory->ids);
    AUTO(registry_close) struct registry *made = &directory->base; /* an early return closes it */
    TRY(scan(directory, true, err));
    *out = TAKE(made);
    return ST_OK;
}
