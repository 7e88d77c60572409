/* SPDX-License-Identifier: MIT-0 */
/*
 * prometheus-textfile: banger's VMs in Prometheus, through the textfile collector of node_exporter.
 *
 * 1. When a guest answers, FOLDER/banger-NAME-ID.prom is written: that it runs, and how long it took.
 *    The file is a resource of the VM's: it is in the journal before it is in the folder, and it goes
 *    in the VM's cleanup, in whatever process that runs.
 * 2. FOLDER/banger.prom counts starts and failures of all VMs. Counters must not go with a VM, so this
 *    file stays. VMs start at the same time, and every banger process may be the one that counts: who
 *    changes the file holds the lock of FOLDER/.banger.lock.
 * 3. A collector sees a file whole or not at all: each is written beside its place, and renamed.
 */
#include <banger/json.h>
#include <banger/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME "prometheus-textfile"
#define TEXT_MAX 4096

struct totals {
    unsigned long long starts;
    unsigned long long failures;
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* -- Files ------------------------------------------------------------------------------------- */

static int write_text(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t written = write(fd, text, left);

        if (written < 0 && errno != EINTR) {
            return -1;
        }
        text += written > 0 ? written : 0;
        left -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

/* Replaces the file at once. Its temporary name does not end in .prom: no collector reads it. */
static int write_file(const struct banger_host *host, struct banger_call *call, const char *path,
                      const char *text)
{
    char temporary[PATH_MAX];
    int fd;
    int done;

    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary)) {
        return host->fail(call, BANGER_EINVALID, "the path %s is too long", path);
    }
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        return host->fail(call, BANGER_EIO, "cannot create %s: %s", temporary, strerror(errno));
    }
    done = write_text(fd, text) == 0 && fchmod(fd, 0644) == 0;
    done = close(fd) == 0 && done;
    if (!done || rename(temporary, path) < 0) {
        (void)host->fail(call, BANGER_EIO, "cannot write %s: %s", path, strerror(errno));
        (void)unlink(temporary);
        return -1;
    }
    return 0;
}

/* The folder's lock, waited for no longer than the hook has time. */
static int lock_folder(const struct banger_host *host, struct banger_call *call, const char *folder)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    char path[PATH_MAX];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/.banger.lock", folder);
    fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        return host->fail(call, BANGER_EIO, "cannot open %s: %s", path, strerror(errno));
    }
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK || host->remaining_ms(call) == 0 || host->cancelled(call)) {
            (void)close(fd);
            return host->fail(call, BANGER_EBUSY, "cannot lock %s", path);
        }
        (void)nanosleep(&pause, NULL);
    }
    return fd;
}

/* -- What is counted ----------------------------------------------------------------------------- */

static void read_totals(const char *path, struct totals *totals)
{
    char line[256];
    FILE *file = fopen(path, "re");

    *totals = (struct totals){0};
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "banger_starts_total %llu", &totals->starts);
        (void)sscanf(line, "banger_start_failures_total %llu", &totals->failures);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* Adds to the counters of all VMs. */
static int count(const struct banger_host *host, struct banger_call *call, unsigned starts,
                 unsigned failures)
{
    const char *folder = host->get_string(call, "config.folder", "");
    int lock = lock_folder(host, call, folder);
    char path[PATH_MAX];
    char text[TEXT_MAX];
    struct totals totals;
    int result;

    if (lock < 0) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/banger.prom", folder);
    read_totals(path, &totals);
    (void)snprintf(text, sizeof(text),
                   "# HELP banger_starts_total VMs that were started.\n"
                   "# TYPE banger_starts_total counter\n"
                   "banger_starts_total %llu\n"
                   "# HELP banger_start_failures_total Starts of VMs that failed.\n"
                   "# TYPE banger_start_failures_total counter\n"
                   "banger_start_failures_total %llu\n",
                   totals.starts + starts, totals.failures + failures);
    result = write_file(host, call, path, text);
    (void)close(lock);
    return result;
}

/* -- A VM's own file ----------------------------------------------------------------------------- */

static int write_vm(const struct banger_host *host, struct banger_call *call, const char *path,
                    int64_t boot_ms)
{
    const char *vm = host->get_string(call, "vm.name", "");
    const char *id = host->get_string(call, "vm.id", "");
    const char *image = host->get_string(call, "image.name", "");
    char text[TEXT_MAX];

    /* Names of VMs and images are letters, digits, '.', '_' and '-': nothing to escape in a label. */
    (void)snprintf(
        text, sizeof(text),
        "# HELP banger_vm_running 1 for each VM that runs.\n"
        "# TYPE banger_vm_running gauge\n"
        "banger_vm_running{vm=\"%s\",id=\"%s\",image=\"%s\"} 1\n"
        "# HELP banger_vm_boot_seconds From the start's preparation to the guest's answer.\n"
        "# TYPE banger_vm_boot_seconds gauge\n"
        "banger_vm_boot_seconds{vm=\"%s\",id=\"%s\"} %lld.%03lld\n",
        vm, id, image, vm, id, (long long)(boot_ms / 1000), (long long)(boot_ms % 1000));
    return write_file(host, call, path, text);
}

