/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "follow.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/utf8.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>

#define BLOCK 65536
#define LINE_MAX_BYTES 65536 /* a guest that never ends its line does not fill our memory */

int follow_seek(struct follow *follow, int64_t lines, banger_error *err)
{
    AUTO_FREE char *block = xmalloc(BLOCK);
    off_t end = lseek(follow->fd, 0, SEEK_END);
    off_t at = lines > 0 ? end : 0;
    while (at > 0) {
        off_t start = at > BLOCK ? at - BLOCK : 0;
        ssize_t got = pread(follow->fd, block, (size_t)(at - start), start);
        if (got <= 0) {
            return error_sys(err, got < 0 ? errno : EIO, "cannot read the log");
        }
        for (ssize_t i = got - 1; i >= 0; i--) {
            /* The newline at the very end closes the last line and begins none. */
            if (block[i] == '\n' && start + i + 1 < end && lines-- <= 1) {
                start += i + 1;
                (void)lseek(follow->fd, start, SEEK_SET);
                return 0;
            }
        }
        at = start;
    }
    (void)lseek(follow->fd, lines > 0 ? 0 : end, SEEK_SET);
    return 0;
}

static void put_line(struct follow *follow, const char *text, size_t length)
{
    if (follow->form == FOLLOW_JSON) {
        AUTO_JSON json_t *line = json_pack("{s:o}", "line", utf8_json(text, length));
        output_json_line(line);
        return;
    }
    AUTO_FREE char *shown = str_printable(text, length);
    (void)fputs(shown, stdout);
}

/* Every whole line that is pending. `all`: the unfinished one too. */
static void put_pending(struct follow *follow, bool all)
{
    struct buf *pending = &follow->pending;
    size_t done = 0;
    for (;;) {
        const char *from = pending->data + done;
        const char *newline = memchr(from, '\n', pending->length - done);
        if (newline == NULL) {
            break;
        }
        size_t length = (size_t)(newline - from);
        put_line(follow, from, follow->form == FOLLOW_JSON ? length : length + 1);
        done += length + 1;
    }
    if (pending->length > done && (all || pending->length - done >= LINE_MAX_BYTES)) {
        put_line(follow, pending->data + done, pending->length - done);
        done = pending->length;
    }
    buf_consume(pending, done);
    (void)fflush(stdout);
}

int follow_drain(struct follow *follow, banger_error *err)
{
    AUTO_FREE char *block = xmalloc(BLOCK);
    for (;;) {
        ssize_t got = read(follow->fd, block, BLOCK);
        if (got < 0 && errno == EINTR && signals_caught() == 0) {
            continue;
        }
        if (got < 0 && errno != EINTR) {
            return error_sys(err, errno, "cannot read the log");
        }
        if (got <= 0) {
            break;
        }
        if (follow->form == FOLLOW_RAW) {
            if (fd_write_all(STDOUT_FILENO, block, (size_t)got, err) < 0) {
                return -1;
            }
            continue;
        }
        buf_append(&follow->pending, block, (size_t)got);
        put_pending(follow, false);
    }
    /* A prompt has no newline and is to be seen all the same; a JSON line is whole or not there. */
    if (follow->form == FOLLOW_PRINTABLE && follow->pending.length > 0) {
        put_pending(follow, true);
    }
    return 0;
}

static int watch_file(int fd, banger_error *err)
{
    AUTO_FREE char *path = str_format("/proc/self/fd/%d", fd);
    AUTO_CLOSE int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY) < 0) {
        return error_sys(err, errno, "cannot watch the log");
    }
    return STEAL_FD(watch);
}

static void discard_events(int watch)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    while (read(watch, events, sizeof(events)) > 0) {
    }
}

int follow_until(struct follow *follow, pid_t pid, banger_error *err)
{
    AUTO_CLOSE int pidfd = pidfd_open(pid, 0);
    AUTO_CLOSE int watch = watch_file(follow->fd, err);
    if (watch < 0) {
        return -1;
    }
    /* The watch is there before what is there is read: nothing falls in between. */
    while (signals_caught() == 0) {
        if (follow_drain(follow, err) < 0) {
            return -1;
        }
        if (pidfd < 0) {
            return 0; /* it had ended before we looked */
        }
        struct pollfd ready[] = {{.fd = watch, .events = POLLIN},
                                 {.fd = pidfd, .events = POLLIN},
                                 {.fd = STDOUT_FILENO}}; /* its POLLERR: the reader has gone */
        if (poll(ready, COUNT_OF(ready), -1) < 0 && errno != EINTR) {
            return error_sys(err, errno, "cannot wait for the log");
        }
        if ((ready[2].revents & (POLLERR | POLLHUP)) != 0) {
            return 0;
        }
        discard_events(watch);
        if (ready[1].revents != 0) {
            cleanup_close(&pidfd);
            pidfd = -1; /* once more: its last words */
        }
    }
    return 0;
}

void follow_free(struct follow *follow)
{
    if (follow->pending.length > 0) {
        put_pending(follow, true);
    }
    buf_free(&follow->pending);
}
