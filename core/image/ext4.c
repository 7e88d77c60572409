/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole file systems: checking, making. What is inside is ext4_tree.c's. */
#include "ext4.h"

#include "base/cleanup.h"
#include "command.h"
#include "ext4_fail.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#define MKE2FS_TIMEOUT_MS (2 * 60 * 1000)

/* libext2fs leaves its texts to libcom_err; these are the ones that people meet. */
static const struct reason {
    errcode_t code;
    enum banger_code kind;
    const char *text;
} reasons[] = {
    {EXT2_ET_BAD_MAGIC, BANGER_EINVALID, "there is no ext4 superblock"},
    {EXT2_ET_SHORT_READ, BANGER_EINVALID, "it is cut off"},
    {EXT2_ET_CORRUPT_SUPERBLOCK, BANGER_EINVALID, "its superblock is damaged"},
    {EXT2_ET_SB_CSUM_INVALID, BANGER_EINVALID, "its superblock's checksum is wrong"},
    {EXT2_ET_GDESC_READ, BANGER_EINVALID, "its group descriptors cannot be read"},
    {EXT2_ET_UNSUPP_FEATURE, BANGER_EUNSUPPORTED, "it has features that are not known here"},
    {EXT2_ET_RO_UNSUPP_FEATURE, BANGER_EUNSUPPORTED, "it has features that are not known here"},
    {EXT2_ET_BLOCK_ALLOC_FAIL, BANGER_EFULL, "no free blocks are left in it"},
    {EXT2_ET_INODE_ALLOC_FAIL, BANGER_EFULL, "no free inodes are left in it"},
    {EXT2_ET_FILE_EXISTS, BANGER_EINVALID, "it is there already"},
    {EXT2_ET_FILE_NOT_FOUND, BANGER_EINVALID, "there is no such file"},
    {EXT2_ET_NO_DIRECTORY, BANGER_EINVALID, "part of its path is not a folder"},
};

int ext4_fail(banger_error *err, long code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    if (code > 0 && code < EXT2_ET_BASE) { /* an errno */
        return error_sys(err, (int)code, "%s", text);
    }
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].code == code) {
            return error_set(err, reasons[i].kind, "%s: %s", text, reasons[i].text);
        }
    }
    return error_set(err, BANGER_EINVALID, "%s: libext2fs' error %ld", text, code);
}

static int state_check(ext2_filsys fs, off_t size, const char *path, banger_error *err)
{
    if (!ext2fs_has_feature_extents(fs->super)) {
        (void)error_set(err, BANGER_EINVALID, "%s is an ext2 or ext3 file system, not ext4", path);
        return error_hint(err,
                          "convert it: tune2fs -O extents,uninit_bg,dir_index %s && e2fsck -f %s",
                          path, path);
    }
    blk64_t blocks = ext2fs_blocks_count(fs->super);
    if (blocks > (blk64_t)size / fs->blocksize) {
        return error_set(
            err, BANGER_EINVALID,
            "%s is cut off: its file system has %llu blocks of %u bytes, the file %lld "
            "bytes",
            path, (unsigned long long)blocks, fs->blocksize, (long long)size);
    }
    if (ext2fs_has_feature_journal_needs_recovery(fs->super) ||
        (fs->super->s_state & EXT2_VALID_FS) == 0 || (fs->super->s_state & EXT2_ERROR_FS) != 0) {
        (void)error_set(err, BANGER_EINVALID,
                        "%s was not unmounted cleanly, or has errors, or is in use", path);
        return error_hint(err, "unmount it and check it: e2fsck -f %s", path);
    }
    return 0;
}

int ext4_check(const char *path, const char *shown_as, banger_error *err)
{
    struct stat info;
    if (stat(path, &info) < 0) {
        return error_sys(err, errno, "cannot look at %s", shown_as);
    }
    if (!S_ISREG(info.st_mode)) {
        return error_set(err, BANGER_EINVALID, "%s is not a regular file", shown_as);
    }
    ext2_filsys fs = NULL;
    errcode_t code = ext2fs_open(path, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs);
    if (code != 0) {
        (void)ext4_fail(err, code, "%s is no usable ext4 file system", shown_as);
        return error_hint(err,
                          "an image is the file system itself, without a partition table: make "
                          "one with mke2fs -t ext4 -d FOLDER FILE SIZE");
    }
    int result = state_check(fs, info.st_size, shown_as, err);
    ext2fs_free(fs);
    return result;
}

/*
 * A journal, though a small one: `vm kill` is an everyday thing, and the next start must find a
 * sound file system. The file is new, so nothing in it needs zeroing, and the guest's kernel has
 * no inode tables to initialise behind our back. No blocks are reserved: root is everybody there.
 */
int ext4_format(struct staging *staging, const char *path, off_t size, banger_error *err)
{
    AUTO_FREE char *blocks = str_format("%lldk", (long long)(size / 1024));
    char *argv[] = {(char[]){"mke2fs"},
                    (char[]){"-q"},
                    (char[]){"-F"},
                    (char[]){"-t"},
                    (char[]){"ext4"},
                    (char[]){"-b"},
                    (char[]){"4096"},
                    (char[]){"-m"},
                    (char[]){"0"},
                    (char[]){"-J"},
                    (char[]){"size=4"},
                    (char[]){"-E"},
                    (char[]){"root_owner=0:0,assume_storage_prezeroed=1"},
                    (char *)path,
                    blocks,
                    NULL};
    struct command command = {
        .staging = staging, .argv = argv, .package = "e2fsprogs", .timeout_ms = MKE2FS_TIMEOUT_MS};
    return command_run(&command, err);
}
