#include "naive.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processor/expression/nodes.h"

/* ---- types ---- */

static struct value_type make(enum value_kind kind)
{
    return (struct value_type){ .kind = kind };
}

static struct value_type decimal_type(int scale)
{
    return (struct value_type){ .kind = VALUE_DECIMAL, .scale = (uint8_t)scale };
}

static bool is_number_kind(enum value_kind kind)
{
    return kind == VALUE_INT || kind == VALUE_DECIMAL || kind == VALUE_DOUBLE;
}

static struct value_type wider(struct value_type a, struct value_type b)
{
    if (a.kind == VALUE_NULL)
        return b;
    if (b.kind == VALUE_NULL)
        return a;
    if (is_number_kind(a.kind) && (a.kind == VALUE_DOUBLE || b.kind == VALUE_DOUBLE))
        return make(VALUE_DOUBLE);
    if (a.kind == VALUE_DECIMAL || b.kind == VALUE_DECIMAL)
        return decimal_type(a.scale > b.scale ? a.scale : b.scale);
    return a;
}

static struct value_type widest(const struct node *node, size_t from)
{
    struct value_type type = make(VALUE_NULL);
    for (size_t i = from; i < node->child_count; i++)
        type = wider(type, naive_type(node->children[i]));
    return type;
}

/* Powers of ten that the literal has; false when it is none. */
static bool power_of(const struct node *node, int *power)
{
    if (node->kind != NODE_LITERAL)
        return false;
    struct buffer text;
    buffer_init(&text);
    value_format(&text, &node->literal);
    const char *s = buffer_text(&text);
    const char *one = strchr(s, '1');
    const bool is = node->literal.kind != VALUE_DOUBLE && one != NULL &&
                    strspn(s, "01.") == strlen(s) && strchr(one + 1, '1') == NULL;
    if (is) {
        const char *point = strchr(s, '.') == NULL ? s + strlen(s) : strchr(s, '.');
        *power = (int)(point - one) - (point > one ? 1 : 0);
    }
    buffer_fini(&text);
    return is;
}

static struct value_type arithmetic_type(const struct node *node)
{
    const struct value_type a = naive_type(node->children[0]), b = naive_type(node->children[1]);
    int power;
    if (a.kind == VALUE_TIMESTAMP || b.kind == VALUE_TIMESTAMP)
        return make(a.kind == b.kind ? VALUE_DURATION : VALUE_TIMESTAMP);
    if (a.kind == VALUE_DURATION || b.kind == VALUE_DURATION)
        return make(node->op == OPERATOR_DIVIDE ? VALUE_DOUBLE : VALUE_DURATION);
    if (a.kind == VALUE_DOUBLE || b.kind == VALUE_DOUBLE)
        return make(VALUE_DOUBLE);
    if (node->op == OPERATOR_DIVIDE) {
        if (!power_of(node->children[1], &power))
            return make(VALUE_DOUBLE);
        return power == 0 ? a : decimal_type(a.scale + (power > 0 ? power : 0));
    }
    if (a.kind == VALUE_INT && b.kind == VALUE_INT)
        return make(VALUE_INT);
    return decimal_type(node->op == OPERATOR_MULTIPLY ? a.scale + b.scale
                        : a.scale > b.scale           ? a.scale
                                                      : b.scale);
}

