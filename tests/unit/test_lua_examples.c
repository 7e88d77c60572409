/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hooks of hooks/, each doing what it says. */
#include "http_peer.h"
#include "lua_fixture.h"

/* From now on the host's calls are for hooks/NAME.lua, with its configuration's defaults. */
static void use_example(const char *name)
{
    char path[256];
    char text[8192];
    size_t got;
    size_t index;
    json_t *key;
    FILE *file;

    (void)snprintf(path, sizeof(path), "hooks/%s.lua", name);
    file = fopen(path, "re");
    if (file == NULL) {
        fail_msg("%s: run this in the top folder", path);
    }
    got = fread(text, 1, sizeof(text) - 1, file);
    text[got] = '\0';
    (void)fclose(file);
    write_script(name, text);
    choose(name);
    json_array_foreach (json_object_get(expand(name), "config"), index, key) {
        char dotted[128];

        (void)snprintf(dotted, sizeof(dotted), "config.%s",
                       json_string_value(json_object_get(key, "name")));
        if (json_object_get(key, "default") != NULL) {
            fake_host_set(fake, dotted, json_incref(json_object_get(key, "default")));
        }
    }
}

static void as_text(const json_t *json, const char *expected)
{
    char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);

    assert_string_equal(text != NULL ? text : "NULL", expected);
    free(text);
}

/* -- corporate-ca ---------------------------------------------------------------------------------- */

static json_t *answer_as_debian(const json_t *request)
{
    const json_t *argv = json_object_get(request, "argv");
    bool is_test = strcmp(json_string_value(json_array_get(argv, 0)), "test") == 0;
    bool is_there = strcmp(json_string_value(json_array_get(argv, 2)) != NULL
                               ? json_string_value(json_array_get(argv, 2))
                               : "/usr/sbin/update-ca-certificates",
                           "/usr/sbin/update-ca-certificates") == 0;

    return json_pack("{s:i, s:s, s:s}", "status", is_test && !is_there ? 1 : 0, "stdout", "",
                     "stderr", "");
}

static json_t *answer_as_busybox(const json_t *request)
{
    (void)request;
    return json_pack("{s:i, s:s, s:s}", "status", 1, "stdout", "", "stderr", "");
}

static void corporate_ca(void **state)
{
    (void)state;
    use_example("corporate-ca");
    call_badly("check", "no certificate is configured");
    assert_non_null(strstr(fake_host_hint(fake), "config.lua"));
    fake_host_set(fake, "config.certificate", json_string("/etc/ssl/corporate/ca.pem"));
    call_well("check");
    call_badly("contributeMachineConfig", "plugins.lua.read_dirs");
    fake_host_set(fake, "config.read_dirs", json_pack("[s]", "/etc/ssl/corporate"));
    choose("corporate-ca");
    call_well("contributeMachineConfig");
    as_text(json_array_get(json_object_get(fake_host_contributions(fake), "guest.files"), 0),
            "{\"mode\":420,\"path\":\"/usr/local/share/ca-certificates/corporate-ca.crt\","
            "\"source\":\"/etc/ssl/corporate/ca.pem\"}");
    fake_host_set_guest(fake, answer_as_debian);
    call_well("postStart");
    as_text(json_object_get(json_array_get(fake_host_execs(fake), 1), "argv"),
            "[\"/usr/sbin/update-ca-certificates\"]");
    fake_host_set_guest(fake, answer_as_busybox);
    call_well("postStart");
    assert_non_null(strstr(json_string_value(json_array_get(fake_host_log(fake), 0)),
                           "web has no trust store that is known here"));
}

/* -- inventory ------------------------------------------------------------------------------------- */

