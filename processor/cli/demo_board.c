#include "processor/cli/demo_board.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/histogram.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    SENT_KEPT = 1 << 20, /* an alert about an older event has no latency */
    OVER_US = 2 * 1000 * 1000,
    TEXT_SIZE = 512
};

struct sent {
    uint64_t number;
    int64_t at_us; /* 0: never */
    uint32_t burst;
    uint8_t attack;
    bool live;
};

struct burst_state {
    uint8_t attack;
    bool alerted;
    int64_t over_us; /* when its last payment was sent; 0: not yet */
};

struct demo_board {
    const struct plan *plan;
    enum generator_encoding encoding;
    struct clock clock;
    bool json, colour;
    pthread_mutex_t lock; /* all that follows */
    int64_t live_us;      /* 0: not yet */
    struct sent *sent;
    struct burst_state *bursts;
    size_t burst_count, burst_capacity;
    uint64_t sent_live, sent_before;
    uint64_t *rule_alerts; /* live */
    uint64_t dead_letters[STATUS_COUNT], broken[STATUS_COUNT]; /* found, and sent */
    struct histogram latency_us;
};

void demo_board_create(struct demo_board **out, const struct plan *borrowed,
                       enum generator_encoding encoding, bool json)
{
    ENSURE(*out == NULL);
    struct demo_board *board = mem_alloc(sizeof *board);
    board->plan = borrowed;
    board->encoding = encoding;
    board->clock = clock_real();
    board->json = json;
    board->colour = !json && isatty(STDOUT_FILENO) != 0;
    ENSURE(pthread_mutex_init(&board->lock, NULL) == 0);
    board->sent = mem_alloc_array(SENT_KEPT, sizeof *board->sent);
    board->rule_alerts = mem_alloc_array(borrowed->rule_count + 1, sizeof *board->rule_alerts);
    *out = board;
}

void demo_board_destroy(struct demo_board **board_ref)
{
    struct demo_board *board = TAKE(*board_ref);
    if (board == NULL)
        return;
    mem_free(board->sent);
    mem_free(board->bursts);
    mem_free(board->rule_alerts);
    pthread_mutex_destroy(&board->lock);
    mem_free(board);
}

/* --- what is sent --------------------------------------------------------------------------------- */

void demo_board_go_live(struct demo_board *board)
{
    pthread_mutex_lock(&board->lock);
    board->live_us = clock_us(&board->clock);
    pthread_mutex_unlock(&board->lock);
}

static struct burst_state *burst_of(struct demo_board *board, uint32_t number)
{
    while (board->burst_count < number) {
        if (board->burst_count == board->burst_capacity) {
            board->burst_capacity = board->burst_capacity == 0 ? 64 : board->burst_capacity * 2;
            board->bursts =
                mem_resize_array(board->bursts, board->burst_capacity, sizeof *board->bursts);
        }
        board->bursts[board->burst_count++] = (struct burst_state){ .attack = ATTACK_NONE };
    }
    return &board->bursts[number - 1];
}

static void remember_sent(struct demo_board *board, const struct generator_event *event)
{
    const int64_t now_us = clock_us(&board->clock);
    const bool live = board->live_us != 0;
    board->sent_live += live;
    board->sent_before += !live;
    board->sent[event->number % SENT_KEPT] = (struct sent){
        event->number, now_us, event->burst, (uint8_t)event->attack, live,
    };
    if (event->burst != 0) {
        struct burst_state *burst = burst_of(board, event->burst);
        burst->attack = (uint8_t)event->attack;
        if (event->ends_burst)
            burst->over_us = now_us;
    }
}

void demo_board_sent(struct demo_board *board, const struct generator_event *event)
{
    pthread_mutex_lock(&board->lock);
    if (event->poison != POISON_NONE)
        board->broken[generator_poison_reason(event->poison, board->encoding)]++;
    else if (!event->duplicate)
        remember_sent(board, event);
    pthread_mutex_unlock(&board->lock);
}

/* --- what comes out ------------------------------------------------------------------------------- */

/* The number at the end of the generator's ids. */
static const struct sent *find_sent(const struct demo_board *board, struct bytes id)
{
    uint64_t number = 0, place = 1;
    for (size_t i = id.size; i > 0 && id.data[i - 1] >= '0' && id.data[i - 1] <= '9'; i--) {
        number += (uint64_t)(id.data[i - 1] - '0') * place;
        place *= 10;
    }
    const struct sent *sent = &board->sent[number % SENT_KEPT];
    return sent->number == number && sent->at_us != 0 ? sent : NULL;
}

