/* main: finds the command, takes its arguments apart, runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "processor/cli/command.h"
#include "processor/cli/config.h"
#include "processor/engine/version.h"
#include "processor/expression/expression.h"

#define COMMAND(name) extern const struct command command_##name;
#include "processor/cli/commands.def"
#undef COMMAND

static const struct command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "processor/cli/commands.def"
#undef COMMAND
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const struct option common_options[] = {
    { "help", NULL, "This text." },
    { .name = NULL },
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

int command_failed(const struct error *err)
{
    fprintf(stderr, "weir: %s\n", err->text);
    return err->status == ST_INVALID ? EXIT_CODE_USAGE : EXIT_CODE_FAILED;
}

static void print_usage(FILE *out)
{
    fputs("weir reads events from Kafka, keeps what each customer did lately, evaluates rules and writes alerts.\n\n"
          "usage: weir COMMAND [ARGUMENTS]\n\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char head[48];
        snprintf(head, sizeof head, "%s %s", commands[i]->name, commands[i]->operands);
        fprintf(out, "  %-22s %s\n", head, commands[i]->summary);
    }
    fputs("\n`weir COMMAND --help` explains one. Settings come from weir.yaml and WEIR_... (`weir run --help`).\n", out);
}

static void print_options(const struct option *options)
{
    for (const struct option *option = options; option != NULL && option->name != NULL; option++) {
        char head[64];
        snprintf(head, sizeof head, "--%s %s", option->name, option->value == NULL ? "" : option->value);
        printf("  %-26s %s\n", head, option->help);
    }
}

static void print_settings(void)
{
    struct buffer text;
    buffer_init(&text);
    config_describe(&text);
    fputs("\nsettings, in weir.yaml or the environment (registry.url is WEIR_REGISTRY_URL there); KEY_file names a file\n"
          "that holds the value:\n", stdout);
    fputs(buffer_text(&text), stdout);
    buffer_fini(&text);
}

static void print_help(const struct command *command)
{
    const char *space = command->operands[0] == '\0' ? "" : " ";
    printf("usage: weir %s%s%s [OPTIONS]\n\n%s\n\n", command->name, space, command->operands, command->description);
    print_options(command->options);
    print_options(common_options);
    if (command->lists_settings)
        print_settings();
    printf("\nexample:\n  %s\n", command->example);
}

static int unknown_command(const char *name)
{
    struct nearest_name nearest = { .wanted = name };
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        nearest_name_offer(&nearest, commands[i]->name);
    fprintf(stderr, "weir: unknown command '%s'", name);
    if (nearest.best != NULL)
        fprintf(stderr, "; did you mean '%s'?", nearest.best);
    fputs("\n", stderr);
    return EXIT_CODE_USAGE;
}

int main(int argc, char **argv)
{
    mem_tame_allocator();
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_CODE_USAGE : EXIT_CODE_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("weir " WEIR_VERSION);
        return EXIT_CODE_OK;
    }
    const struct command *command = command_find(argv[1]);
    if (command == NULL)
        return unknown_command(argv[1]);
    struct arguments arguments;
    struct error err;
    if (arguments_parse(&arguments, argc - 2, argv + 2, command->options, common_options, &err) != ST_OK)
        return command_failed(&err);
    if (arguments_has(&arguments, "help")) {
        print_help(command);
        return EXIT_CODE_OK;
    }
    return command->run(&arguments);
}
