/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the Lua host costs, here and in a process of its own: a hook that is called again, one that contributes,
 * and expand over scripts that have not changed; microseconds, the median of many, a line each:
 *   bench_lua BUILD  ->  NAME WHERE COST */
#include "capability/isolate.h"

#include <banger/test.h>

#include <limits.h>
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

/* NULL: the functions are called here. */
static struct isolate *isolate;

static void run(struct fake_host *fake, banger_hook hook, double *cost)
{
    double begun = now_us();
    int result = isolate == NULL
                     ? fake_host_call(fake, hook)
                     : isolate_call(isolate, hook, fake_host_table(), fake_host_handle(fake));

    *cost = now_us() - begun;
    if (result < 0) {
        (void)fprintf(stderr, "%s\n", fake_host_error(fake));
        exit(1);
    }
}

static double measure_expand(const struct banger_plugin *plugin)
{
    for (int i = 0; i < ROUNDS / 10; i++) {
        struct fake_host *fake = make_host();

        run(fake, plugin->expand, &took[i]);
        fake_host_free(fake);
    }
    return median(ROUNDS / 10);
}

static double measure(const struct banger_plugin *plugin, banger_hook hook)
{
    struct fake_host *carrier = make_host();
    json_t *state;

    run(carrier, plugin->expand, &took[0]);
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

static void measure_all(const struct banger_plugin *plugin, const char *where)
{
    (void)printf("expand %s %.1f\n", where, measure_expand(plugin));
    (void)printf("hook %s %.1f\n", where, measure(plugin, plugin->hooks->prepare));
    (void)printf("contribute %s %.1f\n", where,
                 measure(plugin, plugin->hooks->contributeMachineConfig));
}

int main(int argc, char **argv)
{
    char path[64];
    char program[PATH_MAX];
    char file[PATH_MAX];
    struct isolate_limits limits = {.program = program};

    if (argc != 2 || mkdtemp(folder) == NULL || setenv("BANGER_HOME", folder, 1) < 0) {
        perror("usage: bench_lua BUILD");
        return 1;
    }
    (void)snprintf(program, sizeof(program), "%s/bin/banger-plugin", argv[1]);
    (void)snprintf(file, sizeof(file), "%s/plugins/lua.so", argv[1]);
    (void)snprintf(path, sizeof(path), "%s/hooks.d", folder);
    (void)mkdir(path, 0755);
    write_scripts();
    (void)usleep(100000); /* what has just been written is read again: its times do not tell yet */
    measure_all(banger_plugin_v1(), "in-process");
    isolate = isolate_open(file, &limits, NULL);
    if (isolate == NULL) {
        (void)fprintf(stderr, "cannot open %s\n", file);
        return 1;
    }
    measure_all(isolate_plugin(isolate), "isolated");
    isolate_close(isolate);
    remove_scripts();
    return 0;
}
