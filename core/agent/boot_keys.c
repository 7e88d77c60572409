/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS_MAX ((size_t)64 * 1024) /* some hundred keys; a larger file is left as it is */

/* Returns the length, 0 when there is no such file. */
static ssize_t read_keys(int folder, const char *name, char *text)
{
    struct stat st;
    /* O_NONBLOCK: an image may have a pipe there. */
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = 0;
    size_t length = 0;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        got = 0;
    } else {
        while (length <= KEYS_MAX && (got = read(fd, text + length, KEYS_MAX + 1 - length)) > 0) {
            length += (size_t)got;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (length > KEYS_MAX) {
        errno = EFBIG;
        return -1;
    }
    return got < 0 ? -1 : (ssize_t)length;
}

static int write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t put = write(fd, data, length);
        if (put < 0) {
            return -1;
        }
        data += put;
        length -= (size_t)put;
    }
    return 0;
}

int boot_keys_keep(int out, int folder, const char *name)
{
    static char text[KEYS_MAX + 2];
    const size_t marker = strlen(BOOT_KEYS_MARKER);
    ssize_t length = read_keys(folder, name, text);
    if (length < 0) {
        return -1;
    }
    const char *end = text + length;
    if (length > 0 && end[-1] != '\n') { /* somebody may add a line to it later */
        text[length] = '\n';
        end++;
    }
    bool below_marker = false;
    for (const char *line = text; line < end;) {
        const char *next = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
        bool is_marker =
            (size_t)(next - line) > marker && memcmp(line, BOOT_KEYS_MARKER, marker) == 0;
        if (!is_marker && !below_marker && write_all(out, line, (size_t)(next - line)) < 0) {
            return -1;
        }
        below_marker = is_marker;
        line = next;
    }
    return 0;
}
