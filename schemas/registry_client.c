/* registry_client: libcurl with everything off that a schema registry does not need. */
#include "schemas/registry_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/memory.h"

enum { TIMEOUT_DEFAULT_MS = 5000, CONNECT_TIMEOUT_MAX_MS = 3000 };

struct registry_client {
    struct registry_settings *settings;
    CURL *curl;
    struct curl_slist *headers;
    struct clock clock;
    struct buffer body;
    bool too_large;
    char curl_error[CURL_ERROR_SIZE];
};

/* ---- settings ---- */

static char *copy_or_null(const char *text)
{
    return text == NULL ? NULL : mem_copy_string(text);
}

static enum status add_url(struct registry_settings *settings, const char *url, struct error *err)
{
    const bool http = strncmp(url, "http://", 7) == 0, https = strncmp(url, "https://", 8) == 0;
    if (!http && !https)
        return FAIL(err, ST_INVALID, "a schema registry's URL must begin with http:// or https://");
    if (strchr(url, '@') != NULL)
        return FAIL(err, ST_INVALID,
                    "a schema registry's URL must not hold credentials: set user and password");
    size_t size = strlen(url);
    while (size > 0 && url[size - 1] == '/')
        size--;
    settings->urls[settings->url_count++] = mem_copy_string_n(url, size);
    return ST_OK;
}

static enum status check_options(const struct registry_http_options *options, struct error *err)
{
    if (options->url_count == 0)
        return FAIL(err, ST_INVALID, "a schema registry needs at least one URL");
    if (options->bearer_token != NULL && options->user != NULL)
        return FAIL(err, ST_INVALID, "a schema registry takes either a user or a token");
    if (options->password != NULL && options->user == NULL)
        return FAIL(err, ST_INVALID, "a schema registry's password needs a user");
    if ((options->client_cert_file == NULL) != (options->client_key_file == NULL))
        return FAIL(err, ST_INVALID, "a client certificate and its key go together");
    return ST_OK;
}

enum status registry_settings_init(struct registry_settings *settings,
                                   const struct registry_http_options *options, struct error *err)
{
    memset(settings, 0, sizeof *settings);
    TRY(check_options(options, err));
    settings->user = copy_or_null(options->user);
    settings->password = copy_or_null(options->password);
    settings->bearer_token = copy_or_null(options->bearer_token);
    settings->ca_file = copy_or_null(options->ca_file);
    settings->client_cert_file = copy_or_null(options->client_cert_file);
    settings->client_key_file = copy_or_null(options->client_key_file);
    settings->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_DEFAULT_MS;
    settings->urls = mem_alloc_array(options->url_count, sizeof *settings->urls);
    for (size_t i = 0; i < options->url_count; i++)
        TRY(add_url(settings, options->urls[i], err));
    return ST_OK;
}

static void free_secret(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    mem_free(secret);
}

void registry_settings_fini(struct registry_settings *settings)
{
    for (size_t i = 0; i < settings->url_count; i++)
        mem_free(settings->urls[i]);
    mem_free(settings->urls);
    mem_free(settings->user);
    free_secret(settings->password);
    free_secret(settings->bearer_token);
    mem_free(settings->ca_file);
    mem_free(settings->client_cert_file);
    mem_free(settings->client_key_file);
}

/* ---- the handle ---- */

static void start_curl(void)
{
    ENSURE(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

static size_t receive(char *data, size_t one, size_t size, void *context)
{
    struct registry_client *client = context;
    if (size * one > REGISTRY_REPLY_MAX - client->body.size) {
        client->too_large = true;
        return 0; /* ends the transfer */
    }
    buffer_put(&client->body, data, size * one);
    return size * one;
}

/* Called about once a second and whenever data moves. */
static int check_stop(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                      curl_off_t up)
{
    const struct registry_client *client = context;
    (void)down_total, (void)down, (void)up_total, (void)up;
    return atomic_load(&client->settings->stopping);
}

static void set_credentials(CURL *curl, const struct registry_settings *settings)
{
    if (settings->bearer_token != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, settings->bearer_token);
    } else if (settings->user != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, settings->user);
        curl_easy_setopt(curl, CURLOPT_PASSWORD,
                         settings->password == NULL ? "" : settings->password);
    }
    if (settings->ca_file != NULL)
        curl_easy_setopt(curl, CURLOPT_CAINFO, settings->ca_file);
    if (settings->client_cert_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, settings->client_cert_file);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, settings->client_key_file);
    }
}

