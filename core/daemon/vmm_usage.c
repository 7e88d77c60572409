/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/vmm_usage.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <string.h>
#include <unistd.h>

void vmm_usage_add(json_t *stats, pid_t pid)
{
    AUTO_FREE char *path = str_format("/proc/%d/stat", (int)pid);
    AUTO_BUF struct buf text = BUF_INIT;
    if (file_read(path, 4096, &text, NULL) < 0) {
        return;
    }
    /* Fields count from behind the last ')': the name before it may hold anything. State is field
     * 3; utime is 14, stime 15, rss 24. */
    const char *fields = strrchr(text.data, ')');
    unsigned long user = 0;
    unsigned long system = 0;
    long pages = 0;
    if (fields == NULL ||
        sscanf(fields + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d "
               "%*d %*d %*u %*u %ld",
               &user, &system, &pages) != 3) {
        return;
    }
    long ticks = sysconf(_SC_CLK_TCK);
    (void)json_object_set_new(stats, "rss_bytes",
                              json_integer((json_int_t)pages * sysconf(_SC_PAGESIZE)));
    (void)json_object_set_new(stats, "cpu_ms",
                              json_integer((json_int_t)(user + system) * 1000 / ticks));
}
