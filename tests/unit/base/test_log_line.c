#include <criterion/criterion.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log_line.h"
#include "base/random.h"

static struct log_line line;

static struct log_event event_of(const char *text)
{
    return (struct log_event){
        .wall_ms = 1714564800007, .level = LOG_LEVEL_INFO, .name = "task.assigned", .text = text
    };
}

/* Compares what follows the time, the level and the event's name. */
static void assert_rest(const char *head, const char *rest, const char *newline, const char *what)
{
    const size_t head_size = strlen(head), rest_size = strlen(rest), end_size = strlen(newline);
    cr_assert_eq(line.size, head_size + rest_size + end_size, "%s: %.*s", what, (int)line.size,
                 line.text);
    cr_assert(memcmp(line.text, head, head_size) == 0 &&
                  memcmp(line.text + head_size, rest, rest_size) == 0 &&
                  memcmp(line.text + head_size + rest_size, newline, end_size) == 0,
              "%s: %.*s", what, (int)line.size, line.text);
}

Test(log_line, one_table_of_texts_as_text_and_as_json)
{
    static const struct {
        const char *name, *text, *as_text, *as_json;
    } rows[] = {
        { "nothing", "", "", "" },
        { "numbers", "a=1 b=-2.5e+3 c=0", " a=1 b=-2.5e+3 c=0", ",\"a\":1,\"b\":-2.5e+3,\"c\":0" },
        { "no numbers of JSON", "a=007 b=1. c=.5 d=+1 e=0x1 f=- g=1e h=nan i=1.2.3",
          " a=007 b=1. c=.5 d=+1 e=0x1 f=- g=1e h=nan i=1.2.3",
          ",\"a\":\"007\",\"b\":\"1.\",\"c\":\".5\",\"d\":\"+1\",\"e\":\"0x1\",\"f\":\"-\","
          "\"g\":\"1e\",\"h\":\"nan\",\"i\":\"1.2.3\"" },
        { "literals", "a=true b=false c=null d=nullx", " a=true b=false c=null d=nullx",
          ",\"a\":true,\"b\":false,\"c\":null,\"d\":\"nullx\"" },
        { "bare strings", "topic=fraud-alerts url=http://h:1/?a=b",
          " topic=fraud-alerts url=http://h:1/?a=b",
          ",\"topic\":\"fraud-alerts\",\"url\":\"http://h:1/?a=b\"" },
        { "a quoted number is a string", "id=\"12\"", " id=\"12\"", ",\"id\":\"12\"" },
        { "escapes", "a=\"x \\\"y\\\" \\\\ \\n\\t\\r\\x1b|\" b=2",
          " a=\"x \\\"y\\\" \\\\ \\n\\t\\r\\x1b|\" b=2",
          ",\"a\":\"x \\\"y\\\" \\\\ \\u000a\\u0009\\u000d\\u001b|\",\"b\":2" },
        { "no escapes", "a=\"\\q \\x \\x1 \\xzz \\xc3\"", " a=\"\\q \\x \\x1 \\xzz \\xc3\"",
          ",\"a\":\"\\\\q \\\\x \\\\x1 \\\\xzz \\\\xc3\"" },
        { "bare backslash", "path=C:\\n", " path=C:\\n", ",\"path\":\"C:\\\\n\"" },
        { "quote in a bare value", "a=b\"c", " a=b\"c", ",\"a\":\"b\\\"c\"" },
        { "quote left open", "a=\"b c", " a=\"b c", ",\"a\":\"b c\"" },
        { "quote left open after a backslash", "a=\"b\\", " a=\"b\\", ",\"a\":\"b\\\\\"" },
        { "empty values", "a= b=\"\" c=1", " a= b=\"\" c=1", ",\"a\":\"\",\"b\":\"\",\"c\":1" },
        { "words", "hello a=1  =b world", " hello a=1  =b world",
          ",\"a\":1,\"text\":\"hello =b world\"" },
        { "a quoted word", "\"a b=1\" c=2", " \"a b=1\" c=2", ",\"c\":2,\"text\":\"a b=1\"" },
        { "the line's own keys", "time=1 level=2 event=3 text=4 truncated=5 timer=6",
          " time=1 level=2 event=3 text=4 truncated=5 timer=6",
          ",\"time_\":1,\"level_\":2,\"event_\":3,\"text_\":4,\"truncated_\":5,\"timer\":6" },
        { "control bytes", "a=1\n2\x1b[0m\x7f", " a=1?2?[0m?",
          ",\"a\":\"1\\u000a2\\u001b[0m\\u007f\"" },
        { "UTF-8", "name=\"Zoë €😀\"", " name=\"Zoë €😀\"", ",\"name\":\"Zoë €😀\"" },
        { "not UTF-8",
          "a=\xff\xc3|\xc0\xaf|\xed\xa0\x80|\xe0\x80\x80|\xf4\x90\x80\x80|\xf5\x80\x80\x80|"
          "\xf0\x80\x80\x80",
          " a=\xff\xc3|\xc0\xaf|\xed\xa0\x80|\xe0\x80\x80|\xf4\x90\x80\x80|\xf5\x80\x80\x80|"
          "\xf0\x80\x80\x80",
          ",\"a\":\"��|��|���|���|����|����|����\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct log_event event = event_of(rows[i].text);
        log_line_text(&line, &event);
        assert_rest("2024-05-01T12:00:00.007Z info event=task.assigned", rows[i].as_text, "\n",
                    rows[i].name);
        log_line_json(&line, &event);
        assert_rest("{\"time\":\"2024-05-01T12:00:00.007Z\",\"level\":\"info\","
                    "\"event\":\"task.assigned\"",
                    rows[i].as_json, "}\n", rows[i].name);
    }
}

Test(log_line, times_are_utc_in_rfc_3339)
{
    static const struct {
        int64_t wall_ms;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { 951782399999, "2000-02-28T23:59:59.999Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 951868800000, "2000-03-01T00:00:00.000Z" },
        { 1709164800000, "2024-02-29T00:00:00.000Z" },
        { 4107542400000, "2100-03-01T00:00:00.000Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct log_event event = event_of("");
        event.wall_ms = rows[i].wall_ms;
        log_line_text(&line, &event);
        cr_assert_eq(memcmp(line.text, rows[i].text, strlen(rows[i].text)), 0, "%.*s, not %s",
                     (int)line.size, line.text, rows[i].text);
    }
}

Test(log_line, every_second_of_a_century_is_that_of_gmtime)
{
    struct prng prng = prng_from_env("TEST_SEED", 26);
    for (int round = 0; round < 20000; round++) {
        struct log_event event = event_of("");
        event.wall_ms = prng_between(&prng, -2208988800000, 4102444800000);
        log_line_text(&line, &event);
        int64_t ms = event.wall_ms % 1000;
        const time_t seconds = (time_t)(event.wall_ms / 1000 - (ms < 0));
        ms += ms < 0 ? 1000 : 0;
        char expected[64], whole[80];
        struct tm parts;
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &parts));
        snprintf(whole, sizeof whole, "%s.%03dZ ", expected, (int)ms);
        cr_assert_eq(memcmp(line.text, whole, strlen(whole)), 0, "TEST_SEED=%" PRIu64 ": %s",
                     prng.seed, whole);
    }
}

/* The oracle for lines of any content: a strict reader of one flat object. NULL: it is none. */
static const char *skip_string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    for (; *at != '"'; at++) {
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at != '\\')
            continue;
        at++;
        if (*at == 'u') {
            for (int i = 0; i < 4; i++)
                if (!isxdigit((unsigned char)*++at))
                    return NULL;
        } else if (strchr("\"\\/bfnrt", *at) == NULL || *at == '\0') {
            return NULL;
        }
    }
    return at + 1;
}

