/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SERVICE_STATS: how the guest is doing. Sizes in bytes. */
#include "report.h"
#include "service.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

struct memory {
    unsigned long long total, free, available;
};

/* /proc/meminfo, in KiB there: sysinfo(2) does not know what is available. */
static struct memory read_memory(void)
{
    struct memory memory = {0};
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "MemTotal: %llu", &memory.total);
        (void)sscanf(line, "MemFree: %llu", &memory.free);
        (void)sscanf(line, "MemAvailable: %llu", &memory.available);
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

static void report_load(void)
{
    double load[3] = {0};
    FILE *file = fopen("/proc/loadavg", "re");
    if (file != NULL) {
        (void)!fscanf(file, "%lf %lf %lf", &load[0], &load[1], &load[2]);
        (void)fclose(file);
    }
    (void)printf("\"load\":[%.2f,%.2f,%.2f],", load[0], load[1], load[2]);
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
