/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lifecycle/create.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "lifecycle/choose.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/precheck.h"
#include "lifecycle/provision.h"
#include "lifecycle/spec.h"

#include <string.h>

/* Names for those who do not give one: short, pronounceable, valid as host names. */
static const char *const adjectives[] = {"brisk", "calm",  "clear", "eager", "fair",  "keen",
                                         "light", "lucid", "merry", "neat",  "proud", "quick",
                                         "quiet", "sharp", "sunny", "swift"};
static const char *const nouns[] = {"badger", "beaver", "falcon", "finch",  "gecko", "heron",
                                    "ibex",   "lynx",   "marten", "osprey", "otter", "plover",
                                    "raven",  "stoat",  "swan",   "wren"};

static void generate_name(char name[NAME_MAX_LENGTH + 1])
{
    char random[ID_LENGTH + 1];
    id_new(random);
    random[8] = '\0';
    unsigned long number = strtoul(random, NULL, 16);
    (void)snprintf(name, NAME_MAX_LENGTH + 1, "%s-%s-%04lx",
                   adjectives[number % COUNT_OF(adjectives)],
                   nouns[(number >> 8) % COUNT_OF(nouns)], number >> 16);
}

/* Whether the text names a VM, by name, id or the first digits of an id. */
static bool is_taken(struct engine *engine, const char *reference)
{
    struct vm_record vm = {0};
    banger_error err = BANGER_ERROR_INIT;
    bool taken = vm_find(engine->store, reference, &vm, &err) == 0 || err.code == BANGER_EINVALID;
    vm_record_free(&vm);
    return taken;
}

#define TRIES 16 /* a second one is needed about never; a broken store must not keep us here */

void create_id(struct engine *engine, char id[ID_LENGTH + 1])
{
    char start[SHORT_ID_LENGTH + 1];
    for (int i = 0; i < TRIES; i++) {
        id_new(id);
        (void)snprintf(start, sizeof(start), "%.*s", SHORT_ID_LENGTH, id);
        if (!is_taken(engine, start)) {
            return;
        }
    }
}

static int take_name(struct engine *engine, const json_t *params, struct vm_record *vm,
                     banger_error *err)
{
    const char *name = NULL;
    if (json_want_string(params, "name", &name, err) < 0) {
        return -1;
    }
    if (name == NULL) {
        generate_name(vm->name);
        for (int i = 1; i < TRIES && is_taken(engine, vm->name); i++) {
            generate_name(vm->name);
        }
        return 0;
    }
    if (name_check_label("VM name", name, err) < 0) {
        return -1;
    }
    (void)snprintf(vm->name, sizeof(vm->name), "%s", name);
    return 0;
}

/* A name that is taken is refused before minutes are spent on images. */
static int check_free(struct engine *engine, const char *name, banger_error *err)
{
    struct vm_record other = {0};
    if (vm_find(engine->store, name, &other, NULL) < 0) {
        return 0;
    }
    bool taken = strcmp(other.name, name) == 0;
    vm_record_free(&other);
    if (!taken) {
        return 0;
    }
    (void)error_set(err, BANGER_EEXISTS, "a VM named '%s' exists", name);
    return error_hint(err, "choose another name, or delete it: banger vm delete %s", name);
}

/* A provider that does not exist is a wrong value: it is refused before anything is made. */
static int check_providers(struct engine *engine, const json_t *spec, banger_error *err)
{
    for (int kind = 0; kind < PROVIDER_KIND_COUNT; kind++) {
        const char *wanted = json_get_string(spec, provider_kind_name(kind), "auto");
        if (provider_check_name(engine->registry, kind, wanted, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int check_params(struct engine *engine, const json_t *params, struct vm_record *vm,
                        const char **image, const char **kernel, banger_error *err)
{
    static const char *const also[] = {"name", "image", "kernel", "rm", "record", NULL};
    vm->spec = spec_new(params, engine->config, also, err);
    if (vm->spec == NULL || json_want_string(params, "image", image, err) < 0 ||
        json_want_string(params, "kernel", kernel, err) < 0 ||
        take_name(engine, params, vm, err) < 0 || check_free(engine, vm->name, err) < 0) {
        return -1;
    }
    return check_providers(engine, vm->spec, err);
}

static int find_parts(struct engine *engine, const struct caller *caller, const char *image_ref,
                      const char *kernel_ref, struct vm_record *vm, banger_error *err)
{
    struct kernel_record kernel = {0};
    struct image_record image = {0};
    if (provision_kernel(engine, caller, kernel_ref, &kernel, err) < 0) {
        return -1;
    }
    memcpy(vm->kernel_id, kernel.id, sizeof(vm->kernel_id));
    kernel_record_free(&kernel);
    if (provision_image(engine, caller, image_ref, &image, err) < 0) {
        return -1;
    }
    memcpy(vm->image_id, image.id, sizeof(vm->image_id));
    image_record_free(&image);
    return 0;
}

static int insert(struct store *store, struct vm_record *vm, banger_error *err)
{
    if (failpoint_write("create", "before", err) < 0 || vm_insert(store, vm, err) < 0) {
        return -1;
    }
    failpoint_kill("create",
                   "recorded"); /* whoever failed now would leave a VM that nobody asked for */
    return 0;
}

int create_record(struct engine *engine, const struct caller *caller, const json_t *params,
                  bool ephemeral, const char *id, banger_error *err)
{
    struct vm_record vm = {.state = VM_CREATED};
    const char *image = NULL;
    const char *kernel = NULL;
    (void)snprintf(vm.id, sizeof(vm.id), "%s", id);
    int result = check_params(engine, params, &vm, &image, &kernel, err);
    if (result == 0) { /* before minutes are spent on an image */
        result = precheck_network(engine, &vm, err);
    }
    if (result == 0) {
        result = find_parts(engine, caller, image, kernel, &vm, err);
    }
    if (result == 0) {
        result = precheck_vm(engine, caller, &vm, err);
    }
    if (result == 0) {
        vm.runtime = json_object();
        vm.created_ms = clock_wall_ms();
        vm.updated_ms = vm.created_ms;
        (void)json_object_set_new(vm.spec, "ephemeral", json_boolean(ephemeral));
        result = insert(engine->store, &vm, err);
    }
    if (result == 0) {
        engine_emit(engine, "vm.create", vm.id, vm.name, NULL);
    }
    vm_record_free(&vm);
    return result;
}
