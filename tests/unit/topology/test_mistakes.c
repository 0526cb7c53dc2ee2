/*
 * Every kind of mistake in a topology file, with its message and its place. A '^' stands where the
 * error must point to; it is taken out before the text is loaded. There must be as many errors as
 * marks: one mistake, one message.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "base/memory.h"
#include "loaded.h"

struct mistake {
    const char *name;
    const char *yaml;
    const char *text; /* what the message must hold; for several errors split by " | " */
};

#define RULE    "rules:\n  r:\n    severity: low\n    when: "
#define FEATURE "features:\n  f: "
#define TABLE                                                                                 \
    "tables:\n  users:\n    topic: users\n    format: json\n    schema: user.avsc\n    key: " \
    "user\n"

static const struct mistake yaml_mistakes[] = {
    { "tag", HEAD RULE "^!ok\n",
      "YAML reads '!ok' as a tag: write 'not' for a negation, or quote" },
    { "tag before more", HEAD RULE "^!ok and cents > 1\n", "'!ok' as a tag" },
    { "typed tag", HEAD "    out_of_order: ^!!str 5s\n", "'!!str' as a tag" },
    { "anchor", HEAD RULE "^&a ok\n", "'&a' as an anchor" },
    { "alias", HEAD RULE "^*a\n", "'*a' as an alias" },
    { "merge key", HEAD "    ^<<: { a: 1 }\n", "merge keys" },
    { "duplicate key", HEAD "    ^key: tx\n", "'key' occurs twice; it is first in line 7" },
    { "duplicate rule", HEAD "features:\n  a: cents\n  ^a: cents\n", "'a' occurs twice" },
    { "key that is a list", HEAD "    ? ^[a, b]\n    : 1\n", "a key must be a plain name" },
    { "key that is missing", HEAD "    ^: 1\n", "a name is missing before the ':'" },
    { "two documents", HEAD "^---\ntopology: u\n", "a second document starts here" },
    { "document after an end", HEAD "^...\ntopology: u\n", "a second document starts here" },
    { "nothing", "^", "the file is empty; a topology starts with 'topology: NAME'" },
    { "only a comment", "^# nothing\n", "the file is empty" },
    { "a text", "^topology\n", "a topology is a map of keys and values; here is a text" },
    { "a list", "^- topology: t\n", "here is a list" },
    { "tab", HEAD "features:\n^\tf: cents\n",
      "tab character may not be used as indentation: indent" },
    { "not UTF-8", HEAD "# caf^\xe9\n", "byte 0xe9 is no UTF-8" },
    { "overlong UTF-8", HEAD "# ^\xc0\xaf\n", "byte 0xc0 is no UTF-8" },
    { "control character", HEAD "# ^\x01\n", "control character 0x01" },
    { "zero byte in a text", HEAD RULE "ok\n    message: ^\"a\\0b\"\n",
      "must not hold a zero byte" },
    { "colon in a value", HEAD RULE "ok^: yes\n", "YAML reads ': ' as a key and its value; quote" },
    { "value that starts with a quote", HEAD RULE "\"US\" ^== country\n", "ends at the next one" },
    { "value that starts with @", HEAD RULE "^@x\n", "quote the whole value" },
    { "value that starts with >", HEAD RULE "> ^5\n", "as a block of text" },
    { "value that starts with -", HEAD RULE "^- cents\n", "YAML reads '- ' as a list" },
    { "value that starts with [", HEAD RULE "^[1, 2]\n",
      "YAML reads [ ] or '- ' as a list: quote" },
    { "value that starts with {", HEAD RULE "^{a: b}\n", "YAML reads { } or ': ' as a map: quote" },
    { "unfinished quote", HEAD RULE "\"^ok\n", "without closing quote" },
    { "unfinished list", HEAD "    remember: { columns: [user ^}\n",
      "a closing bracket that does not fit" },
    { "comma in { }", HEAD "rules:\n  r: { severity: low, when: if(ok, ^ok, not ok) }\n",
      "YAML ends the value of 'when' at the comma: quote it: when: \"if(ok, ok, not ok)\"" },
    { "bracket in { }",
      HEAD TABLE "rules:\n  r: { severity: low, when: users^[user].country == 'a' }\n",
      "inside { } and [ ], quote a value that holds" },
    { "braces in a message", HEAD RULE "ok\n    message: {^cents} paid\n", "quote the whole text" },
    { "comment in a text", HEAD RULE "note == 'a^ #1'\n",
      "YAML reads what follows ' #' as a comment" },
    { "comment in parentheses", HEAD FEATURE "count(^ # all\n", "as a comment" },
    { "comment at the end", HEAD RULE "cents >^ # limit\n", "as a comment" },
    { "comment in a message", HEAD RULE "ok\n    message: payment^ #1\n",
      "put the message into quotes" },
    { "no expression", HEAD "rules:\n  r:\n    severity: low\n    ^when:\n",
      "'when' needs an expression after the colon" },
    { "null as expression", HEAD RULE "^null\n", "'null' is null, which is always unknown" },
    { "tilde as expression", HEAD FEATURE "^~\n", "'f' needs an expression; '~' is null" },
    { "no value", HEAD "    ^out_of_order:\n", "'out_of_order' has no value" },
    { "wrong indentation", "topology: ^t\n  streams: 1\n", "the lines below are indented as if" },
    { "deep nesting",
      HEAD
      "    remember: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[^[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
      "nested too deeply" },
};

