#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "folder.h"
#include "http_server.h"
#include "schemas/registry.h"

#define RECORD_R "{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R\\\",\\\"fields\\\":[]}"
#define FOUND    "{\"schema\":\"" RECORD_R "\"}"
#define UNKNOWN  "{\"error_code\":40403,\"message\":\"Schema 7 not found\"}"
#define WAIT_MS  10000

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct registry *open_at(const char *const *urls, size_t count,
                                struct registry_http_options options)
{
    unsetenv("http_proxy"); /* the server is this process */
    unsetenv("HTTP_PROXY");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    struct registry *registry = NULL;
    struct error err;
    options.urls = urls;
    options.url_count = count;
    cr_assert_eq(registry_open_http(&registry, &options, &err), ST_OK, "%s", err.text);
    return registry;
}

static struct registry *open_one(const struct http_server *server,
                                 struct registry_http_options options)
{
    const char *url = http_server_url(server);
    return open_at(&url, 1, options);
}

#define OPEN(server, ...) open_one((server), (struct registry_http_options){ __VA_ARGS__ })

static enum status fetch(struct registry *registry, int32_t id, int64_t timeout_ms,
                         struct error *err)
{
    const struct schema *schema = NULL;
    const enum status status = registry_fetch(registry, id, timeout_ms, &schema, err);
    cr_assert_eq(status == ST_OK, schema != NULL);
    return status;
}

static enum status find(struct registry *registry, int32_t id)
{
    const struct schema *schema = NULL;
    struct error err;
    return registry_find(registry, id, &schema, &err);
}

/* ---- finding ---- */

Test(registry_http, finds_a_schema_after_one_request)
{
    struct http_server *server;
    http_server_start(&server,
                      (struct http_route[]){ ROUTE("GET /schemas/ids/7", 200, FOUND), { 0 } });
    struct registry *registry = OPEN(server, 0);
    struct error err;
    cr_expect_eq(find(registry, 7), ST_REGISTRY_DOWN);
    cr_expect_eq(fetch(registry, 7, WAIT_MS, &err), ST_OK, "%s", err.text);
    cr_expect_eq(find(registry, 7), ST_OK);
    cr_expect_eq(http_server_requests(server), 1);
    char *request = http_server_last(server);
    cr_expect_not_null(strstr(request, "\r\nAccept: application/vnd.schemaregistry.v1+json"));
    cr_expect_null(strstr(request, "Authorization"));
    free(request);
    struct registry_health health;
    registry_health(registry, &health);
    cr_expect_eq(health.schemas_known, 1);
    cr_expect_eq(health.fetches, 1);
    cr_expect_eq(health.failures, 0);
    cr_expect_eq(health.waiting, 0);
    registry_close(&registry);
    cr_expect_null(registry);
    http_server_stop(&server);
}

Test(registry_http, never_blocks_the_one_who_looks_up)
{
    struct http_server *server;
    http_server_start(&server,
                      (struct http_route[]){ ROUTE(NULL, 200, FOUND, .delay_ms = 3000), { 0 } });
    struct registry *registry = OPEN(server, .timeout_ms = 5000);
    const int64_t start = now_ms();
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(find(registry, i % 10), ST_REGISTRY_DOWN);
    cr_expect_lt(now_ms() - start, 2000);
    struct registry_health health;
    registry_health(registry, &health);
    cr_expect_eq(health.waiting, 10);
    while (http_server_requests(server) == 0)
        usleep(1000);
    const int64_t closing = now_ms();
    registry_close(&registry); /* does not wait for the answer either */
    cr_expect_lt(now_ms() - closing, 2500);
    http_server_stop(&server);
}

Test(registry_http, remembers_that_an_id_is_unknown)
{
    struct http_server *server;
    http_server_start(&server, (struct http_route[]){ ROUTE(NULL, 404, UNKNOWN, .times = 2),
                                                      ROUTE(NULL, 200, FOUND),
                                                      { 0 } });
    struct registry *registry = OPEN(server, .negative_ms = 700);
    struct error err;
    cr_expect_eq(fetch(registry, 7, WAIT_MS, &err), ST_UNKNOWN_SCHEMA);
    cr_expect_not_null(strstr(err.text, "Schema 7 not found"), "%s", err.text);
    cr_expect_eq(http_server_requests(server), 2, "a replica that lags is asked a second time");
    cr_expect_eq(find(registry, 7), ST_UNKNOWN_SCHEMA);
    cr_expect_eq(http_server_requests(server), 2);
    usleep(800000);
    cr_expect_eq(find(registry, 7), ST_REGISTRY_DOWN);
    cr_expect_eq(fetch(registry, 7, WAIT_MS, &err), ST_OK, "%s", err.text);
    registry_close(&registry);
    http_server_stop(&server);
}

