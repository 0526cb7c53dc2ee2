/*
 * The log port against a real broker, case by case:
 *     kafka_port_conformance --list
 *     kafka_port_conformance BROKERS [CASE...]     all cases, or these; exit code 1 at the first failure
 */
#include <string.h>

#include "base/log.h"
#include "port_world.h"

static const struct conformance_case *const tables[] = { cases_transactions, cases_reading,
                                                         cases_membership, cases_admin,
                                                         cases_proxy };

/* Not run unless they are named. */
static bool is_special(const struct conformance_case *table)
{
    return table == cases_proxy;
}

static bool is_wanted(const char *name, int count, char **names)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return count == 0;
}

static int each_case(const char *brokers, int count, char **names)
{
    int runs = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        for (const struct conformance_case *each = tables[i]; each->name != NULL; each++) {
            if (count == 0 && is_special(tables[i]))
                continue;
            if (brokers == NULL)
                printf("%s\n", each->name);
            if (brokers == NULL || !is_wanted(each->name, count, names))
                continue;
            struct world world;
            const int64_t started_ms = world_ms();
            world_open(&world, brokers, each->name);
            each->run(&world);
            world_close(&world);
            printf("ok - %s (%lld ms)\n", each->name, (long long)(world_ms() - started_ms));
            fflush(stdout);
            runs++;
        }
    }
    return runs;
}

int main(int argc, char **argv)
{
    log_set_level(LOG_LEVEL_WARN);
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return each_case(NULL, 0, NULL);
    if (argc < 2) {
        fprintf(stderr, "usage: kafka_port_conformance --list | BROKERS [CASE...]\n");
        return 2;
    }
    return each_case(argv[1], argc - 2, argv + 2) > 0 ? 0 : 1;
}
