/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key pair and the pins, with the real ssh-keygen. */
#include "temp_dir.h"
#include <banger/test.h>

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 6
/* Any public key will do for an entry: ssh-keygen checks that it is one. */
#define PIN "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAenA6+ZfRUQ3fB5bHFukfKYJj8sLUARTwuRuGOO5PiK\n"

struct fixture {
    struct temp_dir dir;
    struct fake_host *fake;
};

static const struct banger_hooks *hooks(void)
{
    return banger_plugin_v1()->hooks;
}

static struct fake_host *host_new(const struct temp_dir *dir)
{
    struct fake_host *fake = fake_host_new("{\"vm\": {\"id\": \"1\", \"name\": \"web\"}}");

    fake_host_set(fake, "host.state_dir", json_string(dir->path));
    fake_host_set(fake, "vm.dir", json_string(dir->path));
    fake_host_set(fake, "config.key", json_string(""));
    return fake;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    temp_dir_make(&fixture->dir);
    fixture->fake = host_new(&fixture->dir);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    fake_host_free(fixture->fake);
    temp_dir_remove(&fixture->dir);
    free(fixture);
    return 0;
}

static void run(struct fixture *fixture, banger_hook hook)
{
    if (fake_host_call(fixture->fake, hook) != 0) {
        fail_msg("%s", fake_host_error(fixture->fake));
    }
}

static mode_t mode_of(const struct fixture *fixture, const char *name)
{
    struct stat st;

    assert_int_equal(stat(temp_dir_at(&fixture->dir, name), &st), 0);
    return st.st_mode & 07777;
}

static int count(const char *text, const char *what)
{
    int found = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        found++;
    }
    return found;
}

static void makes_a_key_once(void **state)
{
    struct fixture *fixture = *state;
    char public[512];

    run(fixture, hooks()->check);
    run(fixture, hooks()->prepare);
    (void)snprintf(public, sizeof(public), "%.511s",
                   temp_dir_read(&fixture->dir, "ssh/id_ed25519.pub"));
    assert_int_equal(strncmp(public, "ssh-ed25519 ", 12), 0);
    assert_non_null(strstr(public, " banger\n"));
    assert_int_equal(mode_of(fixture, "ssh"), 0700);
    assert_int_equal(mode_of(fixture, "ssh/id_ed25519"), 0600);
    run(fixture, hooks()->prepare);
    assert_string_equal(temp_dir_read(&fixture->dir, "ssh/id_ed25519.pub"), public);
    assert_false(temp_dir_has(&fixture->dir, "ssh/id_ed25519.new"));
    assert_false(temp_dir_has(&fixture->dir, "ssh/id_ed25519.new.pub"));
}

static void makes_up_for_a_crash(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(mkdir(temp_dir_at(&fixture->dir, "ssh"), 0700), 0);
    temp_dir_write(&fixture->dir, "ssh/id_ed25519.new", "half");
    temp_dir_write(&fixture->dir, "ssh/id_ed25519.new.pub", "half");
    temp_dir_write(&fixture->dir, "ssh/id_ed25519.pub", "of a private key that never came");
    run(fixture, hooks()->prepare);
    assert_non_null(strstr(temp_dir_read(&fixture->dir, "ssh/id_ed25519.pub"), " banger\n"));
    assert_non_null(strstr(temp_dir_read(&fixture->dir, "ssh/id_ed25519"), "PRIVATE KEY"));
}

static void *prepare_beside(void *context)
{
    struct fake_host *fake = host_new(context);
    intptr_t result = fake_host_call(fake, hooks()->prepare);

    fake_host_free(fake);
    return (void *)result;
}

static void makes_one_pair_for_all(void **state)
{
    struct fixture *fixture = *state;
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, prepare_beside, &fixture->dir), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;

        (void)pthread_join(threads[i], &result);
        assert_int_equal((intptr_t)result, 0);
    }
    /* The halves belong together: what ssh-keygen makes of the private one is the public one. */
    char command[PATH_MAX + 64];
    char made[512] = "";
    (void)snprintf(command, sizeof(command), "ssh-keygen -y -f %s",
                   temp_dir_at(&fixture->dir, "ssh/id_ed25519"));
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    assert_non_null(fgets(made, sizeof(made), pipe));
    (void)pclose(pipe);
    assert_string_equal(temp_dir_read(&fixture->dir, "ssh/id_ed25519.pub"), made);
}

static const char *contributed(struct fixture *fixture, const char *key)
{
    const json_t *file = fake_host_contribution(fixture->fake, "guest.files");

    return json_string_value(json_object_get(file, key));
}

static void lets_the_key_in(void **state)
{
    struct fixture *fixture = *state;

    run(fixture, hooks()->contributeMachineConfig);
    assert_null(fake_host_contribution(fixture->fake, "guest.files")); /* a plan: no key is made */
    assert_false(temp_dir_has(&fixture->dir, "ssh"));
    run(fixture, hooks()->prepare);
    run(fixture, hooks()->contributeMachineConfig);
    assert_string_equal(contributed(fixture, "path"), "/root/.ssh/authorized_keys");
    assert_int_equal(json_integer_value(json_object_get(
                         fake_host_contribution(fixture->fake, "guest.files"), "mode")),
                     0600);
    const char *content = contributed(fixture, "content");
    assert_int_equal(strncmp(content, "# banger:", 9), 0); /* the agent's mark, boot_keys.h */
    assert_string_equal(strchr(content, '\n') + 1,
                        temp_dir_read(&fixture->dir, "ssh/id_ed25519.pub"));
}

