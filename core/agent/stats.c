/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SERVICE_STATS: how the guest is doing. Sizes in bytes. */
#include "report.h"
#include "service.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

struct memory {
    unsigned long long total, free, available;
};

static void take_amount(const char *line, const char *name, unsigned long long *amount)
{
    size_t length = strlen(name);
    if (strncmp(line, name, length) == 0) {
        *amount = strtoull(line + length, NULL, 10);
    }
}

/* /proc/meminfo, in KiB there: sysinfo(2) does not know what is available. */
static struct memory read_memory(void)
{
    struct memory memory = {0};
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        take_amount(line, "MemTotal:", &memory.total);
        take_amount(line, "MemFree:", &memory.free);
        take_amount(line, "MemAvailable:", &memory.available);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return memory;
}

static unsigned count_processes(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        count += isdigit((unsigned char)entry->d_name[0]) != 0;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count;
}

/* "0.73 0.18 0.06 2/48 103": the first three are JSON numbers as they are. */
static void report_load(void)
{
    char line[128] = "";
    FILE *file = fopen("/proc/loadavg", "re");
    if (file != NULL) {
        (void)!fgets(line, sizeof(line), file);
        (void)fclose(file);
    }
    char *rest = line;
    (void)fputs("\"load\":[", stdout);
    for (int i = 0; i < 3; i++) {
        const char *value = strsep(&rest, " \n");
        bool number = value != NULL && *value >= '0' && *value <= '9';
        (void)printf("%s%s", i != 0 ? "," : "", number ? value : "0");
    }
    (void)fputs("],", stdout);
}

int stats_run(void)
{
    struct timespec up = {0};
    struct statvfs disk = {0};
    struct memory memory = read_memory();
    (void)clock_gettime(CLOCK_BOOTTIME, &up);
    (void)statvfs("/", &disk);
    (void)printf("{\"uptime_ms\":%lld,", (long long)up.tv_sec * 1000 + up.tv_nsec / 1000000);
    report_load();
    (void)printf("\"memory\":{\"total\":%llu,\"free\":%llu,\"available\":%llu},",
                 memory.total * 1024, memory.free * 1024, memory.available * 1024);
    (void)printf("\"disk\":{\"total\":%llu,\"free\":%llu,\"available\":%llu},",
                 (unsigned long long)disk.f_blocks * disk.f_frsize,
                 (unsigned long long)disk.f_bfree * disk.f_frsize,
                 (unsigned long long)disk.f_bavail * disk.f_frsize);
    /* Without this one, which lives for the answer only. */
    unsigned processes = count_processes();
    (void)printf("\"processes\":%u}\n", processes != 0 ? processes - 1 : 0);
    return report_end();
}
