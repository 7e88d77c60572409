/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. libdevmapper has process-wide state (its control descriptor, the nodes that it is about to make):
 *    one thread at a time is inside. Waiting for a busy device is done outside.
 * 2. Where udevd runs it makes the node, and tells so through a semaphore, the cookie, on which we
 *    wait, after a failure too: a cookie that nobody waits for stays in the kernel. One that does not
 *    come is completed by us at a deadline. Where no udevd runs libdevmapper makes the node
 *    (dm_task_update_nodes), and we remove it.
 * 3. udevd is told not to look into the devices: what a guest writes to its disk (LVM, a file system's
 *    label, a RAID's superblock) must not make this host do anything.
 * 4. A device is made by three requests: create, load, resume. A daemon that is killed in between
 *    leaves a device without a table, which has our UUID already: dm_remove takes it away.
 */
#include "host/dm.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/name.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <libdevmapper.h>
#include <linux/dm-ioctl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define NODE_MODE 0600          /* of the daemon's user alone: a guest's disk */
#define COOKIE_TIMEOUT_MS 10000 /* rules take milliseconds; a udevd that is stuck takes for ever */
#define BUSY_TIMEOUT_MS 5000    /* whoever looks at a new device (blkid, udevd) is done by then */
#define BUSY_AGAIN_MS 10
#define UUID_MAX 64
#define MISC_MAX 65536 /* a line of /proc/misc for each of at most some hundred devices */
#define NAME_MAX_DM 40 /* ours */

/* Nobody may scan the disk of a guest. The node of /dev/mapper is made by rules that stay on. */
#define UDEV_FLAGS                                                                                 \
    (DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG |                      \
     DM_UDEV_DISABLE_OTHER_RULES_FLAG)

static pthread_mutex_t inside = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static _Thread_local char said[256]; /* by libdevmapper, of the present request: its first error */

/* -- libdevmapper ----------------------------------------------------------------------------------- */

/* The low three bits of a level are syslog's (libdevmapper.h, dm_log_with_errno_fn): 3 is an error. */
static void __attribute__((format(printf, 5, 6)))
on_log(int level, const char *file, int line, int errno_or_class, const char *format, ...)
{
    (void)file;
    (void)line;
    (void)errno_or_class;
    if ((level & 7) <= 3 && said[0] == '\0') {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(said, sizeof(said), format, args);
        va_end(args);
    }
}

static void prepare(void)
{
    dm_log_with_errno_init(on_log);
}

static void enter(void)
{
    (void)pthread_once(&prepared, prepare);
    (void)pthread_mutex_lock(&inside);
    said[0] = '\0';
}

static void leave(void)
{
    (void)pthread_mutex_unlock(&inside);
}

static void task_free(struct dm_task **task)
{
    if (*task != NULL) {
        dm_task_destroy(*task);
    }
}

#define AUTO_TASK __attribute__((cleanup(task_free)))

/* What a failed request means. */
static int request_failed(int errno_value, const char *doing, banger_error *err)
{
    AUTO_FREE char *detail = said[0] != '\0' ? str_format(" (%s)", said) : xstrdup("");
    if (errno_value == 0) {
        return error_set(err, BANGER_EIO, "%s failed%s", doing, detail);
    }
    (void)error_sys(err, errno_value, "%s%s", doing, detail);
    return errno_value == EPERM || errno_value == EACCES ? error_hint(err, "run bangerd as root")
                                                         : -1;
}

/* -- Names ------------------------------------------------------------------------------------------ */

static void format_name(const struct host *host, const char *vm_id, char name[NAME_MAX_DM])
{
    (void)snprintf(name, NAME_MAX_DM, "banger-%s-%.*s", host->instance, SHORT_ID_LENGTH, vm_id);
}

static void format_uuid(const struct host *host, const char *vm_id, char uuid[UUID_MAX])
{
    (void)snprintf(uuid, UUID_MAX, "BANGER-%s-%s", host->instance, vm_id);
}

void dm_path(const struct host *host, const char *vm_id, char path[DM_PATH_MAX])
{
    char name[NAME_MAX_DM];
    format_name(host, vm_id, name);
    (void)snprintf(path, DM_PATH_MAX, "/dev/mapper/%.28s", name);
}

/* -- Ask -------------------------------------------------------------------------------------------- */

static int no_device_mapper(int errno_value, banger_error *err)
{
    if (errno_value == EPERM || errno_value == EACCES) {
        return request_failed(errno_value, "cannot use device-mapper", err);
    }
    (void)error_set(err, BANGER_EUNSUPPORTED, "this host's kernel has no device-mapper%s%s",
                    said[0] != '\0' ? ": " : "", said);
    return error_hint(err, "load the kernel module `dm_mod`, or use another rootfs driver");
}

/* libdevmapper makes /dev/mapper/control where it is not, whatever the kernel has; a check changes
 * nothing. Where the node is, opening it loads the module. */
static bool is_here(void)
{
    AUTO_BUF struct buf misc = BUF_INIT;
    return access("/dev/mapper/" DM_CONTROL_NODE, F_OK) == 0 ||
           (file_read("/proc/misc", MISC_MAX, &misc, NULL) == 0 &&
            strstr(misc.data, "device-mapper") != NULL);
}

int dm_check(const char *target, banger_error *err)
{
    if (!is_here()) {
        said[0] = '\0';
        return no_device_mapper(0, err);
    }
    enter();
    AUTO_TASK struct dm_task *version = dm_task_create(DM_DEVICE_VERSION);
    AUTO_TASK struct dm_task *known = dm_task_create(DM_DEVICE_GET_TARGET_VERSION);
    int result = 0;
    if (version == NULL || known == NULL || !dm_task_run(version)) {
        result = no_device_mapper(version != NULL ? dm_task_get_errno(version) : 0, err);
    } else if (!dm_task_set_name(known, target) || !dm_task_run(known)) {
        (void)error_set(err, BANGER_EUNSUPPORTED, "device-mapper has no target '%s' here", target);
        result = error_hint(err, "load the kernel module `dm_%s`", target);
    }
    leave();
    return result;
}

/* Whose device has that name: "" there is none. Inside. */
static int uuid_of_name(const char *name, char uuid[UUID_MAX], banger_error *err)
{
    AUTO_TASK struct dm_task *task = dm_task_create(DM_DEVICE_INFO);
    struct dm_info info;
    uuid[0] = '\0';
    if (task == NULL || !dm_task_set_name(task, name) || !dm_task_run(task) ||
        !dm_task_get_info(task, &info)) {
        return request_failed(task != NULL ? dm_task_get_errno(task) : 0,
                              "asking for a device-mapper device", err);
    }
    if (info.exists) {
        const char *found = dm_task_get_uuid(task);
        (void)snprintf(uuid, UUID_MAX, "%s", found != NULL && found[0] != '\0' ? found : "none");
    }
    return 0;
}

static int ask_status(const char *uuid, const char *target, char **text, banger_error *err)
{
    AUTO_TASK struct dm_task *task = dm_task_create(DM_DEVICE_STATUS);
    struct dm_info info;
    /* Not flushed: what the guest has under way need not be waited for. */
    if (task == NULL || !dm_task_set_uuid(task, uuid) || !dm_task_no_flush(task) ||
        !dm_task_run(task) || !dm_task_get_info(task, &info)) {
        int failure = task != NULL ? dm_task_get_errno(task) : 0;
        return failure == ENXIO ? error_set(err, BANGER_ENOTFOUND, "there is no such device")
                                : request_failed(failure, "asking a device-mapper device", err);
    }
    uint64_t start = 0;
    uint64_t length = 0;
    char *type = NULL;
    char *parameters = NULL;
    if (!info.exists) {
        return error_set(err, BANGER_ENOTFOUND, "there is no such device");
    }
    (void)dm_get_next_target(task, NULL, &start, &length, &type, &parameters);
    if (!str_equal(type, target)) {
        return error_set(err, BANGER_ENOTFOUND, "the device has no %s", target);
    }
    *text = xstrdup(str_or(parameters, ""));
    return 0;
}

int dm_status(const struct host *host, const char *vm_id, const char *target, char **text,
              banger_error *err)
{
    char uuid[UUID_MAX];
    format_uuid(host, vm_id, uuid);
    enter();
    int result = ask_status(uuid, target, text, err);
    leave();
    return result;
}

/* -- Run a request that changes something ----------------------------------------------------------- */

/* Ends the cookie's life, whatever became of the request. */
static void await_cookie(uint32_t cookie)
{
    deadline until = deadline_in(COOKIE_TIMEOUT_MS);
    int ready = 0;
    while (cookie != 0 && dm_udev_wait_immediate(cookie, &ready) && !ready) {
        if (deadline_left_ms(until) == 0) {
            (void)dm_udev_complete(cookie);
            (void)dm_udev_wait_immediate(cookie, &ready);
            return;
        }
        (void)poll(NULL, 0, 1);
    }
}

/* 0, or an errno (EIO where the library has none). Inside. */
static int run_change(struct dm_task *task)
{
    uint32_t cookie = 0;
    if (!dm_task_set_cookie(task, &cookie, UDEV_FLAGS)) {
        return EIO;
    }
    bool done = dm_task_run(task) != 0;
    int failure = done ? 0 : dm_task_get_errno(task);
    await_cookie(cookie);
    dm_task_update_nodes();
    return done || failure != 0 ? failure : EIO;
}

/* -- Make ------------------------------------------------------------------------------------------- */

static bool add_rows(struct dm_task *task, const struct dm_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!dm_task_add_target(task, rows[i].start, rows[i].length, rows[i].target,
                                rows[i].parameters)) {
            return false;
        }
    }
    return true;
}

