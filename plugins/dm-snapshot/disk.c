/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk.h"

#include "root_disk.h"

#include <banger/json.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MIB INT64_C(1048576)
#define SECTOR 512
#define FILE_MODE 0600     /* it holds whatever the guest's user puts there */
#define EXCEPTION_BYTES 16 /* struct disk_exception, drivers/md/dm-snap-persistent.c */
#define COW_MIN MIB        /* below that the kernel's own table hardly fits */
#define RECORD_MAX 4096

/* -- Paths ------------------------------------------------------------------------------------------ */

static int set_paths(const struct banger_host *host, struct banger_call *call, struct disk *disk)
{
    const char *dir = host->get_string(call, "vm.dir", NULL);

    if (dir == NULL) {
        return host->fail(call, BANGER_EINTERNAL, "the VM has no folder");
    }
    if (snprintf(disk->cow, PATH_MAX, "%s/rootfs.cow", dir) >= PATH_MAX ||
        snprintf(disk->tail, PATH_MAX, "%s/rootfs.tail", dir) >= PATH_MAX ||
        snprintf(disk->record, PATH_MAX, "%s/rootfs.json", dir) >= PATH_MAX) {
        return host->fail(call, BANGER_EINVALID, "the path of the VM's folder is too long: %s",
                          dir);
    }
    return 0;
}

/* -- The record ------------------------------------------------------------------------------------- */

static int read_record(struct disk *disk, const json_t *json)
{
    const char *digest = NULL;
    json_int_t size = 0, inode = 0, mtime = 0, chunk = 0, whole = 0, grown = 0;

    if (json_unpack((json_t *)(uintptr_t)json, "{s:I, s:I, s:I, s:s, s:I, s:I, s:I}", "base_size",
                    &size, "base_inode", &inode, "base_mtime_ns", &mtime, "digest", &digest,
                    "chunk", &chunk, "size", &whole, "grown", &grown) < 0 ||
        size <= 0 || chunk <= 0 || whole < size) {
        return -1;
    }
    disk->base_size = size;
    disk->base_inode = inode;
    disk->base_mtime_ns = mtime;
    disk->chunk = chunk;
    disk->size = whole;
    disk->grown = grown;
    (void)snprintf(disk->digest, sizeof(disk->digest), "%s", digest);
    return 0;
}

int disk_load(const struct banger_host *host, struct banger_call *call, struct disk *disk)
{
    char text[RECORD_MAX];
    ssize_t got;
    int fd;

    *disk = (struct disk){0};
    if (set_paths(host, call, disk) < 0) {
        return -1;
    }
    fd = open(disk->record, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? 0 : root_disk_fail(host, call, errno, "read", disk->record);
    }
    got = read(fd, text, sizeof(text));
    (void)close(fd);
    json_auto_t *json = got > 0 ? json_loadb(text, (size_t)got, 0, NULL) : NULL;
    if (read_record(disk, json) < 0) {
        host->hint(call, "put the file back, or delete the VM and make it anew");
        return host->fail(call, BANGER_ECORRUPT, "%s does not describe a disk", disk->record);
    }
    return 1;
}

static int write_durably(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    int result = -1;

    if (fd >= 0) {
        ssize_t length = (ssize_t)strlen(text);
        errno = ENOSPC; /* what a short write of so few bytes means */
        result = write(fd, text, (size_t)length) == length && fsync(fd) == 0 ? 0 : -1;
        int failure = errno;
        (void)close(fd);
        errno = failure;
    }
    return result;
}

int disk_save(const struct banger_host *host, struct banger_call *call, const struct disk *disk)
{
    char temporary[PATH_MAX + 8];
    char *text = banger_json_text(
        host, call,
        json_pack("{s:I, s:I, s:I, s:s, s:I, s:I, s:I}", "base_size", (json_int_t)disk->base_size,
                  "base_inode", (json_int_t)disk->base_inode, "base_mtime_ns",
                  (json_int_t)disk->base_mtime_ns, "digest", disk->digest, "chunk",
                  (json_int_t)disk->chunk, "size", (json_int_t)disk->size, "grown",
                  (json_int_t)disk->grown));
    int folder;
    int result;

    if (text == NULL) {
        return -1;
    }
    (void)snprintf(temporary, sizeof(temporary), "%s.new", disk->record);
    result = write_durably(temporary, text) == 0 && rename(temporary, disk->record) == 0
                 ? 0
                 : root_disk_fail(host, call, errno, "write", disk->record);
    free(text);
    folder = result == 0 ? root_disk_open_folder(host, call) : -1;
    if (folder >= 0) { /* the rename, and the files that it tells of */
        (void)fsync(folder);
        (void)close(folder);
    }
    return result;
}

/* -- Sizes ------------------------------------------------------------------------------------------ */

/* What the whole image needs when every chunk of it is changed: a header, for each group of chunks one
 * with their table, and one table more, since the kernel clears the next when one is full
 * (persistent_commit_exception, drivers/md/dm-snap-persistent.c). */
static int64_t cow_for_all(const struct disk *disk)
{
    int64_t chunks = (disk->base_size + disk->chunk - 1) / disk->chunk;
    int64_t tables = chunks / (disk->chunk / EXCEPTION_BYTES) + 2;

    return (1 + chunks + tables) * disk->chunk;
}

