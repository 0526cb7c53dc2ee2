/*
 * command: the commands of the `weir` program. Each is one file; commands.def lists them. Only this folder reads argv and
 * the environment.
 */
#ifndef WEIR_PROCESSOR_CLI_COMMAND_H
#define WEIR_PROCESSOR_CLI_COMMAND_H

#include <stdbool.h>

#include "base/error.h"
#include "processor/cli/arguments.h"

/* What a process says to its caller. */
enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILED = 1,  /* it ran and failed */
    EXIT_CODE_USAGE = 2,   /* the command line or a file is wrong */
    EXIT_CODE_DIFFERS = 3, /* a comparison or a check found something */
};

struct command {
    const char *name;
    const char *operands; /* "TOPOLOGY", or "" */
    const char *summary;
    const char *description;
    const char *example;
    const struct option *options; /* ends with a NULL name; the common ones are added */
    bool lists_settings;          /* --help shows weir.yaml's too */
    int (*run)(const struct arguments *arguments);
};

/* Prints "weir: text" (the error's) on stderr and returns EXIT_CODE_FAILED, or EXIT_CODE_USAGE for what the user can mend. */
int command_failed(const struct error *err);
/* The command of that name, or NULL. */
const struct command *command_find(const char *name);

#endif
