/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/view.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "lifecycle/live.h"
#include "lifecycle/pause.h"

#include <string.h>

json_t *view_time(int64_t wall_ms)
{
    char text[CLOCK_TEXT_MAX];
    if (wall_ms == 0) {
        return json_null();
    }
    clock_format(wall_ms, text);
    return json_string(text);
}

json_t *view_image(const struct image_record *image)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s?, s:o}", "id", image->id, "name", image->name,
                     "path", image->path, "digest", image->digest, "size_bytes",
                     (json_int_t)image->size_bytes, "origin", image->origin, "created",
                     view_time(image->created_ms));
}

json_t *view_kernel(const struct kernel_record *kernel)
{
    return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s, s:I, s:s?, s:o}", "id", kernel->id, "name",
                     kernel->name, "path", kernel->path, "initramfs", kernel->initramfs, "version",
                     kernel->version, "digest", kernel->digest, "size_bytes",
                     (json_int_t)kernel->size_bytes, "origin", kernel->origin, "created",
                     view_time(kernel->created_ms));
}

struct view_names {
    struct image_list images;
    struct kernel_list kernels;
};

struct view_names *view_names_load(struct engine *engine, banger_error *err)
{
    struct view_names *names = xcalloc(1, sizeof(*names));
    if (image_list_all(engine->store, &names->images, err) < 0 ||
        kernel_list_all(engine->store, &names->kernels, err) < 0) {
        view_names_free(names);
        return NULL;
    }
    return names;
}

void view_names_free(struct view_names *names)
{
    if (names != NULL) {
        image_list_free(&names->images);
        kernel_list_free(&names->kernels);
        free(names);
    }
}

static const char *image_name(const struct view_names *names, const char *id)
{
    for (size_t i = 0; i < names->images.count; i++) {
        if (strcmp(names->images.items[i].id, id) == 0) {
            return names->images.items[i].name;
        }
    }
    return "";
}

static const char *kernel_name(const struct view_names *names, const char *id)
{
    for (size_t i = 0; i < names->kernels.count; i++) {
        if (strcmp(names->kernels.items[i].id, id) == 0) {
            return names->kernels.items[i].name;
        }
    }
    return "";
}

/* What changes by itself. */
static void add_now(json_t *view, struct engine *engine, const struct vm_record *vm)
{
    if (key_lock_users(engine->locks, "vm", vm->id) > 0) {
        (void)json_object_set_new(view, "busy", json_true());
    }
    if (vm->state == VM_RUNNING) {
        int64_t uptime = clock_wall_ms() - vm->started_ms;
        /* The wall clock may have been set back meanwhile. */
        (void)json_object_set_new(view, "uptime_ms", json_integer(uptime > 0 ? uptime : 0));
    }
    if (vm->state == VM_RUNNING && pause_is_on(vm)) {
        (void)json_object_set_new(view, "paused", json_true());
    }
}

json_t *view_vm_brief(struct engine *engine, const struct view_names *names,
                      const struct vm_record *vm)
{
    json_t *addresses = json_at(vm->runtime, "core.addresses");
    json_t *view = json_pack(
        "{s:s, s:s%, s:s, s:{s:s}, s:{s:O, s:O, s:O}}", "name", vm->name, "short_id", vm->id,
        (size_t)SHORT_ID_LENGTH, "state", vm_state_name(vm->state), "image", "name",
        image_name(names, vm->image_id), "spec", "vcpu", json_object_get(vm->spec, "vcpu"),
        "memory_mib", json_object_get(vm->spec, "memory_mib"), "labels",
        json_object_get(vm->spec, "labels"));
    if (addresses != NULL) {
        (void)json_object_set(view, "addresses", addresses);
    }
    add_now(view, engine, vm);
    return view;
}

/* What is true only while it runs. */
static void add_live(json_t *view, struct engine *engine, const struct vm_record *vm)
{
    struct process_id process;
    if (live_process(engine, vm->id, &process, NULL, NULL) == 0) {
        (void)json_object_set_new(view, "pid", json_integer(process.pid));
    }
    const json_t *core = json_object_get(vm->runtime, "core");
    if (core != NULL) {
        (void)json_object_set_new(view, "providers",
                                  json_pack("{s:O*, s:O*, s:O*}", "vmm",
                                            json_object_get(core, "vmm"), "rootfs",
                                            json_object_get(core, "rootfs"), "network",
                                            json_object_get(core, "network")));
    }
}

json_t *view_vm(struct engine *engine, const struct view_names *names, const struct vm_record *vm)
{
    AUTO_FREE char *dir = layout_vm_dir(engine->layout, vm->id);
    json_t *addresses = json_at(vm->runtime, "core.addresses");
    json_t *view = json_pack(
        "{s:s, s:s%, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s}, s:O, s:o, s:s, s:o, s:o, s:s?}", "id",
        vm->id, "short_id", vm->id, (size_t)SHORT_ID_LENGTH, "name", vm->name, "state",
        vm_state_name(vm->state), "image", "id", vm->image_id, "name",
        image_name(names, vm->image_id), "kernel", "id", vm->kernel_id, "name",
        kernel_name(names, vm->kernel_id), "spec", vm->spec, "addresses",
        addresses != NULL ? json_incref(addresses) : json_array(), "dir", dir, "created",
        view_time(vm->created_ms), "started", view_time(vm->started_ms), "last_error",
        vm->last_error);
    add_now(view, engine, vm);
    add_live(view, engine, vm);
    return view;
}

json_t *view_vm_now(struct engine *engine, const char *vm_id, banger_error *err)
{
    struct vm_record vm = {0};
    if (vm_find(engine->store, vm_id, &vm, err) < 0) {
        return NULL;
    }
    struct view_names *names = view_names_load(engine, err);
    json_t *view = names != NULL ? view_vm(engine, names, &vm) : NULL;
    view_names_free(names);
    vm_record_free(&vm);
    return view;
}

json_t *view_vm_held(struct engine *engine, const char *vm_id, banger_error *err)
{
    json_t *view = view_vm_now(engine, vm_id, err);
    if (view != NULL) {
        (void)json_object_del(view, "busy");
    }
    return view;
}
