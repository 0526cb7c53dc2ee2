#include "processor/cli/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/log.h"
#include "base/memory.h"
#include "processor/expression/expression.h"
#include "processor/topology/yaml_tree.h"
#include "schemas/rfc3339.h"

enum setting_kind { TEXT, INTEGER, COUNT, DURATION, BYTES, FLAG };

struct setting {
    const char *key;
    enum setting_kind kind;
    size_t member;
    const char *otherwise;
    const char *help;
};

static const struct setting settings[] = {
#define SETTING(key, kind, member, otherwise, help) \
    { key, kind, offsetof(struct config, member), otherwise, help },
#include "processor/cli/config.def"
#undef SETTING
};
enum {
    SETTING_COUNT = sizeof settings / sizeof settings[0],
    FILE_BYTES_MAX = 1 << 20,
    SECRET_BYTES_MAX = 1 << 16
};

/* --- values ----------------------------------------------------------------------------------------------------------- */

static enum status parse_bytes(const char *key, const char *text, int64_t *out, struct error *err)
{
    static const struct {
        const char *unit;
        int64_t bytes;
    } units[] = { { "", 1 },         { "B", 1 },        { "KB", 1 << 10 }, { "MB", 1 << 20 },
                  { "GB", 1 << 30 }, { "Ki", 1 << 10 }, { "Mi", 1 << 20 }, { "Gi", 1 << 30 } };
    char *end;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0] && errno == 0 && end != text; i++) {
        if (strcmp(end, units[i].unit) == 0 && number >= 0 &&
            !__builtin_mul_overflow(number, units[i].bytes, out))
            return ST_OK;
    }
    return FAIL(err, ST_INVALID, "%s: '%s' is no size; write 512MB or 2GB", key, text);
}

static enum status parse_integer(const char *key, const char *text, int64_t *out, struct error *err)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *out < 1)
        return FAIL(err, ST_INVALID, "%s: '%s' is no positive whole number", key, text);
    return ST_OK;
}

static enum status parse_count(const char *key, const char *text, int64_t *out, struct error *err)
{
    if (strcmp(text, "0") != 0)
        return parse_integer(key, text, out, err);
    *out = 0;
    return ST_OK;
}

static enum status parse_flag(const char *key, const char *text, bool *out, struct error *err)
{
    *out = strcmp(text, "true") == 0;
    if (!*out && strcmp(text, "false") != 0)
        return FAIL(err, ST_INVALID, "%s: '%s' is neither true nor false", key, text);
    return ST_OK;
}

static enum status set(struct config *config, const struct setting *setting, const char *text,
                       struct error *err)
{
    void *member = (char *)config + setting->member;
    switch (setting->kind) {
    case TEXT:
        mem_free(*(char **)member);
        *(char **)member = mem_copy_string(text);
        return ST_OK;
    case INTEGER:
        return parse_integer(setting->key, text, member, err);
    case COUNT:
        return parse_count(setting->key, text, member, err);
    case BYTES:
        return parse_bytes(setting->key, text, member, err);
    case FLAG:
        return parse_flag(setting->key, text, member, err);
    case DURATION:
        if (!duration_parse(member, text))
            return FAIL(err, ST_INVALID, "%s: '%s' is no duration; write 100ms or 30s",
                        setting->key, text);
        return ST_OK;
    }
    UNREACHABLE();
}

static enum status read_file(const char *path, size_t size_max, struct buffer *out,
                             struct error *err)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return FAIL(err, ST_NOT_FOUND, "%s: %s", path, strerror(errno));
    uint8_t block[4096];
    size_t size;
    while ((size = fread(block, 1, sizeof block, file)) > 0 && out->size <= size_max)
        buffer_put(out, block, size);
    const bool failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        return FAIL(err, ST_IO_FAILED, "%s: it cannot be read", path);
    return out->size <= size_max
               ? ST_OK
               : FAIL(err, ST_INVALID, "%s: it is larger than %zu bytes", path, size_max);
}

