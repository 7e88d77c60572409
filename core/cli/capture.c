/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "capture.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

int capture_open(struct capture *capture, const char *what, banger_error *err)
{
    *capture = (struct capture){.fd = -1, .what = what};
    AUTO_CLOSE int fd = memfd_create("banger-capture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    /* Pages exist once they are written: the size costs nothing. A write past it then fails. */
    if (fd < 0 || ftruncate(fd, CAPTURE_MAX) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0) {
        return error_sys(err, errno, "cannot make room for the program's %s", what);
    }
    capture->fd = STEAL_FD(fd);
    return 0;
}

void capture_close(struct capture *capture)
{
    cleanup_close(&capture->fd);
    capture->fd = -1;
}

int capture_check(const struct capture *capture, banger_error *err)
{
    if (lseek(capture->fd, 0, SEEK_CUR) < CAPTURE_MAX) {
        return 0;
    }
    (void)error_set(err, BANGER_EFULL,
                    "the program's %s is longer than %d MiB, which is what "
                    "--json collects",
                    capture->what, CAPTURE_MAX / 1024 / 1024);
    return error_hint(err, "without --json it is passed through, however long it is");
}

json_t *capture_text(const struct capture *capture)
{
    off_t end = lseek(capture->fd, 0, SEEK_CUR);
    AUTO_BUF struct buf data = BUF_INIT;
    size_t length = end > 0 ? (size_t)end : 0;
    buf_reserve(&data, length);
    ssize_t got = pread(capture->fd, data.data, length, 0);
    data.length = got > 0 ? (size_t)got : 0;
    return utf8_json(data.data, data.length);
}
