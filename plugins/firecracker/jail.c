/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The jailer starts Firecracker as an ordinary user, in a chroot that holds this machine's files and
 * nothing else:
 *
 * 1. The folder BASE/EXEC/ID/root is journaled and made. BASE is vm.dir/jail unless configured: on the
 *    file system of the disk, so that the disk is there by a hard link, without a mount.
 * 2. Kernel and initramfs are linked or copied, disks linked (block devices: made anew by mknod), the
 *    log and metrics files linked. What this VM alone has is given to the jail's user; what VMs share
 *    (the kernel) never is: it must not be able to write to that.
 * 3. TAPs get the jail's user as their owner.
 * 4. The jailer makes dev/kvm and dev/net/tun, changes root, user and group, and executes Firecracker
 *    in its own place: the process that the core has journaled stays the VMM. It is in the core's
 *    cgroup (v2), which the jailer is told of, so that it moves it to no other.
 * 5. The cleanup removes the folder. By then nobody is in it.
 */
#include "firecracker.h"
#include "sparse.h"

#include <banger/json.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define KIND "jail"
#define CGROUP_V2 "/sys/fs/cgroup/cgroup.controllers"
#define CGROUP_PARENT "banger" /* the core's, below the root of the hierarchy */

/* -- Reading ------------------------------------------------------------------------------------ */

/* `jailer` beside Firecracker's program, as in its releases, unless configured. */
static int find_jailer(const struct banger_host *host, struct banger_call *call,
                       const struct program *program, struct jail *jail)
{
    const char *wish = host->get_string(call, "config.jailer_binary", "");
    const char *slash = strrchr(program->path, '/');
    int length;

    if (*wish != '\0') {
        length = snprintf(jail->jailer, sizeof(jail->jailer), "%s", wish);
    } else {
        length = snprintf(jail->jailer, sizeof(jail->jailer), "%.*s/jailer",
                          (int)(slash - program->path), program->path);
    }
    if (length >= (int)sizeof(jail->jailer) || jail->jailer[0] != '/') {
        return host->fail(call, BANGER_EINVALID, "the jailer '%.200s' is not an absolute path",
                          wish);
    }
    return 0;
}

/* The jailer names the folder after the file that links lead to. */
static int name_folders(const struct banger_host *host, struct banger_call *call,
                        const struct program *program, struct jail *jail)
{
    const char *base = host->get_string(call, "config.chroot_base", "");
    const char *dir = host->get_string(call, "vm.dir", "");
    const char *id = host->get_string(call, "vm.id", "");
    bool own = *base == '\0';
    char real[PATH_MAX];
    char below[PATH_MAX];

    if (realpath(program->path, real) == NULL) {
        return host->fail(call, BANGER_EIO, "%s: %s", program->path, strerror(errno));
    }
    (void)snprintf(below, sizeof(below), "%s/%s", strrchr(real, '/') + 1, id);
    if (launch_path(host, call, jail->base, own ? dir : base, own ? "jail" : "") < 0 ||
        launch_path(host, call, jail->folder, jail->base, below) < 0 ||
        launch_path(host, call, jail->root, jail->folder, "root") < 0) {
        return -1;
    }
    return 0;
}

int jail_read(const struct banger_host *host, struct banger_call *call,
              const struct program *program, struct jail *jail)
{
    memset(jail, 0, sizeof(*jail));
    jail->wanted = host->get_bool(call, "config.jailer", 0);
    if (!jail->wanted) {
        return 0;
    }
    jail->uid = (uid_t)host->get_int(call, "config.jailer_uid", 0);
    jail->gid = (gid_t)host->get_int(call, "config.jailer_gid", 0);
    if (find_jailer(host, call, program, jail) < 0) {
        return -1;
    }
    return host->get_string(call, "vm.id", NULL) != NULL ? name_folders(host, call, program, jail)
                                                         : 0;
}

/* -- Checking ----------------------------------------------------------------------------------- */

