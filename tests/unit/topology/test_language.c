/* The loader, the reference page and the schema for editors describe one language. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "processor/topology/language.h"

static const struct {
    const struct language_section *section;
    const char *definition; /* in the schema; NULL: the root */
    const char *heading;    /* of the page */
} sections[] = {
    { &section_topology, NULL, "## The whole file\n" },
    { &section_stream, "stream", "## `streams`\n" },
    { &section_remember, "remember", "### `remember`\n" },
    { &section_table, "table", "## `tables`\n" },
    { &section_rule, "rule", "## `rules`\n" },
    { &section_outputs, "outputs", "## `outputs`\n" },
    { &section_alerts, "alerts", "### `alerts`\n" },
    { &section_dead_letters, "dead_letters", "### `dead_letters`\n" },
};
enum { SECTION_COUNT = sizeof sections / sizeof sections[0] };

static char *file_text(const char *path)
{
    enum { TEXT_MAX = 1 << 17 };
    AUTO(mem_auto_free) char *full = mem_format("%s/%s", WEIR_SOURCE_DIR, path);
    FILE *file = fopen(full, "rb");
    cr_assert_not_null(file, "%s", full);
    char *text = mem_alloc(TEXT_MAX);
    cr_assert_lt(fread(text, 1, TEXT_MAX - 1, file), (size_t)TEXT_MAX - 1);
    fclose(file);
    return text;
}

static bool is_required(json_t *definition, const char *key)
{
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(definition, "required"), i,
                       name) if (strcmp(json_string_value(name), key) == 0) return true;
    return false;
}

static void compare_with_schema(const struct language_section *section, json_t *definition)
{
    json_t *properties = json_object_get(definition, "properties");
    size_t expected = 0;
    cr_assert(json_is_false(json_object_get(definition, "additionalProperties")), "%s",
              section->what);
    for (size_t i = 0; i < section->count; i++) {
        const struct language_key *key = &section->keys[i];
        const bool is_there = json_object_get(properties, key->name) != NULL;
        cr_expect_eq(is_there, key->need != KEY_LATER, "%s: '%s'", section->what, key->name);
        cr_expect_eq(is_required(definition, key->name), key->need == KEY_REQUIRED, "%s: '%s'",
                     section->what, key->name);
        expected += key->need != KEY_LATER;
    }
    cr_expect_eq(json_object_size(properties), expected, "%s", section->what);
}

Test(language, the_schema_for_editors_has_the_same_keys)
{
    AUTO(mem_auto_free) char *text = file_text("topologies/topology.schema.json");
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    cr_assert_not_null(root, "line %d: %s", error.line, error.text);
    json_t *definitions = json_object_get(root, "$defs");
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        json_t *definition = sections[i].definition == NULL
                                 ? root
                                 : json_object_get(definitions, sections[i].definition);
        cr_assert_not_null(definition, "%s", sections[i].section->what);
        compare_with_schema(sections[i].section, definition);
    }
    json_decref(root);
}

/* The rows "| `key` | ..." from the heading to the next one. */
static size_t count_rows(const char *from)
{
    size_t count = 0;
    for (const char *line = from; line != NULL && strncmp(line, "\n#", 2) != 0;
         line = strchr(line + 1, '\n'))
        count += strncmp(line, "\n| `", 4) == 0;
    return count;
}

static bool has_row(const char *from, const char *key, bool required)
{
    const char *end = strstr(from, "\n#");
    AUTO(mem_auto_free) char *row = mem_format("\n| `%s` | ", key);
    const char *found = strstr(from, row);
    if (found == NULL || (end != NULL && found > end))
        return false;
    const char *line_end = strchr(found + 1, '\n');
    const char *word = strstr(found, "| required |");
    return required == (word != NULL && word < line_end);
}

Test(language, the_reference_page_has_the_same_keys)
{
    AUTO(mem_auto_free) char *text = file_text("docs/topology-language.md");
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        const struct language_section *section = sections[i].section;
        const char *heading = strstr(text, sections[i].heading);
        cr_assert_not_null(heading, "%s", sections[i].heading);
        const char *from = heading + strlen(sections[i].heading) - 1;
        size_t expected = 0;
        for (size_t j = 0; j < section->count; j++) {
            const struct language_key *key = &section->keys[j];
            expected += key->need != KEY_LATER;
            if (key->need != KEY_LATER)
                cr_expect(has_row(from, key->name, key->need == KEY_REQUIRED), "%s: '%s'",
                          section->what, key->name);
        }
        cr_expect_eq(count_rows(from), expected, "%s", section->what);
    }
}
