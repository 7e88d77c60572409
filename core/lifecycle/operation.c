/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/operation.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "lifecycle/services.h"
#include "store/journal.h"

#include <stdarg.h>
#include <string.h>

static json_t *input_vm(const struct operation *op)
{
    json_t *vm = json_deep_copy(op->vm.spec); /* vcpu, memory_mib, labels, publish, ... */
    char short_id[SHORT_ID_LENGTH + 1];
    (void)snprintf(short_id, sizeof(short_id), "%.*s", SHORT_ID_LENGTH, op->vm.id);
    (void)json_object_set_new(vm, "id", json_string(op->vm.id));
    (void)json_object_set_new(vm, "short_id", json_string(short_id));
    (void)json_object_set_new(vm, "name", json_string(op->vm.name));
    (void)json_object_set_new(vm, "state", json_string(vm_state_name(op->vm.state)));
    (void)json_object_set_new(vm, "dir", json_string(op->vm_dir));
    (void)json_object_set_new(vm, "run_dir", json_string(op->run_dir));
    return vm;
}

static json_t *input_image(const struct image_record *image)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:I}", "id", image->id, "name", image->name, "path",
                     image->path, "digest", image->digest, "size_bytes",
                     (json_int_t)image->size_bytes);
}

static json_t *input_kernel(const struct kernel_record *kernel)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "id", kernel->id, "name", kernel->name, "path",
                             kernel->path, "version", kernel->version);
    if (kernel->initramfs != NULL) {
        (void)json_object_set_new(json, "initramfs", json_string(kernel->initramfs));
    }
    return json;
}

#define GIVING_BACK_WAITS_MS 1000

/* What ends a VM's run or gives back what it holds. */
static bool gives_back(const char *kind)
{
    static const char *const kinds[] = {"vm.stop",  "vm.kill",   "vm.delete",
                                        "vm.ended", "vm.health", "vm.reconcile"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (str_equal(kind, kinds[i])) {
            return true;
        }
    }
    return false;
}

/* What scripts there are is found out now; the operation goes on with that. A script that hangs keeps nobody
 * from ending a VM: that goes on with what was known before. */
static void ask_what_is_carried(struct operation *op)
{
    if (op->is_routine) {
        return;
    }
    if (gives_back(op->kind)) {
        registry_refresh_briefly(op->engine->registry, GIVING_BACK_WAITS_MS);
    } else {
        registry_refresh(op->engine->registry); /* what was just mended counts at once */
    }
}

static void open_scope(struct operation *op)
{
    ask_what_is_carried(op);
    AUTO_JSON json_t *input = json_object();
    (void)json_object_set_new(input, "vm", input_vm(op));
    if (op->image.path != NULL) {
        (void)json_object_set_new(input, "image", input_image(&op->image));
    }
    if (op->kernel.path != NULL) {
        (void)json_object_set_new(input, "kernel", input_kernel(&op->kernel));
    }
    (void)json_object_set_new(input, "host", layout_describe(op->engine->layout));
    if (op->engine->host != NULL) {
        json_put(input, "host.instance", json_string(op->engine->host->instance));
    }
    json_put(input, "operation.name", json_string(strchr(op->kind, '.') + 1)); /* "vm.start" */
    struct scope_init init = {
        .registry = op->engine->registry,
        .store = op->engine->store,
        .host = op->engine->host,
        .vm_id = op->vm.id,
        .input = input,
        .runtime = op->vm.runtime,
        .services = &operation_services,
        .context = op,
        .records = op->caller->record != NULL,
    };
    op->scope = scope_new(&init);
}

void operation_free(struct operation *op)
{
    scope_unref(op->scope);
    vm_record_free(&op->vm);
    image_record_free(&op->image);
    kernel_record_free(&op->kernel);
    free(op->vm_dir);
    free(op->run_dir);
    free(op->end_reason);
    for (size_t i = 0; i < op->stage_count; i++) {
        free(op->stages[i].error);
    }
}

struct capability *operation_run_provider(const struct operation *op, enum provider_kind kind)
{
    AUTO_FREE char *key = str_format("core.%s", provider_kind_name(kind));
    const char *name = json_get_string(op->vm.runtime, key, NULL);
    struct capability *found = name != NULL ? registry_find(op->engine->registry, name) : NULL;
    return found != NULL && provider_offers(found, kind) ? found : NULL;
}

void operation_tell_providers(struct operation *op)
{
    struct capability *const chosen[PROVIDER_KIND_COUNT] = {
        [PROVIDER_VMM] = op->vmm,
        [PROVIDER_ROOTFS] = op->rootfs,
        [PROVIDER_NETWORK] = op->network,
    };
    for (int kind = 0; kind < PROVIDER_KIND_COUNT; kind++) {
        AUTO_FREE char *key = str_format("vm.%s", provider_kind_name(kind));
        if (chosen[kind] != NULL) {
            scope_set_input(op->scope, key, json_string(chosen[kind]->plugin->name));
        }
    }
}

void operation_tell_failure(struct operation *op, const char *message)
{
    scope_set_input(op->scope, "operation.error", json_string(message));
}

/* One that is not there leaves its record empty: what a VM of a damaged database holds must still
 * be given back. A VM that is only asked about (precheck.h) has none yet. */
