/*
 * Random expressions of every type: the compiled program and the naive evaluator (naive.h) must
 * agree on type, value and what is counted, and so must the program of the normalised text.
 * TEST_SEED=n repeats a run.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "naive.h"

struct writer {
    struct prng *prng;
    struct buffer text;
};

static void write_of_kind(struct writer *writer, enum value_kind kind, int depth);

static bool chance(struct writer *writer, int percent)
{
    return prng_chance(writer->prng, percent, 100);
}

/*
 * A pattern is a text in which letters stand for expressions of a type:
 *   I int  D decimal  F double  N any number  B bool  S string  T timestamp  U duration  A any
 *   = any comparison  ~ one of == and !=  k 0..6  (everything else is itself; small letters and signs are text)
 */
static void write_pattern(struct writer *writer, const char *pattern, int depth)
{
    static const char *const comparisons[] = { "==", "!=", "<", "<=", ">", ">=" };
    static const enum value_kind numbers[] = { VALUE_INT, VALUE_DECIMAL, VALUE_DOUBLE };
    static const enum value_kind any[] = { VALUE_INT,    VALUE_DECIMAL,   VALUE_DOUBLE,  VALUE_BOOL,
                                           VALUE_STRING, VALUE_TIMESTAMP, VALUE_DURATION };
    for (const char *p = pattern; *p != '\0'; p++) {
        switch (*p) {
        case 'I':
            write_of_kind(writer, VALUE_INT, depth - 1);
            break;
        case 'D':
            write_of_kind(writer, VALUE_DECIMAL, depth - 1);
            break;
        case 'F':
            write_of_kind(writer, VALUE_DOUBLE, depth - 1);
            break;
        case 'B':
            write_of_kind(writer, VALUE_BOOL, depth - 1);
            break;
        case 'S':
            write_of_kind(writer, VALUE_STRING, depth - 1);
            break;
        case 'T':
            write_of_kind(writer, VALUE_TIMESTAMP, depth - 1);
            break;
        case 'U':
            write_of_kind(writer, VALUE_DURATION, depth - 1);
            break;
        case 'N':
            write_of_kind(writer, numbers[prng_below(writer->prng, 3)], depth - 1);
            break;
        case 'A':
            write_of_kind(writer, any[prng_below(writer->prng, 7)], depth - 1);
            break;
        case '=':
            buffer_put_string(&writer->text, comparisons[prng_below(writer->prng, 6)]);
            break;
        case '~':
            buffer_put_string(&writer->text, comparisons[prng_below(writer->prng, 2)]);
            break;
        case 'k':
            buffer_printf(&writer->text, "%d", (int)prng_below(writer->prng, 7));
            break;
        default:
            buffer_put_u8(&writer->text, (uint8_t)*p);
            break;
        }
    }
}

