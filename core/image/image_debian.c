/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The debian image: a minimal Debian with systemd and an SSH server.
 * 1. mmdebstrap makes a tar archive: as root, or in a user namespace with the user's subuids.
 * 2. The archive is copied into a new ext4 file system, without what must differ between machines
 *    (host keys, machine id) and with a few files of ours: the agent does the network, name and
 *    keys, so that no unit has to.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "command.h"
#include "context.h"
#include "ext4.h"
#include "host/mounts.h"
#include "image_build.h"
#include "tar_tree.h"

#include <fnmatch.h>
#include <string.h>

#define DEBIAN_SIZE ((off_t)2 * 1024 * 1024 * 1024) /* apparent */
#define DEBIAN_SUITE "bookworm"
#define DEBIAN_PACKAGES "systemd-sysv,dbus,openssh-server,iproute2,ca-certificates"
#define BOOTSTRAP_TIMEOUT_MS (30 * 60 * 1000)
#define UNIT_DIR "/etc/systemd/system"

static const char *const left_out[] = {
    "dev/*", /* devtmpfs; nodes of a user namespace's would be empty files */
    "etc/hostname",    "etc/machine-id",          "etc/resolv.conf", "etc/ssh/ssh_host_*",
    "var/cache/apt/*", "var/lib/dbus/machine-id",
};

/* Nothing in a sandbox's first second should be busy with housekeeping; the serial console is the
 * boot log and no terminal. */
static const char *const masked_units[] = {
    "apt-daily.timer",    "apt-daily-upgrade.timer",  "dpkg-db-backup.timer",
    "e2scrub_all.timer",  "e2scrub_reap.service",     "serial-getty@ttyS0.service",
    "getty@tty1.service", "systemd-resolved.service",
};

static const struct text_file {
    const char *path;
    const char *text;
} files[] = {
    {"/etc/machine-id", ""}, /* empty: systemd makes one up at every machine's first boot */
    {"/etc/hostname", "localhost\n"},
    {"/etc/fstab", "# the root file system is mounted by the initramfs\n"},
    {UNIT_DIR "/ssh.service.d/host-keys.conf",
     "# Every machine makes a key of its own before its first connection; one that is there "
     "stays.\n"
     "# Only this kind: an RSA key takes seconds to make without KVM.\n"
     "[Service]\n"
     "ExecStartPre=\n"
     "ExecStartPre=-/usr/bin/ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key\n"
     "ExecStartPre=/usr/sbin/sshd -t\n"},
};

static bool is_left_out(const char *path)
{
    for (size_t i = 0; i < COUNT_OF(left_out); i++) {
        if (fnmatch(left_out[i], path, 0) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (str_equal(files[i].path + 1, path)) { /* ours comes in its place */
            return true;
        }
    }
    return false;
}

/* As root it works in the staging folder and mounts what others do not see: killed at any moment, it leaves what
 * the folder's row in the journal has removed, and nothing else. As a user it has a user namespace of its own, from
 * which the folder cannot be reached. */
static int bootstrap(struct staging *staging, const char *tar, banger_error *err)
{
    bool is_root = geteuid() == 0;
    char *argv[] = {(char[]){"mmdebstrap"},
                    (char[]){"--variant=minbase"},
                    (char[]){"--format=tar"},
                    (char[]){"--include=" DEBIAN_PACKAGES},
                    (char[]){DEBIAN_SUITE},
                    (char *)tar,
                    NULL};
    struct command command = {.staging = staging,
                              .argv = argv,
                              .package = "mmdebstrap",
                              .scratch = is_root ? staging->dir : NULL,
                              .in_child = is_root ? mounts_make_own : NULL,
                              .timeout_ms = BOOTSTRAP_TIMEOUT_MS,
                              .verbose = true};
    if (command_run(&command, err) < 0) {
        if (!is_root && err != NULL && err->hint[0] == '\0') {
            (void)error_hint(err,
                             "run this as root, or install uidmap and give yourself subordinate "
                             "ids (subuid(5)): mmdebstrap needs a user namespace then");
        }
        return -1;
    }
    return 0;
}

static int own_files_add(struct ext4 *fs, banger_error *err)
{
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (ext4_data(fs, files[i].path, (struct ext4_attr){.mode = 0644}, files[i].text,
                      strlen(files[i].text), err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < COUNT_OF(masked_units); i++) {
        AUTO_FREE char *path = str_format(UNIT_DIR "/%s", masked_units[i]);
        if (ext4_symlink(fs, path, (struct ext4_attr){0}, "/dev/null", err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int rootfs_make(struct staging *staging, const char *tar, const char *path,
                       banger_error *err)
{
    context_progress(staging->context, "writing the file system");
    if (ext4_format(staging, path, DEBIAN_SIZE, err) < 0) {
        return -1;
    }
    AUTO(ext4_drop) struct ext4 *fs = ext4_open(path, err);
    if (fs == NULL || tar_tree_copy(staging->context, tar, fs, is_left_out, err) < 0 ||
        own_files_add(fs, err) < 0) {
        return -1;
    }
    return ext4_close(STEAL(fs), err);
}

int image_build_debian(struct image_context *context, const char *name, struct image_record *image,
                       banger_error *err)
{
    AUTO_STAGING struct staging staging = STAGING_INIT;
    if (image_build_begin(context, name, &staging, err) < 0) {
        return -1;
    }
    AUTO_FREE char *tar = staging_path(&staging, "rootfs.tar");
    AUTO_FREE char *path = image_build_rootfs(&staging);
    context_progress(context, "running mmdebstrap (" DEBIAN_SUITE ", minbase)");
    if (bootstrap(&staging, tar, err) < 0 || rootfs_make(&staging, tar, path, err) < 0 ||
        file_remove(tar, err) < 0) {
        return error_prefix(err, "building the debian image: ");
    }
    return image_build_finish(&staging, name, "build debian", image, err);
}
