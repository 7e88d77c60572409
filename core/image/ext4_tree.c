/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Filling a file system. libext2fs does not keep the rules that a kernel would: an inode must be
 * taken, linked, counted and written by whoever uses it, in that order; a folder that is full must
 * be expanded by hand. node_make is the one place that does this.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "ext4_internal.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define PATH_LENGTH_MAX 4096
#define PARENT_ATTR ((struct ext4_attr){.mode = 0755})

struct ext4 *ext4_open(const char *path, banger_error *err)
{
    return ext4_open_by(path, unix_io_manager, err);
}

struct ext4 *ext4_open_by(const char *path, io_manager manager, banger_error *err)
{
    ext2_filsys fs = NULL;
    errcode_t code = ext2fs_open(path, EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, manager, &fs);
    if (code == 0) {
        code = ext2fs_read_bitmaps(fs);
    }
    if (code != 0) {
        ext2fs_free(fs);
        (void)ext4_fail(err, code, "cannot open the file system %s", path);
        return NULL;
    }
    struct ext4 *ext4 = xcalloc(1, sizeof(*ext4));
    ext4->fs = fs;
    return ext4;
}

void ext4_abandon(struct ext4 *fs)
{
    if (fs == NULL) {
        return;
    }
    ext2fs_free(fs->fs); /* NULL is fine */
    free(fs->parent);
    free(fs);
}

int ext4_close(struct ext4 *fs, banger_error *err)
{
    errcode_t code = ext2fs_close_free(&fs->fs);
    ext4_abandon(fs);
    return code != 0 ? ext4_fail(err, code, "cannot write the file system out") : 0;
}

/* -- Inodes ------------------------------------------------------------------------------------ */

static void inode_fill(struct ext2_inode *inode, struct ext4_attr attr, mode_t type)
{
    inode->i_mode = (__u16)(type | (attr.mode & 07777));
    inode->i_uid = (__u16)attr.uid;
    inode->i_gid = (__u16)attr.gid;
    ext2fs_set_i_uid_high(*inode, attr.uid >> 16);
    ext2fs_set_i_gid_high(*inode, attr.gid >> 16);
    inode->i_atime = inode->i_ctime = inode->i_mtime = (__u32)attr.mtime;
}

static errcode_t attr_set(struct ext4 *fs, ext2_ino_t number, struct ext4_attr attr, mode_t type)
{
    struct ext2_inode inode;
    errcode_t code = ext2fs_read_inode(fs->fs, number, &inode);
    if (code != 0) {
        return code;
    }
    inode_fill(&inode, attr, type);
    return ext2fs_write_inode(fs->fs, number, &inode);
}

static int file_type(mode_t type)
{
    switch (type) {
    case S_IFREG:
        return EXT2_FT_REG_FILE;
    case S_IFCHR:
        return EXT2_FT_CHRDEV;
    case S_IFBLK:
        return EXT2_FT_BLKDEV;
    case S_IFIFO:
        return EXT2_FT_FIFO;
    default:
        return EXT2_FT_SOCK;
    }
}

static errcode_t link_in(struct ext4 *fs, ext2_ino_t parent, const char *name, ext2_ino_t number,
                         int type)
{
    errcode_t code = ext2fs_link(fs->fs, parent, name, number, type);
    if (code == EXT2_ET_DIR_NO_SPACE) {
        code = ext2fs_expand_dir(fs->fs, parent);
        code = code != 0 ? code : ext2fs_link(fs->fs, parent, name, number, type);
    }
    return code;
}

static void device_fill(struct ext2_inode *inode, dev_t device)
{
    unsigned int major_number = major(device);
    unsigned int minor_number = minor(device);
    if (major_number < 256 && minor_number < 256) { /* the kernel's old_encode_dev */
        inode->i_block[0] = major_number << 8 | minor_number;
    } else { /* and new_encode_dev */
        inode->i_block[1] =
            (minor_number & 0xff) | major_number << 8 | (minor_number & ~0xffU) << 12;
    }
}

static errcode_t extents_prepare(struct ext4 *fs, ext2_ino_t number, struct ext2_inode *inode)
{
    ext2_extent_handle_t handle = NULL;
    if (!ext2fs_has_feature_extents(fs->fs->super)) {
        return 0;
    }
    errcode_t code = ext2fs_extent_open2(fs->fs, number, inode, &handle);
    ext2fs_extent_free(handle);
    return code;
}

static errcode_t node_make(struct ext4 *fs, ext2_ino_t parent, const char *name,
                           struct ext2_inode *inode, ext2_ino_t *number)
{
    mode_t type = inode->i_mode & S_IFMT;
    errcode_t code = ext2fs_new_inode(fs->fs, parent, inode->i_mode, NULL, number);
    if (code != 0) {
        return code;
    }
    code = link_in(fs, parent, name, *number, file_type(type));
    if (code != 0) {
        return code;
    }
    ext2fs_inode_alloc_stats2(fs->fs, *number, +1, 0);
    inode->i_links_count = 1;
    if (type == S_IFREG) {
        code = extents_prepare(fs, *number, inode);
    }
    return code != 0 ? code : ext2fs_write_new_inode(fs->fs, *number, inode);
}

