#include <criterion/criterion.h>
#include <string.h>

#include "base/memory.h"
#include "loaded.h"

#define USERS "  users: { topic: u, format: json, schema: user.avsc, key: user, time: since }\n"
#define STREAM(options) \
    "topology: t\nstreams:\n  s:\n    topic: in\n    format: json\n    schema: tx.avsc\n" options
#define PLAIN    STREAM("    key: user\n    id: tx\n    time: at\n")
#define FEATURES "features:\n  n: count(over 1h)\n"
#define RULES    "rules:\n  r: { when: n > 5, severity: low }\n"
#define BEFORE   PLAIN FEATURES RULES "tables:\n" USERS

struct change {
    const char *name;
    const char *before, *after;
    const char *refusal; /* NULL: allowed */
    const char *changes; /* all sentences, when allowed */
};

static const struct change changes[] = {
    { "nothing", BEFORE, BEFORE, NULL, "" },
    { "how it is written", BEFORE,
      "# a comment\n" PLAIN "features:\n  n: count( over 60m )\n"
      "rules:\n  r:\n    when: (n > 5)\n    severity: high\n    message: \"{n}\"\ntables:\n" USERS,
      NULL, "" },
    { "a rule more", BEFORE,
      PLAIN FEATURES RULES "  q: { when: n > 9, severity: low }\ntables:\n" USERS, NULL,
      "rule q is new: it alerts from now on\n" },
    { "a rule less", BEFORE, PLAIN FEATURES "tables:\n" USERS, NULL,
      "rule r is gone: it alerts no more\n" },
    { "another limit", BEFORE,
      PLAIN FEATURES "rules:\n  r: { when: n > 6, severity: low }\ntables:\n" USERS, NULL,
      "rule r was 'n > 5' and is now 'n > 6': the new condition holds from now on\n" },
    { "a feature more", BEFORE, PLAIN FEATURES "  m: count(over 5m)\n" RULES "tables:\n" USERS,
      NULL, "feature m is new: it starts warm, from the events that are remembered\n" },
    { "a longer look-back", BEFORE,
      PLAIN "features:\n  n: count(over 2h)\n" RULES "tables:\n" USERS, NULL,
      "feature n was 'count(over 1h)' and is now 'count(over 2h)': it starts warm, from the events "
      "that are"
      " remembered\n"
      "events are kept longer, 3h instead of 2h: look-backs longer than before are complete only "
      "when that"
      " time has passed\n" },
    { "a shorter look-back", BEFORE,
      PLAIN "features:\n  n: count(over 5m)\n" RULES "tables:\n" USERS, NULL,
      "feature n was 'count(over 1h)' and is now 'count(over 5m)': it starts warm, from the events "
      "that are"
      " remembered\n" },
    { "a column more", BEFORE,
      PLAIN FEATURES "  m: distinct(country over 1h)\n" RULES "tables:\n" USERS, NULL,
      "column s.country is new: it is null for events that are remembered already\n"
      "feature m is new: it starts warm, from the events that are remembered\n" },
    { "a field computed in another way", PLAIN "    fields: { a: cents / 100 }\n" FEATURES,
      PLAIN "    fields: { a: cents / 10 * 0.1 }\n" FEATURES, NULL,
      "field s.a was 'cents / 100' and is now 'cents / 10 * 0.1': events that are remembered "
      "already keep"
      " the value that they had\n" },
    { "another time", BEFORE,
      STREAM("    key: user\n    id: tx\n    time: at + 1s\n") FEATURES RULES "tables:\n" USERS,
      NULL, "stream s time was 'at' and is now 'at + 1s'\n" },
    { "another dedupe", BEFORE, PLAIN "    dedupe: 1h\n" FEATURES RULES "tables:\n" USERS, NULL,
      "stream s dedupe was off and is now 1h\n" },
    { "a table more", BEFORE,
      BEFORE
      "  numbers: { topic: n, format: json, schema: number.avsc, key: n, scope: everywhere }\n",
      NULL, "table numbers is new\n" },
    { "a table less", BEFORE, PLAIN FEATURES RULES, NULL, "table users is gone\n" },
    { "an everywhere table changes as it likes",
      PLAIN FEATURES
      "tables:\n  k: { topic: n, format: json, schema: number.avsc, key: n, scope: everywhere }\n",
      PLAIN FEATURES "tables:\n  k: { topic: m, format: json, schema: number.avsc, key: text, "
                     "scope: everywhere }\n",
      NULL,
      "table k topic was 'n' and is now 'm'\ntable k key was 'n' and is now 'text'\n"
      "table k key type was 'int' and is now 'string'\n" },

    { "another key", BEFORE, STREAM("    key: card\n    id: tx\n    time: at\n") FEATURES RULES,
      "the key of stream 's' was 'user' and is now 'card', and everything in the state hangs on "
      "it: give the topology a"
      " new name, so that it starts with a state of its own, or throw this state away with 'weir "
      "reset'",
      NULL },
    { "another id", BEFORE,
      STREAM("    key: user\n    id: concat(tx, country)\n    time: at\n") FEATURES RULES,
      "the id of stream 's' was 'tx' and is now 'concat(tx, country)'", NULL },
    { "no id any more", BEFORE, STREAM("    key: user\n    time: at\n") FEATURES RULES,
      "the id of stream 's' was 'tx' and is now ''", NULL },
    { "another topic", BEFORE,
      "topology: t\nstreams:\n  s: { topic: in2, format: json, schema: tx.avsc, key: user, id: tx, "
      "time: at }\n",
      "the topic of stream 's' was 'in' and is now 'in2'", NULL },
    { "another stream", BEFORE,
      "topology: t\nstreams:\n  p: { topic: in, format: json, schema: tx.avsc, key: user, id: tx, "
      "time: at }\n",
      "'p' is new", NULL },
    { "another topology", BEFORE,
      "topology: u\nstreams:\n  s: { topic: in, format: json, schema: tx.avsc, key: user, id: tx, "
      "time: at }\n",
      "the state belongs to topology 't', not to 'u'", NULL },
    { "another topic of a table", BEFORE,
      PLAIN FEATURES RULES
      "tables:\n  users: { topic: v, format: json, schema: user.avsc, key: user, time: since }\n",
      "the topic of table 'users' was 'u' and is now 'v'", NULL },
    { "another key of a table", BEFORE,
      PLAIN FEATURES RULES "tables:\n  users: { topic: u, format: json, schema: user.avsc, key: "
                           "country, time: since }\n",
      "the key of table 'users' was 'user' and is now 'country'", NULL },
    { "another name for a table", BEFORE,
      PLAIN FEATURES RULES
      "tables:\n  people: { topic: u, format: json, schema: user.avsc, key: user, time: since }\n",
      "table 'people' reads topic 'u', which was read for another table before", NULL },
};

