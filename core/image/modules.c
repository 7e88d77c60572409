/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. The tree is walked once: module name -> file, and the names that modules.builtin lists.
 * 2. Each root of the table below is resolved: its dependencies first, then itself, each once.
 *    A name that is built in is there already; one that is missing fails where it is needed.
 * 3. The files are unpacked on the way, since the guest's agent loads plain ones only and since
 *    libkmod then needs no decompressor of its own.
 */
#include "modules.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "elf_kernel.h"
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libkmod.h>
#include <string.h>
#include <sys/stat.h>

#define MODULE_MAX ((off_t)64 * 1024 * 1024)
#define BUILTIN_MAX ((size_t)4 * 1024 * 1024)
#define DEPTH_MAX 32 /* of dependencies: Linux has 6 or so; a cycle ends here */

static const struct module_root {
    const char *name;
    bool needed;
    const char *driver; /* what a kernel with it built in has among its strings */
} roots[] = {
    {"virtio_mmio", true, "virtio-mmio"}, /* QEMU's microvm and Firecracker have no other bus */
    {"virtio_pci", false, NULL},          /* machines with PCI */
    {"virtio_blk", true, "virtio_blk"},   /* the root device */
    {"virtio_console", true, NULL},       /* the agent's channel under QEMU without vsock */
    {"virtio_net", false, NULL},          /* a guest may do without a network */
    {"vmw_vsock_virtio_transport", false, NULL},
    {"virtio_rng", false, NULL},
    {"crc32c_generic", false, NULL}, /* ext4 asks for it by an alias, which only modprobe follows */
    {"ext4", true, NULL},
};

struct resolver {
    const struct image_context *context;
    const struct module_source *source;
    struct kmod_ctx *kmod;
    json_t *files;   /* name -> path */
    json_t *builtin; /* name -> true */
    json_t *done;    /* name -> true */
    struct module_list *list;
};

static const char *const suffixes[] = {".ko", ".ko.xz", ".ko.zst", ".ko.gz"};

/* The kernel takes - and _ in module names for the same: "virtio-rng.ko" is virtio_rng. */
static char *module_name(const char *file)
{
    char *name = str_format("%.*s", (int)strcspn(file, "."), file);
    for (char *at = name; *at != '\0'; at++) {
        *at = *at == '-' ? '_' : *at;
    }
    return name;
}

bool modules_is_file_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "_-");
    for (size_t i = 0; length > 0 && i < COUNT_OF(suffixes); i++) {
        if (str_equal(name + length, suffixes[i])) {
            return true;
        }
    }
    return false;
}

/* -- The tree ---------------------------------------------------------------------------------- */

static int walk(struct resolver *resolver, const char *path, int depth, banger_error *err);

static int walk_entry(struct resolver *resolver, const char *dir, const struct dirent *entry,
                      int depth, banger_error *err)
{
    AUTO_FREE char *path = str_format("%s/%s", dir, entry->d_name);
    struct stat info;
    if (entry->d_name[0] == '.' || lstat(path, &info) < 0) {
        return 0;
    }
    if (S_ISDIR(info.st_mode)) {
        return walk(resolver, path, depth + 1, err);
    }
    if (S_ISREG(info.st_mode) && modules_is_file_name(entry->d_name)) {
        AUTO_FREE char *name = module_name(entry->d_name);
        json_object_set_new(resolver->files, name, json_string(path));
    }
    return 0;
}