static const char *skip_value(const char *at)
{
    if (*at == '"')
        return skip_string(at);
    const size_t size = strcspn(at, ",}");
    if (strncmp(at, "true", size) == 0 || strncmp(at, "false", size) == 0 ||
        strncmp(at, "null", size) == 0)
        return size == 0 ? NULL : at + size;
    int used = 0;
    double number = 0;
    if (strspn(at, "-0123456789.eE+") != size || sscanf(at, "%lf%n", &number, &used) != 1)
        return NULL;
    return (size_t)used == size ? at + size : NULL;
}

static bool is_flat_object(const char *at)
{
    if (*at++ != '{')
        return false;
    for (;; at++) {
        at = skip_string(at);
        if (at == NULL || *at++ != ':')
            return false;
        at = skip_value(at);
        if (at == NULL)
            return false;
        if (*at != ',')
            return strcmp(at, "}\n") == 0;
    }
}

static bool is_utf8(const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        const unsigned char c = (unsigned char)text[i];
        const size_t more = c < 0x80   ? 0
                            : c < 0xc2 ? 9
                            : c < 0xe0 ? 1
                            : c < 0xf0 ? 2
                            : c < 0xf5 ? 3
                                       : 9;
        if (more == 9 || i + more >= size)
            return false;
        for (size_t k = 1; k <= more; k++)
            if (((unsigned char)text[i + k] & 0xc0) != 0x80)
                return false;
        i += more + 1;
    }
    return true;
}

