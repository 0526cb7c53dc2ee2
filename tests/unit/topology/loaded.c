#include "loaded.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/memory.h"

static const struct {
    const char *name, *text;
} schemas[] = {
    { "tx.avsc",
      "{\"type\":\"record\",\"name\":\"Tx\",\"fields\":["
      "{\"name\":\"tx\",\"type\":\"string\"},{\"name\":\"user\",\"type\":\"string\"},"
      "{\"name\":\"card\",\"type\":\"string\",\"sensitive\":true},"
      "{\"name\":\"device\",\"type\":[\"null\",\"string\"],\"default\":null},"
      "{\"name\":\"note\",\"type\":[\"null\",\"string\"],\"default\":null},"
      "{\"name\":\"country\",\"type\":\"string\"},{\"name\":\"cents\",\"type\":\"long\"},"
      "{\"name\":\"count_of\",\"type\":\"long\"},{\"name\":\"ok\",\"type\":\"boolean\"},"
      "{\"name\":\"rate\",\"type\":\"double\"},"
      "{\"name\":\"lat\",\"type\":[\"null\",\"double\"],\"default\":null},"
      "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
      "{\"name\":\"raw\",\"type\":\"bytes\"},"
      "{\"name\":\"shop\",\"type\":{\"type\":\"record\",\"name\":\"Shop\",\"fields\":["
      "{\"name\":\"name\",\"type\":\"string\"},{\"name\":\"size\",\"type\":\"int\"}]}}]}" },
    { "user.avsc",
      "{\"type\":\"record\",\"name\":\"User\",\"fields\":["
      "{\"name\":\"user\",\"type\":\"string\"},{\"name\":\"country\",\"type\":\"string\"},"
      "{\"name\":\"email\",\"type\":\"string\",\"sensitive\":true},"
      "{\"name\":\"since\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}}]}" },
    { "number.avsc",
      "{\"type\":\"record\",\"name\":\"Number\",\"fields\":["
      "{\"name\":\"n\",\"type\":\"long\"},{\"name\":\"text\",\"type\":\"string\"}]}" },
    { "broken.avsc", "{\"type\":\"record\"" },
    { "enum.avsc", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}" },
    { "empty.avsc", "{\"type\":\"record\",\"name\":\"Empty\",\"fields\":[]}" },
};

static bool find_schema(void *context, const char *name, struct bytes *content)
{
    (void)context;
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        if (strcmp(schemas[i].name, name) != 0)
            continue;
        *content = bytes_of_string(schemas[i].text);
        return true;
    }
    return false;
}

static void finish(struct loaded *loaded, enum status status, const struct error *err)
{
    struct buffer text;
    buffer_init(&text);
    diagnostics_format(&loaded->diagnostics, &text);
    loaded->text = mem_copy_string(buffer_text(&text));
    buffer_fini(&text);
    const enum status expected = loaded->diagnostics.errors > 0 ? ST_INVALID : ST_OK;
    cr_assert_eq(status, expected, "%s: %s\n%s", status_name(status), err->text, loaded->text);
    cr_assert_eq(loaded->plan == NULL, loaded->diagnostics.errors > 0);
}

struct loaded loaded_from(const char *yaml)
{
    const struct topology_options options = { .find_embedded = find_schema };
    struct loaded loaded = { 0 };
    struct error err = { 0 };
    diagnostics_init(&loaded.diagnostics, "t.yaml");
    finish(&loaded,
           topology_load_text(&loaded.plan, "t.yaml", bytes_of_string(yaml), &options,
                              &loaded.diagnostics, &err),
           &err);
    return loaded;
}

struct loaded loaded_from_file(const char *path)
{
    const struct topology_options options = { .schemas_directory = WEIR_SOURCE_DIR "/schemas" };
    struct loaded loaded = { 0 };
    struct error err = { 0 };
    AUTO(mem_auto_free) char *full = mem_format("%s/%s", WEIR_SOURCE_DIR, path);
    diagnostics_init(&loaded.diagnostics, path);
    finish(&loaded, topology_load_file(&loaded.plan, full, &options, &loaded.diagnostics, &err),
           &err);
    return loaded;
}

void loaded_fini(struct loaded *loaded)
{
    plan_destroy(&loaded->plan);
    diagnostics_fini(&loaded->diagnostics);
    mem_free(loaded->text);
    loaded->text = NULL;
}