/* The content of a secret's file, without the line's end. */
static enum status read_secret(const char *path, char **out, struct error *err)
{
    AUTO(buffer_fini) struct buffer text;
    buffer_init(&text);
    TRY(read_file(path, SECRET_BYTES_MAX, &text, err));
    while (text.size > 0 && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
        text.size--;
    *out = mem_copy_string(buffer_text(&text));
    return ST_OK;
}

static enum status unknown_key(const char *key, struct error *err)
{
    struct nearest_name nearest = { .wanted = key };
    for (size_t i = 0; i < SETTING_COUNT; i++)
        nearest_name_offer(&nearest, settings[i].key);
    if (nearest.best == NULL)
        return FAIL(err, ST_INVALID, "unknown setting '%s'", key);
    return FAIL(err, ST_INVALID, "unknown setting '%s'; did you mean '%s'?", key, nearest.best);
}

static enum status add_property(struct config *config, const char *name, const char *value,
                                struct error *err)
{
    for (size_t i = 0; i < config->property_count; i++) {
        if (strcmp(config->properties[i].name, name) == 0) {
            mem_free(config->properties[i].value);
            config->properties[i].value = mem_copy_string(value);
            return ST_OK;
        }
    }
    if (config->property_count == CONFIG_PROPERTIES_MAX)
        return FAIL(err, ST_INVALID, "more than %d Kafka properties", CONFIG_PROPERTIES_MAX);
    config->properties[config->property_count++] =
        (struct config_property){ mem_copy_string(name), mem_copy_string(value) };
    return ST_OK;
}

static enum status set_key(struct config *config, const char *key, const char *value,
                           struct error *err)
{
    static const char kafka[] = "kafka.", file[] = "_file";
    AUTO(mem_auto_free) char *name = mem_copy_string(key);
    AUTO(mem_auto_free) char *secret = NULL;
    const size_t size = strlen(key);
    if (size > sizeof file && strcmp(key + size - strlen(file), file) == 0) {
        TRY(read_secret(value, &secret, err));
        name[size - strlen(file)] = '\0';
        value = secret;
    }
    if (strncmp(name, kafka, strlen(kafka)) == 0)
        return add_property(config, name + strlen(kafka), value, err);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(settings[i].key, name) == 0)
            return set(config, &settings[i], value, err);
    }
    return unknown_key(key, err);
}

/* --- the file ----------------------------------------------------------------------------------------------------------- */

static enum status set_tree(struct config *config, const char *prefix, const struct yaml_node *map,
                            const char *file, struct error *err)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct yaml_node *value = map->pairs[i].value;
        AUTO(mem_auto_free)
        char *key =
            mem_format("%s%s%s", prefix, *prefix == '\0' ? "" : ".", map->pairs[i].key->text);
        enum status st = ST_OK;
        if (value->kind == YAML_MAP)
            st = set_tree(config, key, value, file, err);
        else if (value->kind == YAML_SCALAR)
            st = set_key(config, key, value->text, err);
        else
            st = FAIL(err, ST_INVALID, "'%s' needs one value", key);
        if (st != ST_OK)
            return value->kind == YAML_MAP
                       ? st
                       : error_prefix(err, "%s:%d:%d", file, map->pairs[i].key->position.line,
                                      map->pairs[i].key->position.column);
    }
    return ST_OK;
}

/* Nothing but space and comments: the usual settings. */
static bool is_blank(struct bytes text)
{
    bool comment = false;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        comment = c == '#' || (comment && c != '\n');
        if (!comment && !isspace(c))
            return false;
    }
    return true;
}

static enum status load_file(struct config *config, const char *path, struct error *err)
{
    AUTO(buffer_fini) struct buffer text, wrong;
    struct diagnostics diagnostics;
    AUTO(yaml_tree_destroy) struct yaml_tree *tree = NULL;
    buffer_init(&text);
    buffer_init(&wrong);
    TRY(read_file(path, FILE_BYTES_MAX, &text, err));
    if (is_blank(buffer_view(&text)))
        return ST_OK;
    diagnostics_init(&diagnostics, path);
    yaml_tree_parse(&tree, buffer_view(&text), &diagnostics);
    const struct yaml_node *root = tree == NULL ? NULL : yaml_tree_root(tree);
    enum status st = ST_OK;
    diagnostics_format(&diagnostics, &wrong);
    if (diagnostics.errors > 0)
        st = FAIL(err, ST_INVALID, "%s", buffer_text(&wrong));
    else if (root != NULL && root->kind == YAML_MAP)
        st = set_tree(config, "", root, path, err);
    else if (root != NULL && root->kind != YAML_NULL)
        st = FAIL(err, ST_INVALID, "%s:%d:%d: settings are keys with values", path,
                  root->position.line, root->position.column);
    diagnostics_fini(&diagnostics);
    return st;
}

/* --- the environment ---------------------------------------------------------------------------------------------------- */

static void environment_name(const char *key, const char *suffix, char *out, size_t size)
{
    snprintf(out, size, "WEIR_%s%s", key, suffix);
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
}

static enum status load_environment(struct config *config, struct error *err)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        static const char *const suffixes[] = { "", "_file" };
        for (size_t j = 0; j < sizeof suffixes / sizeof suffixes[0]; j++) {
            char name[128], key[128];
            environment_name(settings[i].key, suffixes[j], name, sizeof name);
            snprintf(key, sizeof key, "%s%s", settings[i].key, suffixes[j]);
            const char *value = getenv(name);
            if (value != NULL && set_key(config, key, value, err) != ST_OK)
                return error_prefix(err, "%s", name);
        }
    }
    /* WEIR_KAFKA_SECURITY_PROTOCOL=ssl is kafka.security.protocol. */
    extern char **environ;
    static const char prefix[] = "WEIR_KAFKA_";
    for (char **e = environ; *e != NULL; e++) {
        const char *equals = strchr(*e, '=');
        if (equals == NULL || strncmp(*e, prefix, strlen(prefix)) != 0)
            continue;
        AUTO(mem_auto_free)
        char *name = mem_copy_string_n(*e + strlen(prefix), (size_t)(equals - *e) - strlen(prefix));
        for (char *c = name; *c != '\0'; c++)
            *c = *c == '_' ? '.' : (char)tolower((unsigned char)*c);
        TRY(add_property(config, name, equals + 1, err));
    }
    return ST_OK;
}