void registry_client_create(struct registry_client **out, struct registry_settings *borrowed)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    struct registry_client *client = mem_alloc(sizeof *client);
    client->settings = borrowed;
    client->clock = clock_real();
    buffer_init(&client->body);
    static const char *const headers[] = {
        "Accept: application/vnd.schemaregistry.v1+json, application/json",
        "Content-Type: application/vnd.schemaregistry.v1+json",
        "Expect:", /* no waiting for "100 Continue" before a large schema */
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        client->headers = curl_slist_append(client->headers, headers[i]);

    CURL *curl = client->curl = curl_easy_init();
    ENSURE(curl != NULL && client->headers != NULL);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL,
                     1L); /* a timed-out name lookup must not raise SIGALRM */
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "weir");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->curl_error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_stop);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    set_credentials(curl, borrowed);
    *out = client;
}

void registry_client_destroy(struct registry_client **client)
{
    if (*client == NULL)
        return;
    curl_easy_cleanup((*client)->curl);
    curl_slist_free_all((*client)->headers);
    buffer_fini(&(*client)->body);
    mem_free(TAKE(*client));
}

/* ---- requests ---- */

static void prepare(struct registry_client *client, const struct registry_request *request,
                    const char *url, int64_t timeout_ms)
{
    CURL *curl = client->curl;
    buffer_clear(&client->body);
    client->too_large = false;
    client->curl_error[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_URL, url); /* copied */
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(
        curl, CURLOPT_CONNECTTIMEOUT_MS,
        (long)(timeout_ms < CONNECT_TIMEOUT_MAX_MS ? timeout_ms : CONNECT_TIMEOUT_MAX_MS));
    if (request->body.data == NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
        return;
    }
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)request->body.data);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
}

static void perform(struct registry_client *client, const struct registry_request *request,
                    const char *base, int64_t timeout_ms, struct registry_reply *reply)
{
    AUTO(mem_auto_free) char *url = mem_format("%s%s", base, request->path);
    prepare(client, request, url, timeout_ms);
    const CURLcode code = curl_easy_perform(client->curl);
    if (code == CURLE_OK) {
        long http_status = 0;
        curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &http_status);
        registry_reply_read(reply, request->question, http_status, buffer_view(&client->body));
    } else if (client->too_large) {
        registry_reply_fail(reply, "its answer is larger than 10 MB");
    } else {
        registry_reply_fail(reply, client->curl_error[0] != '\0' ? client->curl_error
                                                                 : curl_easy_strerror(code));
    }
    if (client->body.capacity > REGISTRY_REPLY_MAX / 8)
        buffer_fini(&client->body); /* one huge answer must not be kept for good */
}

/* "http://a:8081: 503: overloaded": which server said it. */
static void name_server(struct registry_reply *reply, const char *url)
{
    AUTO(mem_auto_free) char *text = mem_format("%s: %s", url, reply->message);
    const struct registry_reply kept = *reply;
    registry_reply_fail(reply, text);
    reply->verdict = kept.verdict;
    reply->body = kept.body;
}

void registry_client_ask(struct registry_client *client, const struct registry_request *request,
                         struct registry_reply *reply)
{
    struct registry_settings *settings = client->settings;
    const size_t first = atomic_load(&settings->preferred);
    const int64_t deadline_us = clock_us(&client->clock) + request->timeout_ms * 1000;
    registry_reply_fail(reply, "no time left");
    for (size_t i = 0; i < settings->url_count && !atomic_load(&settings->stopping); i++) {
        const size_t index = (first + i) % settings->url_count;
        int64_t timeout_ms = settings->timeout_ms;
        if (request->timeout_ms > 0) {
            const int64_t left_ms = (deadline_us - clock_us(&client->clock)) / 1000;
            if (left_ms <= 0)
                return;
            timeout_ms = left_ms < timeout_ms ? left_ms : timeout_ms;
        }
        registry_reply_fini(reply);
        perform(client, request, settings->urls[index], timeout_ms, reply);
        if (reply->verdict == REPLY_FOUND || reply->verdict == REPLY_UNKNOWN)
            atomic_store(&settings->preferred, index);
        if (reply->verdict != REPLY_FOUND)
            name_server(reply, settings->urls[index]);
        if (reply->verdict != REPLY_FAILED)
            return;
    }
}