static int create(const char *name, const char *uuid, const struct dm_row *rows, size_t count,
                  banger_error *err)
{
    char present[UUID_MAX];
    if (uuid_of_name(name, present, err) < 0) {
        return -1;
    }
    if (present[0] != '\0') {
        return error_set(err, BANGER_EBUSY, "a device-mapper device '%s' exists%s", name,
                         strcmp(present, uuid) == 0 ? " already" : " and is not this VM's");
    }
    AUTO_TASK struct dm_task *task = dm_task_create(DM_DEVICE_CREATE);
    if (task == NULL || !dm_task_set_name(task, name) || !dm_task_set_uuid(task, uuid) ||
        !dm_task_set_mode(task, NODE_MODE) || !add_rows(task, rows, count)) {
        return request_failed(0, "preparing a device-mapper device", err);
    }
    int failure = run_change(task);
    failpoint_kill("dm.create", "made");
    AUTO_FREE char *doing = str_format("making the device-mapper device '%s'", name);
    return failure == 0 ? 0 : request_failed(failure, doing, err);
}

int dm_create(const struct host *host, const char *vm_id, const struct dm_row *rows, size_t count,
              banger_error *err)
{
    char name[NAME_MAX_DM];
    char uuid[UUID_MAX];
    format_name(host, vm_id, name);
    format_uuid(host, vm_id, uuid);
    enter();
    int result = create(name, uuid, rows, count, err);
    leave();
    return result;
}

