/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. The source becomes a kernel file and a modules folder: a package is downloaded and unpacked
 *    into the staging folder, files of the user's are read where they are.
 * 2. STAGING/vmlinux is extracted from it; its banner gives the version.
 * 3. The modules that guests need are resolved, and STAGING/initramfs made of them and the agent. A kernel
 *    without a modules folder has all of it built in, or is refused: it gets no initramfs, and its guests
 *    boot their disks directly (lifecycle/direct_boot.h).
 * 4. What was only needed on the way is removed; the folder is committed with its record.
 */
#include "apt.h"
#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "context.h"
#include "control.h"
#include "deb.h"
#include "digest.h"
#include "image.h"
#include "initramfs.h"
#include "modules.h"
#include "staging.h"
#include "vmlinux.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define VMLINUX "vmlinux"
#define INITRAMFS "initramfs"
#define UNPACKED "unpacked" /* the package's kernel and modules, on the way */
#define SCRATCH "modules"   /* the chosen modules as plain files, on the way */

struct import {
    const struct image_context *context;
    const struct kernel_source *source;
    struct staging *staging;
    char *kernel;  /* bzImage or ELF */
    char *modules; /* folder; NULL: everything is built in */
    struct elf_kernel elf;
    struct kernel_record *record;
};

static int source_check(const struct kernel_source *source, banger_error *err)
{
    int given =
        (source->deb_package != NULL) + (source->deb_file != NULL) + (source->vmlinuz != NULL);
    if (given != 1 || (source->modules != NULL && source->vmlinuz == NULL)) {
        return error_set(err, BANGER_EINVALID,
                         "a kernel comes from a package, a package file, or a vmlinuz with its "
                         "modules: exactly one of these");
    }
    return source->name != NULL ? name_check_artifact("kernel name", source->name, err) : 0;
}

/* Early, so that no work is done in vain; the insert is what decides. */
static int name_check_free(struct store *store, const char *name, banger_error *err)
{
    struct kernel_record known = {0};
    banger_error why = BANGER_ERROR_INIT;
    bool taken = kernel_find(store, name, &known, &why) == 0 && str_equal(known.name, name);
    kernel_record_free(&known);
    if (taken) {
        (void)error_set(err, BANGER_EEXISTS, "a kernel named %s exists", name);
        return error_hint(err, "choose another name, or delete it first: banger kernel delete %s",
                          name);
    }
    return 0;
}

/* linux-image-6.1.0-56-cloud-amd64[-unsigned] holds the kernel 6.1.0-56-cloud-amd64, usually: good
 * enough for an early refusal. */
static int package_check_free(const struct import *import, const char *deb, banger_error *err)
{
    AUTO_BUF struct buf control = BUF_INIT;
    if (deb_read_control(deb, &control, err) < 0) {
        return -1;
    }
    AUTO_FREE char *package = control_field(str_or(control.data, ""), "Package");
    if (import->source->name != NULL || package == NULL || !str_starts(package, "linux-image-")) {
        return 0;
    }
    if (str_ends(package, "-unsigned")) {
        package[strlen(package) - strlen("-unsigned")] = '\0';
    }
    return name_check_free(import->context->store, package + strlen("linux-image-"), err);
}

/* -- The source -------------------------------------------------------------------------------- */

static int explain_no_kernel(const char *deb, banger_error *err)
{
    AUTO_BUF struct buf control = BUF_INIT;
    AUTO_FREE char *real = NULL;
    if (err == NULL || err->code != BANGER_ENOTFOUND || deb_read_control(deb, &control, NULL) < 0) {
        return -1;
    }
    real = control_kernel_dependency(str_or(control.data, ""));
    err->code = BANGER_EINVALID;
    if (real != NULL) {
        (void)error_hint(err, "it is a metapackage: import %s instead", real);
    }
    return -1;
}

static int source_from_deb(struct import *import, const char *deb, banger_error *err)
{
    AUTO_FREE char *dir = staging_path(import->staging, UNPACKED);
    if (package_check_free(import, deb, err) < 0) {
        return -1;
    }
    context_progress(import->context, "unpacking %s",
                     strrchr(deb, '/') != NULL ? strrchr(deb, '/') + 1 : deb);
    if (deb_extract_kernel(import->context, deb, dir, err) < 0) {
        return explain_no_kernel(deb, err);
    }
    import->kernel = str_format("%s/" DEB_KERNEL, dir);
    import->modules = str_format("%s/" DEB_MODULES, dir);
    return 0;
}

static int source_prepare(struct import *import, banger_error *err)
{
    const struct kernel_source *source = import->source;
    if (source->vmlinuz != NULL) {
        import->kernel = xstrdup(source->vmlinuz);
        import->modules = source->modules != NULL ? xstrdup(source->modules) : NULL;
        return 0;
    }
    if (source->deb_file != NULL) {
        return source_from_deb(import, source->deb_file, err);
    }
    AUTO_FREE char *deb = NULL;
    if (apt_fetch(import->staging, source->deb_package, &deb, err) < 0) {
        return -1;
    }
    return source_from_deb(import, deb, err);
}

/* -- The steps --------------------------------------------------------------------------------- */

