#include <criterion/criterion.h>

#include "processor/cli/patience.h"

static struct clock_virtual now;
static atomic_bool stop;

static struct patience begin(void)
{
    struct patience patience;
    const struct clock clock = clock_of_virtual(&now);
    atomic_store(&stop, false);
    patience_init(&patience, &clock, &stop);
    return patience;
}

static struct error failed_with(enum status st)
{
    struct error err;
    FAIL(&err, st, "asking for topic 'x'");
    return err;
}

Test(patience, waits_for_a_broker_but_not_for_ever)
{
    const struct patience patience = begin();
    const struct error away = failed_with(ST_BROKER_BUSY);
    int tries = 0;
    while (patience_lasts(&patience, &away))
        tries++;
    cr_expect_eq(tries, 120, "a second each");
    cr_expect_eq(patience_result(&patience, ST_BROKER_BUSY), ST_BROKER_BUSY);
}

Test(patience, a_mistake_is_told_at_once)
{
    const struct patience patience = begin();
    const struct error missing = failed_with(ST_NOT_FOUND), in_use = failed_with(ST_LOCAL_BUSY);
    cr_expect_not(patience_lasts(&patience, &missing));
    cr_expect_not(patience_lasts(&patience, &in_use));
    cr_expect_eq(patience_result(&patience, ST_NOT_FOUND), ST_NOT_FOUND);
}

Test(patience, who_is_told_to_stop_while_it_waits_ends_cleanly)
{
    const struct patience patience = begin();
    const struct error away = failed_with(ST_BROKER_BUSY), missing = failed_with(ST_NOT_FOUND);
    atomic_store(&stop, true);
    cr_expect_not(patience_lasts(&patience, &away));
    cr_expect_eq(patience_result(&patience, ST_BROKER_BUSY), ST_OK);
    cr_expect_not(patience_lasts(&patience, &missing));
    cr_expect_eq(patience_result(&patience, ST_NOT_FOUND), ST_NOT_FOUND);
}