/* The jail's file system must run programs and open devices. */
static int check_mount(const struct banger_host *host, struct banger_call *call)
{
    const char *place = host->get_string(call, "config.chroot_base", "");
    struct statvfs info;

    if (*place == '\0') {
        place = host->get_string(call, "host.state_dir", "/");
    }
    if (place[0] != '/' || statvfs(place, &info) < 0) {
        return host->fail(call, BANGER_EINVALID, "the jail's base '%.200s' is no folder: %s", place,
                          place[0] != '/' ? "its path is not absolute" : strerror(errno));
    }
    if ((info.f_flag & (ST_NODEV | ST_NOEXEC)) != 0) {
        host->hint(call, "set plugins.firecracker.chroot_base to a folder on another file system");
        return host->fail(call, BANGER_EUNSUPPORTED,
                          "%s is mounted %s: the jailer cannot work there", place,
                          (info.f_flag & ST_NODEV) != 0 ? "nodev" : "noexec");
    }
    return 0;
}

int jail_check(const struct banger_host *host, struct banger_call *call, const struct jail *jail)
{
    if (!jail->wanted) {
        return 0;
    }
    if (geteuid() != 0) {
        host->hint(call, "run bangerd as root, or set plugins.firecracker.jailer to false");
        return host->fail(call, BANGER_EPERMISSION, "the jailer needs root");
    }
    if (access(jail->jailer, X_OK) < 0) {
        host->hint(call,
                   "a release of Firecracker has it; or set plugins.firecracker.jailer_binary");
        return host->fail(call, BANGER_EUNSUPPORTED, "the jailer %s cannot be executed",
                          jail->jailer);
    }
    if (jail->uid == 0 || jail->gid == 0) {
        host->hint(call, "useradd --system makes a user for it");
        return host->fail(
            call, BANGER_EINVALID,
            "plugins.firecracker.jailer_uid and jailer_gid must be set, and not to 0");
    }
    return check_mount(host, call);
}

/* -- Filling ------------------------------------------------------------------------------------ */

struct fill {
    const struct banger_host *host;
    struct banger_call *call;
    const struct jail *jail;
};

static int fill_failed(const struct fill *fill, const char *doing, const char *path, int reason)
{
    return fill->host->fail(fill->call, BANGER_EIO, "jail: cannot %s %s: %s", doing, path,
                            strerror(reason));
}

static int make_folders(const struct fill *fill)
{
    const struct jail *jail = fill->jail;
    char exec[PATH_MAX];
    const char *const paths[] = {jail->base, exec, jail->folder, jail->root};

    (void)snprintf(exec, sizeof(exec), "%.*s", (int)(strrchr(jail->folder, '/') - jail->folder),
                   jail->folder);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        bool shared = i < 2; /* between VMs, where the base is configured */

        if (mkdir(paths[i], 0700) < 0 && !(shared && errno == EEXIST)) {
            return fill_failed(fill, "make", paths[i], errno);
        }
    }
    return 0;
}

static bool goes_on(void *context, off_t done)
{
    const struct fill *fill = context;

    (void)done;
    return !fill->host->cancelled(fill->call) && fill->host->remaining_ms(fill->call) != 0;
}

static int copy_content(const struct fill *fill, int in, int out)
{
    struct stat status;

    if (fstat(in, &status) < 0) {
        return errno;
    }
    int reason = sparse_copy(in, out, status.st_size, goes_on, (void *)fill);

    if (reason != 0) {
        return reason;
    }
    return fchown(out, fill->jail->uid, fill->jail->gid) < 0 ? errno : 0;
}

static int copy_file(const struct fill *fill, const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    int reason = out < 0 ? errno : copy_content(fill, in, out);

    if (in >= 0) {
        (void)close(in);
    }
    if (out >= 0) {
        (void)close(out);
    }
    return reason == 0 ? 0 : fill_failed(fill, "copy", from, reason);
}