static struct loaded load_sound(const char *yaml)
{
    struct loaded loaded = loaded_from(yaml);
    cr_assert_not_null(loaded.plan, "%s\n%s", yaml, loaded.text);
    return loaded;
}

static void check(const struct change *change)
{
    struct loaded before = load_sound(change->before), after = load_sound(change->after);
    struct buffer signature, sentences;
    buffer_init(&signature);
    buffer_init(&sentences);
    struct error err = { 0 };
    plan_state_signature(before.plan, &signature);
    const enum status status =
        plan_check_state_change(after.plan, buffer_view(&signature), &sentences, &err);
    if (change->refusal != NULL) {
        cr_expect_eq(status, ST_REFUSED, "%s: allowed: %s", change->name, buffer_text(&sentences));
        cr_expect(strstr(err.text, change->refusal) != NULL, "%s: %s", change->name, err.text);
    } else {
        cr_expect_eq(status, ST_OK, "%s: %s", change->name, err.text);
        cr_expect_str_eq(buffer_text(&sentences), change->changes, "%s:\n%s", change->name,
                         buffer_text(&sentences));
    }
    buffer_fini(&signature);
    buffer_fini(&sentences);
    loaded_fini(&before);
    loaded_fini(&after);
}

Test(state_change, what_keeps_its_state_and_what_is_refused)
{
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        check(&changes[i]);
}

static enum status check_signature(const char *signature, struct error *err)
{
    struct loaded loaded = load_sound(BEFORE);
    struct buffer sentences;
    buffer_init(&sentences);
    const enum status status =
        plan_check_state_change(loaded.plan, bytes_of_string(signature), &sentences, err);
    buffer_fini(&sentences);
    loaded_fini(&loaded);
    return status;
}

Test(state_change, a_signature_that_is_none_is_refused)
{
    static const struct {
        const char *signature;
        enum status status;
    } rows[] = {
        { "", ST_CORRUPT },
        { "format\t1", ST_CORRUPT },
        { "format 1\n", ST_CORRUPT },
        { "topology\tt\n", ST_CORRUPT },
        { "format\t2\n", ST_FORMAT_NEWER },
        { "format\tx\ntopology\tt\n", ST_CORRUPT },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error err = { 0 };
        cr_expect_eq(check_signature(rows[i].signature, &err), rows[i].status, "%s: %s",
                     rows[i].signature, err.text);
    }
}

/*
 * State outlives versions: this text was written by the first one. Change it only together with the
 * format.
 */
Test(state_change, the_signature_is_stable)
{
    struct loaded loaded = load_sound(BEFORE);
    struct buffer signature;
    buffer_init(&signature);
    plan_state_signature(loaded.plan, &signature);
    cr_assert_str_eq(buffer_text(&signature),
                     "format\t1\ntopology\tt\nstream s\t0\nstream s topic\tin\nstream s key\tuser\n"
                     "stream s key type\tstring\nstream s id\ttx\nstream s time\tat\n"
                     "stream s dedupe\t0\nstream s kept\t7200000000\ncolumn s.tx\tstring\n"
                     "feature n\tcount(over 1h)\ntable users\t105\ntable users topic\tu\n"
                     "table users key\tuser\ntable users key type\tstring\n"
                     "table users time\tsince\ntable users scope\tcopartitioned\n"
                     "table users versions\t0\nrule r\tn > 5\n",
                     "%s", buffer_text(&signature));
    buffer_fini(&signature);
    loaded_fini(&loaded);
}
