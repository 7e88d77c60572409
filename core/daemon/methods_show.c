/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods that only look. */
#include "base/cleanup.h"
#include "base/json.h"
#include "daemon/methods.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/view.h"
#include "store/oplog.h"

#include <string.h>

METHOD(method_vm_list)
{
    (void)request;
    struct daemon *daemon = context;
    bool all = false;
    bool brief = false;
    struct vm_list list = {0};
    static const char *const known[] = {"all", "brief", NULL};
    if (json_only_keys("the request", params, known, err) < 0 ||
        json_want_bool(params, "all", &all, err) < 0 ||
        json_want_bool(params, "brief", &brief, err) < 0) {
        return -1;
    }
    struct view_names *names = view_names_load(&daemon->engine, err);
    if (names == NULL || (all ? vm_list_all : vm_list_running)(daemon->store, &list, err) < 0) {
        view_names_free(names);
        return -1;
    }
    json_t *rows = json_array();
    for (size_t i = 0; i < list.count; i++) {
        (void)json_array_append_new(
            rows, (brief ? view_vm_brief : view_vm)(&daemon->engine, names, &list.items[i]));
    }
    vm_list_free(&list);
    view_names_free(names);
    *result = rows;
    return 0;
}

static const char *const only_vm[] = {"vm", NULL};

METHOD(method_vm_show)
{
    (void)request;
    struct daemon *daemon = context;
    const char *vm = NULL;
    if (json_only_keys("the request", params, only_vm, err) < 0 ||
        json_need_string(params, "vm", &vm, err) < 0) {
        return -1;
    }
    *result = view_vm_now(&daemon->engine, vm, err);
    return *result != NULL ? 0 : -1;
}

METHOD(method_vm_plan)
{
    (void)request;
    struct daemon *daemon = context;
    const char *vm = NULL;
    if (json_only_keys("the request", params, only_vm, err) < 0 ||
        json_need_string(params, "vm", &vm, err) < 0) {
        return -1;
    }
    return lifecycle_plan(&daemon->engine, vm, result, err);
}

METHOD(method_ops_list)
{
    (void)request;
    struct daemon *daemon = context;
    const char *reference = NULL;
    int64_t limit = 50;
    static const char *const known[] = {"vm", "limit", NULL};
    if (json_only_keys("the request", params, known, err) < 0 ||
        json_want_string(params, "vm", &reference, err) < 0 ||
        json_want_int(params, "limit", &limit, err) < 0) {
        return -1;
    }
    if (limit < 1 || limit > 1000) {
        return error_set(err, BANGER_EINVALID, "invalid limit: use 1 to 1000");
    }
    struct vm_record vm = {0};
    if (reference != NULL && vm_find(daemon->store, reference, &vm, err) < 0) {
        return -1;
    }
    *result = oplog_list(daemon->store, reference != NULL ? vm.id : NULL, (size_t)limit, err);
    vm_record_free(&vm);
    return *result != NULL ? 0 : -1;
}

#define EVENT_PAGE 500 /* rows fetched at a time */

/* What there is behind `*after`, page by page, so that ten thousand rows never stand in memory at
 * once. */
static int send_events(struct daemon *daemon, struct rpc_request *request, int64_t *after,
                       banger_error *err)
{
    for (;;) {
        AUTO_JSON json_t *page = event_list(daemon->store, *after, EVENT_PAGE, err);
        if (page == NULL) {
            return -1;
        }
        size_t i = 0;
        json_t *event = NULL;
        json_array_foreach (page, i, event) {
            rpc_request_notify(request, "event", json_pack("{s:O}", "event", event));
            *after = json_get_int(event, "id", *after);
        }
        if (json_array_size(page) < EVENT_PAGE || rpc_request_cancelled(request)) {
            return 0;
        }
    }
}

METHOD(method_events_subscribe)
{
    (void)result;
    struct daemon *daemon = context;
    static const char *const known[] = {"after", "follow", NULL};
    int64_t after = 0;
    bool follow = false;
    if (json_only_keys("the request", params, known, err) < 0 ||
        json_want_int(params, "after", &after, err) < 0 ||
        json_want_bool(params, "follow", &follow, err) < 0) {
        return -1;
    }
    struct listener listener = {.request = request};
    listeners_add(&daemon->listeners, &listener); /* first, so that nothing falls in between */
    int status = send_events(daemon, request, &after, err);
    while (status == 0 && follow && !rpc_request_cancelled(request)) {
        rpc_request_wait(request);
        status = send_events(daemon, request, &after, err);
    }
    listeners_remove(&daemon->listeners, &listener);
    return status;
}