static struct value_type call_type(const struct node *node)
{
    static const struct {
        const char *name;
        enum value_kind kind;
    } fixed[] = {
        { "is_null", VALUE_BOOL },     { "sign", VALUE_INT },      { "int", VALUE_INT },
        { "double", VALUE_DOUBLE },    { "length", VALUE_INT },    { "concat", VALUE_STRING },
        { "lower", VALUE_STRING },     { "string", VALUE_STRING }, { "hours", VALUE_DOUBLE },
        { "to_ms", VALUE_INT },        { "contains", VALUE_BOOL }, { "from_s", VALUE_TIMESTAMP },
        { "starts_with", VALUE_BOOL },
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcmp(fixed[i].name, node->name) == 0)
            return make(fixed[i].kind);
    const struct value_type first = naive_type(node->children[0]);
    if (strcmp(node->name, "if") == 0)
        return widest(node, 1);
    if (strcmp(node->name, "abs") == 0)
        return first;
    if (strcmp(node->name, "decimal") == 0)
        return decimal_type((int)node->children[1]->literal.i);
    if (strcmp(node->name, "round") == 0 && node->child_count == 2 && first.kind == VALUE_DECIMAL)
        return decimal_type(first.scale < node->children[1]->literal.i
                                ? first.scale
                                : (int)node->children[1]->literal.i);
    if (strcmp(node->name, "round") == 0 || strcmp(node->name, "floor") == 0 ||
        strcmp(node->name, "ceil") == 0)
        return make(first.kind == VALUE_DOUBLE ? VALUE_DOUBLE : VALUE_INT);
    return widest(node, 0); /* coalesce, least, greatest */
}

struct value_type naive_type(const struct node *node)
{
    struct value_type type;
    struct value row;
    switch (node->kind) {
    case NODE_LITERAL:
        return (struct value_type){ .kind = node->literal.kind, .scale = node->literal.scale };
    case NODE_NAME:
        world_name(world_slot(node->name), &type);
        return type;
    case NODE_NOT:
        return make(VALUE_BOOL);
    case NODE_NEGATE:
        return naive_type(node->children[0]);
    case NODE_CALL:
        return call_type(node);
    case NODE_LOOKUP: {
        const struct value key = value_string(BYTES_LITERAL("u1"));
        cr_assert(world_row_of(node->name, &key, node->column, &row));
        return (struct value_type){ .kind = row.kind, .scale = row.scale };
    }
    case NODE_BINARY:
        break;
    default:
        cr_assert_fail("no such node");
    }
    switch (node->op) {
    case OPERATOR_COALESCE:
        return widest(node, 0);
    case OPERATOR_ADD:
    case OPERATOR_SUBTRACT:
    case OPERATOR_MULTIPLY:
    case OPERATOR_DIVIDE:
    case OPERATOR_REMAINDER:
        return arithmetic_type(node);
    default:
        return make(VALUE_BOOL);
    }
}

/* ---- values ---- */

static struct value overflow(struct naive *naive)
{
    naive->overflows++;
    return value_null();
}

static struct value divided_by_zero(struct naive *naive)
{
    naive->divisions_by_zero++;
    return value_null();
}

static double as_double(const struct value *v)
{
    struct buffer text;
    if (v->kind == VALUE_DOUBLE)
        return v->d;
    buffer_init(&text);
    const struct value number = v->kind == VALUE_DURATION ? value_int(v->i) : *v;
    value_format(&text, &number);
    const double d = strtod(buffer_text(&text), NULL);
    buffer_fini(&text);
    return d;
}

static struct value from_double(struct naive *naive, double d)
{
    return isfinite(d) ? value_double(d) : overflow(naive);
}

static struct value from_int(struct naive *naive, enum value_kind kind, int128 x)
{
    if (x < INT64_MIN || x > INT64_MAX)
        return overflow(naive);
    return (struct value){ .kind = kind, .i = (int64_t)x };
}

/* Units of 10^-scale, or false when that is too large. */
static bool scaled(const struct value *v, int scale, int128 *out)
{
    *out = v->kind == VALUE_DECIMAL ? v->decimal : v->i;
    for (int i = v->kind == VALUE_DECIMAL ? v->scale : 0; i < scale; i++)
        if (__builtin_mul_overflow(*out, 10, out))
            return false;
    return true;
}

static struct value coerce(struct naive *naive, struct value v, struct value_type type)
{
    if (v.kind == VALUE_NULL || v.kind == type.kind)
        if (v.kind != VALUE_DECIMAL || v.scale == type.scale)
            return v;
    if (type.kind == VALUE_DOUBLE)
        return value_double(as_double(&v));
    int128 unscaled;
    return scaled(&v, type.scale, &unscaled) ? value_decimal(unscaled, type.scale)
                                             : overflow(naive);
}

