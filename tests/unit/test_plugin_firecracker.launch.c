/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The firecracker provider against its contract double: as it should be, and each way it can not be. */
#include "firecracker.h"
#include "firecracker_fixture.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* The two drives have no place in a document that is written down: fixture paths come here. */
static void place_drives(void)
{
    json_t *drives = json_pack("[{s:s, s:s, s:b}, {s:s, s:s, s:b, s:b}]", "id", "work-disk", "path",
                               temp_dir_at(&dir, "disk0"), "read_only", 1, "id", "rootfs", "path",
                               temp_dir_at(&dir, "disk1"), "root", 1, "read_only", 0);

    fake_host_set(fake, "machine.drives", drives);
}

static void launch_with(const char *behaviour)
{
    use_double(behaviour);
    place_drives();
    if (fake_host_call(fake, vmm()->launch) != 0) {
        fail_msg("launch: %s", fake_host_error(fake));
    }
}

static json_t *recorded(void)
{
    json_t *requests = json_array();
    FILE *file = fopen(temp_dir_at(&dir, "record"), "re");
    char line[4096];

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        json_t *row = json_loads(line, 0, NULL);

        json_array_append_new(
            requests, json_sprintf("%s %s", json_string_value(json_object_get(row, "method")),
                                   json_string_value(json_object_get(row, "path"))));
        json_decref(row);
    }
    (void)fclose(file);
    return requests;
}

static void configures_in_order_and_is_controlled(void **state)
{
    /* The root drive first, whichever the document has first. */
    static const char *const expected[] = {
        "GET /",
        "PUT /machine-config",
        "PUT /boot-source",
        "PUT /drives/drive1",
        "PUT /drives/drive0",
        "PUT /vsock",
        "PUT /actions",
    };
    char behaviour[PATH_MAX];
    json_t *requests;
    const json_t *agent;

    (void)state;
    (void)snprintf(behaviour, sizeof(behaviour), "{\"no_boot\": true, \"record\": \"%s\"}",
                   temp_dir_at(&dir, "record"));
    launch_with(behaviour);
    requests = recorded();
    assert_int_equal(json_array_size(requests), sizeof(expected) / sizeof(expected[0]));
    for (size_t i = 0; i < json_array_size(requests); i++) {
        assert_string_equal(json_string_value(json_array_get(requests, i)), expected[i]);
    }
    json_decref(requests);
    agent = fake_host_stored(fake, "agent");
    assert_string_equal(json_string_value(json_object_get(agent, "transport")), "vsock-uds");
    assert_string_equal(json_string_value(json_object_get(agent, "path")), "v.sock");
    assert_int_equal(json_integer_value(json_object_get(agent, "port")), AGENT_PORT);
    assert_string_equal(json_string_value(fake_host_stored(fake, "version")),
                        "Firecracker v1.13.0 (contract double)");
    assert_true(temp_dir_has(&dir, "run/v.sock"));
    assert_int_equal(fake_host_call(fake, vmm()->verify), 0);
    assert_int_equal(fake_host_call(fake, vmm()->pause), 0);
    assert_int_equal(fake_host_call(fake, vmm()->verify), 0);
    assert_int_equal(fake_host_call(fake, vmm()->resume), 0);
    assert_int_equal(fake_host_call(fake, vmm()->request_stop), 0);
    assert_int_equal(fake_host_call(fake, vmm()->cleanup), 0);
    assert_false(temp_dir_has(&dir, "run/v.sock"));
    assert_false(temp_dir_has(&dir, "run/api.sock"));
    assert_int_equal(fake_host_call(fake, vmm()->cleanup), 0);
}