static int find_parts(struct operation *op, banger_error *err)
{
    struct store *store = op->engine->store;
    banger_error failure = BANGER_ERROR_INIT;
    if ((op->vm.image_id[0] != '\0' &&
         image_find(store, op->vm.image_id, &op->image, &failure) < 0 &&
         failure.code != BANGER_ENOTFOUND) ||
        (op->vm.kernel_id[0] != '\0' &&
         kernel_find(store, op->vm.kernel_id, &op->kernel, &failure) < 0 &&
         failure.code != BANGER_ENOTFOUND)) {
        *err = failure;
        return -1;
    }
    return 0;
}

int operation_check_parts(const struct operation *op, banger_error *err)
{
    if (op->image.path == NULL) {
        return error_set(err, BANGER_ENOTFOUND, "the image %s of '%s' is gone", op->vm.image_id,
                         op->vm.name);
    }
    if (op->kernel.path == NULL) {
        return error_set(err, BANGER_ENOTFOUND, "the kernel %s of '%s' is gone", op->vm.kernel_id,
                         op->vm.name);
    }
    return 0;
}

int operation_open(struct operation *op, banger_error *err)
{
    op->started_ns = clock_mono_ns();
    op->vm_dir = layout_vm_dir(op->engine->layout, op->vm.id);
    op->run_dir = layout_vm_run_dir(op->engine->layout, op->vm.id);
    if (find_parts(op, err) < 0) {
        operation_free(op);
        return -1;
    }
    op->vmm = operation_run_provider(op, PROVIDER_VMM);
    op->rootfs = operation_run_provider(op, PROVIDER_ROOTFS);
    op->network = operation_run_provider(op, PROVIDER_NETWORK);
    open_scope(op);
    operation_tell_providers(op);
    return 0;
}

void operation_begin(struct operation *op)
{
    banger_error err = BANGER_ERROR_INIT;
    int64_t id = oplog_begin(op->engine->store, op->kind, op->vm.id, op->vm.name, &err);
    if (id < 0) {
        log_warn("%s %s goes on without its log: %s", op->kind, op->vm.name, err.message);
    }
    op->log_id = id > 0 ? id : 0;
}

static const char *outcome_of(const banger_error *failure)
{
    if (failure == NULL) {
        return "done";
    }
    return failure->code == BANGER_ECANCELLED ? "cancelled" : "failed";
}

void operation_end(struct operation *op, const banger_error *failure)
{
    banger_error err = BANGER_ERROR_INIT;
    int64_t took = clock_mono_ns() - op->started_ns;
    const char *message = failure != NULL ? failure->message : NULL;
    if (op->log_id != 0 && oplog_end(op->engine->store, op->log_id, outcome_of(failure), message,
                                     took, op->stages, op->stage_count, &err) < 0) {
        log_warn("the log of %s %s is lost: %s", op->kind, op->vm.name, err.message);
    }
    AUTO_JSON json_t *data =
        json_pack("{s:s, s:f}", "outcome", outcome_of(failure), "took_ms", (double)took / 1e6);
    if (failure != NULL) {
        (void)json_object_set_new(data, "error", json_string(message));
    }
    engine_emit(op->engine, op->kind, op->vm.id, op->vm.name, data);
}

bool operation_cancelled(const struct operation *op)
{
    return !op->uncancellable && op->caller->cancelled != NULL &&
           op->caller->cancelled(op->caller->context);
}

int64_t operation_config(const struct operation *op, const char *key)
{
    return json_get_int(op->engine->config, key, 0);
}

static void tell(const struct operation *op, const char *state, const char *text)
{
    if (op->caller->progress != NULL) {
        int64_t elapsed_ms = (clock_mono_ns() - op->started_ns) / 1000000;
        op->caller->progress(op->caller->context, op->stage, state, text, elapsed_ms);
    }
}

void operation_stage_begin(struct operation *op, const char *name, const char *text)
{
    op->stage = name;
    op->stage_started_ns = clock_mono_ns();
    tell(op, "start", text);
}

void operation_stage_end(struct operation *op, const banger_error *failure)
{
    if (op->stage_count < OPERATION_STAGES_MAX) {
        struct oplog_stage *entry = &op->stages[op->stage_count++];
        (void)snprintf(entry->name, sizeof(entry->name), "%s", op->stage);
        entry->started_ns = op->stage_started_ns - op->started_ns;
        entry->took_ns = clock_mono_ns() - op->stage_started_ns;
        entry->outcome = failure != NULL ? -1 : 0;
        entry->error = failure != NULL ? xstrdup(failure->message) : NULL;
    }
    tell(op, failure != NULL ? "failed" : "done", failure != NULL ? failure->message : "");
}

void operation_info(struct operation *op, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    tell(op, "info", text);
}

void operation_warn(struct operation *op, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    log_warn("%s %s: %s", op->kind, op->vm.name, text);
    if (op->caller->warn != NULL) {
        op->caller->warn(op->caller->context, text);
    }
}

int operation_hold_dir(struct operation *op, const char *path, banger_error *err)
{
    struct store *store = op->engine->store;
    int64_t row = journal_intend(store, op->vm.id, "core", "dir", path, NULL, err);
    if (row < 0 || dir_make(path, 0700, err) < 0 ||
        failpoint_write("socket_dir", "made", err) < 0) {
        return -1;
    }
    return journal_held(store, row, NULL, err);
}

int operation_save(struct operation *op, banger_error *err)
{
    if (failpoint_write("record", "before", err) < 0 ||
        vm_update(op->engine->store, &op->vm, err) < 0) {
        return -1;
    }
    failpoint_kill("record", "after"); /* it says so: whoever fails now would not be believed */
    return 0;
}
