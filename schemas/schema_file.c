/* schema_file: whole files, written beside their place, synced and renamed into it. */
#include "schemas/schema_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"

static enum status io_failed(struct error *err, const char *what, const char *path)
{
    const enum status status = errno == ENOENT                      ? ST_NOT_FOUND
                               : errno == ENOSPC || errno == EDQUOT ? ST_DISK_FULL
                                                                    : ST_IO_FAILED;
    return FAIL(err, status, "cannot %s %s: %s", what, path, strerror(errno));
}

static enum status read_all(int file, struct buffer *text, const char *path, struct error *err)
{
    enum { CHUNK = 16384 };
    for (;;) {
        buffer_reserve(text, CHUNK);
        const ssize_t got = read(file, text->data + text->size, CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return io_failed(err, "read", path);
        if (got == 0)
            return ST_OK;
        text->size += (size_t)got;
        if (text->size > SCHEMA_TEXT_MAX)
            return FAIL(err, ST_INVALID, "%s is larger than a schema may be (%d bytes)", path,
                        SCHEMA_TEXT_MAX);
    }
}

enum status schema_file_read(struct schema_document **out, const char *directory, const char *name,
                             struct error *err)
{
    AUTO(mem_auto_free) char *path = mem_format("%s/%s", directory, name);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return io_failed(err, "open", path);
    AUTO(buffer_fini) struct buffer text;
    buffer_init(&text);
    const enum status status = read_all(file, &text, path, err);
    close(file);
    TRY(status);
    struct error why;
    if (schema_parse(out, buffer_text(&text), text.size, &why) != ST_OK)
        return FAIL(err, ST_INVALID, "%s: %s", path, why.text);
    return ST_OK;
}

static enum status write_all(int file, struct bytes text, const char *path, struct error *err)
{
    while (text.size > 0) {
        const ssize_t put = write(file, text.data, text.size);
        if (put < 0 && errno != EINTR)
            return io_failed(err, "write", path);
        if (put > 0)
            text = bytes_of(text.data + put, text.size - (size_t)put);
    }
    return fsync(file) == 0 ? ST_OK : io_failed(err, "sync", path);
}

static enum status write_unfinished(const char *path, struct bytes text, struct error *err)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0)
        return io_failed(err, "create", path);
    const enum status status = write_all(file, text, path, err);
    if (close(file) != 0 && status == ST_OK)
        return io_failed(err, "close", path);
    return status;
}

/*
 * Makes the rename survive a power cut; when even that fails the file is only missing, which
 * readers bear.
 */
static void sync_directory(const char *directory)
{
    const int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return;
    (void)fsync(file);
    close(file);
}

enum status schema_file_write(const char *directory, const char *name, struct bytes text,
                              struct error *err)
{
    AUTO(mem_auto_free) char *path = mem_format("%s/%s", directory, name);
    AUTO(mem_auto_free)
    char *unfinished =
        mem_format("%s/" SCHEMA_FILE_UNFINISHED "%016" PRIx64, directory, random_nonce());
    enum status status = write_unfinished(unfinished, text, err);
    if (status == ST_OK && rename(unfinished, path) != 0)
        status = io_failed(err, "rename to", path);
    if (status != ST_OK)
        unlink(unfinished);
    else
        sync_directory(directory);
    return status;
}