static const struct mistake key_mistakes[] = {
    { "unknown key", HEAD "    ^partitoned: yes\n",
      "a stream has no key 'partitoned'; did you mean 'partitioned'?" },
    { "unknown key, nothing near", HEAD "^colour: red\n",
      "has no key 'colour'; it has topology, streams, tables, features, rules, outputs" },
    { "unknown key of a rule", HEAD RULE "ok\n    ^serverity: low\n",
      "a rule has no key 'serverity'; did you mean 'severity'?" },
    { "no topology", "^streams:\n  s: { topic: in, format: json, schema: tx.avsc, key: user }\n",
      "a topology needs 'topology'" },
    { "no streams", "^topology: t\n", "a topology needs 'streams'" },
    { "no key",
      "topology: t\nstreams:\n  ^s:\n    topic: in\n    format: json\n    schema: tx.avsc\n",
      "a stream needs 'key'" },
    { "no severity", HEAD "rules:\n  ^r:\n    when: ok\n", "a rule needs 'severity'" },
    { "no when", HEAD "rules:\n  ^r:\n    severity: low\n", "a rule needs 'when'" },
    { "stream without anything", "topology: t\nstreams:\n  ^s:\n",
      "a stream is a map of keys and values; here is nothing" },
    { "no stream at all", "topology: t\nstreams: ^{}\n", "'streams' names no stream" },
    { "rule that is a text", HEAD "rules:\n  r: ^cents > 1\n",
      "a rule is a map of keys and values; here is a text" },
    { "rules that are a list", HEAD "rules:\n  ^- when: ok\n",
      "'rules' is a map of keys and values; here is a list" },
    { "topic that is a list", HEAD "outputs:\n  alerts: { topic: ^[a] }\n",
      "'topic' is a single value; here is a list" },
    { "two streams", HEAD "  ^other: { topic: x, format: json, schema: tx.avsc, key: user }\n",
      "several streams are not supported yet" },
    { "windows", HEAD "^windows:\n  w: { every: 1m }\n",
      "'windows' is not supported yet by this version" },
    { "patterns", HEAD "^patterns:\n  p: {}\n", "'patterns' is not supported yet" },
    { "decisions", HEAD "^decisions:\n  d: {}\n", "'decisions' is not supported yet" },
    { "models", HEAD "^models:\n  m: {}\n", "'models' is not supported yet" },
    { "at", HEAD RULE "ok\n    ^at: w\n", "'at' is not supported yet" },
    { "not partitioned", HEAD "    partitioned: ^no\n",
      "needs a repartition hop, which this version does not run yet" },
    { "a flag that is none", HEAD "    partitioned: ^off\n",
      "'partitioned' cannot be 'off'; it is one of: no, yes, false, true" },
    { "format", HEAD "outputs:\n  alerts: { format: ^xml }\n",
      "'format' cannot be 'xml'; it is one of: avro, json" },
    { "severity", HEAD "rules:\n  r: { severity: ^urgent, when: ok }\n",
      "it is one of: low, medium, high, critical" },
    { "repeat", HEAD RULE "ok\n    repeat: ^once\n",
      "'repeat' is 'every', 'once per DURATION' (once per 10m) or 'on rise'" },
    { "repeat without a unit", HEAD RULE "ok\n    repeat: ^once per 10\n", "'once per DURATION'" },
    { "payload", HEAD "outputs:\n  dead_letters: { payload: ^none }\n",
      "one of: original, reference" },
    { "late events", HEAD "    late_events: ^drop\n", "one of: re_evaluate, own_time" },
    { "scope", HEAD TABLE "    scope: ^global\n", "one of: copartitioned, everywhere" },
    { "duration without a unit", HEAD "    out_of_order: ^30\n",
      "'out_of_order' needs a unit: 30s is seconds, 30m minutes" },
    { "no duration", HEAD "    dedupe: ^one day\n",
      "'one day' is no duration: write it like 250ms" },
    { "negative duration", HEAD "    dedupe: ^-1h\n", "'-1h' is no duration" },
    { "endless duration", HEAD "    dedupe: ^99999d\n", "must lie between 0s and 3660d" },
    { "duration that is a map", HEAD "    dedupe: ^{ for: 1h }\n",
      "is a duration like 30s, 10m, 24h or 30d; here is a map" },
    { "accepts less than is out of order", HEAD "    out_of_order: 2m\n    accept_late: ^1m\n",
      "cannot be shorter than 'out_of_order'" },
    { "dedupe without id",
      "topology: t\nstreams:\n  s:\n    topic: in\n    format: json\n    schema: tx.avsc\n    key: "
      "user\n    dedupe: ^1h\n",
      "'dedupe' needs 'id'" },
    { "name of a topology",
      "topology: ^Card Fraud\nstreams:\n  s: { topic: in, format: json, schema: tx.avsc, key: user "
      "}\n",
      "'Card Fraud' is no name for a topology" },
    { "name of a feature", HEAD "features:\n  ^Tx1m: cents\n",
      "'Tx1m' is no name for a feature: use a-z, 0-9 and _" },
    { "name of a rule", HEAD "rules:\n  ^1st: { when: ok, severity: low }\n",
      "is no name for a rule" },
    { "reserved name", HEAD "features:\n  ^over: cents\n",
      "'over' is a word of the expression language" },
    { "long name",
      HEAD
      "features:\n  ^a123456789a123456789a123456789a123456789a123456789a123456789abcde: cents\n",
      "has at most 64 characters" },
    { "name of a topic", HEAD "outputs:\n  alerts: { topic: ^fraud alerts }\n",
      "'fraud alerts' is no name of a topic" },
    { "empty topic", HEAD "outputs:\n  alerts: { topic: ^'' }\n", "'topic' is empty" },
    { "alerts into the input", HEAD "outputs:\n  alerts: { topic: ^in }\n",
      "the topic 'in' is used by stream 's' already" },
    { "dead letters into the alerts",
      HEAD "outputs:\n  alerts: { topic: a }\n  dead_letters: { topic: ^a }\n",
      "is used by 'alerts' already" },
    { "a topic of the engine", HEAD "outputs:\n  alerts: { topic: ^t-journal }\n",
      "is a topic that the engine keeps for itself" },
    { "remember what is not there", HEAD "    remember: { columns: [user, ^contry] }\n",
      "no column or field 'contry' to remember; did you mean 'country'?" },
    { "remember columns", HEAD "    remember: { columns: ^some }\n",
      "'columns' is 'all', 'features' or a list" },
    { "no schema",
      "topology: t\nstreams:\n  s: { topic: in, format: json, schema: ^nope.avsc, key: user }\n",
      "schema 'nope.avsc' was found neither beside the topology file nor elsewhere: --schemas "
      "DIR" },
    { "broken schema",
      "topology: t\nstreams:\n  s: { topic: in, format: json, schema: ^broken.avsc, key: user "
      "}\n" RULE "x > 1\n",
      "broken.avsc: " },
    { "schema that is no record",
      "topology: t\nstreams:\n  s: { topic: in, format: json, schema: ^enum.avsc, key: user }\n",
      "an event is a record" },
    { "schema without columns",
      "topology: t\nstreams:\n  s: { topic: in, format: json, schema: ^empty.avsc, key: user }\n",
      "has 0 columns" },
};