/* Through the text, with the digits cut off by hand; half away from zero unless `cut`. */
static bool to_places(const struct value *v, int places, bool cut, int128 *out)
{
    if (v->kind == VALUE_DOUBLE && fabs(v->d) >= 9007199254740992.0) {
        const struct value exact = value_decimal(fabs(v->d) < 1e38 ? (int128)v->d : 0, 0);
        return fabs(v->d) < 1e38 && scaled(&exact, places, out);
    }
    struct buffer text;
    buffer_init(&text);
    value_format(&text, v);
    char digits[512];
    snprintf(digits, sizeof digits, "%s", buffer_text(&text));
    buffer_fini(&text);
    int exponent = 0;
    char *e = strchr(digits, 'e');
    if (e != NULL) {
        exponent = atoi(e + 1);
        *e = '\0';
    }
    char *point = strchr(digits, '.');
    const int behind = point == NULL ? 0 : (int)strlen(point + 1);
    if (point != NULL)
        memmove(point, point + 1, strlen(point));
    /* the text is now an integer of 10^(exponent - behind) units */
    int128 x = 0;
    const bool negative = digits[0] == '-';
    int drop = behind - exponent - places; /* digits to drop; negative: zeros to add */
    size_t size = strlen(digits);
    const char *start = digits + negative;
    size -= negative;
    bool up = false;
    if (drop > 0) {
        up = !cut && (size_t)drop <= size && start[size - drop] >= '5';
        size = (size_t)drop < size ? size - drop : 0;
    }
    for (size_t i = 0; i < size + (drop < 0 ? (size_t)-drop : 0); i++) {
        const int digit = i < size ? start[i] - '0' : 0;
        if (__builtin_mul_overflow(x, 10, &x) || __builtin_add_overflow(x, digit, &x))
            return false;
    }
    x += up;
    *out = negative ? -x : x;
    return true;
}

static struct value add_or_subtract(struct naive *naive, const struct node *node, struct value a,
                                    struct value b)
{
    const struct value_type type = naive_type(node);
    const bool add = node->op == OPERATOR_ADD;
    if (type.kind == VALUE_DOUBLE)
        return from_double(naive,
                           add ? as_double(&a) + as_double(&b) : as_double(&a) - as_double(&b));
    int128 x, y, sum;
    if (type.kind != VALUE_DECIMAL)
        return from_int(naive, type.kind, add ? (int128)a.i + b.i : (int128)a.i - b.i);
    if (!scaled(&a, type.scale, &x) || !scaled(&b, type.scale, &y))
        return overflow(naive);
    const bool over = add ? __builtin_add_overflow(x, y, &sum) : __builtin_sub_overflow(x, y, &sum);
    return over ? overflow(naive) : value_decimal(sum, type.scale);
}

static struct value multiply(struct naive *naive, const struct node *node, struct value a,
                             struct value b)
{
    const struct value_type type = naive_type(node);
    if (type.kind == VALUE_DOUBLE)
        return from_double(naive, as_double(&a) * as_double(&b));
    if (type.kind != VALUE_DECIMAL)
        return from_int(naive, type.kind, (int128)a.i * b.i);
    int128 x, y, product;
    cr_assert(scaled(&a, 0, &x) && scaled(&b, 0, &y));
    return __builtin_mul_overflow(x, y, &product) ? overflow(naive)
                                                  : value_decimal(product, type.scale);
}

static struct value divide(struct naive *naive, const struct node *node, struct value a,
                           struct value b)
{
    const struct value_type type = naive_type(node);
    int power;
    if (type.kind == VALUE_DOUBLE) {
        if (as_double(&b) == 0)
            return divided_by_zero(naive);
        return from_double(naive, as_double(&a) / as_double(&b));
    }
    cr_assert(power_of(node->children[1], &power));
    int128 x;
    cr_assert(scaled(&a, 0, &x));
    for (int i = power; i < 0; i++)
        if (__builtin_mul_overflow(x, 10, &x))
            return overflow(naive);
    return type.kind == VALUE_INT ? value_int((int64_t)x) : value_decimal(x, type.scale);
}