/* -- Paths ------------------------------------------------------------------------------------- */

static errcode_t folder_make(struct ext4 *fs, ext2_ino_t parent, const char *name,
                             ext2_ino_t *number)
{
    errcode_t code = ext2fs_mkdir(fs->fs, parent, 0, name);
    if (code == EXT2_ET_DIR_NO_SPACE) {
        code = ext2fs_expand_dir(fs->fs, parent);
        code = code != 0 ? code : ext2fs_mkdir(fs->fs, parent, 0, name);
    }
    code = code != 0 ? code : ext2fs_lookup(fs->fs, parent, name, (int)strlen(name), NULL, number);
    return code != 0 ? code : attr_set(fs, *number, PARENT_ATTR, S_IFDIR);
}

/* The inode of the folder `path` (cut up on the way) below `start`, made with its parents where it
 * is missing; no symbolic link is followed. */
static errcode_t folder_reach(struct ext4 *fs, ext2_ino_t start, char *path, ext2_ino_t *number)
{
    char *rest = NULL;
    *number = start;
    for (char *name = strtok_r(path, "/", &rest); name != NULL; name = strtok_r(NULL, "/", &rest)) {
        ext2_ino_t found = 0;
        errcode_t code = ext2fs_lookup(fs->fs, *number, name, (int)strlen(name), NULL, &found);
        if (code == EXT2_ET_FILE_NOT_FOUND) {
            code = folder_make(fs, *number, name, &found);
        } else if (code == 0) {
            code = ext2fs_check_directory(fs->fs, found);
        }
        if (code != 0) {
            return code;
        }
        *number = found;
    }
    return 0;
}

static bool path_is_sound(const char *path)
{
    if (strlen(path) >= PATH_LENGTH_MAX) {
        return false;
    }
    for (const char *at = path; *at != '\0'; at += strcspn(at, "/")) {
        at += strspn(at, "/");
        size_t length = strcspn(at, "/");
        if (length > EXT2_NAME_LEN || (length == 1 && at[0] == '.') ||
            (length == 2 && at[0] == '.' && at[1] == '.')) {
            return false;
        }
    }
    return true;
}

/* Splits a path into its folder, which is reached, and its last name (empty for the root). */
static int path_reach(struct ext4 *fs, const char *path, ext2_ino_t *parent, char **name,
                      banger_error *err)
{
    if (!path_is_sound(path)) {
        return error_set(err, BANGER_EINVALID, "'%s' is no path inside a file system", path);
    }
    AUTO_FREE char *copy = xstrdup(path);
    size_t length = strlen(copy);
    while (length > 0 && copy[length - 1] == '/') {
        copy[--length] = '\0';
    }
    char *slash = strrchr(copy, '/');
    AUTO_FREE char *last = xstrdup(slash != NULL ? slash + 1 : copy);
    *(slash != NULL ? slash : copy) = '\0';
    if (fs->parent == NULL || !str_equal(fs->parent, copy)) {
        AUTO_FREE char *folder = xstrdup(copy);
        errcode_t code = folder_reach(fs, EXT2_ROOT_INO, copy, &fs->parent_inode);
        free(fs->parent);
        fs->parent = code == 0 ? STEAL(folder) : NULL;
        if (code != 0) {
            return ext4_fail(err, code, "cannot make the folder of %s in the image", path);
        }
    }
    *parent = fs->parent_inode;
    *name = STEAL(last);
    return 0;
}

/* The same for something that must not be there yet. */
static int path_claim(struct ext4 *fs, const char *path, ext2_ino_t *parent, char **name,
                      banger_error *err)
{
    if (path_reach(fs, path, parent, name, err) < 0) {
        return -1;
    }
    ext2_ino_t found = 0;
    if (ext2fs_lookup(fs->fs, *parent, *name, (int)strlen(*name), NULL, &found) !=
        EXT2_ET_FILE_NOT_FOUND) {
        return ext4_fail(err, EXT2_ET_FILE_EXISTS, "cannot make %s in the image", path);
    }
    return 0;
}

/* -- What is made ------------------------------------------------------------------------------ */

int ext4_dir(struct ext4 *fs, const char *path, struct ext4_attr attr, banger_error *err)
{
    ext2_ino_t parent = 0;
    ext2_ino_t number = 0;
    AUTO_FREE char *name = NULL;
    if (path_reach(fs, path, &parent, &name, err) < 0) {
        return -1;
    }
    errcode_t code = folder_reach(fs, parent, name, &number);
    code = code != 0 ? code : attr_set(fs, number, attr, S_IFDIR);
    return code != 0 ? ext4_fail(err, code, "cannot make the folder %s in the image", path) : 0;
}

static int content_write(ext2_file_t file, const char *data, size_t length, errcode_t *code)
{
    while (length > 0 && *code == 0) {
        unsigned int wrote = 0;
        unsigned int want = length < UINT_MAX / 2 ? (unsigned int)length : UINT_MAX / 2;
        *code = ext2fs_file_write(file, data, want, &wrote);
        data += wrote;
        length -= wrote;
    }
    return *code == 0 ? 0 : -1;
}

