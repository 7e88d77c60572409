/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 1. The journal says "a process is about to be" (intent), with its role.
 * 2. The child is forked and waits at its gate. If we die now it sees the gate close and exits.
 * 3. The journal gets its PID, start time and boot id (held). If we die now, likewise.
 * 4. The gate opens; the child executes. If we die now, the row names it.
 */
#include "lifecycle/spawn.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/name.h"
#include "host/cgroup.h"
#include "lifecycle/live.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define ARGUMENTS_MAX 512

static char **argument_vector(const json_t *argv, banger_error *err)
{
    size_t count = json_array_size(argv);
    if (count == 0 || count > ARGUMENTS_MAX) {
        (void)error_set(err, BANGER_EINVALID, "spawn: argv must have 1 to %d strings",
                        ARGUMENTS_MAX);
        return NULL;
    }
    AUTO_FREE char **vector = xcalloc(count + 1, sizeof(*vector));
    for (size_t i = 0; i < count; i++) {
        vector[i] = (char *)json_string_value(json_array_get(argv, i));
        if (vector[i] == NULL) {
            (void)error_set(err, BANGER_EINVALID, "spawn: argv[%zu] is not a string", i);
            return NULL;
        }
    }
    if (name_check_path("program", vector[0], err) < 0) {
        return NULL;
    }
    return STEAL(vector);
}

/* {"A": "b"} as an environment behind the minimal one; NULL when there is none. The caller frees it
 * with free_environment. */
static char **environment_vector(const json_t *env)
{
    size_t count = json_object_size(env);
    if (count == 0) {
        return NULL;
    }
    char **vector = xcalloc(count + 3, sizeof(*vector));
    vector[0] = xstrdup(PROCESS_DEFAULT_PATH);
    vector[1] = xstrdup(PROCESS_DEFAULT_LANG);
    size_t at = 2;
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach ((json_t *)env, key, value) {
        vector[at++] = str_format("%s=%s", key, str_or(json_string_value(value), ""));
    }
    return vector;
}

static void free_environment(char ***vector)
{
    for (char **at = *vector; at != NULL && *at != NULL; at++) {
        free(*at);
    }
    free(*vector);
}

/* The role decides whose life is the VM's: there is one VMM a run, and launch starts it. */
static int check_role(const struct operation *op, const char *role, const char *capability,
                      banger_error *err)
{
    if (strcmp(role, "helper") == 0) {
        return 0;
    }
    if (strcmp(role, "vmm") != 0) {
        return error_set(err, BANGER_EINVALID,
                         "spawn: unknown role '%.32s': use \"helper\" or \"vmm\"", role);
    }
    if (op->vmm == NULL || strcmp(op->vmm->plugin->name, capability) != 0) {
        return error_set(err, BANGER_EINVALID, "spawn: '%s' is not the VM's vmm provider",
                         capability);
    }
    return live_is_known(op->engine, op->vm.id)
               ? error_set(err, BANGER_EINVALID, "spawn: the VM has its VMM already")
               : 0;
}

