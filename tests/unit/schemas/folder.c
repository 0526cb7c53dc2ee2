#define _GNU_SOURCE /* nftw */
#include "folder.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

char *folder_create(void)
{
    char *folder = mem_copy_string("/tmp/weir_test_XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    return folder;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

void folder_destroy(char **folder)
{
    cr_assert_eq(nftw(*folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    mem_free(TAKE(*folder));
}

char *folder_read(const char *folder, const char *name)
{
    enum { CONTENT_MAX = 65536 };
    AUTO(mem_auto_free) char *path = mem_format("%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    char *content = mem_alloc(CONTENT_MAX);
    cr_assert_lt(fread(content, 1, CONTENT_MAX, file), CONTENT_MAX);
    fclose(file);
    return content;
}

void folder_write(const char *folder, const char *name, const char *content)
{
    AUTO(mem_auto_free) char *path = mem_format("%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(content, file), 0);
    cr_assert_eq(fclose(file), 0);
}