/* -- Hooks --------------------------------------------------------------------------------------- */

static int exporter_check(const struct banger_host *host, struct banger_call *call)
{
    const char *folder = host->get_string(call, "config.folder", "");
    struct stat status;

    if (folder[0] != '/') {
        host->hint(call,
                   "set plugins[\"" NAME "\"].folder in config.lua to the folder that is given to "
                   "node_exporter's --collector.textfile.directory");
        return host->fail(call, BANGER_EINVALID, "no folder is configured for .prom files");
    }
    if (stat(folder, &status) < 0 || !S_ISDIR(status.st_mode) || access(folder, W_OK) < 0) {
        host->hint(call, "make the folder, and let banger's user write to it");
        return host->fail(call, BANGER_EIO, "%s is no folder that can be written to", folder);
    }
    return 0;
}

static int exporter_prepare(const struct banger_host *host, struct banger_call *call)
{
    return banger_json_store(host, call, "begun_ms", json_integer(now_ms()));
}

static int exporter_post_start(const struct banger_host *host, struct banger_call *call)
{
    int64_t now = now_ms();
    int64_t boot_ms = now - host->get_int(call, "runtime." NAME ".begun_ms", now);
    char path[PATH_MAX];
    char attrs[64];
    int64_t row;

    /* The id is in the name: another home of banger's may have a VM that is called the same. */
    if (snprintf(path, sizeof(path), "%s/banger-%s-%s.prom",
                 host->get_string(call, "config.folder", ""), host->get_string(call, "vm.name", ""),
                 host->get_string(call, "vm.short_id", "")) >= (int)sizeof(path)) {
        return host->fail(call, BANGER_EINVALID, "the folder's path is too long");
    }
    (void)snprintf(attrs, sizeof(attrs), "{\"boot_ms\":%lld}", (long long)boot_ms);
    row = host->resource_intend(call, "file", path, attrs);
    if (row < 0 || write_vm(host, call, path, boot_ms) < 0 ||
        host->resource_held(call, row, NULL) < 0) {
        return -1;
    }
    return count(host, call, 1, 0);
}

/* The daemon has come back; the folder may be on a file system that has not. */
static int exporter_reconciled(const struct banger_host *host, struct banger_call *call)
{
    json_t *rows = banger_json_get(host, call, "resources");
    int result = 0;
    size_t i;
    json_t *row;

    json_array_foreach (rows, i, row) {
        json_t *attrs = json_object_get(row, "attrs");
        int64_t boot_ms = json_integer_value(json_object_get(attrs, "boot_ms"));

        if (write_vm(host, call, json_string_value(json_object_get(row, "key")), boot_ms) < 0) {
            result = -1;
        }
    }
    json_decref(rows);
    return result;
}

/* One file away, and its row. What is gone already is as good. */
static int remove_file(const struct banger_host *host, struct banger_call *call, const json_t *row)
{
    const char *path = json_string_value(json_object_get(row, "key"));

    if (unlink(path) < 0 && errno != ENOENT) {
        return host->fail(call, BANGER_EIO, "cannot remove %s: %s", path, strerror(errno));
    }
    return host->resource_gone(call, json_integer_value(json_object_get(row, "id")));
}

static int exporter_cleanup(const struct banger_host *host, struct banger_call *call)
{
    json_t *rows = banger_json_get(host, call, "resources");
    int result = 0;
    size_t i;
    json_t *row;

    json_array_foreach (rows, i, row) {
        if (remove_file(host, call, row) < 0) {
            result = -1;
        }
    }
    json_decref(rows);
    if (result == 0 && strcmp(host->get_string(call, "operation.name", ""), "start") == 0 &&
        host->get_string(call, "operation.error", "")[0] != '\0') {
        return count(host, call, 0, 1);
    }
    return result;
}

/* -- The descriptor ------------------------------------------------------------------------------ */

static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_STRING,
     .name = "folder",
     .help = "where node_exporter looks for .prom files"},
};

static const struct banger_hooks hooks = {
    .size = sizeof(hooks),
    .check = exporter_check,
    .prepare = exporter_prepare,
    .postStart = exporter_post_start,
    .cleanup = exporter_cleanup,
    .reconciled = exporter_reconciled,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = NAME,
    .version = "1.0",
    .summary = "running VMs, starts, failures and boot times for Prometheus",
    .license = "MIT-0",
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .hooks = &hooks,
};

BANGER_PLUGIN(&plugin)
