#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "processor/cli/config.h"

/* A settings file with this text in a folder of its own; and none of the environment's. */
struct world {
    char folder[64], file[80], secret[80];
};

static void write_text(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(text, 1, size, file), size);
    cr_assert_eq(fclose(file), 0);
}

static struct world world_of(const char *text)
{
    extern char **environ;
    struct world world;
    for (size_t i = 0; environ[i] != NULL;) {
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(environ[i], "="), environ[i]);
        if (strncmp(name, "WEIR_", 5) == 0)
            unsetenv(name);
        else
            i++;
    }
    snprintf(world.folder, sizeof world.folder, "/tmp/weir-config-XXXXXX");
    cr_assert_not_null(mkdtemp(world.folder));
    snprintf(world.file, sizeof world.file, "%s/weir.yaml", world.folder);
    snprintf(world.secret, sizeof world.secret, "%s/secret", world.folder);
    write_text(world.file, text, strlen(text));
    return world;
}

static void world_fini(struct world *world)
{
    unlink(world->file);
    unlink(world->secret);
    rmdir(world->folder);
}

Test(config, has_defaults)
{
    struct world world = world_of("# brokers: x\n\n  # nothing\n");
    struct config config;
    struct error err;
    cr_assert_eq(config_load(&config, world.file, &err), ST_OK, "%s", err.text);
    cr_expect_str_eq(config.brokers, "");
    cr_expect_str_eq(config.state, "./weir-state");
    cr_expect_eq(config.memory_bytes, 512 << 20);
    cr_expect_eq(config.commit_interval_us, 100000);
    cr_expect_eq(config.workers, 1);
    cr_expect(config.create_topics);
    cr_expect_not(config.dev);
    config_fini(&config);
    world_fini(&world);
}

Test(config, reads_nested_and_dotted_keys)
{
    struct world world = world_of("brokers: \"k1:9092,k2:9092\"\n"
                                  "registry:\n  url: http://r:8081\n  user: me\n"
                                  "registry.token: abc\n"
                                  "memory: 2GB\nworkers: 3\ncommit_interval: 50ms\ndev: true\n"
                                  "kafka:\n  security.protocol: ssl\n  linger:\n    ms: 5\n"
                                  "log: { level: warn, format: json }\n");
    struct config config;
    struct error err;
    cr_assert_eq(config_load(&config, world.file, &err), ST_OK, "%s", err.text);
    cr_expect_str_eq(config.brokers, "k1:9092,k2:9092");
    cr_expect_str_eq(config.registry_url, "http://r:8081");
    cr_expect_str_eq(config.registry_user, "me");
    cr_expect_str_eq(config.registry_token, "abc");
    cr_expect_eq(config.memory_bytes, INT64_C(2) << 30);
    cr_expect_eq(config.workers, 3);
    cr_expect_eq(config.commit_interval_us, 50000);
    cr_expect(config.dev);
    cr_assert_eq(config.property_count, 2);
    cr_expect_str_eq(config.properties[0].name, "security.protocol");
    cr_expect_str_eq(config.properties[1].name, "linger.ms");
    cr_expect_str_eq(config.properties[1].value, "5");
    config_fini(&config);
    world_fini(&world);
}

Test(config, the_environment_wins_over_the_file)
{
    struct world world =
        world_of("brokers: file:9092\nworkers: 2\nkafka: { security.protocol: ssl }\n");
    struct config config;
    struct error err;
    write_text(world.secret, "hush\r\n", 6);
    setenv("WEIR_BROKERS", "env:9092", 1);
    setenv("WEIR_REGISTRY_URL", "http://r", 1);
    setenv("WEIR_REGISTRY_PASSWORD_FILE", world.secret, 1);
    setenv("WEIR_KAFKA_SECURITY_PROTOCOL", "sasl_ssl", 1);
    setenv("WEIR_KAFKA_LINGER_MS", "7", 1);
    cr_assert_eq(config_load(&config, world.file, &err), ST_OK, "%s", err.text);
    cr_expect_str_eq(config.brokers, "env:9092");
    cr_expect_eq(config.workers, 2);
    cr_expect_str_eq(config.registry_url, "http://r");
    cr_expect_str_eq(config.registry_password, "hush");
    cr_assert_eq(config.property_count, 2);
    cr_expect_str_eq(config.properties[0].value, "sasl_ssl");
    cr_expect_str_eq(config.properties[1].name, "linger.ms");
    config_fini(&config);
    world_fini(&world);
}

