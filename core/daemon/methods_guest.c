/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Methods that reach into a running guest, and its logs. Streams leave as descriptors. */
#include "agent/frame.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/name.h"
#include "daemon/methods.h"
#include "daemon/vmm_usage.h"
#include "guest/session.h"
#include "lifecycle/live.h"
#include "lifecycle/pause.h"
#include "store/vm_table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define ANSWER_MAX ((size_t)1024 * 1024) /* stats and ports as JSON; a guest may not fill us */
#define ANSWER_TIMEOUT_MS 10000

static int not_running(const char *name, banger_error *err)
{
    (void)error_set(err, BANGER_EBUSY, "VM '%s' is not running", name);
    return error_hint(err, "start it: banger vm start %s", name);
}

static bool is_cancelled(void *context)
{
    return rpc_request_cancelled(context);
}

static int paused(const char *name, banger_error *err)
{
    (void)error_set(err, BANGER_EBUSY, "VM '%s' is paused", name);
    return error_hint(err, "let it go on: banger vm resume %s", name);
}

/* Why a VM has no channel. */
static int no_agent(struct daemon *daemon, const struct vm_record *vm, banger_error *err)
{
    if (!live_is_running(&daemon->engine, vm->id)) {
        return not_running(vm->name, err);
    }
    if (vm->state != VM_RUNNING) {
        return error_set(err, BANGER_EBUSY, "VM '%s' is being started", vm->name);
    }
    return error_set(err, BANGER_EUNSUPPORTED,
                     "VM '%s' has no agent: its vmm provider gives no way to reach one", vm->name);
}

/* The VM, with a channel that answers; the caller releases it and frees the record. A daemon that has
 * just come back may still be shaking hands with the guest: that is waited for. */
static struct live_vm *find_live(struct daemon *daemon, struct rpc_request *request,
                                 const json_t *params, struct vm_record *vm, banger_error *err)
{
    const char *reference = NULL;
    daemon_wait_ready(daemon);
    if (json_need_string(params, "vm", &reference, err) < 0 ||
        vm_find(daemon->store, reference, vm, err) < 0) {
        return NULL;
    }
    struct live_vm *live = live_hold(&daemon->engine, vm->id);
    bool runs = live != NULL && live_is_running(&daemon->engine, vm->id);
    if (!runs || pause_is_on(vm)) {
        live_release(live);
        (void)(runs ? paused(vm->name, err) : no_agent(daemon, vm, err));
        vm_record_free(vm);
        return NULL;
    }
    if (channel_wait_ready(live_channel(live), deadline_in(ANSWER_TIMEOUT_MS), is_cancelled,
                           request, err) < 0) {
        live_release(live);
        vm_record_free(vm);
        return NULL;
    }
    return live;
}

/* Opens a stream and passes its end with the response. */
static int pass_stream(struct daemon *daemon, struct rpc_request *request, const json_t *params,
                       int service, const struct buf *open, json_t **result, banger_error *err)
{
    struct vm_record vm = {0};
    AUTO_LIVE_VM struct live_vm *live = find_live(daemon, request, params, &vm, err);
    if (live == NULL) {
        return -1;
    }
    vm_record_free(&vm);
    int fd = channel_open_stream(live_channel(live), service, open->data, open->length, err);
    if (fd < 0) {
        return -1;
    }
    rpc_request_pass_fd(request, fd);
    *result = json_pack("{s:b}", "fd", 1);
    return 0;
}

#define VECTOR_MAX 4096

static char **take_vector(const json_t *params, const char *name, banger_error *err)
{
    const json_t *list = json_object_get(params, name);
    size_t count = json_array_size(list);
    if ((list != NULL && !json_is_array(list)) || count > VECTOR_MAX) {
        (void)error_set(err, BANGER_EINVALID, "parameter '%s' must be a list of at most %d strings",
                        name, VECTOR_MAX);
        return NULL;
    }
    AUTO_FREE char **vector = xcalloc(count + 1, sizeof(*vector));
    for (size_t i = 0; i < count; i++) {
        vector[i] = (char *)json_string_value(json_array_get(list, i));
        if (vector[i] == NULL) {
            (void)error_set(err, BANGER_EINVALID, "parameter '%s' must be a list of strings", name);
            return NULL;
        }
    }
    return STEAL(vector);
}

