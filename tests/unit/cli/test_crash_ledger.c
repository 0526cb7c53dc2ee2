#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "processor/cli/crash_ledger.h"

static char directory[] = "/tmp/weir-ledger-XXXXXX";
static struct topic items[] = { { .name = (char *)"payments" }, { .name = (char *)"profiles" } };
static struct topics topics = { .items = items, .count = 2 };

static void make_directory(void)
{
    cr_assert_not_null(mkdtemp(directory));
}

static void remove_directory(void)
{
    AUTO(mem_auto_free) char *command = mem_format("rm -rf '%s'", directory);
    cr_assert_eq(system(command), 0);
}

static struct crash_ledger *open_ledger(void)
{
    struct crash_ledger *ledger = NULL;
    struct error err;
    cr_assert_eq(crash_ledger_open(&ledger, directory, &topics, 2, &err), ST_OK, "%s", err.text);
    return ledger;
}

/* A process that dies by SIGKILL with this record in hand of its second worker; offset < 0: nothing. */
static void die_at(int topic, int32_t partition, int64_t offset)
{
    const pid_t child = fork();
    if (child == 0) {
        struct in_hand *hand = crash_ledger_in_hand(open_ledger(), 1);
        in_hand_take(hand, 0, 0, 4711);
        in_hand_put_down(hand);
        if (offset >= 0)
            in_hand_take(hand, topic, partition, offset);
        raise(SIGKILL);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static int deaths_at(int topic, int32_t partition, int64_t offset)
{
    struct crash_ledger *ledger = open_ledger();
    struct crash_watch watch;
    crash_ledger_watch(ledger, &watch);
    crash_ledger_close(&ledger);
    return crash_watch_deaths(&watch, topic, partition, offset);
}

static size_t notices(void)
{
    struct buffer text;
    struct error err;
    size_t count = 0;
    buffer_init(&text);
    cr_assert_eq(crash_notices_list(directory, &text, &count, &err), ST_OK, "%s", err.text);
    cr_assert_eq(count == 0, text.size == 0);
    buffer_fini(&text);
    return count;
}

TestSuite(crash_ledger, .init = make_directory, .fini = remove_directory);

Test(crash_ledger, counts_deaths_at_a_record_and_no_others)
{
    cr_assert_eq(deaths_at(0, 3, 17), 0);
    die_at(0, 3, 17);
    die_at(0, 3, -1);
    die_at(0, 3, 17);
    cr_assert_eq(deaths_at(0, 3, 17), 2);
    cr_assert_eq(deaths_at(0, 3, 17), 2, "a start in between counts nothing");
    cr_assert_eq(deaths_at(1, 3, 17), 0);
    cr_assert_eq(deaths_at(0, 3, 4711), 0);
}

Test(crash_ledger, two_records_that_kill_by_turns_are_both_counted)
{
    for (int i = 0; i < 3; i++) {
        die_at(0, 3, 17);
        die_at(1, 2, 5);
    }
    cr_assert_eq(deaths_at(0, 3, 17), 3);
    cr_assert_eq(deaths_at(1, 2, 5), 3);
}

Test(crash_ledger, forgets_the_longest_unseen_of_too_many)
{
    for (int i = 0; i < CRASH_SUSPECTS_MAX + 1; i++)
        die_at(0, 0, i);
    cr_assert_eq(deaths_at(0, 0, 0), 0);
    cr_assert_eq(deaths_at(0, 0, 1), 1);
    cr_assert_eq(deaths_at(0, 0, CRASH_SUSPECTS_MAX), 1);
}

Test(crash_ledger, a_committed_record_is_cleared_for_good)
{
    die_at(0, 3, 17);
    die_at(0, 3, 18);
    struct crash_ledger *ledger = open_ledger();
    crash_ledger_passed(ledger, &(struct crash_suspect){ .topic = 0, .partition = 3, .offset = 17, .deaths = 1 });
    crash_ledger_close(&ledger);
    cr_assert_eq(deaths_at(0, 3, 17), 0);
    cr_assert_eq(deaths_at(0, 3, 18), 1);
}

Test(crash_ledger, the_fourth_death_leaves_a_notice_until_it_is_acknowledged)
{
    struct error err;
    for (int i = 0; i < 3; i++)
        die_at(0, 3, 17);
    cr_assert_eq(deaths_at(0, 3, 17), 3);
    cr_assert_eq(notices(), 0);
    die_at(0, 3, 17);
    cr_assert_eq(deaths_at(0, 3, 17), 4);
    cr_assert_eq(notices(), 1);
    cr_assert_eq(crash_notices_acknowledge(directory, &err), ST_OK);
    cr_assert_eq(notices(), 0);
    cr_assert_eq(deaths_at(0, 3, 17), 4, "it is still skipped");
    cr_assert_eq(notices(), 0, "a start without a death gives no new notice");
}

Test(crash_ledger, names_topics_not_numbers)
{
    die_at(1, 3, 17);
    static struct topic other[] = { { .name = (char *)"profiles" }, { .name = (char *)"payments" } };
    topics.items = other;
    cr_assert_eq(deaths_at(0, 3, 17), 1);
    cr_assert_eq(deaths_at(1, 3, 17), 0);
    topics.items = items;
}
