/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A folder of its own with a database, for the tests of the store: new before each test. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "base/cleanup.h"
#include "base/file.h"
#include "store/image_table.h"
#include "store/vm_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

struct fixture {
    char folder[64];
    char path[80]; /* of the database */
    struct store *store;
    struct image_record image;   /* "tiny" */
    struct kernel_record kernel; /* "cloud" */
};

__attribute__((unused)) static int fixture_folder(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/banger-store-XXXXXX");
    if (mkdtemp(fixture->folder) == NULL) {
        return -1;
    }
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/banger.db", fixture->folder);
    *state = fixture;
    return 0;
}

__attribute__((unused)) static int fixture_remove(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    int status = dir_remove(fixture->folder, NULL);
    free(fixture);
    return status;
}

__attribute__((unused)) static struct store *fixture_open(struct fixture *fixture)
{
    banger_error err = BANGER_ERROR_INIT;
    fixture->store = store_open(fixture->path, &err);
    if (fixture->store == NULL) {
        fail_msg("%s (%s)", err.message, err.hint);
    }
    return fixture->store;
}

__attribute__((unused)) static void fixture_reopen(struct fixture *fixture)
{
    store_close(STEAL(fixture->store));
    (void)fixture_open(fixture);
}

/* An open store with one image and one kernel. */
__attribute__((unused)) static int fixture_filled(void **state)
{
    if (fixture_folder(state) < 0) {
        return -1;
    }
    struct fixture *fixture = *state;
    struct store *store = store_open(fixture->path, NULL);
    static char path[] = "/images/x";
    static char text[] = "x";
    fixture->image = (struct image_record){.name = "tiny", .path = path, .origin = text};
    fixture->kernel =
        (struct kernel_record){.name = "cloud", .path = path, .version = text, .origin = text};
    id_new(fixture->image.id);
    id_new(fixture->kernel.id);
    fixture->store = store;
    return store != NULL && image_insert(store, &fixture->image, NULL) == 0 &&
                   kernel_insert(store, &fixture->kernel, NULL) == 0
               ? 0
               : -1;
}

/* Inserts a VM of that name; `id` (may be NULL) gets its id. */
__attribute__((unused)) static int fixture_vm(const struct fixture *fixture, const char *name,
                                              char id[ID_LENGTH + 1], banger_error *err)
{
    struct vm_record vm = {.state = VM_CREATED, .created_ms = 1, .updated_ms = 1};
    id_new(vm.id);
    (void)snprintf(vm.name, sizeof(vm.name), "%s", name);
    memcpy(vm.image_id, fixture->image.id, sizeof(vm.image_id));
    memcpy(vm.kernel_id, fixture->kernel.id, sizeof(vm.kernel_id));
    vm.spec = json_pack("{s:s}", "of", name);
    int status = vm_insert(fixture->store, &vm, err);
    if (id != NULL) {
        memcpy(id, vm.id, sizeof(vm.id));
    }
    vm_record_free(&vm);
    return status;
}

__attribute__((unused)) static size_t fixture_count(const struct fixture *fixture)
{
    struct vm_list list;
    banger_error err = BANGER_ERROR_INIT;
    if (vm_list_all(fixture->store, &list, &err) < 0) {
        fail_msg("%s", err.message);
    }
    size_t count = list.count;
    vm_list_free(&list);
    return count;
}

#endif