static int check_env(char *const *env, banger_error *err)
{
    for (; *env != NULL; env++) {
        if (name_check_env(*env, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int take_exec(const json_t *params, struct exec_request *exec, banger_error *err)
{
    int64_t rows = 24;
    int64_t columns = 80;
    if (json_want_string(params, "user", &exec->user, err) < 0 ||
        json_want_string(params, "cwd", &exec->cwd, err) < 0 ||
        json_want_bool(params, "tty", &exec->tty, err) < 0 ||
        json_want_bool(params, "stdin", &exec->with_stdin, err) < 0 ||
        json_want_int(params, "rows", &rows, err) < 0 ||
        json_want_int(params, "columns", &columns, err) < 0) {
        return -1;
    }
    if (exec->argv[0] == NULL || rows < 0 || rows > 65535 || columns < 0 || columns > 65535) {
        return error_set(err, BANGER_EINVALID,
                         "argv must not be empty; rows and columns must be 0 to 65535");
    }
    exec->rows = (unsigned)rows;
    exec->columns = (unsigned)columns;
    if (exec->cwd != NULL && name_check_path("working directory", exec->cwd, err) < 0) {
        return -1;
    }
    return check_env(exec->env, err);
}

METHOD(method_vm_exec)
{
    static const char *const known[] = {"vm",  "argv",  "env",  "user",    "cwd",
                                        "tty", "stdin", "rows", "columns", NULL};
    if (json_only_keys("the request", params, known, err) < 0) {
        return -1;
    }
    AUTO_FREE char **argv = take_vector(params, "argv", err);
    AUTO_FREE char **env = argv != NULL ? take_vector(params, "env", err) : NULL;
    if (env == NULL) {
        return -1;
    }
    struct exec_request exec = {.argv = argv, .env = env};
    AUTO_BUF struct buf open = BUF_INIT;
    if (take_exec(params, &exec, err) < 0 || exec_encode(&exec, &open, err) < 0) {
        return -1;
    }
    return pass_stream(context, request, params, SERVICE_EXEC, &open, result, err);
}

METHOD(method_vm_tar)
{
    const char *direction = NULL;
    const char *path = NULL;
    static const char *const known[] = {"vm", "direction", "path", NULL};
    if (json_only_keys("the request", params, known, err) < 0 ||
        json_need_string(params, "direction", &direction, err) < 0 ||
        json_need_string(params, "path", &path, err) < 0 ||
        name_check_path("guest path", path, err) < 0) {
        return -1;
    }
    bool in = strcmp(direction, "in") == 0;
    if (!in && strcmp(direction, "out") != 0) {
        return error_set(err, BANGER_EINVALID, "parameter 'direction' must be \"in\" or \"out\"");
    }
    AUTO_BUF struct buf open = BUF_INIT;
    buf_append(&open, path, strlen(path) + 1);
    return pass_stream(context, request, params, in ? SERVICE_TAR_IN : SERVICE_TAR_OUT, &open,
                       result, err);
}

METHOD(method_vm_connect)
{
    int64_t port = 0;
    static const char *const known[] = {"vm", "port", NULL};
    if (json_only_keys("the request", params, known, err) < 0 ||
        json_want_int(params, "port", &port, err) < 0) {
        return -1;
    }
    if (port < 1 || port > 65535) {
        return error_set(err, BANGER_EINVALID, "parameter 'port' must be 1 to 65535");
    }
    uint8_t bytes[2];
    AUTO_BUF struct buf open = BUF_INIT;
    frame_put16(bytes, (uint16_t)port);
    buf_append(&open, bytes, sizeof(bytes));
    return pass_stream(context, request, params, SERVICE_CONNECT, &open, result, err);
}

/* A service that answers with one JSON document. */
static json_t *ask_agent(struct live_vm *live, int service, banger_error *err)
{
    struct channel_result answer = {0};
    if (channel_call(live_channel(live), service, NULL, 0, NULL, 0, ANSWER_MAX,
                     deadline_in(ANSWER_TIMEOUT_MS), &answer, err) < 0) {
        return NULL;
    }
    json_t *json =
        json_parse("the agent's answer", str_or(answer.out.data, ""), answer.out.length, err);
    channel_result_free(&answer);
    return json;
}

static const char *const only_vm[] = {"vm", NULL};

METHOD(method_vm_stats)
{
    struct daemon *daemon = context;
    struct vm_record vm = {0};
    if (json_only_keys("the request", params, only_vm, err) < 0) {
        return -1;
    }
    AUTO_LIVE_VM struct live_vm *live = find_live(daemon, request, params, &vm, err);
    if (live == NULL) {
        return -1;
    }
    AUTO_JSON json_t *stats = ask_agent(live, SERVICE_STATS, err);
    if (stats != NULL && json_is_object(stats)) {
        struct process_id process;
        if (live_process(&daemon->engine, vm.id, &process, NULL, NULL) == 0) {
            vmm_usage_add(stats, process.pid);
        }
        *result = STEAL(stats);
    } else if (stats != NULL) {
        (void)error_set(err, BANGER_EGUEST, "the agent's answer is not an object");
    }
    vm_record_free(&vm);
    return *result != NULL ? 0 : -1;
}

METHOD(method_vm_ports)
{
    struct vm_record vm = {0};
    if (json_only_keys("the request", params, only_vm, err) < 0) {
        return -1;
    }
    AUTO_LIVE_VM struct live_vm *live = find_live(context, request, params, &vm, err);
    if (live == NULL) {
        return -1;
    }
    json_t *listeners = ask_agent(live, SERVICE_PORTS, err);
    if (listeners != NULL) {
        *result = json_pack("{s:o, s:O}", "listeners", listeners, "published",
                            json_object_get(vm.spec, "publish"));
    }
    vm_record_free(&vm);
    return listeners != NULL ? 0 : -1;
}

METHOD(method_vm_log)
{
    struct daemon *daemon = context;
    const char *reference = NULL;
    const char *which = "console";
    struct vm_record vm = {0};
    static const char *const known[] = {"vm", "which", NULL};
    if (json_only_keys("the request", params, known, err) < 0 ||
        json_need_string(params, "vm", &reference, err) < 0 ||
        json_want_string(params, "which", &which, err) < 0) {
        return -1;
    }
    if (strcmp(which, "console") != 0 && strcmp(which, "vmm") != 0) {
        return error_set(err, BANGER_EINVALID, "parameter 'which' must be \"console\" or \"vmm\"");
    }
    if (vm_find(daemon->store, reference, &vm, err) < 0) {
        return -1;
    }
    AUTO_FREE char *dir = layout_vm_dir(&daemon->layout, vm.id);
    AUTO_FREE char *path = str_format("%s/%s.log", dir, which);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        int saved = errno;
        (void)error_sys(err, saved, "VM '%s' has no %s log", vm.name, which);
        vm_record_free(&vm);
        return saved == ENOENT ? error_hint(err, "it has one once it has been started") : -1;
    }
    vm_record_free(&vm);
    rpc_request_pass_fd(request, fd);
    *result = json_pack("{s:b, s:s}", "fd", 1, "path", path);
    return 0;
}