enum status config_load(struct config *out, const char *file, struct error *err)
{
    static const char by_default[] = "weir.yaml";
    *out = (struct config){ .brokers = NULL };
    for (size_t i = 0; i < SETTING_COUNT; i++)
        TRY(set(out, &settings[i], settings[i].otherwise, err));
    if (file == NULL && access(by_default, R_OK) == 0)
        file = by_default;
    if (file != NULL)
        TRY(load_file(out, file, err));
    TRY(load_environment(out, err));
    enum log_level level;
    if (!log_level_of_name(&level, out->log_level))
        return FAIL(err, ST_INVALID, "log.level: '%s' is none of debug, info, warn, error",
                    out->log_level);
    const bool json = strcmp(out->log_format, "json") == 0;
    if (!json && strcmp(out->log_format, "text") != 0)
        return FAIL(err, ST_INVALID, "log.format: '%s' is neither text nor json", out->log_format);
    if (out->standbys > MEMBERS_STANDBYS_MAX)
        return FAIL(err, ST_INVALID, "standbys: more than %d copies of everything",
                    MEMBERS_STANDBYS_MAX);
    log_set_level(level);
    log_set_json(json);
    return ST_OK;
}

void config_fini(struct config *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (settings[i].kind == TEXT)
            mem_free(*(char **)((char *)config + settings[i].member));
    }
    for (size_t i = 0; i < config->property_count; i++) {
        mem_free(config->properties[i].name);
        mem_free(config->properties[i].value);
    }
    *config = (struct config){ .brokers = NULL };
}

void config_describe(struct buffer *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        buffer_printf(out, "  %-22s %-15s %s\n", settings[i].key,
                      settings[i].otherwise[0] == '\0' ? "-" : settings[i].otherwise,
                      settings[i].help);
    buffer_put_string(
        out,
        "  kafka.NAME             -               Any property of librdkafka, passed through.\n");
}

/* --- what is made of it ----------------------------------------------------------------------------------------------- */

static const char *or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

enum status config_open_registry(const struct config *config, struct registry **out,
                                 struct error *err)
{
    if (config->registry_directory[0] != '\0')
        return registry_open_directory(out, config->registry_directory, err);
    if (config->registry_url[0] == '\0')
        return FAIL(err, ST_INVALID,
                    "Avro needs a schema registry: set registry.url, or registry.directory");
    AUTO(mem_auto_free) char *list = mem_copy_string(config->registry_url);
    AUTO(mem_auto_free) char *cache = mem_format("%s/schemas", config->state);
    const char *urls[CONFIG_URLS_MAX];
    size_t count = 0;
    char *rest = NULL;
    for (char *url = strtok_r(list, ", ", &rest); url != NULL; url = strtok_r(NULL, ", ", &rest)) {
        if (count == CONFIG_URLS_MAX)
            return FAIL(err, ST_INVALID, "registry.url: more than %d URLs", CONFIG_URLS_MAX);
        urls[count++] = url;
    }
    const struct registry_http_options options = {
        .urls = urls,
        .url_count = count,
        .user = or_null(config->registry_user),
        .password = or_null(config->registry_password),
        .bearer_token = or_null(config->registry_token),
        .ca_file = or_null(config->registry_ca),
        .client_cert_file = or_null(config->registry_cert),
        .client_key_file = or_null(config->registry_key),
        .cache_directory = cache,
    };
    return registry_open_http(out, &options, err);
}

enum status config_start(const struct config *config, enum start_at *start, int64_t *start_ms,
                         struct error *err)
{
    int64_t us;
    *start_ms = 0;
    if (strcmp(config->start, "earliest") == 0)
        *start = START_EARLIEST;
    else if (strcmp(config->start, "latest") == 0)
        *start = START_LATEST;
    else if (rfc3339_parse_time(&us, bytes_of_string(config->start))) {
        *start = START_TIME;
        *start_ms = us / 1000;
    } else {
        return FAIL(
            err, ST_INVALID,
            "start: '%s' is neither earliest nor latest nor a time like 2026-01-31T12:00:00Z",
            config->start);
    }
    return ST_OK;
}

enum status config_partitioner(const struct config *config, enum partitioner *out,
                               struct error *err)
{
    if (strcmp(config->partitioner, "learn") == 0)
        *out = PARTITIONER_UNKNOWN;
    else if (strcmp(config->partitioner, "murmur2") == 0)
        *out = PARTITIONER_MURMUR2;
    else if (strcmp(config->partitioner, "crc32") == 0)
        *out = PARTITIONER_CRC32;
    else
        return FAIL(err, ST_INVALID, "partitioner: '%s' is none of murmur2, crc32, learn",
                    config->partitioner);
    return ST_OK;
}