static const struct mistake meaning_mistakes[] = {
    { "feature like a column", HEAD "features:\n  ^country: cents\n",
      "'country' is a column already" },
    { "field like a column", HEAD "    fields:\n      ^user: cents\n",
      "'user' is a column already: choose another name for the field" },
    { "feature like a field", HEAD "    fields:\n      a: cents\nfeatures:\n  ^a: cents\n",
      "'a' is a field already" },
    { "field like a table", HEAD "    fields:\n      ^users: cents\n" TABLE,
      "'users' is a table already" },
    { "table like a feature",
      HEAD "features:\n  users: cents\ntables:\n  ^users: { topic: u, format: json, schema: "
           "user.avsc, key: user }\n",
      "'users' is a feature of the stream already" },
    { "unknown name", HEAD RULE "ok and ^contry == 'a'\n",
      "unknown name 'contry'; did you mean 'country'?" },
    { "unknown name in a quoted value", HEAD RULE "'note == ''it is'' and ^nope > 1'\n",
      "unknown name 'nope'" },
    { "unknown name after escapes", HEAD RULE "\"note == \\\"\\u00e9\\\" and ^nope > 1\"\n",
      "unknown name 'nope'" },
    { "unknown name in the second line",
      HEAD "rules:\n  r:\n    severity: low\n    when:\n      ok and\n      ^nope > 1\n",
      "unknown name 'nope'" },
    { "unknown name in a block",
      HEAD "rules:\n  r:\n    severity: low\n    when: |\n      ok and\n        ^nope > 1\n",
      "unknown name 'nope'" },
    { "unknown name after an umlaut", HEAD RULE "note == 'ü' and ^nope > 1\n",
      "unknown name 'nope'" },
    { "unknown name in a message", HEAD RULE "ok\n    message: \"a {cents} b {^nope}\"\n",
      "unknown name 'nope'" },
    { "unfinished message", HEAD RULE "ok\n    message: \"a ^{cents\"\n", "never closed" },
    { "type error", HEAD RULE "country ^> 5\n", "cannot compare string" },
    { "condition that is a number", HEAD RULE "^cents + 1\n",
      "'when' is a condition that is true or false; this is int" },
    { "syntax error", HEAD RULE "cents > 1 ^cents\n", "expected an operator" },
    { "unknown function", HEAD FEATURE "^houres(at - at)\n", "did you mean 'hours'" },
    { "key of doubles",
      "topology: t\nstreams:\n  s: { topic: in, format: json, schema: tx.avsc, key: ^rate }\n",
      "a key is a string or an integer; this is double" },
    { "key of decimals",
      "topology: t\nstreams:\n  s: { topic: in, format: json, schema: tx.avsc, key: ^cents / 100 "
      "}\n",
      "a key is a string or an integer; this is decimal(2)" },
    { "key without a column",
      "topology: t\nstreams:\n  s: { topic: in, format: json, schema: tx.avsc, key: ^\"'all'\" }\n",
      "the key must read a column" },
    { "key that is a field",
      "topology: t\nstreams:\n  s:\n    topic: in\n    format: json\n    schema: tx.avsc\n    key: "
      "^f\n    fields:\n      f: user\n",
      "'f' is a field: key, id and time are taken from the record" },
    { "key with an error, and a group",
      "topology: t\nstreams:\n  s: { topic: in, format: json, schema: tx.avsc, key: ^usr "
      "}\n" FEATURE "count(over 1h by card)\n",
      "unknown name 'usr'" },
    { "key from a table",
      "topology: t\nstreams:\n  s:\n    topic: in\n    format: json\n    schema: tx.avsc\n    key: "
      "^users[user].country\n" TABLE,
      "without tables" },
    { "id that is a boolean",
      "topology: t\nstreams:\n  s: { topic: in, format: json, schema: tx.avsc, key: user, id: ^ok "
      "}\n",
      "an id is a string or an integer; this is bool" },
    { "time that is a number",
      "topology: t\nstreams:\n  s: { topic: in, format: json, schema: tx.avsc, key: user, time: "
      "^cents }\n",
      "'time' is a timestamp; this is int: use from_ms(x)" },
    { "field that looks back", HEAD "    fields:\n      f: ^count(over 1m)\n",
      "make this a feature" },
    { "field that reads a later one", HEAD "    fields:\n      a: ^b + 1\n      b: cents\n",
      "'b' is a field: fields are computed in the order" },
    { "field that reads itself", HEAD "    fields:\n      a: ^a + 1\n",
      "a field cannot read itself" },
    { "field that reads a feature", HEAD "    fields:\n      a: ^f + 1\n" FEATURE "cents\n",
      "make this a feature" },
    { "features in a circle", HEAD "features:\n  a: b + 1\n  b: c + 1\n  c: ^a + 1\n",
      "features cannot need each other: a -> b -> c -> a" },
    { "feature that needs itself", HEAD "features:\n  a: ^a + 1\n",
      "features cannot need each other: a -> a" },
    { "feature with an error, and a rule", HEAD FEATURE "^nope + 1\n" RULE "f > 1 and f < 'x'\n",
      "unknown name 'nope'" },
    { "two rules that wait for a feature",
      HEAD FEATURE "^nope + 1\nrules:\n  a: { when: f > 1, severity: low }\n  b: { when: f > 2, "
                   "severity: low }\n",
      "; rule 'a' depends on it; rule 'b' depends on it" },
    { "another key",
      HEAD FEATURE "count(over 10m by ^country)\nrules:\n  burst: { when: f > 5, severity: low }\n",
      "needs a repartition hop, which this version does not run yet; list the key too (by user, "
      "country), or leave this out; rule 'burst' depends on it" },
    { "by what is not there", HEAD FEATURE "count(over 10m by user, ^contry)\n",
      "'by contry': there is no such column" },
    { "by a feature", HEAD "features:\n  g: cents + 1\n  f: count(over 10m by user, ^g)\n",
      "'g' is a feature: a look-back takes" },
    { "by the same twice", HEAD FEATURE "count(over 10m by user, card, ^card)\n",
      "'by' names 'card' twice" },
    { "by too much", HEAD FEATURE "count(over 1m by user, card, device, note, country, ^ok)\n",
      "at most 4 names beside the key" },
    { "sum of doubles", HEAD FEATURE "sum(^rate over 1h)\n",
      "say how many digits count: sum(decimal(rate, 2) ...)" },
    { "avg of doubles", HEAD FEATURE "avg(^lat over 1h)\n", "avg(decimal(lat, 2) ...)" },
    { "stddev of doubles", HEAD RULE "stddev(^rate * 2 over 1h) > 1\n",
      "stddev(decimal(rate * 2, 2) ...)" },
    { "sum of texts", HEAD FEATURE "sum(^country over 1h)\n",
      "sum takes an integer or a decimal; 'country' is string" },
    { "max of booleans", HEAD FEATURE "max(^ok over 1h)\n",
      "max takes something that has an order" },
    { "sum of nothing", HEAD FEATURE "^sum(over 1h)\n", "`sum` of what?" },
    { "count of null", HEAD FEATURE "count(^null over 1h)\n", "count of null is nothing" },
    { "no span", HEAD FEATURE "^count()\n", "how far to look back" },
    { "too many events", HEAD "    remember: { for: 1d }\n" FEATURE "last(cents over ^1001)\n",
      "a span of events lies between 1 and 1000" },
    { "events, kept for how long", HEAD FEATURE "last(cents over previous ^1)\n",
      "give stream 's' a 'remember: { for: 30d }'" },
    { "on rise, compared with what", HEAD RULE "ok\n    repeat: ^on rise\n",
      "give stream 's' a 'remember: { for: 30d }'" },
    { "delay of events",
      HEAD "    remember: { for: 1d }\n" FEATURE "last(cents over ^5 delay 1m)\n",
      "a delay goes with a span of time" },
    { "endless look-back", HEAD FEATURE "count(over ^4000d)\n", "at most 3660d" },
    { "another stream", HEAD FEATURE "count(of ^logins over 1h)\n", "there is no stream 'logins'" },
    { "table in a look-back",
      HEAD TABLE FEATURE "count(where ^users[user].country == 'a' over 1h)\n",
      "make the lookup a field" },
    { "feature in a look-back", HEAD "features:\n  g: cents + 1\n  f: sum(^g over 1h)\n",
      "'g' is a feature: a look-back takes what is remembered" },
    { "look-back in a look-back", HEAD FEATURE "sum(^count(over 1m) over 1h)\n",
      "a look-back cannot stand inside another" },
    { "where that is a number", HEAD FEATURE "count(where ^cents over 1h)\n",
      "'where' takes a condition" },
    { "unknown table", HEAD RULE "user in ^usrs\n" TABLE,
      "unknown table 'usrs'; did you mean 'users'?" },
    { "unknown column of a table", HEAD RULE "users[user].^contry == 'a'\n" TABLE,
      "table 'users' has no column 'contry'; did you mean 'country'?" },
    { "wrong type of a table's key", HEAD RULE "users[^cents].country == 'a'\n" TABLE,
      "the key of table 'users' is string" },
    { "co-partitioned table by another key", HEAD RULE "users[^country].country == 'a'\n" TABLE,
      "an event sees the row of its own key only: users[user]; to look up any row" },
    { "in a co-partitioned table by another key", HEAD RULE "^country in users\n" TABLE,
      "give the table 'scope: everywhere'" },
    { "table with an error, and a rule",
      HEAD RULE "users[user].country == 'a'\ntables:\n  users: { topic: u, format: json, schema: "
                "^nope.avsc, key: user }\n",
      "was found neither" },
    { "table keyed by a boolean",
      HEAD "tables:\n  t: { topic: u, format: json, schema: user.avsc, key: ^since }\n",
      "a key is a string or an integer; this is timestamp" },
    { "table with another time",
      HEAD
      "tables:\n  t: { topic: u, format: json, schema: user.avsc, key: user, time: ^country }\n",
      "'time' is a timestamp; this is string" },
    { "table that looks up",
      HEAD "tables:\n  t: { topic: u, format: json, schema: user.avsc, key: ^count(over 1m) }\n",
      "without look-backs" },
    { "co-partitioned by another type",
      HEAD "tables:\n  t: { topic: u, format: json, schema: number.avsc, key: ^n }\n",
      "or say 'scope: everywhere'" },
    { "two tables from one topic",
      HEAD "tables:\n  a: { topic: u, format: json, schema: user.avsc, key: user }\n  b: { topic: "
           "^u, format: json, schema: user.avsc, key: user }\n",
      "the topic 'u' is used by table 'a' already" },
    { "several mistakes",
      HEAD "    ^colour: red\nfeatures:\n  a: ^nope\nrules:\n  r: { when: ok, severity: ^bad }\n",
      "'colour' | unknown name 'nope' | cannot be 'bad'" },
};

