/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "failpoint.h"

#ifdef BANGER_FAULTS

#include "cleanup.h"
#include "clock.h"
#include "file.h"
#include "log.h"
#include "name.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

bool failpoint_armed;

static const char *const acts_of[] = {
    [FAILPOINT_KILL] = "kill delay",
    [FAILPOINT_FAIL] = "kill delay error",
    [FAILPOINT_WRITE] = "kill delay error enospc",
};

/* -- All there are ---------------------------------------------------------------------------------- */

extern const struct failpoint_place *const __start_failpoints[] __attribute__((weak));
extern const struct failpoint_place *const __stop_failpoints[] __attribute__((weak));

struct row {
    char *place; /* NAME:MOMENT */
    enum failpoint_kind kind;
};

struct rows {
    struct row *items;
    size_t count;
};

static void rows_free(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        free(rows->items[i].place);
    }
    free(rows->items);
}

static void add(struct rows *rows, const char *name, const struct failpoint_place *place)
{
    rows->items = xrealloc(rows->items, (rows->count + 1) * sizeof(*rows->items));
    rows->items[rows->count++] =
        (struct row){str_format("%s:%s", name, place->moment), place->kind};
}

static int by_place(const void *one, const void *other)
{
    return strcmp(((const struct row *)one)->place, ((const struct row *)other)->place);
}

/* Two stages may have one name, and two functions one moment: that is one place. */
static void sort_once(struct rows *rows)
{
    size_t kept = 0;
    qsort(rows->items, rows->count, sizeof(*rows->items), by_place);
    for (size_t i = 0; i < rows->count; i++) {
        if (kept > 0 && strcmp(rows->items[kept - 1].place, rows->items[i].place) == 0) {
            free(rows->items[i].place);
        } else {
            rows->items[kept++] = rows->items[i];
        }
    }
    rows->count = kept;
}

static struct rows collect(void)
{
    struct rows rows = {0};
    for (const struct failpoint_place *const *at = __start_failpoints; at != __stop_failpoints;
         at++) {
        const struct failpoint_place *place = *at;
        if (place->name != NULL) {
            add(&rows, place->name, place);
        }
        for (size_t i = 0; i < place->count; i++) {
            const char *column = (const char *)place->names + i * place->stride;
            add(&rows, *(const char *const *)(const void *)column, place);
        }
    }
    sort_once(&rows);
    return rows;
}

void failpoint_list(FILE *out)
{
    AUTO(rows_free) struct rows rows = collect();
    for (size_t i = 0; i < rows.count; i++) {
        (void)fprintf(out, "%zu %s %s\n", i + 1, rows.items[i].place, acts_of[rows.items[i].kind]);
    }
}

/* -- The one that acts ------------------------------------------------------------------------------ */

/* `lock` keeps the numbers and the lines of the log in one order. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static char *target; /* NAME:MOMENT; NULL: none */
static int64_t target_pass;
static const char *target_act;

/* How often each place has been passed: there are a hundred or two. */
static struct {
    char *place;
    int64_t count;
} * passed;
static size_t passed_count;

static int64_t count_pass(const char *place)
{
    size_t i = 0;
    while (i < passed_count && strcmp(passed[i].place, place) != 0) {
        i++;
    }
    if (i == passed_count) {
        passed = xrealloc(passed, ++passed_count * sizeof(*passed));
        passed[i].place = xstrdup(place);
        passed[i].count = 0;
    }
    return ++passed[i].count;
}

/* The text up to the act, of which `act` is the word behind the last colon. */
static int read_act(const char *text, char *act, enum failpoint_kind kind, banger_error *err)
{
    static const char *const words[] = {"kill", "delay", "error", "enospc"};
    static const enum failpoint_kind least[] = {FAILPOINT_KILL, FAILPOINT_KILL, FAILPOINT_FAIL,
                                                FAILPOINT_WRITE};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(act, words[i]) == 0 && kind >= least[i]) {
            target_act = words[i];
            return 0;
        }
    }
    return error_set(err, BANGER_EINVALID, "BANGER_FAULT is '%.96s': at that place there is %s",
                     text, acts_of[kind]);
}