static int content_fill(struct ext4 *fs, ext2_ino_t number, const char *path, ext4_source_fn next,
                        void *context, banger_error *err)
{
    ext2_file_t file = NULL;
    errcode_t code = ext2fs_file_open(fs->fs, number, EXT2_FILE_WRITE, &file);
    int result = 0;
    while (code == 0) {
        const void *data = NULL;
        size_t length = 0;
        result = next(context, &data, &length, err);
        if (result < 0 || length == 0 || content_write(file, data, length, &code) < 0) {
            break;
        }
    }
    if (file != NULL) {
        errcode_t closed = ext2fs_file_close(file);
        code = code != 0 ? code : closed;
    }
    if (result < 0) {
        return -1;
    }
    return code != 0 ? ext4_fail(err, code, "cannot write %s into the image", path) : 0;
}

int ext4_file(struct ext4 *fs, const char *path, struct ext4_attr attr, ext4_source_fn next,
              void *context, banger_error *err)
{
    ext2_ino_t parent = 0;
    ext2_ino_t number = 0;
    AUTO_FREE char *name = NULL;
    if (path_claim(fs, path, &parent, &name, err) < 0) {
        return -1;
    }
    struct ext2_inode inode = {0};
    inode_fill(&inode, attr, S_IFREG);
    errcode_t code = node_make(fs, parent, name, &inode, &number);
    if (code != 0) {
        return ext4_fail(err, code, "cannot make %s in the image", path);
    }
    return content_fill(fs, number, path, next, context, err);
}

struct memory_source {
    const void *data;
    size_t length;
};

static int memory_next(void *context, const void **data, size_t *length, banger_error *err)
{
    (void)err;
    struct memory_source *source = context;
    *data = source->data;
    *length = source->length;
    source->length = 0;
    return 0;
}

int ext4_data(struct ext4 *fs, const char *path, struct ext4_attr attr, const void *data,
              size_t length, banger_error *err)
{
    struct memory_source source = {.data = data, .length = length};
    return ext4_file(fs, path, attr, memory_next, &source, err);
}

int ext4_node(struct ext4 *fs, const char *path, struct ext4_attr attr, mode_t type, dev_t device,
              banger_error *err)
{
    ext2_ino_t parent = 0;
    ext2_ino_t number = 0;
    AUTO_FREE char *name = NULL;
    if (path_claim(fs, path, &parent, &name, err) < 0) {
        return -1;
    }
    struct ext2_inode inode = {0};
    inode_fill(&inode, attr, type);
    if (type == S_IFCHR || type == S_IFBLK) {
        device_fill(&inode, device);
    }
    errcode_t code = node_make(fs, parent, name, &inode, &number);
    return code != 0 ? ext4_fail(err, code, "cannot make %s in the image", path) : 0;
}

int ext4_symlink(struct ext4 *fs, const char *path, struct ext4_attr attr, const char *target,
                 banger_error *err)
{
    ext2_ino_t parent = 0;
    ext2_ino_t number = 0;
    AUTO_FREE char *name = NULL;
    if (path_claim(fs, path, &parent, &name, err) < 0) {
        return -1;
    }
    errcode_t code = ext2fs_symlink(fs->fs, parent, 0, name, target);
    if (code == EXT2_ET_DIR_NO_SPACE) {
        code = ext2fs_expand_dir(fs->fs, parent);
        code = code != 0 ? code : ext2fs_symlink(fs->fs, parent, 0, name, target);
    }
    code = code != 0 ? code : ext2fs_lookup(fs->fs, parent, name, (int)strlen(name), NULL, &number);
    attr.mode = 0777;
    code = code != 0 ? code : attr_set(fs, number, attr, S_IFLNK);
    return code != 0 ? ext4_fail(err, code, "cannot make the link %s in the image", path) : 0;
}

int ext4_hardlink(struct ext4 *fs, const char *path, const char *existing, banger_error *err)
{
    ext2_ino_t parent = 0;
    ext2_ino_t number = 0;
    struct ext2_inode inode;
    AUTO_FREE char *name = NULL;
    if (path_claim(fs, path, &parent, &name, err) < 0) {
        return -1;
    }
    errcode_t code = ext2fs_namei(fs->fs, EXT2_ROOT_INO, EXT2_ROOT_INO, existing, &number);
    code = code != 0 ? code : ext2fs_read_inode(fs->fs, number, &inode);
    if (code == 0 && (inode.i_mode & S_IFMT) == S_IFDIR) {
        return error_set(err, BANGER_EINVALID, "'%s' is a folder: it can have no second name",
                         existing);
    }
    code = code != 0 ? code : link_in(fs, parent, name, number, file_type(inode.i_mode & S_IFMT));
    if (code == 0) {
        inode.i_links_count++;
        code = ext2fs_write_inode(fs->fs, number, &inode);
    }
    return code != 0 ? ext4_fail(err, code, "cannot link %s to %s in the image", path, existing)
                     : 0;
}
