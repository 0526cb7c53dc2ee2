/* crash_notices: what crash_ledger leaves for people. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "processor/cli/crash_ledger.h"

typedef enum status each_notice_fn(const char *path, struct buffer *out, struct error *err);

static enum status each_notice(const char *directory, each_notice_fn *each, struct buffer *out, size_t *count,
                               struct error *err)
{
    AUTO(mem_auto_free) char *path = mem_format("%s/crashed", directory);
    *count = 0;
    DIR *notices = opendir(path);
    if (notices == NULL)
        return errno == ENOENT ? ST_OK : FAIL(err, ST_IO_FAILED, "%s: %s", path, strerror(errno));
    enum status st = ST_OK;
    for (const struct dirent *entry; st == ST_OK && (entry = readdir(notices)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        AUTO(mem_auto_free) char *file = mem_format("%s/%s", path, entry->d_name);
        st = each(file, out, err);
        ++*count;
    }
    closedir(notices);
    return st;
}

static enum status read_notice(const char *path, struct buffer *out, struct error *err)
{
    char line[512];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return FAIL(err, ST_IO_FAILED, "%s: %s", path, strerror(errno));
    if (fgets(line, sizeof line, file) != NULL)
        buffer_printf(out, "%.*s\n", (int)strcspn(line, "\n"), line);
    else
        buffer_printf(out, "%s\n", path);
    fclose(file);
    return ST_OK;
}

static enum status remove_notice(const char *path, struct buffer *out, struct error *err)
{
    (void)out;
    if (unlink(path) != 0 && errno != ENOENT)
        return FAIL(err, ST_IO_FAILED, "%s: %s", path, strerror(errno));
    return ST_OK;
}

enum status crash_notices_list(const char *directory, struct buffer *out, size_t *count, struct error *err)
{
    return each_notice(directory, read_notice, out, count, err);
}

enum status crash_notices_acknowledge(const char *directory, struct error *err)
{
    size_t count;
    return each_notice(directory, remove_notice, NULL, &count, err);
}