static struct value remainder_of(struct naive *naive, const struct node *node, struct value a,
                                 struct value b)
{
    const struct value_type type = naive_type(node);
    if (as_double(&b) == 0)
        return divided_by_zero(naive);
    if (type.kind == VALUE_DOUBLE)
        return from_double(naive, fmod(as_double(&a), as_double(&b)));
    if (type.kind == VALUE_INT)
        return value_int((int64_t)((int128)a.i % b.i));
    int128 x, y;
    if (!scaled(&a, type.scale, &x) || !scaled(&b, type.scale, &y))
        return overflow(naive);
    return value_decimal(y == -1 ? 0 : x % y, type.scale);
}

static struct value compare(const struct node *node, struct value a, struct value b)
{
    if (a.kind == VALUE_NULL || b.kind == VALUE_NULL)
        return value_null();
    const int order = value_compare(&a, &b);
    switch (node->op) {
    case OPERATOR_EQUAL:
        return value_bool(order == 0);
    case OPERATOR_NOT_EQUAL:
        return value_bool(order != 0);
    case OPERATOR_LESS:
        return value_bool(order < 0);
    case OPERATOR_LESS_EQUAL:
        return value_bool(order <= 0);
    case OPERATOR_GREATER:
        return value_bool(order > 0);
    default:
        return value_bool(order >= 0);
    }
}

static struct value logic(struct naive *naive, const struct node *node)
{
    const bool decisive = node->op == OPERATOR_OR;
    const struct value a = naive_evaluate(naive, node->children[0]);
    if (a.kind != VALUE_NULL && a.b == decisive)
        return a;
    const struct value b = naive_evaluate(naive, node->children[1]);
    if (b.kind != VALUE_NULL && b.b == decisive)
        return b;
    return a.kind == VALUE_NULL ? a : b;
}

static struct value in(struct naive *naive, const struct node *node)
{
    const struct node *list = node->children[1];
    const struct value x = naive_evaluate(naive, node->children[0]);
    struct value unused;
    if (list->kind == NODE_NAME)
        return x.kind == VALUE_NULL ? x : value_bool(world_row_of(list->name, &x, NULL, &unused));
    bool found = false, unsure = x.kind == VALUE_NULL;
    for (size_t i = 0; i < list->child_count; i++) {
        const struct value element = naive_evaluate(naive, list->children[i]);
        unsure = unsure || element.kind == VALUE_NULL;
        if (x.kind != VALUE_NULL && element.kind != VALUE_NULL)
            found = found || value_compare(&x, &element) == 0;
    }
    return found ? value_bool(true) : unsure ? value_null() : value_bool(false);
}

static struct value first_not_null(struct naive *naive, const struct node *node)
{
    for (size_t i = 0; i < node->child_count; i++) {
        const struct value v = naive_evaluate(naive, node->children[i]);
        if (v.kind != VALUE_NULL)
            return coerce(naive, v, naive_type(node));
    }
    return value_null();
}

static struct value negate(struct naive *naive, struct value v)
{
    int128 zero = 0, negated;
    if (v.kind == VALUE_DOUBLE)
        return value_double(-v.d);
    if (v.kind != VALUE_DECIMAL)
        return from_int(naive, v.kind, -(int128)v.i);
    return __builtin_sub_overflow(zero, v.decimal, &negated) ? overflow(naive)
                                                             : value_decimal(negated, v.scale);
}

static struct value text_value(const struct naive *naive, struct buffer *text)
{
    const struct value v = value_string(arena_copy(naive->world->arena, buffer_view(text)));
    buffer_fini(text);
    return v;
}

static struct value concat(const struct naive *naive, const struct value *arguments, size_t count)
{
    struct buffer text;
    buffer_init(&text);
    for (size_t i = 0; i < count; i++)
        value_format(&text, &arguments[i]);
    return text_value(naive, &text);
}

static bool is_below_zero(const struct value *v)
{
    return v->kind == VALUE_DOUBLE    ? v->d < 0
           : v->kind == VALUE_DECIMAL ? v->decimal < 0
                                      : v->i < 0;
}