static void inventory(void **state)
{
    struct http_peer peer;
    char url[64];

    (void)state;
    http_peer_start(&peer, NULL);
    http_peer_answer(&peer, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    use_example("inventory");
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/vms", peer.port);
    fake_host_set(fake, "config.url", json_string(url));
    fake_host_set(fake, "config.token", json_string("t0k"));
    fake_host_set(fake, "runtime.bridge.address", json_string("172.16.0.2"));
    call_well("postStart");
    assert_non_null(strstr(http_peer_last(&peer), "PUT /vms/" VM_ID " HTTP/1.1\r\n"));
    assert_non_null(strstr(http_peer_last(&peer), "Authorization: Bearer t0k\r\n"));
    assert_non_null(strstr(http_peer_last(&peer), "\"address\":\"172.16.0.2\""));
    assert_non_null(strstr(http_peer_last(&peer), "\"role\":\"front\""));
    as_text(fake_host_resources(fake), "[{\"attrs\":{\"name\":\"web\"},\"id\":1,\"key\":\"" VM_ID
                                       "\",\"kind\":\"entry\",\"state\":\"held\"}]");
    http_peer_answer(&peer, "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n");
    call_badly("cleanup", "the inventory keeps web: it says 500");
    assert_int_equal(json_array_size(fake_host_resources(fake)), 1); /* comes back next time */
    http_peer_answer(&peer, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    call_well("cleanup");
    assert_non_null(strstr(http_peer_last(&peer), "DELETE /vms/" VM_ID " HTTP/1.1\r\n"));
    assert_int_equal(json_array_size(fake_host_resources(fake)), 0);
    http_peer_answer(&peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    call_badly("postStart", "the inventory does not take web: it says 403");
    assert_int_equal(json_array_size(fake_host_resources(fake)),
                     1); /* may have been taken after all */
    http_peer_stop(&peer);
}

/* -- secrets --------------------------------------------------------------------------------------- */

static json_t *answer_as_vault(const json_t *argv)
{
    return strcmp(json_string_value(json_array_get(argv, 1)), "get") == 0
               ? json_pack("{s:i, s:s, s:s}", "status", 0, "stdout", "s3cret\n", "stderr", "")
               : json_pack("{s:i, s:s, s:s}", "status", 2, "stdout", "", "stderr",
                           "no such secret\n");
}

static void secrets(void **state)
{
    (void)state;
    fake_host_set(fake, "config.programs", json_pack("[s]", "/usr/bin/vault"));
    fake_host_set_runner(fake, answer_as_vault);
    use_example("secrets");
    call_well("check");
    call_well("postStart"); /* there are none */
    fake_host_set(fake, "config.entries",
                  json_pack("[{s:s, s:[s,s], s:s}, {s:[s,s], s:s, s:s}]", "label", "ci", "argv",
                            "/usr/bin/vault", "get", "path", "/run/token", "argv", "/usr/bin/vault",
                            "get", "path", "/run/all", "mode", "0444"));
    call_well("check");
    call_well("postStart");
    as_text(fake_host_copies(fake),
            "[{\"content\":\"s3cret\",\"mode\":292,\"path\":\"/run/all\"}]");
    fake_host_set(fake, "vm.labels.secrets", json_string("ci"));
    call_well("postStart");
    as_text(json_array_get(fake_host_copies(fake), 1),
            "{\"content\":\"s3cret\",\"mode\":256,\"path\":\"/run/token\"}");
    fake_host_set(
        fake, "config.entries",
        json_pack("[{s:[s,s], s:s}]", "argv", "/usr/bin/vault", "lost", "path", "/run/x"));
    call_badly("postStart", "/usr/bin/vault ended with status 2: no such secret");
    fake_host_set(fake, "config.entries",
                  json_pack("[{s:[s], s:s}]", "argv", "/bin/sh", "path", "/run/x"));
    call_badly("postStart", "/bin/sh is not allowed");
    fake_host_set(fake, "config.entries", json_pack("[{s:s}]", "path", "/run/x"));
    call_badly("check", "entries[1] needs an argv and a path");
    assert_int_equal(json_array_size(fake_host_log(fake)),
                     0); /* nor does it tell them to the log */
}

/* -- webhook --------------------------------------------------------------------------------------- */

static void webhook(void **state)
{
    struct http_peer peer;
    char url[64];

    (void)state;
    http_peer_start(&peer, NULL);
    http_peer_answer(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/hook", peer.port);
    use_example("webhook");
    fake_host_set(fake, "operation.name", json_string("start"));
    fake_host_set(fake, "config.url", json_string(url));
    call_well("cleanup");
    assert_string_equal(http_peer_last(&peer), ""); /* nothing has failed */
    fake_host_set(fake, "operation.error", json_string("no \"kernel\""));
    call_well("cleanup");
    assert_non_null(strstr(http_peer_last(&peer), "POST /hook HTTP/1.1\r\n"));
    assert_non_null(
        strstr(http_peer_last(&peer), "\"text\":\"start of web failed: no \\\"kernel\\\"\""));
    http_peer_answer(&peer, "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n");
    call_well("cleanup");
    http_peer_stop(&peer);
    call_well("cleanup");
    assert_non_null(strstr(json_string_value(json_array_get(fake_host_log(fake), 0)),
                           "the webhook was not told: 500"));
    assert_null(strstr(json_string_value(json_array_get(fake_host_log(fake), 1)), "/hook"));
    fake_host_set(fake, "config.text", json_string("%d %q of %s"));
    call_well("cleanup");
    assert_non_null(strstr(json_string_value(json_array_get(fake_host_log(fake), 2)),
                           "the webhook was not told: "));
    assert_int_equal(json_array_size(fake_host_log(fake)), 3);
}

/* -- limits ---------------------------------------------------------------------------------------- */

static void limits(void **state)
{
    (void)state;
    use_example("limits");
    call_well("check");
    call_well("contributeMachineConfig");
    assert_int_equal(json_object_size(fake_host_contributions(fake)), 0);
    fake_host_set(fake, "config.classes",
                  json_pack("{s:{s:{s:i}, s:{s:i}}}", "bronze", "disk", "ops_per_s", 500, "network",
                            "bytes_per_s", 1000000));
    fake_host_set(fake, "vm.labels.class", json_string("bronze"));
    fake_host_set(fake, "vm.network", json_string("bridge"));
    call_well("contributeMachineConfig");
    assert_int_equal(json_array_size(json_object_get(fake_host_contributions(fake), "rate_limits")),
                     2);
    fake_host_set(fake, "vm.network", json_string("none"));
    call_well("contributeMachineConfig");
    as_text(fake_host_contribution(fake, "rate_limits"), "{\"drive.rootfs\":{\"ops_per_s\":500}}");
    fake_host_set(fake, "vm.labels.class", json_string("silver"));
    call_badly("check", "there is no class 'silver'");
    fake_host_set(fake, "vm.labels", json_object());
    fake_host_set(fake, "config.default", json_string("bronze"));
    call_well("contributeMachineConfig");
    as_text(fake_host_contribution(fake, "rate_limits"), "{\"drive.rootfs\":{\"ops_per_s\":500}}");
}

/* -- ansible --------------------------------------------------------------------------------------- */

/* What Ansible reads of the VM: its address, and `groups`, the labels as groups. */
static void ansible_file_has(const char *groups)
{
    json_t *inventory = json_loads(temp_dir_read(&home, "inventory/web.json"), 0, NULL);
    char expected[512];

    (void)snprintf(expected, sizeof(expected),
                   "{\"banger\":{\"hosts\":{\"web\":{\"ansible_host\":\"172.16.0.2\","
                   "\"ansible_user\":\"root\",\"banger_id\":\"" VM_ID "\"}}}%s}",
                   groups);
    as_text(inventory, expected);
    json_decref(inventory);
}

static void ansible_follows_labels(void)
{
    call_well("configure"); /* something else has changed */
    ansible_file_has(",\"role_front\":{\"hosts\":{\"web\":{}}}");
    fake_host_set(fake, "change.labels", json_pack("{s:s, s:s}", "role", "back", "env", "lab"));
    call_well("configure");
    ansible_file_has(
        ",\"env_lab\":{\"hosts\":{\"web\":{}}},\"role_back\":{\"hosts\":{\"web\":{}}}");
    fake_host_set(fake, "change.labels", json_object()); /* the last one is taken away */
    call_well("configure");
    ansible_file_has("");
    call_well("reconciled"); /* it has failed later on, and is taken back */
    ansible_file_has(",\"role_front\":{\"hosts\":{\"web\":{}}}");
}

static void ansible(void **state)
{
    (void)state;
    assert_int_equal(mkdir(temp_dir_at(&home, "inventory"), 0755), 0);
    fake_host_set(fake, "config.write_dirs", json_pack("[s]", temp_dir_at(&home, "inventory")));
    use_example("ansible");
    fake_host_set(fake, "config.folder", json_string(temp_dir_at(&home, "inventory")));
    call_well("postStart"); /* not on the bridge: no address, no file */
    assert_false(temp_dir_has(&home, "inventory/web.json"));
    call_well("cleanup");
    fake_host_set(fake, "runtime.bridge.address", json_string("172.16.0.2"));
    call_well("postStart");
    ansible_file_has(",\"role_front\":{\"hosts\":{\"web\":{}}}");
    assert_int_equal(unlink(temp_dir_at(&home, "inventory/web.json")), 0);
    call_well("reconciled");
    ansible_follows_labels();
    call_well("cleanup");
    assert_false(temp_dir_has(&home, "inventory/web.json"));
    assert_int_equal(json_array_size(fake_host_resources(fake)), 0);
    call_well("cleanup");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(corporate_ca), TEST(inventory), TEST(secrets),
        TEST(webhook),      TEST(limits),    TEST(ansible),
    };

    return cmocka_run_group_tests_name("lua: examples", tests, NULL, NULL);
}