static int give(const struct fill *fill, const char *path)
{
    return fchownat(AT_FDCWD, path, fill->jail->uid, fill->jail->gid, AT_SYMLINK_NOFOLLOW) == 0
               ? 0
               : fill_failed(fill, "give away", path, errno);
}

/* What may be shared between VMs: it is linked only where everybody may read it anyway. */
static int place_shared(const struct fill *fill, const char *from, const char *to,
                        const struct stat *status)
{
    bool open_to_all = (status->st_mode & S_IROTH) != 0 && (status->st_mode & S_IWOTH) == 0;

    return open_to_all && link(from, to) == 0 ? 0 : copy_file(fill, from, to);
}

static int place_own(const struct fill *fill, const char *from, const char *to,
                     const struct stat *status)
{
    if (S_ISBLK(status->st_mode)) {
        if (mknod(to, S_IFBLK | 0600, status->st_rdev) < 0) {
            return fill_failed(fill, "make the device", to, errno);
        }
    } else if (link(from, to) < 0) {
        if (errno == EXDEV) {
            fill->host->hint(fill->call,
                             "set plugins.firecracker.chroot_base to a folder on the "
                             "file system of %s, or leave it unset",
                             from);
            return fill->host->fail(fill->call, BANGER_EUNSUPPORTED,
                                    "jail: %s is on another file system than %s", from,
                                    fill->jail->root);
        }
        return fill_failed(fill, "link", from, errno);
    }
    return give(fill, to);
}

enum content { CONTENT_SHARED, CONTENT_OWN };