static int open_log(const json_t *options, banger_error *err)
{
    const char *path = json_get_string(options, "log", "/dev/null");
    if (name_check_path("log", path, err) < 0) {
        return -1;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    return fd >= 0 ? fd : error_sys(err, errno, "cannot open the log %s", path);
}

static json_t *process_attrs(const char *role, const char *capability, const struct process_id *id)
{
    json_t *attrs = json_pack("{s:s, s:s}", "role", role, "capability", capability);
    if (id != NULL) {
        json_put(attrs, "pid", json_integer(id->pid));
        json_put(attrs, "start_ticks", json_integer((json_int_t)id->start_ticks));
        json_put(attrs, "boot_id", json_string(id->boot_id));
    }
    return attrs;
}

/* The VM's cgroup with the limits that were contributed, where the host has cgroup v2. */
static int enter_cgroup(struct operation *op, pid_t pid, banger_error *err)
{
    struct machine *machine = scope_machine(op->scope);
    const json_t *limits =
        machine != NULL ? json_object_get(machine_document(machine), "limits") : NULL;
    if (json_object_size(limits) == 0 || !cgroup_available()) {
        return 0;
    }
    AUTO_FREE char *path = cgroup_path(op->vm.id);
    struct store *store = op->engine->store;
    int64_t row = journal_intend(store, op->vm.id, "core", "cgroup", path, NULL, err);
    if (row < 0 || cgroup_create(path, limits, err) < 0 ||
        failpoint("spawn", "cgroup-made", err) < 0 || journal_held(store, row, NULL, err) < 0) {
        return -1;
    }
    return cgroup_enter(path, pid, err) < 0 ? -1 : failpoint("spawn", "in-cgroup", err);
}

/* Steps 3 and 4, with the child at its gate. */
static int adopt_and_release(struct operation *op, int64_t row, const char *role,
                             const char *capability, struct process_gate *gate, banger_error *err)
{
    struct process_id id;
    if (failpoint("spawn", "at-gate", err) < 0 || process_identify(gate->pid, &id, err) < 0) {
        return -1;
    }
    AUTO_JSON json_t *attrs = process_attrs(role, capability, &id);
    if (journal_held(op->engine->store, row, attrs, err) < 0) {
        return -1;
    }
    bool is_vmm = strcmp(role, "vmm") == 0;
    if (is_vmm && enter_cgroup(op, gate->pid, err) < 0) {
        return -1;
    }
    AUTO_CLOSE int pidfd = process_open(&id, err);
    if (pidfd < 0 || process_release(gate, err) < 0 || failpoint("spawn", "released", err) < 0) {
        return -1;
    }
    if (is_vmm) {
        live_add(op->engine, op->vm.id, &id, STEAL_FD(pidfd));
    }
    return 0;
}

int spawn_for_vm(struct operation *op, const char *capability, const json_t *argv,
                 const json_t *options, banger_error *err)
{
    const char *role = json_get_string(options, "role", "helper");
    AUTO_FREE char **vector = argument_vector(argv, err);
    if (vector == NULL || check_role(op, role, capability, err) < 0) {
        return -1;
    }
    AUTO_CLOSE int log = open_log(options, err);
    if (log < 0) {
        return -1;
    }
    AUTO_JSON json_t *attrs = process_attrs(role, capability, NULL);
    int64_t row =
        journal_intend(op->engine->store, op->vm.id, "core", "process", vector[0], attrs, err);
    if (row < 0) {
        return -1;
    }
    AUTO(free_environment) char **env = environment_vector(json_object_get(options, "env"));
    struct process_spec spec = {
        .argv = vector,
        .envp = env,
        .cwd = json_get_string(options, "cwd", NULL),
        .stdin_fd = -1,
        .stdout_fd = log,
        .stderr_fd = log,
        .new_session = true,
    };
    struct process_gate gate;
    if (process_fork_gated(&spec, &gate, err) < 0) {
        return -1;
    }
    int result = adopt_and_release(op, row, role, capability, &gate, err);
    process_abandon(&gate);
    return result;
}

int spawn_row_process(const struct resource *row, struct process_id *process)
{
    *process =
        (struct process_id){.pid = (pid_t)json_get_int(row->attrs, "pid", 0),
                            .start_ticks = (uint64_t)json_get_int(row->attrs, "start_ticks", 0)};
    (void)snprintf(process->boot_id, sizeof(process->boot_id), "%s",
                   json_get_string(row->attrs, "boot_id", ""));
    return process->pid > 0 ? 0 : -1;
}

bool spawn_row_is_vmm(const struct resource *row)
{
    return strcmp(row->kind, "process") == 0 &&
           str_equal(json_get_string(row->attrs, "role", NULL), "vmm");
}