static struct value whole(struct naive *naive, const char *name, struct value x)
{
    int128 cut, rounded;
    if (x.kind == VALUE_INT)
        return x;
    if (x.kind == VALUE_DOUBLE)
        return value_double(name[0] == 'f' ? floor(x.d) : name[0] == 'c' ? ceil(x.d) : round(x.d));
    cr_assert(to_places(&x, 0, true, &cut) && to_places(&x, 0, false, &rounded));
    const struct value truncated = value_decimal(cut, 0);
    const int order = value_compare(&truncated, &x);
    const int128 result = name[0] == 'r'   ? rounded
                          : name[0] == 'f' ? cut - (order > 0)
                                           : cut + (order < 0);
    return from_int(naive, VALUE_INT, result);
}

static struct value round_to(const struct node *node, struct value x)
{
    int128 out;
    const int digits = (int)node->children[1]->literal.i;
    if (x.kind == VALUE_INT)
        return x;
    const int places = x.kind == VALUE_DECIMAL && x.scale < digits ? x.scale : digits;
    if (!to_places(&x, places, false, &out))
        return x; /* a large double */
    const struct value rounded = value_decimal(out, (uint8_t)places);
    return x.kind == VALUE_DECIMAL ? rounded : value_double(as_double(&rounded));
}

static struct value to_int(struct naive *naive, struct value x)
{
    int128 out;
    if (x.kind == VALUE_BOOL)
        return value_int(x.b);
    if (!to_places(&x, 0, true, &out))
        return overflow(naive);
    return from_int(naive, VALUE_INT, out);
}

static struct value extreme(const char *name, const struct value *arguments, size_t count)
{
    struct value best = arguments[0];
    for (size_t i = 1; i < count; i++) {
        const int order = value_compare(&arguments[i], &best);
        if (name[0] == 'l' ? order < 0 : order > 0)
            best = arguments[i];
    }
    return best;
}

static struct value lower(const struct naive *naive, struct value s)
{
    struct buffer text;
    buffer_init(&text);
    for (size_t i = 0; i < s.text.size; i++)
        buffer_put_u8(&text, s.text.data[i] >= 'A' && s.text.data[i] <= 'Z' ? s.text.data[i] + 32
                                                                            : s.text.data[i]);
    return text_value(naive, &text);
}

static bool stands_at(struct bytes text, size_t at, struct bytes part)
{
    return text.size - at >= part.size &&
           (part.size == 0 || memcmp(text.data + at, part.data, part.size) == 0);
}

static struct value contains(const char *name, struct bytes text, struct bytes part)
{
    bool found = false;
    for (size_t at = 0; at <= (name[0] == 's' ? 0 : text.size); at++)
        found = found || stands_at(text, at, part);
    return value_bool(found);
}

static struct value call_strict(struct naive *naive, const struct node *node, const struct value *x,
                                size_t count)
{
    const char *name = node->name;
    int128 out;
    if (strcmp(name, "abs") == 0)
        return is_below_zero(x) ? negate(naive, *x) : *x;
    if (strcmp(name, "sign") == 0) {
        const double d = as_double(x);
        return value_int(d > 0 ? 1 : d < 0 ? -1 : 0);
    }
    if (strcmp(name, "round") == 0 && node->child_count == 2)
        return round_to(node, *x);
    if (strcmp(name, "floor") == 0 || strcmp(name, "ceil") == 0 || strcmp(name, "round") == 0)
        return whole(naive, name, *x);
    if (strcmp(name, "int") == 0)
        return to_int(naive, *x);
    if (strcmp(name, "double") == 0)
        return value_double(x->kind == VALUE_BOOL ? x->b : as_double(x));
    if (strcmp(name, "decimal") == 0) {
        const int places = (int)node->children[1]->literal.i;
        const struct value number = x->kind == VALUE_BOOL ? value_int(x->b) : *x;
        return to_places(&number, places, false, &out) ? value_decimal(out, (uint8_t)places)
                                                       : overflow(naive);
    }
    if (strcmp(name, "length") == 0) {
        int64_t length = 0;
        for (size_t i = 0; i < x->text.size; i++)
            length += (x->text.data[i] & 0xc0) != 0x80;
        return value_int(length);
    }
    if (strcmp(name, "concat") == 0 || strcmp(name, "string") == 0)
        return concat(naive, x, count);
    if (strcmp(name, "lower") == 0)
        return lower(naive, *x);
    if (strcmp(name, "hours") == 0)
        return value_double(as_double(x) / 3600000000.0);
    if (strcmp(name, "to_ms") == 0)
        return value_int((int64_t)floorl((long double)x->i / 1000));
    if (strcmp(name, "from_s") == 0)
        return from_int(naive, VALUE_TIMESTAMP, (int128)x->i * 1000000);
    if (strcmp(name, "least") == 0 || strcmp(name, "greatest") == 0)
        return extreme(name, x, count);
    cr_assert(strcmp(name, "contains") == 0 || strcmp(name, "starts_with") == 0, "%s", name);
    return contains(name, x[0].text, x[1].text);
}