static const char *const patterns[VALUE_KIND_COUNT][48] = {
    [VALUE_INT] = { "(I+I)",           "(I-I)",     "(I*I)",
                    "(I%I)",           "I+I*I",     "-(I)",
                    "abs(I)",          "sign(N)",   "floor(D)",
                    "ceil(D)",         "round(D)",  "int(N)",
                    "int(B)",          "if(B,I,I)", "(I??I)",
                    "coalesce(I,I,I)", "length(S)", "least(I,I)",
                    "greatest(I,I,I)", "to_ms(T)",  "I/1",
                    "round(I)",        NULL },
    [VALUE_DECIMAL] = { "(D+D)",
                        "(D+I)",
                        "(I-D)",
                        "(D*I)",
                        "(D*D)",
                        "(D%D)",
                        "D/100",
                        "I/1000",
                        "D/0.1",
                        "(D%I)",
                        "-(D)",
                        "abs(D)",
                        "round(D,k)",
                        "decimal(N,k)",
                        "if(B,D,I)",
                        "if(B,D,D)",
                        "(D??I)",
                        "(I??D)",
                        "coalesce(D,I,D)",
                        "least(D,I)",
                        "greatest(D,D,I)",
                        "decimal(B,k)",
                        NULL },
    [VALUE_DOUBLE] = { "(F+N)",         "(N-F)",    "(F*N)",    "(N/F)",      "(I/I)",
                       "(D/I)",         "(D/D)",    "(F%N)",    "-(F)",       "abs(F)",
                       "double(N)",     "hours(U)", "(U/U)",    "if(B,F,N)",  "(F??N)",
                       "floor(F)",      "ceil(F)",  "round(F)", "round(F,k)", "least(F,N)",
                       "greatest(N,F)", NULL },
    [VALUE_BOOL] = { "(B and B)",
                     "(B or B)",
                     "(not B)",
                     "(not (B))",
                     "(N=N)",
                     "(I=I)",
                     "(D=D)",
                     "(F=F)",
                     "(S=S)",
                     "(T=T)",
                     "(U=U)",
                     "(N in [N, N])",
                     "(I in [I,I,I])",
                     "(I in [1,2,3.0])",
                     "(S in ['u2', 'u1'])",
                     "(S in [S,S])",
                     "(U in [1s, 1h30m])",
                     "(S in profiles)",
                     "(S not in profiles)",
                     "is_null(A)",
                     "if(B,B,B)",
                     "(B ?? B)",
                     "contains(S,S)",
                     "starts_with(S,S)",
                     "(N=0.1)",
                     "(N=2.5)",
                     "(12.5=N)",
                     "(N=7)",
                     "(-0.1=N)",
                     "(F=0.3)",
                     "(I=1e0)",
                     "(D=1.25e1)",
                     "(B~B)",
                     "B and B or B",
                     NULL },
    [VALUE_STRING] = { "concat(S,A)", "concat(A,A,S)", "lower(S)", "string(A)", "if(B,S,S)",
                       "(S??S)", "profiles[S].country", "profiles[user].address.city", NULL },
    [VALUE_TIMESTAMP] = { "(T+U)", "(U+T)", "(T-U)", "if(B,T,T)", "(T??T)", "from_s(I)",
                          "least(T,T)", NULL },
    [VALUE_DURATION] = { "(T-T)", "(U+U)", "(U-U)", "(U*I)", "(I*U)", "-(U)", "abs(U)", "if(B,U,U)",
                         "(U??U)", NULL },
};

static const char *const literals[VALUE_KIND_COUNT][12] = {
    [VALUE_INT] = { "0", "1", "-1", "2", "7", "100", "9223372036854775807", "-9223372036854775808",
                    NULL },
    [VALUE_DECIMAL] = { "0.1", "12.50", "-0.005", "0.00", "99.999999",
                        "170141183460469231731687303715884105.72", "-1.5", NULL },
    [VALUE_DOUBLE] = { "0e0", "1.5e0", "-2.5e-3", "1e300", "1e-300", "9007199254740993e0",
                       "0.285e0", NULL },
    [VALUE_BOOL] = { "true", "false", NULL },
    [VALUE_STRING] = { "''", "'DE'", "'u1'", "\"it's\"", "'\u20ac\\n'", NULL },
    [VALUE_TIMESTAMP] = { "from_s(0)", "from_s(1769860800)", NULL },
    [VALUE_DURATION] = { "0s", "1s", "-1h30m", "106751991d", NULL },
};

static const char *any_of(struct writer *writer, const char *const *texts)
{
    size_t count = 0;
    while (texts[count] != NULL)
        count++;
    return texts[prng_below(writer->prng, count)];
}

static void write_name(struct writer *writer, enum value_kind kind)
{
    const char *candidates[WORLD_SLOTS_MAX];
    size_t count = 0;
    struct value_type type;
    for (int slot = 0; world_name(slot, &type) != NULL; slot++)
        if (type.kind == kind)
            candidates[count++] = world_name(slot, &type);
    buffer_put_string(&writer->text, candidates[prng_below(writer->prng, count)]);
}

