/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QMP client against a peer that plays a script: a sane one, a slow one and several bad ones.
 */
#include "qemu.h"
#include "temp_dir.h"
#include <banger/test.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <cmocka.h>

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define EVENT "{\"event\": \"RESUME\", \"timestamp\": {\"seconds\": 1}}\r\n"
#define DONE "{\"return\": {}}\r\n"
#define SHORT_MS 100

/* What the peer sends: one piece at once, the others each after a line from us. */
struct script {
    const char *pieces[4];
    bool hang_up;  /* after the last piece, instead of waiting for us to */
    size_t flood;  /* then this many bytes without a newline */
    bool events;   /* then events without end */
    bool one_byte; /* in single bytes */
};

struct peer {
    int listener;
    pthread_t thread;
    const struct script *script;
    struct temp_dir dir;
};

static bool say(int fd, const char *text, size_t length, bool one_byte)
{
    for (size_t at = 0; at < length;) {
        ssize_t sent = send(fd, text + at, one_byte ? 1 : length - at, MSG_NOSIGNAL);

        if (sent <= 0) {
            return false;
        }
        at += (size_t)sent;
    }
    return true;
}

/* Reads up to the next newline; false: we have hung up. */
static bool hear_line(int fd)
{
    char byte;

    while (recv(fd, &byte, 1, 0) == 1) {
        if (byte == '\n') {
            return true;
        }
    }
    return false;
}

static void play(int fd, const struct script *script)
{
    for (size_t i = 0; i < 4 && script->pieces[i] != NULL; i++) {
        if (i > 0 && !hear_line(fd)) {
            return;
        }
        (void)say(fd, script->pieces[i], strlen(script->pieces[i]), script->one_byte);
    }
    for (size_t i = 0; i < script->flood && say(fd, "x", 1, false); i++) {
    }
    while (script->events && say(fd, EVENT, strlen(EVENT), false)) {
    }
    while (!script->hang_up && hear_line(fd)) {
    }
}

static void *serve(void *context)
{
    struct peer *peer = context;
    int fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0) {
        play(fd, peer->script);
        (void)close(fd);
    }
    return NULL;
}

static void start_peer(struct peer *peer, const struct script *script)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    temp_dir_make(&peer->dir);
    peer->script = script;
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/qmp.sock", peer->dir.path);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(peer->listener, 1), 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, serve, peer), 0);
}

static void stop_peer(struct peer *peer)
{
    (void)shutdown(peer->listener, SHUT_RDWR);
    (void)pthread_join(peer->thread, NULL);
    (void)close(peer->listener);
    temp_dir_remove(&peer->dir);
}

/* Connects, runs query-status; the first result that is not QMP_OK. */
static enum qmp_result converse(const struct script *script, int64_t patience_ms, json_t **answer)
{
    static struct qmp qmp;
    struct peer peer;
    enum qmp_result result;

    start_peer(&peer, script);
    result = qmp_open(&qmp, peer.dir.path, patience_ms);
    if (result == QMP_OK) {
        result = qmp_command(&qmp, "query-status", answer);
        qmp_close(&qmp);
    }
    stop_peer(&peer);
    return result;
}

static void a_sane_peer(void **state)
{
    static const struct script script = {
        .pieces = {GREETING, DONE, EVENT EVENT "{\"return\": {\"status\": \"running\"}}\r\n"}};
    json_t *answer = NULL;

    (void)state;
    assert_int_equal(converse(&script, 5000, &answer), QMP_OK);
    assert_string_equal(json_string_value(json_object_get(answer, "status")), "running");
    json_decref(answer);
}

static void one_byte_at_a_time(void **state)
{
    static const struct script script = {.pieces = {GREETING EVENT, DONE, EVENT DONE},
                                         .one_byte = true};

    (void)state;
    assert_int_equal(converse(&script, 5000, NULL), QMP_OK);
}

static void bad_peers(void **state)
{
    static const struct {
        const char *what;
        struct script script;
        int64_t patience_ms;
        enum qmp_result expected;
    } rows[] = {
        {"says nothing", {{NULL}}, SHORT_MS, QMP_TIMEOUT},
        {"stops after the greeting", {{GREETING}}, SHORT_MS, QMP_TIMEOUT},
        {"stops before the answer", {{GREETING, DONE}}, SHORT_MS, QMP_TIMEOUT},
        {"hangs up", {{NULL}, .hang_up = true}, 5000, QMP_BROKEN},
        {"hangs up in a line", {{"{\"QMP\""}, .hang_up = true}, 5000, QMP_BROKEN},
        {"is no QMP", {{"SSH-2.0-OpenSSH_9.2\r\n"}}, 5000, QMP_BROKEN},
        {"greets as another", {{"{\"hello\": {}}\r\n"}}, 5000, QMP_BROKEN},
        {"sends an array", {{"[]\r\n"}}, 5000, QMP_BROKEN},
        {"sends a line without end", {{GREETING, NULL}, .flood = 100000}, 5000, QMP_BROKEN},
        {"sends events without end", {{GREETING, DONE}, .events = true}, 5000, QMP_BROKEN},
        {"refuses", {{GREETING, DONE, "{\"error\": {\"desc\": \"no\"}}\r\n"}}, 5000, QMP_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum qmp_result got = converse(&rows[i].script, rows[i].patience_ms, NULL);

        if (got != rows[i].expected) {
            fail_msg("a peer that %s: %s", rows[i].what, qmp_result_text(got));
        }
    }
}

static void nobody_there(void **state)
{
    static struct qmp qmp;
    struct temp_dir dir;

    (void)state;
    temp_dir_make(&dir);
    assert_int_equal(qmp_open(&qmp, dir.path, 5000), QMP_ABSENT);
    assert_int_equal(qmp_open(&qmp, temp_dir_at(&dir, "not-there"), 5000), QMP_ABSENT);
    temp_dir_remove(&dir);
}

/* A folder whose path alone is longer than sun_path. */
static void a_long_path(void **state)
{
    static const struct script script = {.pieces = {GREETING, DONE, DONE}};
    static struct qmp qmp;
    char folder[PATH_MAX / 2];
    char moved[PATH_MAX];
    char name[201];
    struct peer peer;

    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    start_peer(&peer, &script);
    (void)snprintf(folder, sizeof(folder), "%s/%s", peer.dir.path, name);
    assert_int_equal(mkdir(folder, 0700), 0);
    (void)snprintf(moved, sizeof(moved), "%s/qmp.sock", folder);
    assert_int_equal(rename(temp_dir_at(&peer.dir, "qmp.sock"), moved), 0);
    assert_int_equal(qmp_open(&qmp, folder, 5000), QMP_OK);
    qmp_close(&qmp);
    stop_peer(&peer);
}

static void patience_is_bounded(void **state)
{
    struct fake_host *fake = fake_host_new("{}");
    struct banger_call *call = fake_host_handle(fake);

    (void)state;
    fake_host_set_remaining(fake, -1);
    assert_int_equal(qmp_patience_ms(fake_host_table(), call), 5000);
    fake_host_set_remaining(fake, 60000);
    assert_int_equal(qmp_patience_ms(fake_host_table(), call), 5000);
    fake_host_set_remaining(fake, 20);
    assert_int_equal(qmp_patience_ms(fake_host_table(), call), 20);
    fake_host_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sane_peer), cmocka_unit_test(one_byte_at_a_time),
        cmocka_unit_test(bad_peers),   cmocka_unit_test(nobody_there),
        cmocka_unit_test(a_long_path), cmocka_unit_test(patience_is_bounded),
    };

    return cmocka_run_group_tests_name("qemu qmp", tests, NULL, NULL);
}