/* -- Remove ----------------------------------------------------------------------------------------- */

/* The library removes a node by the name that was asked for, and we ask by UUID. */
static void remove_node(const char *name, const struct dm_info *info)
{
    AUTO_FREE char *path = str_format("/dev/mapper/%s", name);
    struct stat node;
    if (lstat(path, &node) == 0 && S_ISBLK(node.st_mode) &&
        node.st_rdev == makedev(info->major, info->minor)) {
        (void)unlink(path);
    }
}

/* The name and the number of the device with that UUID. Inside. */
static bool find_by_uuid(const char *uuid, char name[DM_NAME_LEN], struct dm_info *info)
{
    AUTO_TASK struct dm_task *task = dm_task_create(DM_DEVICE_INFO);
    if (task == NULL || !dm_task_set_uuid(task, uuid) || !dm_task_run(task) ||
        !dm_task_get_info(task, info) || !info->exists) {
        return false;
    }
    (void)snprintf(name, DM_NAME_LEN, "%s", str_or(dm_task_get_name(task), ""));
    return true;
}

/* Of a device that a daemon has removed which was killed before it came to the node (without udevd
 * nobody else would). A device of that name, somebody else's, keeps its own. Inside. */
static void remove_stale_node(const char *name)
{
    AUTO_FREE char *path = str_format("/dev/mapper/%s", name);
    char uuid[UUID_MAX];
    struct stat node;
    if (uuid_of_name(name, uuid, NULL) == 0 && uuid[0] == '\0' && lstat(path, &node) == 0 &&
        S_ISBLK(node.st_mode)) {
        (void)unlink(path);
    }
}

/* One attempt: 0 it is gone, or an errno. Inside. */
static int remove_once(const char *own_name, const char *uuid)
{
    char name[DM_NAME_LEN];
    struct dm_info info;
    if (!find_by_uuid(uuid, name, &info)) {
        remove_stale_node(own_name);
        return 0;
    }
    AUTO_TASK struct dm_task *task = dm_task_create(DM_DEVICE_REMOVE);
    if (task == NULL || !dm_task_set_uuid(task, uuid)) {
        return ENOMEM;
    }
    int failure = run_change(task);
    failpoint_kill("dm.remove", "removed");
    if (failure == 0 || failure == ENXIO) { /* ENXIO: somebody was faster */
        remove_node(name, &info);
        return 0;
    }
    return failure;
}

int dm_remove(const struct host *host, const char *vm_id, banger_error *err)
{
    char name[NAME_MAX_DM];
    char uuid[UUID_MAX];
    format_name(host, vm_id, name);
    format_uuid(host, vm_id, uuid);
    deadline until = deadline_in(BUSY_TIMEOUT_MS);
    for (;;) {
        enter();
        int failure = remove_once(name, uuid);
        leave();
        if (failure == 0) {
            return 0;
        }
        if (failure != EBUSY || deadline_left_ms(until) == 0) {
            return request_failed(failure, "removing the VM's device-mapper device", err);
        }
        (void)poll(NULL, 0, BUSY_AGAIN_MS);
    }
}
