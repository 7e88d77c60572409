/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One operation whose hooks use the host's functions, as a plugin would. */
#ifndef TESTS_CALL_FIXTURE_H
#define TESTS_CALL_FIXTURE_H

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "capability/dispatch.h"
#include "store/image_table.h"
#include "store/journal.h"
#include "store/vm_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A hook cannot assert (it runs on another thread): it notes what it saw, a line each. */
static struct buf seen;

static inline void note(const char *what, const char *value)
{
    buf_printf(&seen, "%s=%s\n", what, str_or(value, "NULL"));
}

static inline void note_int(const char *what, int64_t value)
{
    buf_printf(&seen, "%s=%lld\n", what, (long long)value);
}

/* -- The operation -------------------------------------------------------------------------------
 */

struct operation {
    struct registry *registry;
    struct scope *scope;
};

static const char input_text[] = "{\"vm\":{\"name\":\"web\",\"vcpu\":2,\"rm\":true,"
                                 "\"labels\":{\"tier\":\"front\"}}}";

static inline bool on_cancelled(void *context)
{
    (void)context;
    return true;
}

static inline void on_progress(void *context, const char *capability, const char *text)
{
    (void)context;
    note(capability, text);
}

static inline void on_emit(void *context, const char *type, const json_t *data)
{
    (void)context;
    AUTO_FREE char *text = json_text(data);
    note(type, text);
}

static inline int on_spawn(void *context, const char *capability, const json_t *argv,
                           const json_t *options, banger_error *err)
{
    (void)context;
    AUTO_FREE char *arguments = json_text(argv);
    AUTO_FREE char *rest = json_text(options);
    note(capability, arguments);
    note("options", rest);
    if (strstr(arguments, "missing") != NULL) {
        return error_set(err, BANGER_ENOTFOUND, "no such program");
    }
    return 0;
}

static inline int on_guest_exec(void *context, const json_t *request, int64_t timeout_ms,
                                json_t **result, banger_error *err)
{
    (void)context;
    (void)err;
    AUTO_FREE char *text = json_text(request);
    note("guest", text);
    note_int("bounded", timeout_ms > 0 && timeout_ms <= 10000);
    *result = json_pack("{s:i}", "status", 7);
    return 0;
}

static inline int on_guest_copy(void *context, const json_t *request, int64_t timeout_ms,
                                banger_error *err)
{
    (void)context;
    AUTO_FREE char *text = json_text(request);
    note("copy", text);
    note_int("bounded", timeout_ms > 0 && timeout_ms <= 10000);
    return strstr(text, "missing") == NULL ? 0 : error_set(err, BANGER_ENOTFOUND, "no such file");
}

static const struct scope_services services = {.cancelled = on_cancelled,
                                               .progress = on_progress,
                                               .emit = on_emit,
                                               .spawn = on_spawn,
                                               .guest_exec = on_guest_exec,
                                               .guest_copy = on_guest_copy};

static inline struct scope *scope_for(struct registry *registry, struct store *store,
                                      const char *vm_id, const struct scope_services *offered)
{
    AUTO_JSON json_t *input = json_loads(input_text, 0, NULL);
    const struct scope_init init = {
        .registry = registry, .store = store, .vm_id = vm_id, .input = input, .services = offered};
    return scope_new(&init);
}

static inline int begin(void **state)
{
    struct operation *operation = xcalloc(1, sizeof(*operation));
    operation->registry = registry_new();
    *state = operation;
    return 0;
}

/* Made when it is first asked for, with what has been added by then. */
static inline struct scope *scope_of(struct operation *operation)
{
    if (operation->scope == NULL) {
        operation->scope = scope_for(operation->registry, NULL, NULL, &services);
    }
    return operation->scope;
}

static inline int end(void **state)
{
    struct operation *operation = *state;
    scope_unref(operation->scope);
    registry_free(operation->registry);
    free(operation);
    buf_free(&seen);
    return 0;
}

static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]), .type = BANGER_CONFIG_SIZE, .name = "room", .default_value = "1K"},
    {.size = sizeof(keys[0]), .type = BANGER_CONFIG_JSON, .name = "tree", .default_value = "{}"},
};

static inline struct capability *add(struct registry *registry, const char *name,
                                     const struct banger_hooks *hooks)
{
    const struct banger_plugin plugin = {BANGER_PLUGIN_HEADER, .name = name, .config = keys,
                                         .config_count = 2, .hooks = hooks};
    assert_int_equal(registry_add(registry, &plugin, "built-in", NULL, NULL), 0);
    return registry_find(registry, name);
}

/* Runs one function as a hook of a capability "x". */
static inline void run_as(struct operation *operation, enum hook hook, banger_hook function)
{
    const struct banger_hooks hooks = {.size = sizeof(hooks),
                                       .check = function,
                                       .prepare = function,
                                       .contributeMachineConfig = function,
                                       .postStart = function};
    struct capability *x = add(operation->registry, "x", &hooks);
    banger_error err = BANGER_ERROR_INIT;
    if (dispatch_hook_of(scope_of(operation), x, hook, &err) < 0) {
        note("error", err.message);
        note("hint", err.hint);
    }
}

static inline void expect(const char *expected)
{
    assert_string_equal(str_or(seen.data, ""), expected);
}

/* -- The store -- */

#define VM_ID "0123456789abcdef0123456789abcdef"

static inline struct store *open_store(const char *folder)
{
    AUTO_FREE char *path = str_format("%s/banger.db", folder);
    struct store *store = store_open(path, NULL);
    assert_non_null(store);
    char text[] = "/x";
    const struct image_record image = {.id = VM_ID, .name = "i", .path = text, .origin = text};
    const struct kernel_record kernel = {
        .id = VM_ID, .name = "k", .path = text, .version = text, .origin = text};
    const struct vm_record vm = {.id = VM_ID,
                                 .name = "web",
                                 .image_id = VM_ID,
                                 .kernel_id = VM_ID,
                                 .spec = json_object(),
                                 .runtime = json_object()};
    banger_error err = BANGER_ERROR_INIT;
    if (image_insert(store, &image, &err) < 0 || kernel_insert(store, &kernel, &err) < 0 ||
        vm_insert(store, &vm, &err) < 0) {
        fail_msg("%s", err.message);
    }
    json_decref(vm.spec);
    json_decref(vm.runtime);
    return store;
}

#endif
