#include "processor/cli/interrupt.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

static atomic_bool interrupted;

static void on_signal(int number)
{
    if (atomic_exchange(&interrupted, true))
        _exit(128 + number);
}

const atomic_bool *interrupt_flag(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &interrupted;
}
