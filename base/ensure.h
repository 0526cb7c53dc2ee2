/*
 * ensure: assertions about our own code. They stay on in release builds: a process that stops is
 * recovered exactly, one that goes on with broken state is not. Never use them on outside bytes.
 */
#ifndef WEIR_BASE_ENSURE_H
#define WEIR_BASE_ENSURE_H

__attribute__((noreturn, cold)) void ensure_failed(const char *condition, const char *file,
                                                   int line);

#define ENSURE(condition)                                  \
    do {                                                   \
        if (__builtin_expect(!(condition), 0))             \
            ensure_failed(#condition, __FILE__, __LINE__); \
    } while (0)

#define UNREACHABLE() ensure_failed("unreachable", __FILE__, __LINE__)

#endif