static void write_of_kind(struct writer *writer, enum value_kind kind, int depth)
{
    if (depth > 0 && chance(writer, 85))
        write_pattern(writer, any_of(writer, patterns[kind]), depth);
    else if (chance(writer, 40))
        buffer_put_string(&writer->text, any_of(writer, literals[kind]));
    else
        write_name(writer, kind);
}

/* ---- values for the names ---- */

static int64_t any_int(struct prng *prng)
{
    switch (prng_below(prng, 4)) {
    case 0:
        return prng_between(prng, -3, 3);
    case 1:
        return prng_between(prng, -100000, 100000);
    case 2:
        return (int64_t)prng_next(prng);
    default:
        return (int64_t)prng_next(prng) >> prng_below(prng, 64);
    }
}

static double any_double(struct prng *prng)
{
    switch (prng_below(prng, 4)) {
    case 0:
        return (double)prng_between(prng, -3, 3);
    case 1:
        return (double)prng_between(prng, -100000, 100000) / 100;
    case 2:
        return ldexp(prng_unit(prng) - 0.5, (int)prng_between(prng, -1000, 1024));
    default:
        return 0.1 * (double)prng_between(prng, -9, 9);
    }
}

static struct value any_value(struct prng *prng, struct value_type type)
{
    static const char *const texts[] = {
        "", "DE", "u1", "u2", "Hello", "\u20ac", "a long text, longer than the others"
    };
    switch (type.kind) {
    case VALUE_BOOL:
        return value_bool(prng_chance(prng, 1, 2));
    case VALUE_INT:
        return value_int(any_int(prng));
    case VALUE_DECIMAL: {
        const int128 large = (int128)any_int(prng) * any_int(prng);
        return value_decimal(prng_chance(prng, 1, 8) ? large : any_int(prng) % 1000000, type.scale);
    }
    case VALUE_DOUBLE:
        return value_double(any_double(prng));
    case VALUE_TIMESTAMP:
        return value_timestamp(any_int(prng));
    case VALUE_DURATION:
        return value_duration(any_int(prng));
    case VALUE_STRING:
        return value_string(bytes_of_string(texts[prng_below(prng, 7)]));
    default:
        return value_null();
    }
}

static void fill_slots(struct world *world, struct prng *prng)
{
    struct value_type type;
    for (int slot = 0; world_name(slot, &type) != NULL; slot++)
        if (type.kind != VALUE_BYTES)
            world->slots[slot] =
                type.nullable && prng_chance(prng, 1, 3) ? value_null() : any_value(prng, type);
}

/* ---- the comparison ---- */

struct totals {
    int compiled, null, overflows, divisions_by_zero;
};

static void assert_same(const struct world *world, const struct value *is,
                        const struct naive *naive, const struct value *wanted, const char *text,
                        uint64_t seed)
{
    struct buffer a, b;
    buffer_init(&a);
    buffer_init(&b);
    value_format(&a, is);
    value_format(&b, wanted);
    const bool same = value_same(is, wanted) && naive->overflows == world->context.overflows &&
                      naive->divisions_by_zero == world->context.divisions_by_zero;
    cr_assert(same,
              "TEST_SEED=%" PRIu64 "\n  %s\n  is %s (%s), %" PRIu64 " overflows, %" PRIu64
              " by zero\n  wanted %s (%s), %" PRIu64 ", %" PRIu64,
              seed, text, buffer_text(&a), value_kind_name(is->kind), world->context.overflows,
              world->context.divisions_by_zero, buffer_text(&b), value_kind_name(wanted->kind),
              naive->overflows, naive->divisions_by_zero);
    buffer_fini(&a);
    buffer_fini(&b);
}

static char *normalised(const struct node *node)
{
    struct buffer text;
    buffer_init(&text);
    node_format(&text, node);
    char *copy = mem_copy_string(buffer_text(&text));
    buffer_fini(&text);
    return copy;
}

