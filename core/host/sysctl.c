/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/sysctl.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/name.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define SYSCTL_ROOT "/proc/sys/"

/* Names of links come in here: "net/ipv4/conf/NAME/route_localnet" must stay one file below net. */
static char *path_of(const char *key, banger_error *err)
{
    AUTO_FREE char *path = str_format(SYSCTL_ROOT "%s", key);
    if (!str_starts(key, "net/") || name_check_path("sysctl", path, NULL) < 0) {
        (void)error_set(err, BANGER_EINTERNAL, "'%s' is not a sysctl of the network", key);
        return NULL;
    }
    return STEAL(path);
}

int sysctl_read(const char *key, int *value, banger_error *err)
{
    AUTO_FREE char *path = path_of(key, err);
    AUTO_BUF struct buf text = BUF_INIT;
    if (path == NULL || file_read(path, 4096, &text, err) < 0) {
        return -1;
    }
    int64_t number = 0;
    AUTO_FREE char *line = buf_steal(&text);
    line[strcspn(line, "\n")] = '\0';
    if (number_parse(key, line, INT_MIN, INT_MAX, &number, err) < 0) {
        return -1;
    }
    *value = (int)number;
    return 0;
}

int sysctl_write(const char *key, int value, banger_error *err)
{
    AUTO_FREE char *path = path_of(key, err);
    if (path == NULL) {
        return -1;
    }
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_sys(err, errno, "cannot open %s", path);
    }
    AUTO_FREE char *text = str_format("%d\n", value);
    if (write(fd, text, strlen(text)) < 0) { /* a value is taken whole or not at all */
        return error_sys(err, errno, "cannot write %d to %s", value, path);
    }
    return 0;
}
