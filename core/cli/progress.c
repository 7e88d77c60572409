/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "progress.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

#define PLAIN_INFO_MS 1000 /* at most one line of news a second goes into a log file */

void progress_begin(struct progress *progress, bool wanted)
{
    *progress = (struct progress){.mode = PROGRESS_OFF, .since = clock_mono_ms()};
    if (!wanted) {
        return;
    }
    progress->mode = isatty(STDERR_FILENO) == 1 ? PROGRESS_LIVE : PROGRESS_PLAIN;
}

void progress_clear(struct progress *progress)
{
    if (progress->line_open) {
        (void)fputs("\r\033[K", stderr); /* ECMA-48 8.3.41, EL: to the end of the line */
        progress->line_open = false;
    }
}

static const char *stage_name(const struct progress *progress)
{
    return progress->stage[0] != '\0' ? progress->stage : "working";
}

/* The live line, drawn over the one before. */
static void draw_line(struct progress *progress, int64_t took)
{
    AUTO_FREE char *time = output_duration(took);
    AUTO_FREE char *line = str_format("  %s %s%s%s", stage_name(progress), time,
                                      progress->text[0] != '\0' ? "  " : "", progress->text);
    progress_clear(progress);
    /* One column stays free: a full line would wrap, and \r could not take it back. */
    (void)fprintf(stderr, "%.*s", output_width(STDERR_FILENO) - 1, line);
    (void)fflush(stderr);
    progress->line_open = true;
}

void progress_tick(struct progress *progress)
{
    int64_t took = clock_mono_ms() - progress->stage_since;
    if (!progress->running || took < PROGRESS_WORTH_MS) {
        return;
    }
    if (progress->mode == PROGRESS_LIVE) {
        draw_line(progress, took);
    } else if (!progress->announced) {
        progress->announced = true; /* who reads a log wants to know what is being waited for */
        (void)fprintf(stderr, "  %s ...\n", stage_name(progress));
    }
}

static void stage_start(struct progress *progress, const char *stage, int64_t elapsed)
{
    progress->stage_elapsed = elapsed;
    (void)snprintf(progress->stage, sizeof(progress->stage), "%s", stage);
    progress->text[0] = '\0';
    progress->running = true;
    progress->announced = false;
    progress->stage_since = clock_mono_ms();
}

static void stage_over(struct progress *progress, const char *stage, bool failed, int64_t took)
{
    progress_clear(progress);
    progress->running = false;
    if (!failed && took < PROGRESS_WORTH_MS) {
        return;
    }
    progress->told = true;
    AUTO_FREE char *time = output_duration(took);
    (void)fprintf(stderr, "  %s %s%s%s%s\n", stage,
                  output_style(STDERR_FILENO, failed ? STYLE_RED : STYLE_DIM),
                  failed ? "failed after " : "", time, output_style(STDERR_FILENO, STYLE_PLAIN));
}

static void stage_info(struct progress *progress, const char *stage, const char *text,
                       int64_t elapsed)
{
    if (!progress->running) {
        stage_start(progress, stage, elapsed);
    }
    (void)snprintf(progress->text, sizeof(progress->text), "%s", text);
    int64_t now = clock_mono_ms();
    if (progress->mode == PROGRESS_PLAIN && now - progress->info_at >= PLAIN_INFO_MS) {
        (void)fprintf(stderr, "  %s: %s\n", stage_name(progress), progress->text);
        progress->info_at = now;
    }
}

void progress_report(struct progress *progress, const json_t *params)
{
    if (progress->mode == PROGRESS_OFF) {
        return;
    }
    const char *state = json_get_string(params, "state", "info");
    AUTO_FREE char *stage = output_line(json_get_string(params, "stage", ""));
    AUTO_FREE char *text = output_line(json_get_string(params, "text", ""));
    int64_t elapsed = json_get_int(params, "elapsed_ms", 0); /* of the whole operation */
    if (strcmp(state, "start") == 0) {
        stage_start(progress, stage, elapsed);
    } else if (strcmp(state, "info") == 0) {
        stage_info(progress, stage, text, elapsed);
    } else {
        stage_over(progress, stage, strcmp(state, "failed") == 0,
                   elapsed - progress->stage_elapsed);
    }
    progress_tick(progress);
}

void progress_say_cancelling(struct progress *progress)
{
    if (progress->mode != PROGRESS_OFF && !progress->interrupted) {
        progress->interrupted = true;
        progress_clear(progress);
        (void)fputs("  cancelling and cleaning up; press Ctrl-C again to leave at once\n", stderr);
    }
}

void progress_end(struct progress *progress, bool done)
{
    progress_clear(progress);
    if (done && progress->told) {
        AUTO_FREE char *time = output_duration(clock_mono_ms() - progress->since);
        (void)fprintf(stderr, "  done in %s\n", time);
    }
    progress->mode = PROGRESS_OFF;
}