static int find_place(const char *place, enum failpoint_kind *kind, banger_error *err)
{
    AUTO(rows_free) struct rows rows = collect();
    AUTO_FREE const char **names = xcalloc(rows.count + 1, sizeof(*names));
    for (size_t i = 0; i < rows.count; i++) {
        names[i] = rows.items[i].place;
        if (strcmp(names[i], place) == 0) {
            *kind = rows.items[i].kind;
            return 0;
        }
    }
    (void)error_set(err, BANGER_EINVALID, "there is no failpoint '%.96s'", place);
    const char *nearest = str_nearest(place, names, rows.count);
    return nearest != NULL ? error_hint(err, "did you mean '%s'?", nearest)
                           : error_hint(err, "bangerd --failpoints lists them");
}

static int read_target(const char *text, banger_error *err)
{
    AUTO_FREE char *place = xstrdup(text);
    enum failpoint_kind kind = FAILPOINT_KILL;
    char *act = strrchr(place, ':');
    if (act == NULL || strchr(place, ':') == act) {
        return error_set(err, BANGER_EINVALID,
                         "BANGER_FAULT is '%.96s': use NAME:MOMENT[@N]:kill|error|delay|enospc",
                         text);
    }
    *act++ = '\0';
    char *number = strchr(place, '@');
    target_pass = 1;
    if (number != NULL) {
        *number++ = '\0';
        if (number_parse("BANGER_FAULT's pass", number, 1, INT_MAX, &target_pass, err) < 0) {
            return -1;
        }
    }
    if (find_place(place, &kind, err) < 0 || read_act(text, act, kind, err) < 0) {
        return -1;
    }
    target = STEAL(place);
    return 0;
}

int failpoint_arm(banger_error *err)
{
    const char *text = getenv("BANGER_FAULT");
    const char *path = getenv("BANGER_FAULT_LOG");
    if (text != NULL && read_target(text, err) < 0) {
        return -1;
    }
    if (path != NULL) {
        log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (log_fd < 0) {
            return error_sys(err, errno, "cannot open the log of failpoints %s", path);
        }
    }
    failpoint_armed = text != NULL || path != NULL;
    if (failpoint_armed) {
        log_warn("failpoints are armed: this daemon is being tested");
    }
    return 0;
}

/* Whether this pass is the one. The line is written before anything happens. */
static bool is_hit(const char *place, enum failpoint_kind kind)
{
    (void)pthread_mutex_lock(&lock);
    int64_t number = count_pass(place);
    if (log_fd >= 0) {
        AUTO_FREE char *line = str_format("%s@%lld %s\n", place, (long long)number, acts_of[kind]);
        if (fd_write_all(log_fd, line, strlen(line), NULL) < 0) {
            abort(); /* a list of places that has gaps would be believed */
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return target != NULL && number == target_pass && strcmp(place, target) == 0;
}

int failpoint_pass(const char *name, const char *moment, enum failpoint_kind kind,
                   banger_error *err)
{
    AUTO_FREE char *place = str_format("%s:%s", name, moment);
    if (!is_hit(place, kind)) {
        return 0;
    }
    if (strcmp(target_act, "kill") == 0) {
        (void)kill(getpid(), SIGKILL); /* does not return: signal(7), and nobody can block it */
    }
    if (strcmp(target_act, "delay") == 0) {
        const struct timespec pause = {.tv_nsec = FAILPOINT_DELAY_MS * 1000000L};
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        return 0;
    }
    return strcmp(target_act, "enospc") == 0 ? error_sys(err, ENOSPC, "failpoint %s", place)
                                             : error_set(err, BANGER_EIO, "failpoint %s", place);
}

#endif
