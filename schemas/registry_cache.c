/* registry_cache: one folder per registry, one file per id. */
#include "schemas/registry_cache.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "schemas/schema_file.h"

struct registry_cache {
    char *folder;
};

static int compare_urls(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The same for the same URLs in any order. */
static uint64_t hash_of_urls(char *const *urls, size_t count)
{
    AUTO(mem_auto_free) char **sorted = mem_alloc_array(count, sizeof *sorted);
    memcpy(sorted, urls, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_urls);
    AUTO(buffer_fini) struct buffer all;
    buffer_init(&all);
    for (size_t i = 0; i < count; i++)
        buffer_put_run(&all, bytes_of_string(sorted[i]));
    return hash64(buffer_view(&all));
}

/* With the folders above it. */
static enum status make_folder(const char *folder, struct error *err)
{
    AUTO(mem_auto_free) char *path = mem_copy_string(folder);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0755); /* what matters is whether the last one is there in the end */
        *slash = '/';
    }
    struct stat info;
    if (mkdir(folder, 0755) != 0 &&
        (errno != EEXIST || stat(folder, &info) != 0 || !S_ISDIR(info.st_mode)))
        return FAIL(err, errno == ENOSPC ? ST_DISK_FULL : ST_IO_FAILED,
                    "cannot make the schema cache %s: %s", folder, strerror(errno));
    return ST_OK;
}

enum status registry_cache_open(struct registry_cache **out, const char *directory,
                                char *const *urls, size_t url_count, struct error *err)
{
    AUTO(registry_cache_close) struct registry_cache *cache = mem_alloc(sizeof *cache);
    cache->folder = mem_format("%s/%016" PRIx64, directory, hash_of_urls(urls, url_count));
    TRY(make_folder(cache->folder, err));
    *out = TAKE(cache);
    return ST_OK;
}

void registry_cache_close(struct registry_cache **cache)
{
    if (*cache == NULL)
        return;
    mem_free((*cache)->folder);
    mem_free(TAKE(*cache));
}

/* The id of `<id>.avsc`, -1: the name is of another form. */
static int32_t id_of_name(const char *name)
{
    char *end;
    errno = 0;
    const long long id = strtoll(name, &end, 10);
    const bool valid = name[0] >= '0' && name[0] <= '9' && errno == 0 && id <= INT32_MAX &&
                       strcmp(end, ".avsc") == 0;
    return valid ? (int32_t)id : -1;
}

static void load_file(struct registry_cache *cache, const char *name, struct registry_ids *ids)
{
    struct schema_document *document = NULL;
    struct error why;
    if (schema_file_read(&document, cache->folder, name, &why) == ST_OK)
        registry_ids_add(ids, id_of_name(name), &document);
    else
        LOG_WARN("registry.cache_file_ignored", "error=%s", LOG_Q(why.text));
}

void registry_cache_load(struct registry_cache *cache, struct registry_ids *ids)
{
    struct dirent **entries = NULL;
    const int count = scandir(cache->folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (strncmp(name, SCHEMA_FILE_UNFINISHED, sizeof SCHEMA_FILE_UNFINISHED - 1) == 0) {
            AUTO(mem_auto_free) char *path = mem_format("%s/%s", cache->folder, name);
            unlink(path); /* left by a process that died; the folder belongs to one process */
        } else if (id_of_name(name) >= 0) {
            load_file(cache, name, ids);
        }
        free(entries[i]);
    }
    free(entries);
}

void registry_cache_save(struct registry_cache *cache, int32_t id, struct bytes text)
{
    char name[32];
    snprintf(name, sizeof name, "%d.avsc", id);
    struct error why;
    if (schema_file_write(cache->folder, name, text, &why) != ST_OK)
        LOG_WARN("registry.cache_write_failed", "error=%s", LOG_Q(why.text));
}