Test(registry_http, believes_a_replica_that_lags_only_the_second_time)
{
    struct http_server *server;
    http_server_start(&server, (struct http_route[]){ ROUTE(NULL, 404, UNKNOWN, .times = 1),
                                                      ROUTE(NULL, 200, FOUND),
                                                      { 0 } });
    struct registry *registry = OPEN(server, 0);
    struct error err;
    cr_expect_eq(fetch(registry, 7, WAIT_MS, &err), ST_OK, "%s", err.text);
    registry_close(&registry);
    http_server_stop(&server);
}

/* What is no answer: the id stays wanted, and the next answer that is one counts. */
static const struct passing {
    const char *name;
    struct http_route first;
    const char *message;
} passing[] = {
    { "server error",
      ROUTE(NULL, 500, "{\"error_code\":50001,\"message\":\"the store is closed\"}", .times = 2),
      "500: the store is closed" },
    { "too many requests", ROUTE(NULL, 429, "", .times = 2), "429" },
    { "wrong credentials",
      ROUTE(NULL, 401, "{\"error_code\":401,\"message\":\"Unauthorized\"}", .times = 2),
      "401: Unauthorized" },
    { "forbidden", ROUTE(NULL, 403, "", .times = 2), "403" },
    { "a proxy's page", ROUTE(NULL, 404, "<html>gone</html>", .times = 2), "404" },
    { "a wrong path",
      ROUTE(NULL, 404, "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}", .times = 2),
      "404" },
    { "redirect", ROUTE(NULL, 302, "", .times = 2), "302" },
    { "no JSON", ROUTE(NULL, 200, "hello", .times = 2), "no JSON object" },
    { "no schema", ROUTE(NULL, 200, "{\"schemas\":1}", .times = 2), "holds no schema" },
    { "empty", ROUTE(NULL, 200, "", .times = 2), "no JSON object" },
    { "cut", ROUTE(NULL, 200, FOUND, .times = 2, .cut = 1), "" },
    { "too large", ROUTE(NULL, 200, FOUND, .times = 2, .padding = 11 << 20), "larger than 10 MB" },
    { "silence", ROUTE(NULL, 200, FOUND, .times = 2, .delay_ms = 600), "imed out" },
};

Test(registry_http, tries_again_until_there_is_an_answer)
{
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        struct http_server *server;
        http_server_start(
            &server, (struct http_route[]){ passing[i].first, ROUTE(NULL, 200, FOUND), { 0 } });
        struct registry *registry = OPEN(server, .timeout_ms = 300);
        struct registry_health health = { 0 };
        cr_expect_eq(find(registry, 7), ST_REGISTRY_DOWN);
        for (int wait = 0; wait < 500 && health.failures == 0; wait++) {
            usleep(10000);
            registry_health(registry, &health);
        }
        cr_expect_not_null(strstr(health.last_error, passing[i].message), "%s: %s", passing[i].name,
                           health.last_error);
        struct error err;
        cr_expect_eq(fetch(registry, 7, WAIT_MS, &err), ST_OK, "%s: %s", passing[i].name, err.text);
        registry_health(registry, &health);
        cr_expect_geq(health.failures, 1, "%s", passing[i].name);
        cr_expect_str_eq(health.last_error, "", "%s", passing[i].name);
        registry_close(&registry);
        http_server_stop(&server);
    }
}

Test(registry_http, gives_the_time_back_when_nothing_answers)
{
    const char *url = "http://127.0.0.1:1";
    struct registry *registry =
        open_at(&url, 1, (struct registry_http_options){ .timeout_ms = 200 });
    struct error err;
    const int64_t start = now_ms();
    cr_expect_eq(fetch(registry, 7, 400, &err), ST_REGISTRY_DOWN);
    cr_expect_geq(now_ms() - start, 390);
    cr_expect_lt(now_ms() - start, 5000);
    cr_expect_not_null(strstr(err.text, "schema id 7 is not known yet: "), "%s", err.text);
    cr_expect_not_null(strstr(err.text, url), "%s", err.text);
    registry_close(&registry);
}

