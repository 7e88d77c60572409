/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On the way of every start, hence quick: the base is copied in the kernel where the file systems
 * allow it, nothing is synced (the file is made again at the next start), and one rename shows it.
 *
 * The kernel takes several archives one after another when each begins on 4 bytes, zeros between
 * them passed over (Documentation/driver-api/early-userspace/buffer-format.rst).
 */
#include "guest_archive.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "cpio.h"
#include "guest_content.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define ARCHIVE_MODE 0600 /* may hold keys */

static int base_copy(const char *base, int to, banger_error *err)
{
    AUTO_CLOSE int from = open(base, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (from < 0 || fstat(from, &info) < 0) {
        return error_sys(err, errno, "cannot open the initramfs %s", base);
    }
    if (fd_copy_sparse(from, to, info.st_size, err) < 0) {
        return error_prefix(err, "copying %s: ", base);
    }
    off_t aligned = (info.st_size + 3) & ~(off_t)3;
    if (ftruncate(to, aligned) < 0 || lseek(to, aligned, SEEK_SET) < 0) {
        return error_sys(err, errno, "cannot align the guest's initramfs");
    }
    return 0;
}

static struct cpio_owner owner_in_cpio(struct guest_owner owner)
{
    return (struct cpio_owner){.mode = owner.mode, .uid = owner.uid, .gid = owner.gid};
}

static int sink_data(void *context, const char *path, struct guest_owner owner, const void *data,
                     size_t length, banger_error *err)
{
    return cpio_data(context, path, owner_in_cpio(owner), data, length, err);
}

static int sink_file(void *context, const char *path, struct guest_owner owner, const char *source,
                     banger_error *err)
{
    return cpio_file(context, path, owner_in_cpio(owner), source, err);
}

static int guest_append(int to, const json_t *guest, banger_error *err)
{
    AUTO(cpio_drop) struct cpio *cpio = cpio_open(to, err);
    const struct guest_sink sink = {.data = sink_data, .file = sink_file, .context = cpio};
    if (cpio == NULL || guest_content_write(guest, &sink, err) < 0) {
        return -1;
    }
    return cpio_finish(cpio, err);
}

static int archive_make(const char *base, const json_t *guest, const char *path, banger_error *err)
{
    AUTO_CLOSE int to =
        open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, ARCHIVE_MODE);
    if (to < 0) {
        return error_sys(err, errno, "cannot create %s", path);
    }
    if (base_copy(base, to, err) < 0) {
        return -1;
    }
    return guest_append(to, guest, err);
}

int guest_archive_write(const char *base_initramfs, const json_t *guest, const char *out_path,
                        banger_error *err)
{
    AUTO_FREE char *temporary = str_format("%s.new", out_path);
    if (archive_make(base_initramfs, guest, temporary, err) < 0) {
        (void)unlink(temporary);
        return -1;
    }
    if (rename(temporary, out_path) < 0) {
        int saved = errno;
        (void)unlink(temporary);
        return error_sys(err, saved, "cannot replace %s", out_path);
    }
    return 0;
}