Test(config, says_what_is_wrong_and_where)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        { "broker: x\n", "weir.yaml:1:1: unknown setting 'broker'; did you mean 'brokers'?" },
        { "registry:\n  urk: x\n",
          "weir.yaml:2:3: unknown setting 'registry.urk'; did you mean 'registry.url'?" },
        { "qqqqqqq: 1\n", "unknown setting 'qqqqqqq'" },
        { "memory: lots\n", "memory: 'lots' is no size; write 512MB or 2GB" },
        { "memory: -1GB\n", "is no size" },
        { "memory: 99999999999GB\n", "is no size" },
        { "workers: 0\n", "workers: '0' is no positive whole number" },
        { "workers: 2x\n", "is no positive whole number" },
        { "commit_interval: soon\n",
          "weir.yaml:1:1: commit_interval: 'soon' is no duration; write 100ms or 30s" },
        { "dev: yes\n", "dev: 'yes' is neither true nor false" },
        { "brokers: [a, b]\n", "'brokers' needs one value" },
        { "brokers:\n", "'brokers' needs one value" },
        { "log: { level: loud }\n", "log.level: 'loud' is none of debug, info, warn, error" },
        { "log: { format: xml }\n", "log.format: 'xml' is neither text nor json" },
        { "- a\n", "settings are keys with values" },
        { "just text\n", "settings are keys with values" },
        { "a: b: c\n", "weir.yaml:1" },
        { "registry:\n  password_file: /nowhere/secret\n",
          "/nowhere/secret: No such file or directory" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world world = world_of(rows[i].text);
        struct config config;
        struct error err = { .status = ST_OK };
        cr_expect_neq(config_load(&config, world.file, &err), ST_OK, "%s", rows[i].text);
        cr_expect(strstr(err.text, rows[i].message) != NULL, "%s%s", rows[i].text, err.text);
        config_fini(&config);
        world_fini(&world);
    }
}

Test(config, the_environment_s_mistakes_are_told_by_its_names)
{
    struct world world = world_of("");
    struct config config;
    struct error err;
    setenv("WEIR_WORKERS", "many", 1);
    cr_expect_eq(config_load(&config, world.file, &err), ST_INVALID);
    cr_expect_str_eq(err.text, "WEIR_WORKERS: workers: 'many' is no positive whole number");
    config_fini(&config);
    world_fini(&world);
}

Test(config, a_secret_that_is_too_long_is_refused_not_cut)
{
    struct world world = world_of("");
    struct config config;
    struct error err;
    static char secret[70000];
    memset(secret, 'x', sizeof secret);
    write_text(world.secret, secret, sizeof secret);
    setenv("WEIR_REGISTRY_TOKEN_FILE", world.secret, 1);
    cr_expect_eq(config_load(&config, world.file, &err), ST_INVALID);
    cr_expect(strstr(err.text, "larger than") != NULL, "%s", err.text);
    config_fini(&config);
    write_text(world.secret, secret, 5000); /* a token with many claims */
    cr_assert_eq(config_load(&config, world.file, &err), ST_OK, "%s", err.text);
    cr_expect_eq(strlen(config.registry_token), 5000);
    config_fini(&config);
    world_fini(&world);
}

Test(config, a_missing_file_is_named)
{
    struct world world = world_of("");
    struct config config;
    struct error err;
    cr_expect_eq(config_load(&config, "/nowhere/weir.yaml", &err), ST_NOT_FOUND);
    cr_expect(strstr(err.text, "/nowhere/weir.yaml") != NULL, "%s", err.text);
    config_fini(&config);
    world_fini(&world);
}

Test(config, start_is_a_place_or_a_time)
{
    static const struct {
        const char *text;
        enum status status;
        enum start_at start;
        int64_t ms;
    } rows[] = {
        { "earliest", ST_OK, START_EARLIEST, 0 },
        { "latest", ST_OK, START_LATEST, 0 },
        { "2026-01-01T00:00:00Z", ST_OK, START_TIME, INT64_C(1767225600000) },
        { "2026-01-01T01:00:00+01:00", ST_OK, START_TIME, INT64_C(1767225600000) },
        { "yesterday", ST_INVALID, START_EARLIEST, 0 },
        { "", ST_INVALID, START_EARLIEST, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct config config = { .start = (char *)rows[i].text };
        enum start_at start;
        int64_t ms;
        struct error err;
        cr_expect_eq(config_start(&config, &start, &ms, &err), rows[i].status, "%s", rows[i].text);
        if (rows[i].status == ST_OK)
            cr_expect(start == rows[i].start && ms == rows[i].ms, "%s", rows[i].text);
    }
}

Test(config, partitioner_is_one_of_three)
{
    static const struct {
        const char *text;
        enum status status;
        enum partitioner expected;
    } rows[] = {
        { "learn", ST_OK, PARTITIONER_UNKNOWN },
        { "murmur2", ST_OK, PARTITIONER_MURMUR2 },
        { "crc32", ST_OK, PARTITIONER_CRC32 },
        { "random", ST_INVALID, PARTITIONER_UNKNOWN },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct config config = { .partitioner = (char *)rows[i].text };
        enum partitioner found;
        struct error err;
        cr_expect_eq(config_partitioner(&config, &found, &err), rows[i].status, "%s", rows[i].text);
        if (rows[i].status == ST_OK)
            cr_expect_eq(found, rows[i].expected, "%s", rows[i].text);
    }
}

Test(config, avro_needs_a_registry)
{
    struct world world = world_of("");
    struct config config;
    struct registry *registry = NULL;
    struct error err;
    cr_assert_eq(config_load(&config, world.file, &err), ST_OK);
    cr_expect_eq(config_open_registry(&config, &registry, &err), ST_INVALID);
    cr_expect(strstr(err.text, "registry.url") != NULL, "%s", err.text);
    mem_free(config.registry_directory);
    config.registry_directory = mem_copy_string(world.folder);
    cr_expect_eq(config_open_registry(&config, &registry, &err), ST_OK, "%s", err.text);
    registry_close(&registry);
    config_fini(&config);
    world_fini(&world);
}