static void only_its_owner_reaches_its_api(void **state)
{
    struct stat status;

    (void)state;
    launch_with("{\"no_boot\": true}");
    assert_int_equal(stat(temp_dir_at(&dir, "run/api.sock"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

/* A socket that a dead one has left is EADDRINUSE to Firecracker, which unlinks none. */
static void leave_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", temp_dir_at(&dir, name));
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    (void)close(fd);
}

static void sockets_left_over_are_no_obstacle(void **state)
{
    (void)state;
    leave_socket("run/api.sock");
    leave_socket("run/v.sock");
    launch_with("{\"no_boot\": true}");
}

static void another_vm_is_not_verified(void **state)
{
    (void)state;
    launch_with("{\"no_boot\": true}");
    fake_host_set(fake, "vm.id", json_string("ffffffffffffffffffffffffffffffff"));
    assert_int_equal(fake_host_call(fake, vmm()->verify), -1);
    assert_int_equal(fake_host_code(fake), BANGER_ENOTFOUND);
}

static void a_stopped_one_costs_its_deadline_only(void **state)
{
    (void)state;
    launch_with("{\"no_boot\": true}");
    assert_int_equal(kill(fake_host_pid(fake), SIGSTOP), 0);
    fake_host_set_deadline(fake, 300);
    assert_int_equal(fake_host_call(fake, vmm()->request_stop), -1);
    assert_int_equal(fake_host_code(fake), BANGER_ETIMEDOUT);
}

static void a_dead_one_is_said_at_once(void **state)
{
    siginfo_t info;

    (void)state;
    launch_with("{\"no_boot\": true}");
    assert_int_equal(kill(fake_host_pid(fake), SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)fake_host_pid(fake), &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(fake_host_call(fake, vmm()->verify), -1);
    assert_non_null(strstr(fake_host_error(fake), "does not listen"));
}

/* -- Each way to misbehave ------------------------------------------------------------------------ */

static const struct misbehaviour {
    const char *behaviour;
    int code;
    const char *error; /* in the text */
    int deadline_ms;   /* 0: ample; a short one may pass before the double begins */
} misbehaviours[] = {
    /* clang-format off */
    {"{\"on\": {\"GET /\": \"slow\"}}", BANGER_ETIMEDOUT, "GET /: Firecracker does not answer", 0},
    {"{\"on\": {\"GET /\": \"truncated\"}}", BANGER_EIO, "GET /: Firecracker's API socket broke", 0},
    {"{\"on\": {\"GET /\": \"garbage\"}}", BANGER_EIO, "or does not speak HTTP", 0},
    {"{\"on\": {\"GET /\": \"hang up\"}}", BANGER_EIO, "API socket broke", 0},
    {"{\"on\": {\"GET /\": \"huge\"}}", BANGER_EIO, "answers more than it ever would", 0},
    {"{\"on\": {\"GET /\": \"huge headers\"}}", BANGER_EIO, "answers more than it ever would", 0},
    {"{\"on\": {\"GET /\": \"invalid json\"}}", BANGER_EIO,
     "refused it (400): {\"error\": \"Invalid header.; Reason: it is raw [31m\"}", 0},
    {"{\"on\": {\"PUT /machine-config\": \"slow\"}}", BANGER_ETIMEDOUT, "PUT /machine-config: ", 0},
    {"{\"on\": {\"PUT /vsock\": \"hang up\"}}", BANGER_EIO, "PUT /vsock: ", 0},
    {"{\"on\": {\"PUT /drives/drive1\": {\"fault\": \"no such disk\"}}}", BANGER_EIO,
     "PUT /drives/drive1: Firecracker refused it (400): no such disk: Running Firecracker", 0},
    {"{\"on\": {\"PUT /actions\": {\"fault\": \"KVM: \\u001b[1mno\"}}}", BANGER_EIO,
     "PUT /actions: Firecracker refused it (400): KVM: [1mno", 0},
    {"{\"on\": {\"PUT /actions\": {\"exit\": 148}}}", BANGER_EIO, "PUT /actions: ", 0},
    {"{\"never_ready\": true}", BANGER_ETIMEDOUT, "did not begin to answer before the deadline", 400},
    /* clang-format on */
};

/* Each with a host of its own. */
static void start_afresh(void)
{
    (void)tear_down(NULL);
    assert_int_equal(set_up(NULL), 0);
    place_drives();
}

static void fails_as_it_should(const struct misbehaviour *row)
{
    start_afresh();
    fake_host_set_deadline(fake, row->deadline_ms > 0 ? row->deadline_ms : 60000);
    use_double(row->behaviour);
    assert_int_equal(fake_host_call(fake, vmm()->launch), -1);
    if (fake_host_code(fake) != row->code || strstr(fake_host_error(fake), row->error) == NULL) {
        fail_msg("%s: (%d) %s", row->behaviour, fake_host_code(fake), fake_host_error(fake));
    }
    assert_null(fake_host_stored(fake, "agent"));
    assert_non_null(strstr(fake_host_hint(fake), "vmm.log"));
}

static void each_misbehaviour_is_an_error_that_says_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(misbehaviours) / sizeof(misbehaviours[0]); i++) {
        fails_as_it_should(&misbehaviours[i]);
    }
}

static void somebody_elses_is_not_ours(void **state)
{
    (void)state;
    place_drives();
    use_double("{\"on\": {\"GET /\": \"wrong id\"}}");
    assert_int_equal(fake_host_call(fake, vmm()->launch), -1);
    assert_non_null(strstr(fake_host_error(fake), "calls itself 'somebody-else'"));
}

/* Firecracker's own (firecracker/src/lib.rs): ok, generic, unexpected, seccomp, SIGBUS, SIGSEGV,
 * SIGXFSZ, configuration, arguments, SIGXCPU, SIGHUP, SIGILL. */
static void an_end_with_any_code_is_noticed_at_once(void **state)
{
    static const int codes[] = {0, 1, 2, 148, 149, 150, 151, 152, 153, 154, 156, 157};
    char behaviour[64];

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        start_afresh();
        (void)snprintf(behaviour, sizeof(behaviour), "{\"exit\": %d}", codes[i]);
        use_double(behaviour);
        assert_int_equal(fake_host_call(fake, vmm()->launch), -1);
        assert_int_equal(fake_host_code(fake), BANGER_EIO);
        assert_non_null(strstr(fake_host_error(fake),
                               "Firecracker ended at once: the double ends at once, as told"));
    }
}

static void a_log_that_is_missing_is_made(void **state)
{
    (void)state;
    assert_int_equal(unlink(temp_dir_at(&dir, "vmm.log")), 0);
    launch_with("{\"no_boot\": true}");
}

static void a_missing_metrics_file_is_in_the_error(void **state)
{
    (void)state;
    assert_int_equal(unlink(temp_dir_at(&dir, "metrics.json")), 0);
    use_double("{}");
    place_drives();
    assert_int_equal(fake_host_call(fake, vmm()->launch), -1);
    assert_non_null(strstr(fake_host_error(fake), "Firecracker ended at once: Could not open"));
}

static void a_cancelled_start(void **state)
{
    (void)state;
    use_double("{\"never_ready\": true}");
    place_drives();
    fake_host_cancel_after(fake, 0);
    assert_int_equal(fake_host_call(fake, vmm()->launch), -1);
    assert_int_equal(fake_host_code(fake), BANGER_ECANCELLED);
}

static void a_disk_that_is_gone_is_in_the_error(void **state)
{
    (void)state;
    use_double("{}");
    place_drives();
    assert_int_equal(unlink(temp_dir_at(&dir, "disk1")), 0);
    assert_int_equal(fake_host_call(fake, vmm()->launch), -1);
    assert_non_null(strstr(fake_host_error(fake),
                           "PUT /drives/drive1: Firecracker refused it (400): "
                           "Unable to create the block device"));
}

/* The double knows which fields a limiter has. */
static void limits_are_taken(void **state)
{
    (void)state;
    fake_host_set(fake, "machine.rate_limits",
                  json_pack("{s:{s:i}, s:{s:i, s:i}}", "drive.rootfs", "ops_per_s", 5,
                            "drive.work-disk", "bytes_per_s", 1, "ops_per_s", 2));
    launch_with("{\"no_boot\": true}");
}

static void what_it_cannot_run_starts_nothing(void **state)
{
    (void)state;
    use_double("{}");
    place_drives();
    fake_host_set(fake, "machine.nics", json_pack("[{s:s, s:s}]", "id", "eth0", "backend", "user"));
    assert_int_equal(fake_host_call(fake, vmm()->launch), -1);
    assert_int_equal(fake_host_code(fake), BANGER_EINVALID);
    assert_non_null(strstr(fake_host_error(fake), "a NIC of it is not a TAP"));
    assert_int_equal(json_array_size(fake_host_spawns(fake)), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(configures_in_order_and_is_controlled),
        TEST(only_its_owner_reaches_its_api),
        TEST(sockets_left_over_are_no_obstacle),
        TEST(another_vm_is_not_verified),
        TEST(a_stopped_one_costs_its_deadline_only),
        TEST(a_dead_one_is_said_at_once),
        TEST(each_misbehaviour_is_an_error_that_says_so),
        TEST(somebody_elses_is_not_ours),
        TEST(an_end_with_any_code_is_noticed_at_once),
        TEST(a_log_that_is_missing_is_made),
        TEST(a_missing_metrics_file_is_in_the_error),
        TEST(a_cancelled_start),
        TEST(a_disk_that_is_gone_is_in_the_error),
        TEST(what_it_cannot_run_starts_nothing),
        TEST(limits_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