struct mark {
    int line, column;
};

enum { MARKS_MAX = 8 };

/* The text without its marks, and where they were. */
static char *take_marks(const char *yaml, struct mark *marks, size_t *count)
{
    char *text = mem_alloc(strlen(yaml) + 1);
    size_t size = 0;
    struct mark at = { 1, 1 };
    *count = 0;
    for (const char *c = yaml; *c != '\0'; c++) {
        if (*c == '^') {
            cr_assert_lt(*count, (size_t)MARKS_MAX);
            marks[(*count)++] = at;
            continue;
        }
        text[size++] = *c;
        if (*c == '\n')
            at = (struct mark){ at.line + 1, 1 };
        else if (((unsigned char)*c & 0xc0) != 0x80)
            at.column++;
    }
    return text;
}

/* The n-th part of "a | b | c". */
static bool holds_part(const char *text, const char *parts, size_t n)
{
    for (; n > 0; n--)
        parts = strstr(parts, " | ") == NULL ? parts : strstr(parts, " | ") + 3;
    const char *end = strstr(parts, " | ");
    AUTO(mem_auto_free)
    char *part = mem_copy_string_n(parts, end == NULL ? strlen(parts) : (size_t)(end - parts));
    return strstr(text, part) != NULL;
}

static void check(const struct mistake *mistake)
{
    struct mark marks[MARKS_MAX];
    size_t count = 0;
    AUTO(mem_auto_free) char *text = take_marks(mistake->yaml, marks, &count);
    struct loaded loaded = loaded_from(text);
    const struct diagnostics *found = &loaded.diagnostics;
    cr_expect_eq(found->errors, count, "%s: %zu errors:\n%s", mistake->name, found->errors,
                 loaded.text);
    for (size_t i = 0; i < count && i < found->count; i++) {
        cr_expect(
            found->items[i].line == marks[i].line && found->items[i].column == marks[i].column,
            "%s: expected %d:%d\n%s", mistake->name, marks[i].line, marks[i].column, loaded.text);
        cr_expect(holds_part(found->items[i].text, mistake->text, i), "%s: expected '%s'\n%s",
                  mistake->name, mistake->text, loaded.text);
    }
    loaded_fini(&loaded);
}

