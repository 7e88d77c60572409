/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing the file system of a guest's disk; see ext4.h. */
#include "base/cleanup.h"
#include "base/process.h"
#include "ext4_internal.h"
#include "ext4_redo.h"

#include <string.h>

#define E2FSCK "/sbin/e2fsck"
#define E2FSCK_MENDED 1 /* e2fsck(8): the highest exit status of a file system that is good now */
#define OUTPUT_MAX ((size_t)64 * 1024)

static bool is_clean(const struct ext2_super_block *super)
{
    return (super->s_feature_incompat & EXT3_FEATURE_INCOMPAT_RECOVER) == 0 &&
           (super->s_state & EXT2_VALID_FS) != 0 && (super->s_state & EXT2_ERROR_FS) == 0 &&
           super->s_last_orphan == 0;
}

static int check_clean(const char *path, bool *clean, banger_error *err)
{
    ext2_filsys fs = NULL;
    errcode_t code = ext2fs_open(path, EXT2_FLAG_64BITS | EXT2_FLAG_IGNORE_CSUM_ERRORS, 0, 0,
                                 unix_io_manager, &fs);
    if (code != 0) {
        return ext4_fail(err, code, "cannot open the file system %s", path);
    }
    *clean = is_clean(fs->super);
    ext2fs_free(fs);
    return 0;
}

int ext4_recover(const char *path, deadline until, banger_error *err)
{
    bool clean = false;
    if (check_clean(path, &clean, err) < 0 || clean) {
        return clean ? 0 : -1;
    }
    char *const argv[] = {(char[]){E2FSCK}, (char[]){"-p"}, (char *)(uintptr_t)path, NULL};
    struct process_result result = {0};
    if (process_run(argv, OUTPUT_MAX, until, &result, err) < 0) {
        return error_prefix(err, "checking the disk: ");
    }
    int status = result.status;
    const char *said = str_or(result.out.length > 0 ? result.out.data : result.err.data, "");
    if (status > E2FSCK_MENDED) {
        (void)error_set(err, BANGER_ECORRUPT,
                        "the guest's file system on %s cannot be mended by e2fsck -p, which ended "
                        "with status %d: %.*s",
                        path, status, (int)strcspn(said, "\n"), said);
        (void)error_hint(err, "look at it: e2fsck %s", path);
    }
    process_result_free(&result);
    return status > E2FSCK_MENDED ? -1 : 0;
}

/* -- A change ------------------------------------------------------------------------------------ */

int ext4_change_finish(const char *log, banger_error *err)
{
    return ext4_redo_finish(log, err);
}

struct ext4 *ext4_change_begin(const char *path, banger_error *err)
{
    return ext4_open_by(path, ext4_redo_manager, err);
}

int ext4_change_end(struct ext4 *fs, const char *path, const char *log, banger_error *err)
{
    errcode_t code = ext2fs_flush(fs->fs);
    int result = code != 0 ? ext4_fail(err, code, "cannot write the file system out")
                           : ext4_redo_commit(fs->fs->io, path, log, err);
    ext4_abandon(fs);
    return result < 0 ? -1 : ext4_redo_finish(log, err);
}

/* -- Removing ------------------------------------------------------------------------------------ */

/* Inodes still to be released. A list and no recursion: what is in the tree is a guest's, and each inode
 * is released only while it is in use, so that a folder which contains itself ends too. */
struct doomed {
    ext2_ino_t *inodes;
    size_t count;
};

static void doomed_push(struct doomed *doomed, ext2_ino_t number)
{
    doomed->inodes = xrealloc(doomed->inodes, (doomed->count + 1) * sizeof(*doomed->inodes));
    doomed->inodes[doomed->count++] = number;
}

static int gather(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset,
                  int blocksize, char *block, void *context)
{
    (void)dir;
    (void)offset;
    (void)blocksize;
    (void)block;
    if (entry == DIRENT_OTHER_FILE && dirent->inode != 0) {
        doomed_push(context, dirent->inode);
    }
    return 0;
}

static errcode_t blocks_free(ext2_filsys fs, ext2_ino_t number, struct ext2_inode_large *inode)
{
    struct ext2_inode *small = (struct ext2_inode *)inode;
    errcode_t code = ext2fs_free_ext_attr(fs, number, inode);
    if (code == 0 && ext2fs_inode_has_valid_blocks2(fs, small)) {
        code = ext2fs_punch(fs, number, small, NULL, 0, ~0ULL);
    }
    return code;
}

/* One name less of an inode; the last one frees it, and dooms what a folder holds. */
static errcode_t inode_release(ext2_filsys fs, ext2_ino_t number, struct doomed *doomed)
{
    struct ext2_inode_large inode;
    struct ext2_inode *small = (struct ext2_inode *)&inode;
    if (number < EXT2_FIRST_INODE(fs->super) || number > fs->super->s_inodes_count ||
        !ext2fs_test_inode_bitmap2(fs->inode_map, number)) {
        return 0; /* not a guest's to name: the journal, the root; or released already */
    }
    errcode_t code = ext2fs_read_inode_full(fs, number, small, sizeof(inode));
    bool is_folder = code == 0 && LINUX_S_ISDIR(inode.i_mode);
    if (is_folder) {
        code = ext2fs_dir_iterate2(fs, number, 0, NULL, gather, doomed);
    }
    if (code != 0) {
        return code;
    }
    inode.i_links_count = is_folder || inode.i_links_count == 0 ? 0 : inode.i_links_count - 1;
    if (inode.i_links_count == 0) {
        inode.i_dtime = (__u32)(clock_wall_ms() / 1000);
        code = blocks_free(fs, number, &inode);
        ext2fs_inode_alloc_stats2(fs, number, -1, is_folder);
    }
    return code != 0 ? code : ext2fs_write_inode_full(fs, number, small, sizeof(inode));
}

static errcode_t folder_lost_one(ext2_filsys fs, ext2_ino_t number)
{
    struct ext2_inode inode;
    errcode_t code = ext2fs_read_inode(fs, number, &inode);
    if (code == 0 && inode.i_links_count > 2) {
        inode.i_links_count--; /* its "..", which was a name of the folder above */
        code = ext2fs_write_inode(fs, number, &inode);
    }
    return code;
}

int ext4_remove(struct ext4 *fs, const char *name, banger_error *err)
{
    ext2_ino_t top = 0;
    struct doomed doomed = {0};
    errcode_t code = ext2fs_lookup(fs->fs, EXT2_ROOT_INO, name, (int)strlen(name), NULL, &top);
    if (code == EXT2_ET_FILE_NOT_FOUND) {
        return 0;
    }
    free(STEAL(fs->parent)); /* it may be among what goes */
    bool is_folder = code == 0 && ext2fs_check_directory(fs->fs, top) == 0;
    code = code != 0 ? code : ext2fs_unlink(fs->fs, EXT2_ROOT_INO, name, 0, 0);
    if (code == 0 && is_folder) {
        code = folder_lost_one(fs->fs, EXT2_ROOT_INO);
    }
    doomed_push(&doomed, top);
    while (code == 0 && doomed.count > 0) {
        code = inode_release(fs->fs, doomed.inodes[--doomed.count], &doomed);
    }
    free(doomed.inodes);
    return code != 0 ? ext4_fail(err, code, "cannot remove /%s from the disk", name) : 0;
}
