#include "processor/engine/isolation.h"

#include <stdio.h>

#include "base/ensure.h"
#include "processor/steps/outputs.h"

enum { REFUSALS_MAX = 2 };

/* How much of the value a dead letter brings along, the first time and after each refusal. */
static const size_t value_max_of_cut[] = { DEAD_LETTER_VALUE_MAX, 16 * 1024, 0 };
enum { CUTS = sizeof value_max_of_cut / sizeof value_max_of_cut[0] };

static bool is_sentenced(const struct isolation *isolation, int topic, int64_t offset)
{
    const struct sentence *sentence = &isolation->sentence;
    return sentence->exists && sentence->topic == topic && sentence->offset == offset;
}

static bool sentence_record(struct isolation *isolation, const struct refusal *refusal)
{
    struct sentence *sentence = &isolation->sentence;
    if (is_sentenced(isolation, refusal->topic, refusal->offset)) {
        sentence->cut++;
    } else {
        *sentence = (struct sentence){
            .exists = true, .topic = refusal->topic, .offset = refusal->offset, .reason = refusal->reason,
            .cut = refusal->is_dead_letter ? 1 : 0,
        };
        snprintf(sentence->detail, sizeof sentence->detail, "%s", refusal->detail);
    }
    if (sentence->cut >= CUTS)
        return false;
    sentence->value_max = value_max_of_cut[sentence->cut];
    return true;
}

bool isolation_refused(struct isolation *isolation, const struct refusal *refusal)
{
    ENSURE(refusal->records > 0 && status_class_of(refusal->reason) == CLASS_SKIP);
    if (!isolation_is_suspected(isolation)) {
        if (++isolation->refusals >= REFUSALS_MAX)
            isolation->left = isolation->at_once = refusal->records;
        return true;
    }
    if (refusal->records == 1)
        return sentence_record(isolation, refusal);
    isolation->at_once = refusal->records / 2;
    return true;
}

void isolation_committed(struct isolation *isolation, size_t records)
{
    ENSURE(records > 0);
    isolation->refusals = 0;
    isolation->sentence.exists = false;
    isolation->left -= isolation->left < records ? isolation->left : records;
    if (isolation->left == 0)
        isolation->at_once = 0;
}

const struct sentence *isolation_sentence(const struct isolation *isolation, int topic, int64_t offset)
{
    return is_sentenced(isolation, topic, offset) ? &isolation->sentence : NULL;
}

void isolation_end(struct isolation *isolation)
{
    *isolation = (struct isolation){ .refusals = 0 };
}