/* For %.*s. */
#define SHOW(text) \
    (int)((text).data == NULL ? 4 : (text).size), \
        (const char *)((text).data == NULL ? (const uint8_t *)"null" : (text).data)

/* What a reader wants to know of an alert whose rule has no message: the condition's values. */
static const char *message_of(const struct alert *alert, char *text, size_t size)
{
    if (alert->rule->message != NULL) {
        snprintf(text, size, "%.*s", SHOW(alert->message));
        return text;
    }
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < alert->operand_count && used < size; i++) {
        const struct alert_operand *operand = &alert->operands[i];
        used += (size_t)snprintf(text + used, size - used, "%s%s %.*s %s %.*s",
                                 i == 0 ? "" : ", ", operand->operand, SHOW(operand->value),
                                 operand->comparison, SHOW(operand->limit));
    }
    return text;
}

static const char *colour_of(const struct demo_board *board, enum severity severity)
{
    static const char *const colours[] = { "\033[36m", "\033[33m", "\033[31m", "\033[1;31m" };
    return board->colour ? colours[severity] : "";
}

static void show_alert(struct demo_board *board, const struct alert *alert,
                       const struct sent *event, int64_t latency_us)
{
    char text[TEXT_SIZE];
    const char *message = message_of(alert, text, sizeof text);
    const char *attack = generator_attack_name((enum generator_attack)event->attack);
    const double at_s = (double)(clock_us(&board->clock) - board->live_us) / 1e6;
    if (board->json) {
        printf("{\"at_s\":%.3f,\"severity\":\"%s\",\"rule\":\"%s\",\"entity\":\"%.*s\","
               "\"event_id\":\"%.*s\",\"latency_ms\":%.1f,\"message\":%s,\"attack\":\"%s\"}\n",
               at_s, severity_name(alert->rule->severity), alert->rule->name,
               SHOW(alert->entity), SHOW(alert->event.id), (double)latency_us / 1000,
               LOG_Q(message), attack);
    } else {
        printf("%7.1fs  %s%-8s  %-17s%s  %-9.*s %6.1f ms  %s%s%s%s\n", at_s,
               colour_of(board, alert->rule->severity), severity_name(alert->rule->severity),
               alert->rule->name, board->colour ? "\033[0m" : "", SHOW(alert->entity),
               (double)latency_us / 1000, message,
               event->attack == ATTACK_NONE ? "" : "  [attack: ", attack,
               event->attack == ATTACK_NONE ? "" : "]");
    }
    fflush(stdout);
}

static void take_alert(struct demo_board *board, const struct alert *alert)
{
    const int64_t now_us = clock_us(&board->clock);
    const struct sent *event = find_sent(board, alert->event.id);
    const struct sent *cause = alert->has_cause ? find_sent(board, alert->cause.id) : event;
    if (event != NULL && event->burst != 0 &&
        strcmp(alert->rule->name, generator_attack_rule((enum generator_attack)event->attack)) == 0)
        burst_of(board, event->burst)->alerted = true;
    if (event == NULL || cause == NULL || !cause->live)
        return;
    board->rule_alerts[alert->rule - board->plan->rules]++;
    histogram_add(&board->latency_us, (uint64_t)(now_us - cause->at_us));
    show_alert(board, alert, event, now_us - cause->at_us);
}

void demo_board_output(void *context, const struct output *output)
{
    struct demo_board *board = context;
    pthread_mutex_lock(&board->lock);
    if (output->kind == OUTPUT_ALERT)
        take_alert(board, output->alert);
    else
        board->dead_letters[output->reason]++;
    pthread_mutex_unlock(&board->lock);
}

/* --- the end -------------------------------------------------------------------------------------- */

struct attack_score {
    uint64_t begun, over, alerted; /* alerted: of all that began */
    uint64_t missed;               /* over, and not alerted */
};

static struct attack_score score_of(const struct demo_board *board, enum generator_attack attack,
                                    int64_t now_us)
{
    struct attack_score score = { .begun = 0 };
    for (size_t i = 0; i < board->burst_count; i++) {
        const struct burst_state *burst = &board->bursts[i];
        if (burst->attack != attack)
            continue;
        const bool over = burst->over_us != 0 && now_us - burst->over_us > OVER_US;
        score.begun++;
        score.over += over;
        score.alerted += burst->alerted;
        score.missed += over && !burst->alerted;
    }
    return score;
}

