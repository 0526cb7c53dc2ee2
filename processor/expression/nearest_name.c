#include "processor/expression/nearest_name.h"

#include <stdbool.h>
#include <string.h>

enum { NAME_MAX_COMPARED = 64 }; /* longer names are never offered as a guess */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Optimal string alignment distance, row by row (the two rows before are needed for swaps). */
static size_t edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][NAME_MAX_COMPARED + 1];
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1));
            const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                                 lower(a[i - 2]) == lower(b[j - 1]);
            if (swapped && above2[j - 2] + 1 < row[j])
                row[j] = above2[j - 2] + 1;
        }
    }
    return rows[a_size % 3][b_size];
}

void nearest_name_offer(struct nearest_name *nearest, const char *candidate)
{
    const size_t wanted_size = strlen(nearest->wanted);
    const size_t size = strlen(candidate);
    if (wanted_size == 0 || wanted_size > NAME_MAX_COMPARED || size > NAME_MAX_COMPARED)
        return;
    const size_t near = wanted_size / 3 > 1 ? wanted_size / 3 : 1;
    const size_t distance = edit_distance(nearest->wanted, wanted_size, candidate, size);
    if (distance > near || distance == wanted_size ||
        (nearest->best != NULL && distance >= nearest->best_distance))
        return;
    nearest->best = candidate;
    nearest->best_distance = distance;
}
