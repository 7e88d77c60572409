/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tiny image: one static busybox with its applets as links, and the files that programs expect
 * of any Unix. There is no init: the agent is PID 1 (agent/guest_conf.h, init=auto).
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "command.h"
#include "ext4.h"
#include "image_build.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define TINY_SIZE ((off_t)256 * 1024 * 1024) /* apparent: about 7 MiB are used */
#define BUSYBOX_MAX ((size_t)32 * 1024 * 1024)
#define LIST_TIMEOUT_MS (20 * 1000)

static const struct folder {
    const char *path;
    mode_t mode;
} folders[] = {
    {"/", 0755},        {"/bin", 0755},       {"/dev", 0755},       {"/etc", 0755},
    {"/home", 0755},    {"/mnt", 0755},       {"/proc", 0555},      {"/root", 0700},
    {"/run", 0755},     {"/sys", 0555},       {"/tmp", 01777},      {"/usr", 0755},
    {"/usr/lib", 0755}, {"/var", 0755},       {"/var/cache", 0755}, {"/var/lib", 0755},
    {"/var/log", 0755}, {"/var/spool", 0755}, {"/var/tmp", 01777},
};

/* Every usual place of a program is the one folder of them. */
static const struct alias {
    const char *path;
    const char *target;
} aliases[] = {
    {"/sbin", "bin"},       {"/usr/bin", "../bin"},          {"/usr/sbin", "../bin"},
    {"/var/run", "../run"}, {"/etc/mtab", "../proc/mounts"},
};

static const struct text_file {
    const char *path;
    mode_t mode;
    const char *text;
} files[] = {
    {"/etc/passwd", 0644,
     "root:x:0:0:root:/root:/bin/sh\n"
     "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
    {"/etc/group", 0644, "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"},
    {"/etc/shadow", 0600, "root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n"},
    {"/etc/shells", 0644, "/bin/sh\n/bin/ash\n"},
    {"/etc/profile", 0644,
     "export PATH=/usr/local/bin:/usr/bin:/bin\n"
     "export PS1='\\u@\\h:\\w\\$ '\n"},
    {"/etc/hosts", 0644, "127.0.0.1 localhost\n::1 localhost\n"},
    {"/etc/nsswitch.conf", 0644, "passwd: files\ngroup: files\nhosts: files dns\n"},
    {"/etc/os-release", 0644,
     "NAME=\"banger tiny\"\nID=banger-tiny\nPRETTY_NAME=\"banger tiny (busybox)\"\n"
     "VERSION_ID=" BANGER_VERSION "\n"},
};

/* With an init of its own the image would not get the agent as PID 1. */
static const char *const unwanted_applets[] = {"busybox", "init", "linuxrc"};

static bool is_static(const struct buf *program)
{
    Elf64_Ehdr header;
    if (program->length < sizeof(header)) {
        return false;
    }
    memcpy(&header, program->data, sizeof(header));
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_machine != EM_X86_64 ||
        header.e_phoff > program->length) {
        return false;
    }
    size_t left = (program->length - (size_t)header.e_phoff) / sizeof(Elf64_Phdr);
    for (size_t i = 0; i < header.e_phnum && i < left; i++) {
        Elf64_Phdr segment;
        memcpy(&segment, program->data + header.e_phoff + i * sizeof(segment), sizeof(segment));
        if (segment.p_type == PT_INTERP) {
            return false;
        }
    }
    return true;
}

static int busybox_read(struct buf *program, banger_error *err)
{
    AUTO_FREE char *path = process_find_program("busybox");
    if (path == NULL) {
        (void)error_set(err, BANGER_EUNSUPPORTED, "the program busybox is not installed");
        return error_hint(err, "install it: apt install busybox-static");
    }
    if (file_read(path, BUSYBOX_MAX, program, err) < 0) {
        return -1;
    }
    if (!is_static(program)) {
        (void)error_set(err, BANGER_EUNSUPPORTED,
                        "%s is not a static x86-64 program: it would not run in the image", path);
        return error_hint(err, "replace it: apt install busybox-static");
    }
    return 0;
}

static bool applet_is_wanted(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(unwanted_applets); i++) {
        if (str_equal(name, unwanted_applets[i])) {
            return false;
        }
    }
    return name[0] != '\0' && strchr(name, '/') == NULL;
}

static int applets_add(struct staging *staging, struct ext4 *fs, banger_error *err)
{
    AUTO_BUF struct buf list = BUF_INIT;
    char *argv[] = {(char[]){"busybox"}, (char[]){"--list"}, NULL};
    struct command command = {.staging = staging,
                              .argv = argv,
                              .package = "busybox-static",
                              .timeout_ms = LIST_TIMEOUT_MS,
                              .out = &list};
    if (command_run(&command, err) < 0) {
        return -1;
    }
    buf_puts(&list, "");
    char *rest = NULL;
    for (const char *name = strtok_r(list.data, "\n", &rest); name != NULL;
         name = strtok_r(NULL, "\n", &rest)) {
        AUTO_FREE char *path = str_format("/bin/%s", name);
        if (applet_is_wanted(name) &&
            ext4_symlink(fs, path, (struct ext4_attr){0}, "busybox", err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int skeleton_add(struct ext4 *fs, banger_error *err)
{
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        if (ext4_dir(fs, folders[i].path, (struct ext4_attr){.mode = folders[i].mode}, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < COUNT_OF(aliases); i++) {
        if (ext4_symlink(fs, aliases[i].path, (struct ext4_attr){0}, aliases[i].target, err) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (ext4_data(fs, files[i].path, (struct ext4_attr){.mode = files[i].mode}, files[i].text,
                      strlen(files[i].text), err) < 0) {
            return -1;
        }
    }
    /* For the moment before the agent mounts devtmpfs over it. */
    return ext4_node(fs, "/dev/console", (struct ext4_attr){.mode = 0600}, S_IFCHR, makedev(5, 1),
                     err);
}

static int rootfs_make(struct staging *staging, const char *path, banger_error *err)
{
    AUTO_BUF struct buf busybox = BUF_INIT;
    if (busybox_read(&busybox, err) < 0 || ext4_format(staging, path, TINY_SIZE, err) < 0) {
        return -1;
    }
    AUTO(ext4_drop) struct ext4 *fs = ext4_open(path, err);
    if (fs == NULL || skeleton_add(fs, err) < 0 ||
        ext4_data(fs, "/bin/busybox", (struct ext4_attr){.mode = 0755}, busybox.data,
                  busybox.length, err) < 0 ||
        applets_add(staging, fs, err) < 0) {
        return -1;
    }
    return ext4_close(STEAL(fs), err);
}

int image_build_tiny(struct image_context *context, const char *name, struct image_record *image,
                     banger_error *err)
{
    AUTO_STAGING struct staging staging = STAGING_INIT;
    if (image_build_begin(context, name, &staging, err) < 0) {
        return -1;
    }
    AUTO_FREE char *path = image_build_rootfs(&staging);
    context_progress(context, "building the tiny image");
    if (rootfs_make(&staging, path, err) < 0) {
        return error_prefix(err, "building the tiny image: ");
    }
    return image_build_finish(&staging, name, "build tiny", image, err);
}
