/* SPDX-License-Identifier: MIT-0 */
/* The exporter's hooks against a host that records what they do, in a folder that is made for it. */
#include <banger/test.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define VM_FILE "banger-web-0123abcd.prom"

static char folder[] = "/tmp/prometheus-textfile.XXXXXX";
static const struct banger_hooks *hooks;
static int failed;

static void expect(const char *what, int good)
{
    printf("%-6s %s\n", good ? "ok" : "FAILED", what);
    failed |= !good;
}

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

/* Whether the file has this line. */
static int has_line(const char *name, const char *line)
{
    char have[512];
    FILE *file = fopen(path_of(name), "r");
    int found = 0;

    while (file != NULL && !found && fgets(have, sizeof(have), file) != NULL) {
        have[strcspn(have, "\n")] = '\0';
        found = strcmp(have, line) == 0;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

static struct fake_host *new_host(void)
{
    struct fake_host *fake = fake_host_new(
        "{\"vm\": {\"name\": \"web\", \"short_id\": \"0123abcd\", \"id\": \"0123abcd89\"},"
        " \"image\": {\"name\": \"tiny\"}}");

    fake_host_set(fake, "config.folder", json_string(folder));
    return fake;
}

static void test_a_run(void)
{
    struct fake_host *fake = new_host();

    expect("check accepts the folder", fake_host_call(fake, hooks->check) == 0);
    expect("prepare", fake_host_call(fake, hooks->prepare) == 0);
    fake_host_set(fake, "runtime.prometheus-textfile.begun_ms",
                  json_incref((json_t *)fake_host_stored(fake, "begun_ms")));
    expect("postStart", fake_host_call(fake, hooks->postStart) == 0);
    expect("the VM runs",
           has_line(VM_FILE, "banger_vm_running{vm=\"web\",id=\"0123abcd89\",image=\"tiny\"} 1"));
    expect("a start was counted", has_line("banger.prom", "banger_starts_total 1"));
    expect("the file is in the journal", json_array_size(fake_host_resources(fake)) == 1);

    (void)unlink(path_of(VM_FILE));
    expect("reconciled", fake_host_call(fake, hooks->reconciled) == 0);
    expect("it is there again", access(path_of(VM_FILE), F_OK) == 0);

    expect("cleanup", fake_host_call(fake, hooks->cleanup) == 0);
    expect("the file is gone", access(path_of(VM_FILE), F_OK) < 0 && errno == ENOENT);
    expect("and so is its row", json_array_size(fake_host_resources(fake)) == 0);
    expect("cleanup again", fake_host_call(fake, hooks->cleanup) == 0);
    expect("no failure was counted", has_line("banger.prom", "banger_start_failures_total 0"));
    fake_host_free(fake);
}

static void test_a_failure(void)
{
    struct fake_host *fake = new_host();

    fake_host_set(fake, "operation.name", json_string("start"));
    fake_host_set(fake, "operation.error", json_string("the guest does not answer"));
    expect("cleanup after a failed start", fake_host_call(fake, hooks->cleanup) == 0);
    expect("it was counted", has_line("banger.prom", "banger_start_failures_total 1"));
    expect("the starts are kept", has_line("banger.prom", "banger_starts_total 1"));
    fake_host_free(fake);
}

static void test_a_wrong_folder(void)
{
    struct fake_host *fake = new_host();

    fake_host_set(fake, "config.folder", json_string(path_of("missing")));
    expect("a missing folder is refused",
           fake_host_call(fake, hooks->check) < 0 && fake_host_code(fake) == BANGER_EIO);
    fake_host_clear_error(fake);
    fake_host_set(fake, "config.folder", json_null());
    expect("no folder is refused with a hint",
           fake_host_call(fake, hooks->check) < 0 && fake_host_hint(fake)[0] != '\0');
    fake_host_free(fake);
}

/* Two VMs start at the same time, each in a process of its own: none of it is lost. */
static void test_counting_together(void)
{
    struct fake_host *fake = new_host();
    pid_t child = fork();
    int status = 1;

    if (child == 0) {
        fake_host_set(fake, "vm.short_id", json_string("89abcdef"));
    }
    for (int i = 0; i < 100; i++) {
        (void)fake_host_call(fake, hooks->postStart);
    }
    (void)fake_host_call(fake, hooks->cleanup);
    if (child == 0) {
        _exit(fake_host_code(fake));
    }
    expect("this process", fake_host_code(fake) == 0);
    expect("the other process", waitpid(child, &status, 0) == child && status == 0);
    expect("every start was counted", has_line("banger.prom", "banger_starts_total 201"));
    fake_host_free(fake);
}

int main(void)
{
    hooks = banger_plugin_v1()->hooks;
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    test_a_run();
    test_a_failure();
    test_a_wrong_folder();
    test_counting_together();
    (void)unlink(path_of("banger.prom"));
    (void)unlink(path_of(".banger.lock"));
    expect("nothing else is left in the folder", rmdir(folder) == 0);
    return failed;
}