static int version_check(const struct import *import, banger_error *err)
{
    const char *name = str_or(import->source->name, import->elf.version);
    if (import->source->name == NULL && name_check_artifact("kernel name", name, err) < 0) {
        return error_hint(err, "give it a name: --name NAME");
    }
    if (!import->elf.pvh) {
        context_progress(import->context,
                         "note: this kernel has no PVH entry (CONFIG_PVH): QEMU will not boot it");
    }
    return name_check_free(import->context->store, name, err);
}

static int vmlinux_make(struct import *import, banger_error *err)
{
    AUTO_FREE char *path = staging_path(import->staging, VMLINUX);
    AUTO_CLOSE int from = open(import->kernel, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    AUTO_CLOSE int to = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (from < 0) {
        return error_sys(err, errno, "cannot open the kernel %s", import->kernel);
    }
    if (to < 0) {
        return error_sys(err, errno, "cannot create %s", path);
    }
    context_progress(import->context, "extracting vmlinux");
    const char *what = str_or(import->source->vmlinuz, "the package's vmlinuz");
    if (vmlinux_extract(what, from, to, &import->elf, err) < 0 || version_check(import, err) < 0) {
        return -1;
    }
    if (import->modules == NULL && modules_check_builtin(to, err) < 0) {
        return error_prefix(err, "kernel %s has no virtio: ", import->elf.version);
    }
    struct stat info;
    if (fstat(to, &info) < 0) {
        return error_sys(err, errno, "cannot look at %s", path);
    }
    import->record->size_bytes = info.st_size;
    return digest_file(import->context, to, import->record->digest, err);
}

static int initramfs_make(struct import *import, banger_error *err)
{
    if (import->modules == NULL) {
        return 0;
    }
    AUTO_FREE char *scratch = staging_path(import->staging, SCRATCH);
    AUTO_FREE char *path = staging_path(import->staging, INITRAMFS);
    AUTO_FREE char *agent = str_format("%s/banger-agent", import->context->layout->libexec_dir);
    AUTO(module_list_free) struct module_list modules = {0};
    context_progress(import->context, "making the initramfs");
    if (dir_make(scratch, 0700, err) < 0) {
        return -1;
    }
    const struct module_source source = {
        .dir = import->modules, .version = import->elf.version, .scratch = scratch};
    if (modules_resolve(import->context, &source, &modules, err) < 0) {
        return error_prefix(err, "kernel %s cannot run guests: ", import->elf.version);
    }
    if (initramfs_write(path, agent, &modules, err) < 0) {
        return -1;
    }
    return dir_remove(scratch, err);
}

static char *origin_of(const struct kernel_source *source)
{
    if (source->deb_package != NULL) {
        return str_format("import --deb %s", source->deb_package);
    }
    if (source->deb_file != NULL) {
        return str_format("import --deb %s", source->deb_file);
    }
    return str_format("import --vmlinuz %s", source->vmlinuz);
}

static void record_fill(struct import *import)
{
    struct kernel_record *record = import->record;
    memcpy(record->id, import->staging->id, sizeof(record->id));
    (void)snprintf(record->name, sizeof(record->name), "%.*s", NAME_MAX_LENGTH,
                   str_or(import->source->name, import->elf.version));
    record->path = staging_target(import->staging, VMLINUX);
    record->initramfs = import->modules != NULL ? staging_target(import->staging, INITRAMFS) : NULL;
    record->version = xstrdup(import->elf.version);
    record->origin = origin_of(import->source);
    record->created_ms = clock_wall_ms();
}

static int insert_record(struct store *store, const void *record, banger_error *err)
{
    return kernel_insert(store, record, err);
}

static int import_run(struct import *import, banger_error *err)
{
    AUTO_FREE char *unpacked = staging_path(import->staging, UNPACKED);
    if (source_prepare(import, err) < 0 || context_check(import->context, err) < 0 ||
        vmlinux_make(import, err) < 0 || context_check(import->context, err) < 0 ||
        failpoint_write("kernel.import", "vmlinux-made", err) < 0 ||
        initramfs_make(import, err) < 0 || context_check(import->context, err) < 0 ||
        failpoint_write("kernel.import", "initramfs-made", err) < 0 ||
        dir_remove(unpacked, err) < 0) {
        return -1;
    }
    record_fill(import);
    return staging_commit(import->staging, insert_record, import->record, err);
}

int kernel_import(struct image_context *context, const struct kernel_source *source,
                  struct kernel_record *kernel, banger_error *err)
{
    struct kernel_record record = {0};
    AUTO_STAGING struct staging staging = STAGING_INIT;
    struct import import = {
        .context = context, .source = source, .staging = &staging, .record = &record};
    if (source_check(source, err) < 0 ||
        (source->name != NULL && name_check_free(context->store, source->name, err) < 0) ||
        context_check(context, err) < 0 ||
        staging_begin(context, STAGING_KERNEL, &staging, err) < 0) {
        return -1;
    }
    int result = import_run(&import, err);
    free(import.kernel);
    free(import.modules);
    if (result < 0) {
        kernel_record_free(&record);
        return -1;
    }
    *kernel = record;
    return 0;
}

int kernel_delete(struct image_context *context, const char *reference, banger_error *err)
{
    struct kernel_record kernel = {0};
    if (kernel_find(context->store, reference, &kernel, err) < 0) {
        return -1;
    }
    int result = staging_delete(context, STAGING_KERNEL, kernel.id, kernel_remove, err);
    kernel_record_free(&kernel);
    return result;
}