static void check_all(const struct mistake *mistakes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(&mistakes[i]);
}

Test(mistakes, what_yaml_would_swallow_is_named_with_its_place)
{
    check_all(yaml_mistakes, sizeof yaml_mistakes / sizeof yaml_mistakes[0]);
}

Test(mistakes, keys_and_plain_values_are_checked)
{
    check_all(key_mistakes, sizeof key_mistakes / sizeof key_mistakes[0]);
}

Test(mistakes, expressions_are_checked_with_what_names_mean)
{
    check_all(meaning_mistakes, sizeof meaning_mistakes / sizeof meaning_mistakes[0]);
}

Test(mistakes, there_are_at_most_as_many_messages_as_fit)
{
    struct buffer yaml;
    buffer_init(&yaml);
    buffer_put_string(&yaml, HEAD "features:\n");
    for (int i = 0; i < 2 * DIAGNOSTICS_MAX; i++)
        buffer_printf(&yaml, "  f%d: nope\n", i);
    struct loaded loaded = loaded_from(buffer_text(&yaml));
    cr_assert_eq(loaded.diagnostics.count, (size_t)DIAGNOSTICS_MAX);
    cr_assert_eq(loaded.diagnostics.errors, (size_t)(2 * DIAGNOSTICS_MAX));
    cr_assert(loaded.diagnostics.truncated);
    cr_assert(strstr(loaded.text, "there are more; these are the first 64\n") != NULL);
    loaded_fini(&loaded);
    buffer_fini(&yaml);
}

Test(mistakes, a_file_that_is_not_there_is_an_error_of_its_own)
{
    struct plan *plan = NULL;
    struct error err = { 0 };
    struct diagnostics diagnostics;
    diagnostics_init(&diagnostics, "nope.yaml");
    cr_assert_eq(topology_load_file(&plan, "/nowhere/nope.yaml", NULL, &diagnostics, &err),
                 ST_NOT_FOUND);
    cr_assert(strstr(err.text, "/nowhere/nope.yaml") != NULL, "%s", err.text);
    diagnostics_fini(&diagnostics);
}