static int64_t cow_wanted(const struct banger_host *host, struct banger_call *call,
                          const struct disk *disk)
{
    int64_t limit = host->get_int(call, "config.cow_size", 0);
    int64_t all = cow_for_all(disk);

    limit = limit > 0 && limit < COW_MIN ? COW_MIN : limit;
    return limit > 0 && limit < all ? limit / disk->chunk * disk->chunk : all;
}

bool disk_may_overflow(const struct disk *disk)
{
    struct stat status;

    return stat(disk->cow, &status) == 0 && status.st_size < cow_for_all(disk);
}

/* -- Files ------------------------------------------------------------------------------------------ */

/* `anew`: whatever an interrupted attempt left goes. */
static int set_size(const struct banger_host *host, struct banger_call *call, const char *path,
                    int64_t size, bool anew)
{
    int fd =
        open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (anew ? O_TRUNC : 0), FILE_MODE);
    struct stat status;
    int result = 0;

    if (fd < 0) {
        return root_disk_fail(host, call, errno, "open", path);
    }
    if (fstat(fd, &status) < 0 ||
        (status.st_size < size && (ftruncate(fd, size) < 0 || fsync(fd) < 0))) {
        result = root_disk_fail(host, call, errno, "grow", path);
    }
    (void)close(fd);
    return result;
}

static int read_image(const struct banger_host *host, struct banger_call *call, struct disk *disk)
{
    const char *image = host->get_string(call, "image.path", NULL);
    struct stat status;

    if (image == NULL) {
        return host->fail(call, BANGER_EINTERNAL, "the VM has no image");
    }
    if (lstat(image, &status) < 0) {
        return root_disk_fail(host, call, errno, "read the image", image);
    }
    if (!S_ISREG(status.st_mode) || status.st_size == 0 || status.st_size % SECTOR != 0) {
        return host->fail(call, BANGER_ECORRUPT,
                          "the image %s is not a file of whole sectors of %d bytes", image, SECTOR);
    }
    disk->base_size = status.st_size;
    disk->base_inode = (int64_t)status.st_ino;
    disk->base_mtime_ns = base_mtime(&status);
    (void)snprintf(disk->digest, sizeof(disk->digest), "%s",
                   host->get_string(call, "image.digest", ""));
    return 0;
}

int disk_make(const struct banger_host *host, struct banger_call *call, struct disk *disk)
{
    int64_t wanted = host->get_int(call, "vm.disk_mib", 0) * MIB;

    if (read_image(host, call, disk) < 0) {
        return -1;
    }
    disk->chunk = host->get_int(call, "config.chunk", 4096);
    disk->size = wanted > disk->base_size ? wanted : disk->base_size;
    disk->grown = 0;
    if (set_size(host, call, disk->cow, cow_wanted(host, call, disk), true) < 0 ||
        (disk->size > disk->base_size &&
         set_size(host, call, disk->tail, disk->size - disk->base_size, true) < 0)) {
        return -1;
    }
    return disk_save(host, call, disk);
}

int disk_extend(const struct banger_host *host, struct banger_call *call, struct disk *disk,
                int64_t size)
{
    if (size < disk->size) {
        host->hint(call, "a disk only grows; a new VM can have a smaller one");
        return host->fail(call, BANGER_EINVALID,
                          "the root disk has %" PRId64 " MiB and cannot shrink to %" PRId64 " MiB",
                          disk->size / MIB, size / MIB);
    }
    if (size == disk->size) {
        return 0;
    }
    disk->size = size;
    return set_size(host, call, disk->tail, size - disk->base_size, false) < 0
               ? -1
               : disk_save(host, call, disk);
}

int disk_enlarge_cow(const struct banger_host *host, struct banger_call *call,
                     const struct disk *disk)
{
    struct stat status;

    if (lstat(disk->cow, &status) < 0) {
        return root_disk_fail(host, call, errno, "read", disk->cow);
    }
    return set_size(host, call, disk->cow, cow_wanted(host, call, disk), false);
}

/* -- After a failure -------------------------------------------------------------------------------- */

/* The first bytes of rootfs.cow (struct disk_header, drivers/md/dm-snap-persistent.c): all four
 * little-endian, as on this machine. */
struct cow_header {
    uint32_t magic;
    uint32_t valid; /* 0: given up */
    uint32_t version;
    uint32_t chunk_sectors;
};

#define COW_MAGIC 0x70416e53 /* SNAP_MAGIC */

int disk_revive(const struct banger_host *host, struct banger_call *call, const struct disk *disk)
{
    struct cow_header header;
    int fd = open(disk->cow, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    int result = 0;

    if (fd < 0) {
        return root_disk_fail(host, call, errno, "open", disk->cow);
    }
    if (pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
        header.magic == COW_MAGIC && header.valid == 0) {
        header.valid = 1;
        host->log(call, BANGER_LOG_WARN, "%s: taken up as after a power cut", disk->cow);
        if (pwrite(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) || fsync(fd) < 0) {
            result = root_disk_fail(host, call, errno, "write", disk->cow);
        }
    }
    (void)close(fd);
    return result;
}