static void takes_a_key_of_the_users(void **state)
{
    struct fixture *fixture = *state;

    fake_host_set(fixture->fake, "config.key", json_string(temp_dir_at(&fixture->dir, "mine")));
    assert_int_equal(fake_host_call(fixture->fake, hooks()->check), -1);
    assert_int_equal(fake_host_code(fixture->fake), BANGER_EINVALID);
    assert_non_null(strstr(fake_host_error(fixture->fake), "No such file"));
    fake_host_clear_error(fixture->fake);
    temp_dir_write(&fixture->dir, "mine", "private");
    temp_dir_write(&fixture->dir, "mine.pub", "ssh-rsa AAAA me@here\n");
    run(fixture, hooks()->check);
    run(fixture, hooks()->prepare);
    run(fixture, hooks()->contributeMachineConfig);
    assert_non_null(strstr(contributed(fixture, "content"), "\nssh-rsa AAAA me@here\n"));
    assert_false(temp_dir_has(&fixture->dir, "ssh"));
    fake_host_set(fixture->fake, "config.key", json_string("mine"));
    assert_int_equal(fake_host_call(fixture->fake, hooks()->check), -1);
    assert_non_null(strstr(fake_host_error(fixture->fake), "not an absolute path"));
}

static void forgets_a_deleted_vm(void **state)
{
    struct fixture *fixture = *state;

    run(fixture, hooks()->deleted); /* nothing was ever known */
    assert_int_equal(mkdir(temp_dir_at(&fixture->dir, "ssh"), 0700), 0);
    temp_dir_write(&fixture->dir, "ssh/known_hosts",
                   "web.vm " PIN "web " PIN "172.16.0.9 " PIN "[web.vm]:2222 " PIN
                   "[172.16.0.9]:2222,other " PIN "webb.vm " PIN "x.web.vm " PIN "[webb.vm]:22 " PIN
                   "172.16.0.99 " PIN "172.16.0.8 " PIN);
    fake_host_set(fixture->fake, "runtime.bridge.address", json_string("172.16.0.9"));
    run(fixture, hooks()->postStart);
    run(fixture, hooks()->postStart);
    fake_host_set(fixture->fake, "runtime", json_object()); /* as after the cleanup */
    run(fixture, hooks()->deleted);
    const char *left = temp_dir_read(&fixture->dir, "ssh/known_hosts");
    assert_string_equal(left, "webb.vm " PIN "x.web.vm " PIN "[webb.vm]:22 " PIN "172.16.0.99 " PIN
                              "172.16.0.8 " PIN);
    assert_false(temp_dir_has(&fixture->dir, "ssh/known_hosts.old"));
    assert_string_equal(temp_dir_read(&fixture->dir, "ssh-addresses"), "172.16.0.9\n");
}

static void forgets_hashed_pins(void **state)
{
    struct fixture *fixture = *state;
    char command[PATH_MAX + 64];

    assert_int_equal(mkdir(temp_dir_at(&fixture->dir, "ssh"), 0700), 0);
    temp_dir_write(&fixture->dir, "ssh/known_hosts", "web.vm " PIN "db.vm " PIN);
    (void)snprintf(command, sizeof(command), "ssh-keygen -H -f %s >/dev/null 2>&1",
                   temp_dir_at(&fixture->dir, "ssh/known_hosts"));
    assert_int_equal(system(command), 0);
    assert_int_equal(count(temp_dir_read(&fixture->dir, "ssh/known_hosts"), "|1|"), 2);
    run(fixture, hooks()->deleted);
    assert_int_equal(count(temp_dir_read(&fixture->dir, "ssh/known_hosts"), "|1|"), 1);
}

static void keeps_no_vm_for_a_spoilt_file(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(mkdir(temp_dir_at(&fixture->dir, "ssh"), 0700), 0);
    temp_dir_write(&fixture->dir, "ssh/known_hosts", "no host and no key\nweb.vm " PIN);
    run(fixture, hooks()->deleted);
    assert_string_equal(temp_dir_read(&fixture->dir, "ssh/known_hosts"),
                        "no host and no key\nweb.vm " PIN);
    assert_non_null(strstr(json_string_value(json_array_get(fake_host_log(fixture->fake), 0)),
                           "not a valid known_hosts file"));
}

static void says_when_it_cannot(void **state)
{
    struct fixture *fixture = *state;

    temp_dir_write(&fixture->dir, "ssh", "in the way");
    assert_int_equal(fake_host_call(fixture->fake, hooks()->prepare), -1);
    assert_int_equal(fake_host_code(fixture->fake), BANGER_EIO);
    assert_non_null(strstr(fake_host_error(fixture->fake), "/ssh"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_a_key_once, setup, teardown),
        cmocka_unit_test_setup_teardown(makes_up_for_a_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(makes_one_pair_for_all, setup, teardown),
        cmocka_unit_test_setup_teardown(lets_the_key_in, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_a_key_of_the_users, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_a_deleted_vm, setup, teardown),
        cmocka_unit_test_setup_teardown(forgets_hashed_pins, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_no_vm_for_a_spoilt_file, setup, teardown),
        cmocka_unit_test_setup_teardown(says_when_it_cannot, setup, teardown),
    };

    return cmocka_run_group_tests_name("known-hosts", tests, NULL, NULL);
}
