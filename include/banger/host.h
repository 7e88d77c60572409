/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the host offers to a plugin during one call.
 *
 * Ownership: every pointer a getter returns belongs to the call and is valid until the hook
 * returns; the host copies every argument before it returns. Nothing needs to be freed by a plugin.
 * Threads: a hook runs on one thread; the functions below may be used from that thread only, and
 * only until the hook has returned. Hooks of different VMs run at the same time.
 * Errors: an int result of 0 is success and <0 a failure whose text is already in the call's error
 * (a plugin may simply return it). Getters never fail: they return the fallback.
 * After a hook's deadline has passed the call is over: every function fails, getters give
 * fallbacks.
 *
 * Keys a getter knows (share/doc/plugins.md has the table with types):
 *   vm.*              id short_id name dir run_dir state vcpu memory_mib disk_mib labels publish nat
 *   image.*           id name path digest size_bytes
 *   kernel.*          id name path initramfs version
 *   host.*            state_dir run_dir instance (12 hex digits: this store's mark on the host)
 *                     config_dir site_dir (since ABI 1.2)
 *   machine.*         what has been contributed up to now (contributeMachineConfig, launch)
 *   config.KEY        this plugin's own configuration
 *   runtime.NAME.KEY  what capability or provider NAME stored for this VM's present run
 *   change.KEY        configure: the new value of what is being changed
 *   self.*            name origin state: the capability that the hook is called for (since ABI 1.2)
 *   operation.*       name ("start", "stop", ...); error: in the cleanup after a failure, its text
 *                     (since ABI 1.2)
 *   call.*            error code hint: what the last host function said that failed in this call
 *                     (since ABI 1.2)
 *   resources         cleanup: this plugin's journal rows for this VM, newest first, as
 *                     [{"id":7,"kind":"rule","key":"...","attrs":{},"state":"intent|held"}]
 */
#ifndef BANGER_HOST_H
#define BANGER_HOST_H

#include "abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct banger_call; /* opaque: one hook being run for one VM (or for the host, in `check`) */

enum banger_log_level {
    BANGER_LOG_ERROR = 1,
    BANGER_LOG_WARN = 2,
    BANGER_LOG_INFO = 3,
    BANGER_LOG_DEBUG = 4,
};

struct banger_host {
    uint32_t size; /* sizeof(struct banger_host) as the host was built */
    uint16_t abi_major;
    uint16_t abi_minor;

    /* -- Outcome ------------------------------------------------------------------------------ */

    /* Records why the hook fails and returns -1, so that `return host->fail(...)` reads well. The
     * first failure of a call wins. `code` is an enum banger_code. */
    int (*fail)(struct banger_call *call, int code, const char *format, ...) BANGER_PRINTF(3, 4);
    /* What the user can do about it: the `hint:` line below the error. */
    void (*hint)(struct banger_call *call, const char *format, ...) BANGER_PRINTF(2, 3);
    void (*log)(struct banger_call *call, int level, const char *format, ...) BANGER_PRINTF(3, 4);
    /* One short line for the user who is waiting: "copying image (120 of 512 MiB)". */
    void (*progress)(struct banger_call *call, const char *text);
    /* Milliseconds until this hook's deadline; 0 when it has passed; -1 when there is none. */
    int64_t (*remaining_ms)(struct banger_call *call);
    /* 1 once the user has cancelled the operation or gone away: end early, with any result. */
    int (*cancelled)(struct banger_call *call);

    /* -- Input -------------------------------------------------------------------------------- */

    const char *(*get_string)(struct banger_call *call, const char *key, const char *fallback);
    int64_t (*get_int)(struct banger_call *call, const char *key, int64_t fallback);
    int (*get_bool)(struct banger_call *call, const char *key, int fallback);
    /* The value of any key as JSON text; NULL when there is none. */
    const char *(*get_json)(struct banger_call *call, const char *key);

    /* -- Output ------------------------------------------------------------------------------- */

    /* Adds to the machine that is being composed; only in contributeMachineConfig and in a
     * provider's `contribute`. `section` is a row of the table in share/doc/plugins.md ("drives",
     * "nics", "boot_args", "guest.files", ...); a value of the wrong shape, or a second one where
     * there can be only one, fails and names who set the first. */
    int (*contribute)(struct banger_call *call, const char *section, const char *json);
    /* Stores a value for this VM's present run; any plugin reads it back as runtime.NAME.KEY, NAME
     * being this plugin's name. Forgotten when the VM's cleanup is done. Only a start's end makes it
     * last: a daemon that dies before that comes back without it. What cleanup needs to know goes
     * into the journal's attributes. */
    int (*set_json)(struct banger_call *call, const char *key, const char *json);
    /* Appends to `banger events`. `name` is [a-z][a-z0-9_.-]*; the host prefixes the plugin's name.
     */
    int (*emit)(struct banger_call *call, const char *name, const char *json);

    /* -- The resource journal ------------------------------------------------------------------ */

    /* Write down what is about to be acquired, before acquiring it; returns the row's id (> 0).
     * The row comes back in `cleanup`, in whatever process that runs, until resource_gone. */
    int64_t (*resource_intend)(struct banger_call *call, const char *kind, const char *key,
                               const char *attrs_json);
    /* It is acquired. `attrs_json` replaces the attributes when not NULL. */
    int (*resource_held)(struct banger_call *call, int64_t id, const char *attrs_json);
    /* It is released, or was never there. */
    int (*resource_gone)(struct banger_call *call, int64_t id);

    /* -- Processes and the guest ----------------------------------------------------------------
     */

    /* Starts a long-running process that outlives the daemon and is ended by the VM's cleanup. The
     * host journals it before it executes its first instruction. `argv_json`: ["/usr/bin/x", ...],
     * no shell, argv[0] absolute. `options_json`: {"role":"vmm" (default: "helper"), "log":"/path",
     * "cwd":"/path", "env":{}}. The role "vmm" is the process whose life is the VM's; its launch
     * function must start exactly one. */
    int (*spawn)(struct banger_call *call, const char *argv_json, const char *options_json);
    /* Runs a program on the host to its end, without a shell, bounded in time by the hook's
     * deadline and in output: `result` gets {"status":0,"stdout":"...","stderr":"..."} (1 MiB
     * each; bytes that are no UTF-8 become '?'). Allowed in every hook, also in those that must have
     * no side effects: to ask, not to change. */
    int (*run)(struct banger_call *call, const char *argv_json, const char **result);
    /* postStart, configure: runs a program in the guest through the agent. `request_json`:
     * {"argv":[...], "stdin":"...", "env":{}, "cwd":"/", "user":"...", "timeout_ms":10000}; the
     * result is as in `run`. A status other than 0 is not a failure of this function. */
    int (*guest_exec)(struct banger_call *call, const char *request_json, const char **result);

    /* -- Since ABI 1.1 (BANGER_HAS tells whether an older host lacks them) ----------------------- */

    /* Has one operation of the host done that needs privilege: links, TAPs, nft, forwarding. `name`
     * is a row of the table in share/doc/plugins.md, `args_json` an object of its arguments, the
     * result an object too (`result` may be NULL). Devices are made for this VM, and only this VM's are
     * ever taken away. In hooks that must have no side effects only those that ask are allowed. */
    int (*host_op)(struct banger_call *call, const char *name, const char *args_json,
                   const char **result);
    /* The number that this VM has of this plugin's pool `pool`, between `first` and `last`, both
     * included: the same in every run, until the VM is deleted; the lowest free one the first time.
     * In hooks that must have no side effects it is only told, not taken. <0: failed, none is free.
     */
    int64_t (*lease_number)(struct banger_call *call, const char *pool, int64_t first,
                            int64_t last);
    /* postStart, configure: copies a file or a folder of the host, with all that is in it, into the
     * guest through the agent, bounded by the hook's deadline. `request_json`: {"source":"/host/path",
     * "path":"/guest/path", "mode":384}: `path` is what the copy is called there (missing folders above
     * it are made), `mode` that of every file in it (default: as on the host). The copy is root's, with
     * the rules of `banger vm cp`; what a folder in the guest has beside the source's is kept. Since
     * ABI 1.2 "content" (text) can stand for "source": it becomes a file (mode 0600 unless said) and is
     * never written to the host's disk. */
    int (*guest_copy)(struct banger_call *call, const char *request_json);

    /* -- Since ABI 1.2 --------------------------------------------------------------------------- */

    /* expand: names one capability that this plugin carries. `json`:
     *   {"name": as a plugin's, "version", "summary", "license", "origin": "/etc/.../site.lua",
     *    "after": [], "before": [], "hooks": ["prepare", ...],
     *    "config": [{"name","type": "string|int|bool|size|duration|list|table","default","help",
     *                "minimum","maximum"}],
     *    "state": any value: kept as it is, and read back as `self.state` in this capability's hooks,
     *    "error": {"message","hint"}: it cannot be used, and this is why}
     * All but the name is optional. One with an `error` fails its `check` with it, as its policy says
     * (on_error); an operation uses what was named when it began, however the source changes meanwhile. */
    int (*provide)(struct banger_call *call, const char *json);
};

#ifdef __cplusplus
}
#endif

#endif