static struct value call(struct naive *naive, const struct node *node)
{
    struct value arguments[8];
    const char *name = node->name;
    const bool has_digits = strcmp(name, "decimal") == 0 || strcmp(name, "round") == 0;
    const bool is_extreme = strcmp(name, "least") == 0 || strcmp(name, "greatest") == 0;
    const size_t count = has_digits ? 1 : node->child_count;
    if (strcmp(name, "coalesce") == 0)
        return first_not_null(naive, node);
    arguments[0] = naive_evaluate(naive, node->children[0]);
    if (strcmp(name, "is_null") == 0)
        return value_bool(arguments[0].kind == VALUE_NULL);
    if (strcmp(name, "if") == 0) {
        if (arguments[0].kind == VALUE_NULL)
            return value_null();
        return coerce(naive, naive_evaluate(naive, node->children[arguments[0].b ? 1 : 2]),
                      naive_type(node));
    }
    for (size_t i = 1; i < count; i++)
        arguments[i] = naive_evaluate(naive, node->children[i]);
    bool has_null = false;
    for (size_t i = 0; i < count; i++) {
        if (is_extreme)
            arguments[i] = coerce(naive, arguments[i], naive_type(node));
        has_null = has_null || arguments[i].kind == VALUE_NULL;
    }
    return has_null ? value_null() : call_strict(naive, node, arguments, count);
}

static struct value binary(struct naive *naive, const struct node *node)
{
    if (node->op == OPERATOR_AND || node->op == OPERATOR_OR)
        return logic(naive, node);
    if (node->op == OPERATOR_IN)
        return in(naive, node);
    if (node->op == OPERATOR_COALESCE)
        return first_not_null(naive, node);
    const struct value a = naive_evaluate(naive, node->children[0]);
    const struct value b = naive_evaluate(naive, node->children[1]);
    if (operator_is_comparison(node->op))
        return compare(node, a, b);
    if (a.kind == VALUE_NULL || b.kind == VALUE_NULL)
        return value_null();
    switch (node->op) {
    case OPERATOR_MULTIPLY:
        return multiply(naive, node, a, b);
    case OPERATOR_DIVIDE:
        return divide(naive, node, a, b);
    case OPERATOR_REMAINDER:
        return remainder_of(naive, node, a, b);
    default:
        return add_or_subtract(naive, node, a, b);
    }
}

struct value naive_evaluate(struct naive *naive, const struct node *node)
{
    struct value v = value_null();
    switch (node->kind) {
    case NODE_LITERAL:
        return node->literal;
    case NODE_NAME:
        return naive->world->slots[world_slot(node->name)];
    case NODE_NOT:
        v = naive_evaluate(naive, node->children[0]);
        return v.kind == VALUE_NULL ? v : value_bool(!v.b);
    case NODE_NEGATE:
        v = naive_evaluate(naive, node->children[0]);
        return v.kind == VALUE_NULL ? v : negate(naive, v);
    case NODE_CALL:
        return call(naive, node);
    case NODE_LOOKUP: {
        const struct value key = naive_evaluate(naive, node->children[0]);
        if (key.kind == VALUE_NULL || !world_row_of(node->name, &key, node->column, &v))
            return value_null();
        return v;
    }
    case NODE_BINARY:
        return binary(naive, node);
    default:
        cr_assert_fail("no such node");
        abort();
    }
}
