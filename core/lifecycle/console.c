/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/console.h"

#include "agent/guest_conf.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "host/signal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TAIL_BYTES 4096 /* a guest may write gigabytes; the end is what tells */
#define TAIL_LINES 6

static char *read_tail(const char *vm_dir)
{
    AUTO_FREE char *path = str_format("%s/console.log", vm_dir);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat info;
    char bytes[TAIL_BYTES];
    if (fd < 0 || fstat(fd, &info) < 0) {
        return xstrdup("");
    }
    off_t from = info.st_size > TAIL_BYTES ? info.st_size - TAIL_BYTES : 0;
    ssize_t got = pread(fd, bytes, sizeof(bytes), from);
    return str_printable(bytes, got > 0 ? (size_t)got : 0);
}

/* Tells who waits the last lines, one by one. */
static void tell_last_lines(struct operation *op, char *tail)
{
    const char *lines[TAIL_LINES];
    size_t count = 0;
    char *rest = tail;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (line[0] == '\0') {
            continue;
        }
        if (count == TAIL_LINES) {
            memmove(lines, lines + 1, sizeof(lines) - sizeof(lines[0]));
            count--;
        }
        lines[count++] = line;
    }
    for (size_t i = 0; i < count; i++) {
        operation_warn(op, "console: %s", lines[i]);
    }
}

/* The line that says why, behind a colon: the agent's last words, else the kernel's. New. */
static char *find_reason(const char *tail)
{
    static const char *const marks[] = {GUEST_CONSOLE_PREFIX, "Kernel panic - not syncing"};
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        const char *found = strstr(tail, marks[i]);
        if (found != NULL) {
            return str_format(": %.*s", (int)strcspn(found, "\n"), found);
        }
    }
    return xstrdup(tail[0] != '\0' ? "" : "; its console is empty");
}

int console_explain(struct operation *op, bool vmm_ended, int64_t timeout_ms, banger_error *err)
{
    AUTO_FREE char *tail = read_tail(op->vm_dir);
    AUTO_FREE char *said = find_reason(tail);
    tell_last_lines(op, tail);
    if (vmm_ended) {
        return error_set(err, BANGER_EGUEST, "the guest ended before its agent answered%s", said);
    }
    return error_set(err, BANGER_ETIMEDOUT,
                     "the guest's agent did not answer within %" PRId64 " s%s", timeout_ms / 1000,
                     said);
}

char *vmm_end_text(int status)
{
    if (status == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        return NULL;
    }
    if (WIFSIGNALED(status)) {
        return str_format("the VMM was ended by signal %s", signal_name(WTERMSIG(status)));
    }
    return str_format("the VMM ended by itself with status %d", WEXITSTATUS(status));
}
