/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest_disk.h"

#include "agent/guest_conf.h"
#include "base/cleanup.h"
#include "ext4.h"
#include "guest_content.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define CHUNK ((size_t)1024 * 1024)

static struct ext4_attr attr_of(struct guest_owner owner)
{
    return (struct ext4_attr){
        .mode = owner.mode, .uid = owner.uid, .gid = owner.gid, .mtime = clock_wall_ms() / 1000};
}

static int sink_data(void *context, const char *path, struct guest_owner owner, const void *data,
                     size_t length, banger_error *err)
{
    return ext4_data(context, path, attr_of(owner), data, length, err);
}

struct host_file {
    const char *path;
    int fd;
    char *chunk;
};

static int file_next(void *context, const void **data, size_t *length, banger_error *err)
{
    struct host_file *file = context;
    ssize_t got = read(file->fd, file->chunk, CHUNK);
    if (got < 0) {
        return error_sys(err, errno, "cannot read %s", file->path);
    }
    *data = file->chunk;
    *length = (size_t)got;
    return 0;
}

static int sink_file(void *context, const char *path, struct guest_owner owner, const char *source,
                     banger_error *err)
{
    struct stat status;
    AUTO_CLOSE int fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return error_sys(err, errno, "cannot read %s", source);
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(err, BANGER_EINVALID, "%s is not a regular file", source);
    }
    AUTO_FREE char *chunk = xmalloc(CHUNK);
    struct host_file file = {.path = source, .fd = fd, .chunk = chunk};
    return ext4_file(context, path, attr_of(owner), file_next, &file, err);
}

/* The folder is root's alone: keys may be in it. */
static int content_write(struct ext4 *fs, const char *agent, const json_t *guest, banger_error *err)
{
    const struct guest_sink sink = {.data = sink_data, .file = sink_file, .context = fs};
    if (ext4_remove(fs, &GUEST_CONF_DIR[1], err) < 0 ||
        ext4_dir(fs, GUEST_CONF_DIR, attr_of((struct guest_owner){.mode = 0700}), err) < 0 ||
        sink_file(fs, GUEST_CONF_AGENT, (struct guest_owner){.mode = 0755}, agent, err) < 0) {
        return -1;
    }
    return guest_content_write(guest, &sink, err);
}

int guest_disk_finish(const char *log, banger_error *err)
{
    return ext4_change_finish(log, err) < 0
               ? error_prefix(err, "completing the last change of the disk: ")
               : 0;
}

int guest_disk_write(const char *disk, const char *log, const char *agent, const json_t *guest,
                     deadline until, banger_error *err)
{
    if (guest_disk_finish(log, err) < 0 || ext4_recover(disk, until, err) < 0) {
        return -1;
    }
    struct ext4 *fs = ext4_change_begin(disk, err);
    if (fs == NULL) {
        return -1;
    }
    if (content_write(fs, agent, guest, err) < 0) {
        ext4_abandon(fs);
        return error_prefix(err, "%s: ", disk);
    }
    return ext4_change_end(fs, disk, log, err);
}
