/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resources: how much of the host a VM may have. `check` refuses what the host cannot give before
 * anything is started; contributeMachineConfig says the machine's size and the cgroup limits that
 * hold its VMM to it.
 */
#include <banger/json.h>
#include <banger/plugin.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MIB INT64_C(1048576)

/* The period of cgroup v2's cpu.max in microseconds, the kernel's own default (cgroup-v2.rst). */
#define CPU_PERIOD_US 100000

/* MemAvailable of /proc/meminfo in MiB: what can be had without swapping (proc(5)); -1: not told.
 */
static int64_t available_mib(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    int64_t kib = -1;

    if (file == NULL) {
        return -1;
    }
    while (kib < 0 && fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "MemAvailable: %" SCNd64 " kB", &kib);
    }
    (void)fclose(file);
    return kib < 0 ? -1 : kib / 1024;
}

static int check_vcpu(const struct banger_host *host, struct banger_call *call, int64_t vcpu)
{
    int64_t cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t factor = host->get_int(call, "config.cpu_overcommit", 4);
    int64_t limit = host->get_int(call, "config.max_vcpu", 0);

    if (limit > 0 && vcpu > limit) {
        host->hint(call, "ask for at most %" PRId64 ", or raise plugins.resources.max_vcpu", limit);
        return host->fail(call, BANGER_EINVALID,
                          "%" PRId64 " vCPUs are more than the %" PRId64
                          " that this site allows a VM",
                          vcpu, limit);
    }
    if (vcpu > cpus * factor) {
        host->hint(call, "ask for at most %" PRId64 ", or raise plugins.resources.cpu_overcommit",
                   cpus * factor);
        return host->fail(call, BANGER_EINVALID,
                          "%" PRId64 " vCPUs are more than %" PRId64 " times this host's %" PRId64
                          " CPUs",
                          vcpu, factor, cpus);
    }
    return 0;
}

static int check_memory(const struct banger_host *host, struct banger_call *call,
                        int64_t memory_mib)
{
    int64_t limit = host->get_int(call, "config.max_memory", 0) / MIB;
    int64_t available = available_mib();

    if (limit > 0 && memory_mib > limit) {
        host->hint(call, "ask for less, or raise plugins.resources.max_memory");
        return host->fail(call, BANGER_EINVALID,
                          "%" PRId64 " MiB of memory are more than the %" PRId64
                          " MiB that this site allows a VM",
                          memory_mib, limit);
    }
    if (available < 0 || memory_mib <= available ||
        host->get_bool(call, "config.memory_overcommit", 0)) {
        return 0;
    }
    host->hint(call, "stop a VM, ask for less memory, or set plugins.resources.memory_overcommit "
                     "where the host has swap");
    return host->fail(call, BANGER_EFULL,
                      "%" PRId64 " MiB of memory are more than the %" PRId64
                      " MiB that this host has available",
                      memory_mib, available);
}

static int resources_check(const struct banger_host *host, struct banger_call *call)
{
    if (host->get_string(call, "vm.id", NULL) == NULL) {
        return 0; /* about the host alone: there is nothing to compare yet */
    }
    if (check_vcpu(host, call, host->get_int(call, "vm.vcpu", 0)) < 0) {
        return -1;
    }
    return check_memory(host, call, host->get_int(call, "vm.memory_mib", 0));
}

/* Files of cgroup v2 and their values. A limit of 0 in the configuration means "none". */
static json_t *limits_of(const struct banger_host *host, struct banger_call *call, int64_t vcpu,
                         int64_t memory_mib)
{
    json_t *limits = json_object();
    int64_t pids = host->get_int(call, "config.max_processes", 0);
    int64_t overhead = host->get_int(call, "config.memory_overhead", 0);

    if (overhead > 0) {
        json_object_set_new(limits, "memory.max", json_integer(memory_mib * MIB + overhead));
    }
    if (pids > 0) {
        json_object_set_new(limits, "pids.max", json_integer(pids + vcpu));
    }
    if (host->get_bool(call, "config.cpu_limit", 0)) {
        json_object_set_new(limits, "cpu.max",
                            json_sprintf("%" PRId64 " %d", vcpu * CPU_PERIOD_US, CPU_PERIOD_US));
    }
    return limits;
}

static int resources_contribute(const struct banger_host *host, struct banger_call *call)
{
    int64_t vcpu = host->get_int(call, "vm.vcpu", 0);
    int64_t memory_mib = host->get_int(call, "vm.memory_mib", 0);
    json_t *limits;

    if (vcpu <= 0 || memory_mib <= 0) {
        return host->fail(call, BANGER_EINVALID,
                          "a machine of %" PRId64 " vCPUs and %" PRId64
                          " MiB cannot run; both must be above 0",
                          vcpu, memory_mib);
    }
    if (banger_json_contribute(host, call, "vcpu", json_integer(vcpu)) < 0 ||
        banger_json_contribute(host, call, "memory_mib", json_integer(memory_mib)) < 0) {
        return -1;
    }
    limits = limits_of(host, call, vcpu, memory_mib);
    return banger_json_contribute(host, call, "limits", limits);
}

#define KEY(key_type, key_name, value, low, high, text)                                            \
    {                                                                                              \
        .size = sizeof(struct banger_config_key), .type = BANGER_CONFIG_##key_type,                \
        .name = (key_name), .default_value = (value), .help = (text), .minimum = (low),            \
        .maximum = (high)                                                                          \
    }

/* clang-format off */
static const struct banger_config_key keys[] = {
    /*  type  name                 default  minimum  maximum   */
    KEY(INT,  "max_vcpu",          "0",     0,       1024,      "vCPUs one VM may have; 0: only cpu_overcommit counts"),
    KEY(SIZE, "max_memory",        "0",     0,       INT64_MAX, "memory one VM may have; 0: only what is available counts"),
    KEY(INT,  "cpu_overcommit",    "4",     1,       64,        "vCPUs one VM may have for each CPU of the host"),
    KEY(BOOL, "memory_overcommit", "false", 0,       0,         "let a VM have more memory than is available now"),
    KEY(BOOL, "cpu_limit",         "false", 0,       0,         "hold the VMM to as many CPUs as the VM has vCPUs (cpu.max)"),
    KEY(SIZE, "memory_overhead",   "512M",  0,       INT64_MAX, "what the VMM may use beside the guest's memory (memory.max); 0: no limit"),
    KEY(INT,  "max_processes",     "64",    0,       4194304,   "threads of the VMM beside the vCPUs (pids.max); 0: no limit"),
};
/* clang-format on */

static const struct banger_hooks hooks = {
    .size = sizeof(hooks),
    .check = resources_check,
    .contributeMachineConfig = resources_contribute,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "resources",
    .version = BANGER_VERSION,
    .summary = "vCPUs, memory and cgroup limits, checked against the host",
    .license = "LGPL-2.1-or-later",
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .hooks = &hooks,
};

BANGER_PLUGIN(&plugin)