static void any_text(struct prng *prng, char *text, size_t size)
{
    static const char *const parts[] = { "a=",       "key=",   "\"",      "\\",     " ", "1",
                                         "-2.5",     "true",   "\n",      "é",      "😀", "\xff",
                                         "\\x0a",    "\\n",    "level=",  "words ", "=", "\x1b",
                                         "value=\"", "x.y-z=", "\xe2\x82" };
    size_t used = 0;
    const size_t wanted = prng_below(prng, prng_chance(prng, 1, 4) ? size : 60);
    for (;;) {
        const char *part = parts[prng_below(prng, sizeof parts / sizeof parts[0])];
        if (used + strlen(part) > wanted)
            break;
        memcpy(text + used, part, strlen(part));
        used += strlen(part);
    }
    text[used] = '\0';
}

Test(log_line, any_text_gives_one_valid_line)
{
    struct prng prng = prng_from_env("TEST_SEED", 27);
    static char text[2 * LOG_LINE_SIZE];
    int cut = 0;
    for (int round = 0; round < 20000; round++) {
        any_text(&prng, text, sizeof text);
        const struct log_event event = event_of(text);
        for (int json = 0; json < 2; json++) {
            (json ? log_line_json : log_line_text)(&line, &event);
            cr_assert_leq(line.size, LOG_LINE_SIZE);
            cr_assert_eq((const char *)memchr(line.text, '\n', line.size),
                         line.text + line.size - 1, "TEST_SEED=%" PRIu64 " round=%d", prng.seed,
                         round);
            cut += line.full;
        }
        char copy[LOG_LINE_SIZE + 1];
        memcpy(copy, line.text, line.size);
        copy[line.size] = '\0';
        cr_assert(is_flat_object(copy) && is_utf8(copy, line.size),
                  "TEST_SEED=%" PRIu64 " round=%d: %s", prng.seed, round, copy);
    }
    cr_assert_gt(cut, 100, "the texts are too short for this test");
}

Test(log_line, a_line_that_is_too_long_says_so_at_any_length)
{
    static char text[2 * LOG_LINE_SIZE];
    for (size_t size = LOG_LINE_SIZE - 200; size < LOG_LINE_SIZE + 10; size++) {
        const char *const heads[] = { "a=", "a=\"", "a=1 b=", "", "a=1234 " };
        for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
            memset(text, '7', size);
            text[size] = '\0';
            memcpy(text, heads[i], strlen(heads[i]));
            const struct log_event event = event_of(text);
            log_line_text(&line, &event);
            const char *tail = " truncated=true\n";
            const bool told = memcmp(line.text + line.size - strlen(tail), tail, strlen(tail)) == 0;
            cr_assert_eq(told, line.full, "size %zu", size);
            cr_assert(told || line.size == size + strlen("2024-05-01T12:00:00.007Z info "
                                                         "event=task.assigned \n"));
            log_line_json(&line, &event);
            tail = ",\"truncated\":true}\n";
            cr_assert_eq(memcmp(line.text + line.size - strlen(tail), tail, strlen(tail)) == 0,
                         line.full, "size %zu", size);
            cr_assert_leq(line.size, LOG_LINE_SIZE);
        }
    }
    /* What is left out stays told when a later member would fit. */
    memset(text, '7', LOG_LINE_SIZE);
    memcpy(text, "a=", 2);
    memcpy(text + LOG_LINE_SIZE, " b=2", 5);
    struct log_event event = event_of(text);
    log_line_json(&line, &event);
    assert_rest("{\"time\":\"2024-05-01T12:00:00.007Z\",\"level\":\"info\","
                "\"event\":\"task.assigned\"",
                ",\"truncated\":true", "}\n", "a number that does not fit");

    event = event_of("a=1");
    event.truncated = true;
    log_line_json(&line, &event);
    assert_rest("{\"time\":\"2024-05-01T12:00:00.007Z\",\"level\":\"info\","
                "\"event\":\"task.assigned\"",
                ",\"a\":1,\"truncated\":true", "}\n", "a text that was cut before");
}

Test(log_line, quoting_escapes_and_cuts)
{
    static const struct {
        const char *text;
        size_t size;
        const char *quoted;
    } rows[] = {
        { "", 8, "\"\"" },
        { "plain", 16, "\"plain\"" },
        { "a \"b\" \\", 32, "\"a \\\"b\\\" \\\\\"" },
        { "\n\t\r\x01\x7f", 32, "\"\\n\\t\\r\\x01\\x7f\"" },
        { "é\xff", 16, "\"é\xff\"" },
        { "12345", 8, "\"12345\"" },
        { "123456", 8, "\"12345\"" },
        { "1234\n", 8, "\"1234\"" }, /* an escape is not split */
        { "1234é", 8, "\"1234\"" },  /* nor a character */
        { "12\x01", 8, "\"12\"" },
        { "1\x01", 8, "\"1\\x01\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[64];
        memset(out, '#', sizeof out);
        log_line_quote(out, rows[i].size, rows[i].text);
        cr_assert_str_eq(out, rows[i].quoted);
        cr_assert_eq(out[rows[i].size], '#');
    }
}
