/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmm_start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MODE 0640
#define TAIL_BYTES 600                 /* of a log, for the error text */
#define TAIL_TEXT (2 * TAIL_BYTES + 1) /* every newline becomes two characters */

/* Between two looks at cancellation; a lost event costs no more than this either. */
#define TICK_MS 250

void vmm_start_make_printable(char *text, size_t size)
{
    char copy[TAIL_TEXT];
    char *to = text;
    const char *end = text + size - 2; /* room for one more character, and the end */

    (void)snprintf(copy, sizeof(copy), "%s", text);
    for (const char *from = copy; *from != '\0' && to < end; from++) {
        if (*from == '\n' && from[1] != '\0') {
            *to++ = ';';
            *to++ = ' ';
            while (from[1] == '\n') {
                from++;
            }
        } else if ((unsigned char)*from >= ' ' && *from != 0x7f) {
            *to++ = *from;
        }
    }
    *to = '\0';
}

int vmm_start_add_log(struct vmm_start *start, const char *path)
{
    struct stat status = {0};
    size_t at = start->log_count;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, LOG_MODE);

    if (fd < 0 || fstat(fd, &status) < 0) {
        int reason = errno;

        if (fd >= 0) {
            (void)close(fd);
        }
        return start->host->fail(start->call, BANGER_EIO, "cannot write %s: %s", path,
                                 strerror(reason));
    }
    (void)close(fd);
    (void)snprintf(start->logs[at].path, sizeof(start->logs[at].path), "%s", path);
    start->logs[at].start = status.st_size;
    start->log_count++;
    return 0;
}

int vmm_start_watch(struct vmm_start *start, const char *folder)
{
    start->events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (start->events < 0 || inotify_add_watch(start->events, folder, IN_CREATE | IN_ONLYDIR) < 0 ||
        (start->log_watch = inotify_add_watch(start->events, start->logs[0].path, IN_CLOSE_WRITE)) <
            0) {
        return start->host->fail(start->call, BANGER_EIO, "cannot watch %s: %s", folder,
                                 strerror(errno));
    }
    return 0;
}

bool vmm_start_has_ended(const struct vmm_start *start)
{
    struct pollfd entry = {.fd = start->events, .events = POLLIN};
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool closed = false;
    ssize_t got;

    (void)poll(&entry, 1, TICK_MS);
    while ((got = read(start->events, buffer, sizeof(buffer))) > 0) {
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const void *)(buffer + at);

            closed = closed || event->wd == start->log_watch;
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    return closed;
}

/* The last of what this run wrote into a log, in one line; "" when it wrote nothing. */
static void read_tail(const struct vmm_start *start, size_t index, char tail[TAIL_TEXT])
{
    int fd = open(start->logs[index].path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    off_t begin = start->logs[index].start;
    ssize_t got = 0;

    if (end - TAIL_BYTES > begin) {
        begin = end - TAIL_BYTES;
    }
    if (end > begin) {
        got = pread(fd, tail, TAIL_BYTES, begin);
    }
    tail[got > 0 ? got : 0] = '\0';
    vmm_start_make_printable(tail, TAIL_TEXT);
    if (fd >= 0) {
        (void)close(fd);
    }
}

int vmm_start_fail(const struct vmm_start *start, int code, const char *what)
{
    char text[VMM_START_LOGS_MAX * (TAIL_TEXT + 2)] = "";
    size_t used = 0;

    for (size_t i = 0; i < start->log_count; i++) {
        char tail[TAIL_TEXT];

        read_tail(start, i, tail);
        if (*tail != '\0') {
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? "; " : "",
                                     tail);
        }
    }
    start->host->hint(start->call, "%s's own log is %s", start->name,
                      start->logs[start->log_count - 1].path);
    return start->host->fail(start->call, code, "%s: %s", what,
                             used > 0 ? text : "it printed nothing");
}

int vmm_start_give_up(const struct vmm_start *start, bool ended)
{
    char what[128];

    if (ended) {
        (void)snprintf(what, sizeof(what), "%s ended at once", start->name);
        return vmm_start_fail(start, BANGER_EIO, what);
    }
    if (start->host->remaining_ms(start->call) == 0) {
        (void)snprintf(what, sizeof(what), "%s did not begin to answer before the deadline",
                       start->name);
        return vmm_start_fail(start, BANGER_ETIMEDOUT, what);
    }
    return start->host->cancelled(start->call)
               ? start->host->fail(start->call, BANGER_ECANCELLED, "the start was cancelled")
               : 0;
}

void vmm_start_end(struct vmm_start *start)
{
    if (start->events >= 0) {
        (void)close(start->events);
    }
    start->events = -1;
}