/* Symbolic links are passed over: "build" and "source" lead out of the tree. */
static int walk(struct resolver *resolver, const char *path, int depth, banger_error *err)
{
    AUTO_CLOSEDIR DIR *dir = depth < DEPTH_MAX ? opendir(path) : NULL;
    if (dir == NULL) {
        return error_sys(err, depth < DEPTH_MAX ? errno : ELOOP, "cannot read the folder %s", path);
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (walk_entry(resolver, path, entry, depth, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int builtin_read(struct resolver *resolver, const char *dir, banger_error *err)
{
    AUTO_FREE char *path = str_format("%s/" MODULES_BUILTIN, dir);
    AUTO_BUF struct buf text = BUF_INIT;
    banger_error why = BANGER_ERROR_INIT;
    if (file_read(path, BUILTIN_MAX, &text, &why) < 0) {
        if (why.code == BANGER_ENOTFOUND) {
            return 0; /* a kernel built for nothing but modules, or a hand-made folder */
        }
        error_join(err, &why);
        return -1;
    }
    char *rest = NULL;
    for (const char *line = strtok_r(text.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *slash = strrchr(line, '/');
        AUTO_FREE char *name = module_name(slash != NULL ? slash + 1 : line);
        json_object_set_new(resolver->builtin, name, json_true());
    }
    return 0;
}

/* -- Resolution -------------------------------------------------------------------------------- */

static int module_unpack(const struct resolver *resolver, const char *source, const char *target,
                         banger_error *err)
{
    AUTO_CLOSE int from = open(source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    AUTO_CLOSE int to = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat info;
    if (from < 0 || fstat(from, &info) < 0) {
        return error_sys(err, errno, "cannot open the module %s", source);
    }
    if (to < 0) {
        return error_sys(err, errno, "cannot create %s", target);
    }
    if (context_check(resolver->context, err) < 0) {
        return -1;
    }
    struct unpack_source range = {.what = source, .fd = from, .length = info.st_size};
    return unpack_range(&range, to, MODULE_MAX, err) < 0 ? -1 : 0;
}

static int module_add(struct resolver *resolver, const char *name, int depth, banger_error *err);

/* "a,b,c": modinfo's list of what has to be loaded before. */
static int depends_add(struct resolver *resolver, const char *depends, int depth, banger_error *err)
{
    AUTO_FREE char *copy = xstrdup(depends);
    char *rest = NULL;
    for (const char *one = strtok_r(copy, ",", &rest); one != NULL;
         one = strtok_r(NULL, ",", &rest)) {
        AUTO_FREE char *name = module_name(one);
        if (module_add(resolver, name, depth + 1, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* "6.1.0-56-cloud-amd64 SMP preempt mod_unload modversions " */
static int vermagic_check(const struct resolver *resolver, const char *vermagic, banger_error *err)
{
    const char *version = resolver->source->version;
    size_t length = strcspn(vermagic, " ");
    if (length == strlen(version) && memcmp(vermagic, version, length) == 0) {
        return 0;
    }
    return error_set(err, BANGER_EINVALID, "it is for the kernel %.*s, not for %s", (int)length,
                     vermagic, version);
}

static int info_add(struct resolver *resolver, const struct kmod_list *info, int depth,
                    banger_error *err)
{
    const struct kmod_list *field = NULL;
    kmod_list_foreach(field, info)
    {
        const char *key = kmod_module_info_get_key(field);
        const char *value = kmod_module_info_get_value(field);
        if ((str_equal(key, "vermagic") && vermagic_check(resolver, value, err) < 0) ||
            (str_equal(key, "depends") && depends_add(resolver, value, depth, err) < 0)) {
            return -1;
        }
    }
    return 0;
}

static int dependencies_add(struct resolver *resolver, const char *path, int depth,
                            banger_error *err)
{
    struct kmod_module *module = NULL;
    struct kmod_list *info = NULL;
    int status = kmod_module_new_from_path(resolver->kmod, path, &module);
    status = status < 0 ? status : kmod_module_get_info(module, &info);
    int result = status < 0 ? error_set(err, BANGER_EINVALID, "%s is no kernel module: %s", path,
                                        strerror(-status))
                            : info_add(resolver, info, depth, err);
    kmod_module_info_free_list(info);
    kmod_module_unref(module);
    return result;
}

static void list_append(struct module_list *list, char *path)
{
    list->paths = xrealloc(list->paths, (list->count + 1) * sizeof(*list->paths));
    list->paths[list->count++] = path;
}

static int module_add(struct resolver *resolver, const char *name, int depth, banger_error *err)
{
    if (json_object_get(resolver->done, name) != NULL ||
        json_object_get(resolver->builtin, name) != NULL) {
        return 0;
    }
    const char *source = json_string_value(json_object_get(resolver->files, name));
    if (source == NULL || depth > DEPTH_MAX) {
        return error_set(err, BANGER_EUNSUPPORTED,
                         source == NULL ? "%s is neither built in nor there as a module"
                                        : "the dependencies of %s go in a circle",
                         name);
    }
    AUTO_FREE char *path = str_format("%s/%s.ko", resolver->source->scratch, name);
    if (module_unpack(resolver, source, path, err) < 0 ||
        dependencies_add(resolver, path, depth, err) < 0) {
        return -1;
    }
    json_object_set_new(resolver->done, name, json_true());
    list_append(resolver->list, STEAL(path));
    return 0;
}

static bool is_there(const struct resolver *resolver, const char *name)
{
    return json_object_get(resolver->files, name) != NULL ||
           json_object_get(resolver->builtin, name) != NULL;
}

static int refuse(const char *name, banger_error *err)
{
    (void)error_set(err, BANGER_EUNSUPPORTED, "%s is neither built in nor there as a module", name);
    return error_hint(err, "guests need virtio_mmio, virtio_blk, virtio_console and ext4: use a "
                           "kernel such as linux-image-cloud-amd64, or give its modules folder");
}

static int roots_add(struct resolver *resolver, banger_error *err)
{
    for (size_t i = 0; i < COUNT_OF(roots); i++) {
        if (is_there(resolver, roots[i].name)) {
            if (module_add(resolver, roots[i].name, 0, err) < 0) {
                return error_prefix(err, "module %s: ", roots[i].name);
            }
        } else if (roots[i].needed) {
            return refuse(roots[i].name, err);
        }
    }
    return 0;
}

int modules_resolve(const struct image_context *context, const struct module_source *source,
                    struct module_list *list, banger_error *err)
{
    static const char *const no_configuration[] = {NULL};
    struct resolver resolver = {
        .context = context,
        .source = source,
        .kmod = kmod_new(source->dir, no_configuration),
        .files = json_object(),
        .builtin = json_object(),
        .done = json_object(),
        .list = list,
    };
    *list = (struct module_list){0};
    int result =
        resolver.kmod != NULL ? 0 : error_set(err, BANGER_EINTERNAL, "libkmod cannot start");
    if (result == 0 &&
        (walk(&resolver, source->dir, 0, err) < 0 ||
         builtin_read(&resolver, source->dir, err) < 0 || roots_add(&resolver, err) < 0)) {
        module_list_free(list);
        result = -1;
    }
    json_decref(resolver.files);
    json_decref(resolver.builtin);
    json_decref(resolver.done);
    kmod_unref(resolver.kmod);
    return result;
}

/* The agent's channel is a console's port under QEMU, and vsock under other VMMs: a kernel built for one
 * of them has one of them. */
static int channel_check_builtin(int kernel_fd, banger_error *err)
{
    int console = elf_kernel_mentions(kernel_fd, "virtio_console", err);
    int vsock =
        console == 0 ? elf_kernel_mentions(kernel_fd, "vmw_vsock_virtio_transport", err) : 0;
    if (console < 0 || vsock < 0) {
        return -1;
    }
    return console + vsock > 0 ? 0 : refuse("virtio_console", err);
}

int modules_check_builtin(int kernel_fd, banger_error *err)
{
    for (size_t i = 0; i < COUNT_OF(roots); i++) {
        int there =
            roots[i].driver != NULL ? elf_kernel_mentions(kernel_fd, roots[i].driver, err) : 1;
        if (there < 0) {
            return -1;
        }
        if (there == 0) {
            return refuse(roots[i].name, err);
        }
    }
    return channel_check_builtin(kernel_fd, err);
}

void module_list_free(struct module_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->paths[i]);
    }
    free(list->paths);
    *list = (struct module_list){0};
}