Test(registry_http, refuses_what_is_no_avro_schema)
{
    static const struct {
        const char *body, *message;
    } rows[] = {
        { "{\"schema\":\"syntax = \\\"proto3\\\";\",\"schemaType\":\"PROTOBUF\"}",
          "type PROTOBUF" },
        { "{\"schema\":\"{}\",\"schemaType\":\"JSON\"}", "type JSON" },
        { "{\"schema\":\"{\\\"type\\\":\\\"recor\\\"}\"}", "schema id 7: " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_server *server;
        http_server_start(&server, (struct http_route[]){ ROUTE(NULL, 200, rows[i].body), { 0 } });
        struct registry *registry = OPEN(server, 0);
        struct error err;
        cr_expect_eq(fetch(registry, 7, WAIT_MS, &err), ST_INCOMPATIBLE_SCHEMA);
        cr_expect_not_null(strstr(err.text, rows[i].message), "%s", err.text);
        cr_expect_eq(find(registry, 7), ST_INCOMPATIBLE_SCHEMA);
        cr_expect_eq(http_server_requests(server), 1);
        registry_close(&registry);
        http_server_stop(&server);
    }
}

Test(registry_http, puts_references_in)
{
    static const struct http_route routes[] = {
        ROUTE("GET /schemas/ids/7", 200,
              "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"shop.R\\\","
              "\\\"fields\\\":["
              "{\\\"name\\\":\\\"a\\\",\\\"type\\\":\\\"Money\\\"},{\\\"name\\\":\\\"b\\\","
              "\\\"type\\\":[\\\"null\\\",\\\"shop.Money\\\"]},"
              "{\\\"name\\\":\\\"c\\\",\\\"type\\\":\\\"Unit\\\"}]}\",\"references\":["
              "{\"name\":\"shop.Money\",\"subject\":\"money/value\",\"version\":3},"
              "{\"name\":\"shop.Unit\",\"subject\":\"unit\",\"version\":1}]}"),
        ROUTE("GET /subjects/money%2Fvalue/versions/3?deleted=true", 200,
              "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"shop.Money\\\","
              "\\\"fields\\\":["
              "{\\\"name\\\":\\\"cents\\\",\\\"type\\\":\\\"long\\\"},{\\\"name\\\":\\\"unit\\\","
              "\\\"type\\\":\\\"shop.Unit\\\"}]}\","
              "\"references\":[{\"name\":\"shop.Unit\",\"subject\":\"unit\",\"version\":1}]}"),
        ROUTE(
            "GET /subjects/unit/versions/1?deleted=true", 200,
            "{\"schema\":\"{\\\"type\\\":\\\"enum\\\",\\\"name\\\":\\\"Unit\\\",\\\"namespace\\\":"
            "\\\"shop\\\","
            "\\\"symbols\\\":[\\\"EUR\\\"]}\"}"),
        { 0 },
    };
    struct http_server *server;
    http_server_start(&server, routes);
    struct registry *registry = OPEN(server, 0);
    struct error err;
    const struct schema *schema = NULL;
    cr_assert_eq(registry_fetch(registry, 7, WAIT_MS, &schema, &err), ST_OK, "%s", err.text);
    struct schema_column column;
    cr_expect_eq(schema_find_column(schema, "a.cents", &column, &err), ST_OK, "%s", err.text);
    cr_expect_eq(schema_find_column(schema, "b.unit", &column, &err), ST_OK, "%s", err.text);
    cr_expect_eq(schema_find_column(schema, "c", &column, &err), ST_OK, "%s", err.text);
    cr_expect_eq(column.type.kind, VALUE_STRING);
    cr_expect_eq(http_server_requests(server), 3);
    registry_close(&registry);
    http_server_stop(&server);
}

/* ---- several servers, credentials ---- */

Test(registry_http, goes_to_the_next_url_and_stays_there)
{
    struct http_server *broken, *good;
    http_server_start(&broken, (struct http_route[]){ ROUTE(NULL, 503, ""), { 0 } });
    http_server_start(&good, (struct http_route[]){ ROUTE(NULL, 200, FOUND), { 0 } });
    const char *urls[] = { "http://127.0.0.1:1", http_server_url(broken), http_server_url(good) };
    struct registry *registry = open_at(urls, 3, (struct registry_http_options){ 0 });
    struct error err;
    for (int32_t id = 1; id <= 5; id++)
        cr_expect_eq(fetch(registry, id, WAIT_MS, &err), ST_OK, "%s", err.text);
    cr_expect_eq(http_server_requests(broken), 1);
    cr_expect_eq(http_server_requests(good), 5);
    registry_close(&registry);
    http_server_stop(&broken);
    http_server_stop(&good);
}

static void expect_header(struct registry_http_options options, const char *header)
{
    struct http_server *server;
    http_server_start(&server, (struct http_route[]){ ROUTE(NULL, 200, FOUND), { 0 } });
    struct registry *registry = open_one(server, options);
    struct error err;
    cr_expect_eq(fetch(registry, 7, WAIT_MS, &err), ST_OK, "%s", err.text);
    char *request = http_server_last(server);
    cr_expect_not_null(strstr(request, header), "%s", request);
    free(request);
    registry_close(&registry);
    http_server_stop(&server);
}

Test(registry_http, shows_its_credentials_to_the_server)
{
    expect_header((struct registry_http_options){ .user = "ann", .password = "p:w" },
                  "\r\nAuthorization: Basic YW5uOnA6dw==\r\n");
    expect_header((struct registry_http_options){ .bearer_token = "tok.en" },
                  "\r\nAuthorization: Bearer tok.en\r\n");
}

/* Everything that this process writes to stderr while `body` runs. */
static char *stderr_of(void (*body)(void))
{
    char name[] = "/tmp/test_stderr_XXXXXX";
    const int file = mkstemp(name), kept = dup(STDERR_FILENO);
    unlink(name);
    fflush(stderr);
    dup2(file, STDERR_FILENO);
    body();
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    const off_t size = lseek(file, 0, SEEK_END);
    char *text = mem_alloc((size_t)size + 1);
    cr_assert_eq(pread(file, text, (size_t)size, 0), size);
    close(file);
    return text;
}

static struct error secret_error;

static void fail_with_secrets(void)
{
    struct http_server *server;
    http_server_start(&server, (struct http_route[]){ ROUTE(NULL, 401, "no"), { 0 } });
    struct registry *registry = OPEN(server, .user = "ann", .password = "s3cret");
    cr_expect_eq(fetch(registry, 7, 500, &secret_error), ST_REGISTRY_DOWN);
    registry_close(&registry);
    http_server_stop(&server);
}

Test(registry_http, tells_nobody_else)
{
    char *text = stderr_of(fail_with_secrets);
    cr_expect_not_null(strstr(text, "registry.down"), "nothing was logged: the test sees nothing");
    cr_expect_null(strstr(text, "s3cret"));
    cr_expect_null(strstr(text, "YW5u"));
    cr_expect_null(strstr(secret_error.text, "s3cret"));
    mem_free(text);
}

Test(registry_http, refuses_options_that_make_no_sense)
{
    static const char *const good[] = { "http://a" }, *const secret[] = { "http://ann:s3cret@a" },
                             *const other[] = { "ftp://a" };
    const struct registry_http_options rows[] = {
        { .urls = good, .url_count = 0 },
        { .urls = secret, .url_count = 1 },
        { .urls = other, .url_count = 1 },
        { .urls = good, .url_count = 1, .user = "u", .bearer_token = "s3cret" },
        { .urls = good, .url_count = 1, .password = "s3cret" },
        { .urls = good, .url_count = 1, .client_cert_file = "/x" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct registry *registry = NULL;
        struct error err;
        cr_expect_eq(registry_open_http(&registry, &rows[i], &err), ST_INVALID, "row %zu", i);
        cr_expect_null(registry);
        cr_expect_null(strstr(err.text, "s3cret"));
    }
    struct registry *registry = NULL;
    struct error err;
    const struct registry_http_options no_folder = { .urls = good,
                                                     .url_count = 1,
                                                     .cache_directory = "/dev/null/x" };
    cr_expect_eq(registry_open_http(&registry, &no_folder, &err), ST_IO_FAILED);
}

/* ---- the disk ---- */

static void fetch_into(const char *folder, struct http_server *server)
{
    struct registry *registry = OPEN(server, .cache_directory = folder);
    struct error err;
    cr_expect_eq(fetch(registry, 7, WAIT_MS, &err), ST_OK, "%s", err.text);
    registry_close(&registry);
}

Test(registry_http, needs_no_server_after_a_restart)
{
    char *folder = folder_create();
    struct http_server *server;
    http_server_start(&server, (struct http_route[]){ ROUTE(NULL, 200, FOUND), { 0 } });
    char *url = mem_copy_string(http_server_url(server));
    fetch_into(folder, server);
    fetch_into(folder, server);
    cr_expect_eq(http_server_requests(server), 1);
    http_server_stop(&server);

    const char *urls[] = { url };
    struct registry *registry =
        open_at(urls, 1, (struct registry_http_options){ .cache_directory = folder });
    cr_expect_eq(find(registry, 7), ST_OK);
    registry_close(&registry);

    const char *elsewhere[] = {
        "http://127.0.0.1:1"
    }; /* the ids of another registry mean nothing here */
    registry = open_at(elsewhere, 1, (struct registry_http_options){ .cache_directory = folder });
    cr_expect_eq(find(registry, 7), ST_REGISTRY_DOWN);
    registry_close(&registry);
    mem_free(url);
    folder_destroy(&folder);
}

/* Replaces the content of the only file <id>.avsc below the folder. */
static void spoil(const char *folder, const char *content)
{
    char *command =
        mem_format("f=$(find %s -name '*.avsc'); test -f \"$f\" && printf '%%s' '%s' > \"$f\"",
                   folder, content);
    cr_assert_eq(system(command), 0);
    mem_free(command);
}

Test(registry_http, fetches_again_what_is_broken_on_disk)
{
    static const char *const contents[] = { "", "{",
                                            "{\"type\":\"record\",\"name\":\"R\",\"fields\":[",
                                            "\xff" };
    char *folder = folder_create();
    struct http_server *server;
    http_server_start(&server, (struct http_route[]){ ROUTE(NULL, 200, FOUND), { 0 } });
    fetch_into(folder, server);
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        const int before = http_server_requests(server);
        spoil(folder, contents[i]);
        fetch_into(folder, server);
        cr_expect_eq(http_server_requests(server), before + 1, "'%s'", contents[i]);
        fetch_into(folder, server);
        cr_expect_eq(http_server_requests(server), before + 1, "'%s' was not written again",
                     contents[i]);
    }
    http_server_stop(&server);
    folder_destroy(&folder);
}

/* ---- registering ---- */

static const char plain[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[]}";

static enum status register_at(struct registry *registry, const char *subject, int64_t timeout_ms,
                               int32_t *id, struct error *err)
{
    return registry_register(registry, subject, bytes_of_string(plain), timeout_ms, id, err);
}

Test(registry_http, registers_and_knows_the_schema_then)
{
    struct http_server *server;
    http_server_start(
        &server, (struct http_route[]){
                     ROUTE("POST /subjects/fraud%20alerts%2Fx-value/versions", 503, "", .times = 1),
                     ROUTE("POST /subjects/fraud%20alerts%2Fx-value/versions", 200, "{\"id\":12}"),
                     { 0 } });
    struct registry *registry = OPEN(server, 0);
    struct error err;
    int32_t id = 0;
    cr_expect_eq(register_at(registry, "fraud alerts/x-value", WAIT_MS, &id, &err), ST_OK, "%s",
                 err.text);
    cr_expect_eq(id, 12);
    char *request = http_server_last(server);
    cr_expect_not_null(
        strstr(request, "\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\n"));
    cr_expect_not_null(strstr(request, "\r\n\r\n{\"schema\":\"" RECORD_R "\"}"), "%s", request);
    free(request);
    cr_expect_eq(find(registry, 12), ST_OK);
    cr_expect_eq(http_server_requests(server), 2);
    registry_close(&registry);
    http_server_stop(&server);
}

Test(registry_http, registers_again_without_a_server)
{
    char *folder = folder_create();
    struct http_server *server;
    http_server_start(&server, (struct http_route[]){ ROUTE(NULL, 200, "{\"id\":7}"), { 0 } });
    char *url = mem_copy_string(http_server_url(server));
    const char *urls[] = { url };
    const struct registry_http_options options = { .cache_directory = folder };
    struct registry *registry = open_at(urls, 1, options);
    struct error err = { .status = ST_OK };
    int32_t id = 0;
    cr_assert_eq(registry_register(registry, "s-value", BYTES_LITERAL("\"long\""), 5000, &id, &err), ST_OK, "%s",
                 err.text);
    registry_close(&registry);
    http_server_stop(&server);

    registry = open_at(urls, 1, options);
    id = 0;
    cr_expect_eq(registry_register(registry, "s-value", BYTES_LITERAL("\"long\""), 60000, &id, &err), ST_OK, "%s",
                 err.text);
    cr_expect_eq(id, 7);
    cr_expect_eq(registry_register(registry, "s-value", BYTES_LITERAL("\"int\""), 100, &id, &err), ST_REGISTRY_DOWN);
    registry_close(&registry);
    mem_free(url);
    folder_destroy(&folder);
}

Test(registry_http, stops_looking_for_what_was_registered)
{
    struct http_server *server;
    http_server_start(&server,
                      (struct http_route[]){ ROUTE("POST /subjects/a/versions", 200, "{\"id\":12}"),
                                             ROUTE(NULL, 503, ""),
                                             { 0 } });
    struct registry *registry = OPEN(server, 0);
    struct error err;
    int32_t id;
    cr_expect_eq(find(registry, 12), ST_REGISTRY_DOWN);
    cr_expect_eq(register_at(registry, "a", WAIT_MS, &id, &err), ST_OK, "%s", err.text);
    struct registry_health health;
    registry_health(registry, &health);
    cr_expect_eq(health.waiting, 0);
    cr_expect_eq(find(registry, 12), ST_OK);
    registry_close(&registry);
    http_server_stop(&server);
}

Test(registry_http, says_why_a_schema_was_refused)
{
    static const struct {
        int status;
        const char *body, *message;
    } rows[] = {
        { 409, "{\"error_code\":409,\"message\":\"incompatible with an earlier schema\"}",
          "incompatible with an earlier schema" },
        { 422, "{\"error_code\":42201,\"message\":\"Invalid\\nschema\"}", "422: Invalid schema" },
        { 403, "", "HTTP status 403" },
        { 404, "{\"error_code\":40401,\"message\":\"no such subject\"}", "no such subject" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct http_server *server;
        http_server_start(
            &server, (struct http_route[]){ ROUTE(NULL, rows[i].status, rows[i].body), { 0 } });
        struct registry *registry = OPEN(server, 0);
        struct error err;
        int32_t id;
        cr_expect_eq(register_at(registry, "alerts-value", WAIT_MS, &id, &err), ST_REFUSED, "%d",
                     rows[i].status);
        cr_expect_not_null(strstr(err.text, rows[i].message), "%s", err.text);
        cr_expect_not_null(strstr(err.text, "alerts-value"), "%s", err.text);
        cr_expect_eq(http_server_requests(server), 1, "it asked again");
        registry_close(&registry);
        http_server_stop(&server);
    }
}

Test(registry_http, gives_up_registering_in_time)
{
    struct http_server *server;
    http_server_start(
        &server, (struct http_route[]){ ROUTE(NULL, 200, "{\"id\":1}", .delay_ms = 4000), { 0 } });
    const char *urls[] = { "http://127.0.0.1:1", http_server_url(server) };
    struct registry *registry = open_at(urls, 2, (struct registry_http_options){ 0 });
    struct error err;
    int32_t id;
    const int64_t start = now_ms();
    cr_expect_eq(register_at(registry, "a", 500, &id, &err), ST_REGISTRY_DOWN);
    cr_expect_lt(now_ms() - start, 3000);
    cr_expect_eq(registry_register(registry, "a", BYTES_LITERAL("{"), 500, &id, &err), ST_INVALID,
                 "no schema, no request");
    registry_close(&registry);
    http_server_stop(&server);
}

/* ---- threads ---- */

static void *look_up_often(void *context)
{
    struct registry *registry = context;
    struct error err;
    for (int32_t id = 1; id <= 40; id++)
        if (fetch(registry, id, WAIT_MS, &err) != ST_OK)
            return "a fetch failed";
    return NULL;
}

Test(registry_http, serves_several_threads)
{
    enum { THREADS = 4 };
    struct http_server *server;
    http_server_start(&server, (struct http_route[]){ ROUTE(NULL, 200, FOUND), { 0 } });
    struct registry *registry = OPEN(server, 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, look_up_often, registry), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failure;
        pthread_join(threads[i], &failure);
        cr_expect_null(failure);
    }
    cr_expect_eq(http_server_requests(server), 40, "an id was fetched twice");
    registry_close(&registry);
    http_server_stop(&server);
}
