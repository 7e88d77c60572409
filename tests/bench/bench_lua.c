/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the Lua host costs in the process that calls it: a hook that is called again, one that contributes, and
 * expand over scripts that have not changed; microseconds, the median of many, a
 * line each: NAME COST. */
#include <banger/test.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 2000
#define SCRIPTS 20

static const char script[] =
    "local function motd(vm)\n"
    "  return ('%s runs %s\\n'):format(vm.name, vm.labels.role or 'nothing')\n"
    "end\n"
    "return {\n"
    "  summary = 'a message of the day',\n"
    "  prepare = function(vm) end,\n"
    "  contributeMachineConfig = function(vm, machine)\n"
    "    machine:file{ path = '/etc/motd', content = motd(vm) }\n"
    "    machine:boot_arg('quiet')\n"
    "  end,\n"
    "}\n";

static char folder[] = "/tmp/banger-bench-XXXXXX";

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void write_scripts(void)
{
    char path[128];

    for (int i = 0; i < SCRIPTS; i++) {
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/hooks.d/motd-%d.lua", folder, i);
        file = fopen(path, "we");
        if (file == NULL || fputs(script, file) < 0 || fclose(file) != 0) {
            perror(path);
            exit(1);
        }
    }
}

static void remove_scripts(void)
{
    char path[128];

    for (int i = 0; i < SCRIPTS; i++) {
        (void)snprintf(path, sizeof(path), "%s/hooks.d/motd-%d.lua", folder, i);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof(path), "%s/hooks.d", folder);
    (void)rmdir(path);
    (void)rmdir(folder);
}

/* A host as it is in a start of a VM, for the first script. */
static struct fake_host *make_host(void)
{
    struct fake_host *fake =
        fake_host_new("{\"vm\": {\"id\": \"0123456789abcdef0123456789abcdef\", \"name\": \"web\", "
                      "\"labels\": {\"role\": "
                      "\"front\"}}}");

    fake_host_set(fake, "host.config_dir", json_string(folder));
    return fake;
}

static double took[ROUNDS];

static int compare(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;

    return (difference > 0) - (difference < 0);
}

static double median(int count)
{
    qsort(took, (size_t)count, sizeof(took[0]), compare);
    return took[count / 2];
}

static void run(struct fake_host *fake, banger_hook hook, double *cost)
{
    double begun = now_us();

    if (fake_host_call(fake, hook) < 0) {
        (void)fprintf(stderr, "%s\n", fake_host_error(fake));
        exit(1);
    }
    *cost = now_us() - begun;
}

static double measure_expand(void)
{
    for (int i = 0; i < ROUNDS / 10; i++) {
        struct fake_host *fake = make_host();

        run(fake, banger_plugin_v1()->expand, &took[i]);
        fake_host_free(fake);
    }
    return median(ROUNDS / 10);
}

static double measure(banger_hook hook)
{
    struct fake_host *carrier = make_host();
    json_t *state;

    (void)fake_host_call(carrier, banger_plugin_v1()->expand);
    state = json_object_get(json_array_get(fake_host_provided(carrier), 0), "state");
    for (int i = 0; i < ROUNDS; i++) {
        struct fake_host *fake = make_host();

        fake_host_set(fake, "self.name", json_string("motd-0"));
        fake_host_set(fake, "self.state", json_incref(state));
        run(fake, hook, &took[i]);
        fake_host_free(fake);
    }
    fake_host_free(carrier);
    return median(ROUNDS);
}

int main(void)
{
    char path[64];

    if (mkdtemp(folder) == NULL || setenv("BANGER_HOME", folder, 1) < 0) {
        perror(folder);
        return 1;
    }
    (void)snprintf(path, sizeof(path), "%s/hooks.d", folder);
    (void)mkdir(path, 0755);
    write_scripts();
    (void)usleep(100000); /* what has just been written is read again: its times do not tell yet */
    (void)printf("expand %.1f\n", measure_expand());
    (void)printf("hook %.1f\n", measure(banger_plugin_v1()->hooks->prepare));
    (void)printf("contribute %.1f\n", measure(banger_plugin_v1()->hooks->contributeMachineConfig));
    remove_scripts();
    return 0;
}