/* Puts a file of the host into the jail under `name`. */
static int place(const struct fill *fill, enum content content, const char *path, const char *name)
{
    char from[PATH_MAX];
    char to[PATH_MAX];
    struct stat status;

    if (launch_path(fill->host, fill->call, to, fill->jail->root, name) < 0) {
        return -1;
    }
    if (realpath(path, from) == NULL || stat(from, &status) < 0) {
        return fill_failed(fill, "read", path, errno);
    }
    return content == CONTENT_OWN ? place_own(fill, from, to, &status)
                                  : place_shared(fill, from, to, &status);
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

/* A disk that is only read may be others' too, and is not given away. */
static json_t *place_drives(const struct fill *fill, const json_t *drives)
{
    json_t *paths = json_array();
    size_t i;
    json_t *drive;

    json_array_foreach (drives, i, drive) {
        bool read_only = json_is_true(json_object_get(drive, "read_only"));
        char name[32];

        (void)snprintf(name, sizeof(name), "drive%zu", i);
        if (place(fill, read_only ? CONTENT_SHARED : CONTENT_OWN, text_at(drive, "path"), name) <
            0) {
            json_decref(paths);
            return NULL;
        }
        json_array_append_new(paths, json_sprintf("/%s", name));
    }
    return paths;
}

/* The VM's own: its user may write to them. */
static int place_logs(const struct fill *fill)
{
    static const char *const names[] = {"vmm.log", "metrics.json"};
    const char *dir = fill->host->get_string(fill->call, "vm.dir", "");
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (launch_path(fill->host, fill->call, path, dir, names[i]) < 0 ||
            place(fill, CONTENT_OWN, path, names[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static int lend_taps(const struct fill *fill, const json_t *nics)
{
    size_t i;
    json_t *nic;

    json_array_foreach (nics, i, nic) {
        json_t *done = banger_json_host_op(fill->host, fill->call, "tap.lend",
                                           json_pack("{s:s, s:I}", "tap", text_at(nic, "tap"),
                                                     "uid", (json_int_t)fill->jail->uid));

        if (done == NULL) {
            return -1;
        }
        json_decref(done);
    }
    return 0;
}

/* From vm.run_dir to the root: there the core looks for the agent's socket. */
static int link_root(const struct fill *fill)
{
    char path[PATH_MAX];

    if (launch_path(fill->host, fill->call, path,
                    fill->host->get_string(fill->call, "vm.run_dir", ""), JAIL_LINK) < 0) {
        return -1;
    }
    return symlink(fill->jail->root, path) == 0 ? 0 : fill_failed(fill, "make", path, errno);
}

static int fill_root(const struct fill *fill, const json_t *machine,
                     struct configure_options *options)
{
    const char *initramfs = text_at(machine, "initramfs");

    if (make_folders(fill) < 0 ||
        place(fill, CONTENT_SHARED, text_at(machine, "kernel"), "kernel") < 0 ||
        (*initramfs != '\0' && place(fill, CONTENT_OWN, initramfs, "initramfs") < 0) ||
        place_logs(fill) < 0 || lend_taps(fill, json_object_get(machine, "nics")) < 0 ||
        link_root(fill) < 0) {
        return -1;
    }
    options->kernel = "/kernel";
    options->initramfs = *initramfs != '\0' ? "/initramfs" : NULL;
    options->drive_paths = place_drives(fill, json_object_get(machine, "drives"));
    return options->drive_paths != NULL ? 0 : -1;
}

int jail_fill(const struct banger_host *host, struct banger_call *call, const struct jail *jail,
              const json_t *machine, struct configure_options *options)
{
    const struct fill fill = {.host = host, .call = call, .jail = jail};
    const char *configured = host->get_string(call, "config.chroot_base", "");
    /* Of a base that is this VM's alone nothing stays. */
    int64_t row =
        host->resource_intend(call, KIND, *configured == '\0' ? jail->base : jail->folder, NULL);

    if (row < 0 || fill_root(&fill, machine, options) < 0) {
        return -1;
    }
    return host->resource_held(call, row, NULL);
}

json_t *jail_argv(const struct banger_host *host, struct banger_call *call, const struct jail *jail,
                  const struct program *program)
{
    const char *id = host->get_string(call, "vm.id", "");
    json_t *argv =
        json_pack("[s, s, s, s, s, s, o, s, o, s, s]", jail->jailer, "--id", id, "--exec-file",
                  program->path, "--uid", json_sprintf("%u", (unsigned)jail->uid), "--gid",
                  json_sprintf("%u", (unsigned)jail->gid), "--chroot-base-dir", jail->base);

    /* Without the parent it would be moved to a cgroup named after the program, if there is one. */
    if (access(CGROUP_V2, F_OK) == 0) {
        json_array_append_new(argv, json_string("--cgroup-version"));
        json_array_append_new(argv, json_string("2"));
        json_array_append_new(argv, json_string("--parent-cgroup"));
        json_array_append_new(argv, json_sprintf(CGROUP_PARENT "/%s", id));
    }
    json_array_append_new(argv, json_string("--"));
    return argv;
}

/* -- Removing ----------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

#define OPEN_FOLDERS 16 /* that nftw may keep open at a time */

/* No link is followed, and no mount crossed. */
static int remove_tree(const char *path)
{
    return nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 ||
                   errno == ENOENT
               ? 0
               : -1;
}

/* A row's folder has the VM's id in its path, whichever base was configured. */
static bool is_of_vm(const char *path, const char *id)
{
    return path[0] == '/' && strlen(id) == 32 && strstr(path, id) != NULL &&
           strstr(path, "/../") == NULL;
}

int jail_remove(const struct banger_host *host, struct banger_call *call)
{
    json_auto_t *rows = banger_json_get(host, call, "resources");
    const char *id = host->get_string(call, "vm.id", "");
    size_t i;
    json_t *row;

    json_array_foreach (rows, i, row) {
        const char *path = text_at(row, "key");

        if (strcmp(text_at(row, "kind"), KIND) != 0) {
            continue;
        }
        if (!is_of_vm(path, id)) {
            return host->fail(call, BANGER_EINTERNAL, "the jail %s is not this VM's", path);
        }
        if (remove_tree(path) < 0) {
            return host->fail(call, BANGER_EIO, "cannot remove the jail %s: %s", path,
                              strerror(errno));
        }
        if (host->resource_gone(call, json_integer_value(json_object_get(row, "id"))) < 0) {
            return -1;
        }
    }
    return 0;
}