/* The normalised text means the same, and is its own normalised text. */
static void check_normalised(struct world *world, const struct node *root,
                             const struct value *wanted, uint64_t seed)
{
    char *text = normalised(root);
    struct nodes *nodes = NULL;
    cr_assert_eq(expression_parse(&nodes, text, &world->position, &world->err), ST_OK,
                 "TEST_SEED=%" PRIu64 " %s: %s", seed, text, world->err.text);
    char *again = normalised(nodes_root(nodes));
    cr_assert_str_eq(text, again);
    cr_assert(node_same(root, nodes_root(nodes)));
    struct expression *expression = world_compile(world, text);
    cr_assert_not_null(expression, "TEST_SEED=%" PRIu64 " %s: %s", seed, text, world->err.text);
    const struct value v = world_evaluate(world, expression);
    cr_assert(value_same(&v, wanted), "TEST_SEED=%" PRIu64 " %s", seed, text);
    expression_destroy(&expression);
    nodes_destroy(&nodes);
    mem_free(again);
    mem_free(text);
}

static void check_one(struct world *world, struct prng *prng, const char *text,
                      struct totals *totals)
{
    struct nodes *nodes = NULL;
    struct expression *expression = NULL;
    cr_assert_eq(expression_parse(&nodes, text, &world->position, &world->err), ST_OK, "%s: %s",
                 text, world->err.text);
    const struct node *root = nodes_root(nodes);
    if (expression_compile(&expression, root, &world->scope, &world->position, &world->err) ==
        ST_OK) {
        const struct value_type type = expression_type(expression), wanted_type = naive_type(root);
        cr_assert(type.kind == wanted_type.kind && type.scale == wanted_type.scale,
                  "TEST_SEED=%" PRIu64 " %s", prng->seed, text);
        struct naive naive = { .world = world };
        const struct value wanted = naive_evaluate(&naive, root);
        const struct value is = world_evaluate(world, expression);
        assert_same(world, &is, &naive, &wanted, text, prng->seed);
        check_normalised(world, root, &is, prng->seed);
        /* null of a type that is not nullable is always something that was counted */
        const bool counted = world->context.overflows + world->context.divisions_by_zero > 0;
        cr_assert(!value_is_null(&is) || type.nullable || counted, "TEST_SEED=%" PRIu64 " %s",
                  prng->seed, text);
        totals->compiled++;
        totals->null += value_is_null(&is);
        totals->overflows += naive.overflows > 0;
        totals->divisions_by_zero += naive.divisions_by_zero > 0;
    }
    expression_destroy(&expression);
    nodes_destroy(&nodes);
}

Test(random_expressions, mean_the_same_compiled_and_naive)
{
    static const enum value_kind kinds[] = { VALUE_INT,       VALUE_DECIMAL, VALUE_DOUBLE,
                                             VALUE_BOOL,      VALUE_BOOL,    VALUE_STRING,
                                             VALUE_TIMESTAMP, VALUE_DURATION };
    enum { EXPRESSIONS = 30000 };
    struct prng prng = prng_from_env("TEST_SEED", 20261);
    struct totals totals = { 0 };
    struct world world;
    world_init(&world);
    for (int i = 0; i < EXPRESSIONS; i++) {
        struct writer writer = { .prng = &prng };
        buffer_init(&writer.text);
        write_of_kind(&writer, kinds[prng_below(&prng, 8)], (int)prng_below(&prng, 6));
        fill_slots(&world, &prng);
        check_one(&world, &prng, buffer_text(&writer.text), &totals);
        buffer_fini(&writer.text);
        arena_reset(world.arena);
    }
    /* the test would be worth little if most of it were refused or null */
    cr_expect_gt(totals.compiled, EXPRESSIONS * 8 / 10);
    cr_expect_lt(totals.null, totals.compiled / 2);
    cr_expect_gt(totals.overflows, totals.compiled / 100);
    cr_expect_gt(totals.divisions_by_zero, totals.compiled / 200);
    cr_expect_gt(world.screened, 20, "%zu", world.screened);
    world_fini(&world);
}