static void print_text(const struct demo_board *board, const struct demo_totals *totals,
                       const struct attack_score *scores)
{
    const struct histogram *latency = &board->latency_us;
    printf("\n%" PRIu64 " payments live, %" PRIu64 " before; %" PRIu64
           " records processed, %" PRIu64 " duplicates dropped, %" PRIu64
           " re-evaluated because of late payments\n\n", board->sent_live, board->sent_before,
           totals->records, totals->duplicates, totals->reevaluated);
    printf("%-22s %8s %8s   %s\n", "attack", "begun", "alerted", "what it is");
    for (int i = 1; i < ATTACK_COUNT; i++)
        printf("%-22s %8" PRIu64 " %8" PRIu64 "   %s%s\n",
               generator_attack_name((enum generator_attack)i), scores[i].begun, scores[i].alerted,
               generator_attack_text((enum generator_attack)i),
               scores[i].missed > 0 ? "   MISSED" : "");
    printf("\n%-22s %8s\n", "rule", "alerts");
    for (size_t i = 0; i < board->plan->rule_count; i++)
        printf("%-22s %8" PRIu64 "\n", board->plan->rules[i].name, board->rule_alerts[i]);
    printf("\n%-22s %8s %8s\n", "dead letters", "broken", "found");
    for (int i = 0; i < STATUS_COUNT; i++) {
        if (board->dead_letters[i] + board->broken[i] > 0)
            printf("%-22s %8" PRIu64 " %8" PRIu64 "%s\n", status_reason((enum status)i),
                   board->broken[i], board->dead_letters[i],
                   board->broken[i] == board->dead_letters[i] ? "" : "   WRONG");
    }
    printf("\nfrom payment to alert: half within %.1f ms, 99 %% within %.1f ms, all within %.1f ms\n",
           (double)histogram_quantile(latency, 0.5) / 1000,
           (double)histogram_quantile(latency, 0.99) / 1000, (double)latency->max / 1000);
}

static void print_json(const struct demo_board *board, const struct demo_totals *totals,
                       const struct attack_score *scores)
{
    const struct histogram *latency = &board->latency_us;
    printf("{\"summary\":{\"payments\":%" PRIu64 ",\"payments_before\":%" PRIu64
           ",\"records\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",\"reevaluated\":%" PRIu64
           ",\"attacks\":{", board->sent_live, board->sent_before, totals->records,
           totals->duplicates, totals->reevaluated);
    for (int i = 1; i < ATTACK_COUNT; i++)
        printf("%s\"%s\":{\"begun\":%" PRIu64 ",\"over\":%" PRIu64 ",\"alerted\":%" PRIu64
               ",\"missed\":%" PRIu64 "}", i == 1 ? "" : ",",
               generator_attack_name((enum generator_attack)i), scores[i].begun, scores[i].over,
               scores[i].alerted, scores[i].missed);
    printf("},\"alerts\":{");
    for (size_t i = 0; i < board->plan->rule_count; i++)
        printf("%s\"%s\":%" PRIu64, i == 0 ? "" : ",", board->plan->rules[i].name,
               board->rule_alerts[i]);
    printf("},\"dead_letters\":{");
    const char *comma = "";
    for (int i = 0; i < STATUS_COUNT; i++) {
        if (board->dead_letters[i] + board->broken[i] == 0)
            continue;
        printf("%s\"%s\":{\"broken\":%" PRIu64 ",\"found\":%" PRIu64 "}", comma,
               status_reason((enum status)i), board->broken[i], board->dead_letters[i]);
        comma = ",";
    }
    printf("},\"latency_ms\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}}}\n",
           (double)histogram_quantile(latency, 0.5) / 1000,
           (double)histogram_quantile(latency, 0.99) / 1000, (double)latency->max / 1000);
}

bool demo_board_summarise(struct demo_board *board, const struct demo_totals *totals)
{
    struct attack_score scores[ATTACK_COUNT];
    bool good = true;
    pthread_mutex_lock(&board->lock);
    const int64_t now_us = clock_us(&board->clock);
    for (int i = 1; i < ATTACK_COUNT; i++) {
        scores[i] = score_of(board, (enum generator_attack)i, now_us);
        good = good && scores[i].alerted > 0 && scores[i].missed == 0;
    }
    for (int i = 0; i < STATUS_COUNT; i++)
        good = good && board->dead_letters[i] == board->broken[i];
    if (board->json)
        print_json(board, totals, scores);
    else
        print_text(board, totals, scores);
    pthread_mutex_unlock(&board->lock);
    return good;
}
