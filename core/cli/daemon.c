/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* daemon start, stop, status; version. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/connect.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/signals.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/pidfd.h>

#define STOP_MS 60000 /* it waits for the operations that run */

static void print_status(const json_t *status)
{
    AUTO_FREE char *pid = str_format("%" PRId64, json_get_int(status, "pid", 0));
    AUTO_FREE char *uptime = output_duration(json_get_int(status, "uptime_ms", 0));
    AUTO_FREE char *vms =
        str_format("%" PRId64 ", %" PRId64 " running", json_get_int(status, "vms.total", 0),
                   json_get_int(status, "vms.running", 0));
    output_field("version", json_get_string(status, "version", NULL));
    output_field("pid", pid);
    output_field("uptime", uptime);
    output_field("home", json_get_string(status, "home", NULL));
    output_field("socket", json_get_string(status, "socket", NULL));
    output_field("VMs", vms);
}

static int show_status(struct cli *cli, banger_error *err)
{
    AUTO_JSON json_t *status = cli_call(cli, "daemon.status", NULL, err);
    if (status == NULL) {
        return -1;
    }
    (void)json_object_set_new(status, "running", json_true());
    if (cli->json) {
        output_json(status);
    } else {
        print_status(status);
    }
    return EXIT_DONE;
}

static int show_stopped(const struct cli *cli, const char *text)
{
    if (cli->json) {
        AUTO_JSON json_t *status = json_pack("{s:b}", "running", 0);
        output_json(status);
    } else if (!cli->quiet) {
        output_note(text);
    }
    return EXIT_DONE;
}

/* 1: connected. 0: none runs. */
static int connect_if_running(struct cli *cli, banger_error *err)
{
    banger_error failure = BANGER_ERROR_INIT;
    cli->client = connect_running(&failure);
    if (cli->client == NULL && failure.code != 0) {
        *err = failure;
        return -1;
    }
    return cli->client != NULL;
}

int daemon_start(struct cli *cli, banger_error *err)
{
    /* Asking for it is stronger than what forbids to start one unasked. */
    (void)unsetenv("BANGER_NO_AUTOSTART");
    return show_status(cli, err);
}

int daemon_status(struct cli *cli, banger_error *err)
{
    int running = connect_if_running(cli, err);
    if (running == 0) {
        (void)show_stopped(cli, "the daemon is not running");
        return EXIT_FAILED;
    }
    return running < 0 ? -1 : show_status(cli, err);
}

static int wait_for_end(int pidfd, banger_error *err)
{
    deadline until = deadline_in(STOP_MS);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    for (;;) {
        int count = poll(&ended, 1, deadline_poll_ms(until));
        if (count > 0) {
            return 0;
        }
        if (signals_caught() != 0) {
            return error_set(err, BANGER_ECANCELLED, "interrupted: the daemon still ends");
        }
        if (count == 0) {
            return error_set(err, BANGER_ETIMEDOUT, "the daemon has not ended within %d s",
                             STOP_MS / 1000);
        }
    }
}

int daemon_stop(struct cli *cli, banger_error *err)
{
    int running = connect_if_running(cli, err);
    if (running <= 0) {
        return running < 0 ? -1 : show_stopped(cli, "the daemon is not running");
    }
    AUTO_JSON json_t *status = cli_call(cli, "daemon.status", NULL, err);
    if (status == NULL) {
        return -1;
    }
    AUTO_CLOSE int pidfd = pidfd_open((pid_t)json_get_int(status, "pid", -1), 0);
    if (pidfd < 0) {
        return error_sys(err, errno, "cannot watch the daemon");
    }
    AUTO_JSON json_t *stopped = cli_call(cli, "daemon.stop", NULL, err);
    if (stopped == NULL || wait_for_end(pidfd, err) < 0) {
        return -1;
    }
    return show_stopped(cli, "the daemon has stopped");
}

int version(struct cli *cli, banger_error *err)
{
    banger_error ignored = BANGER_ERROR_INIT;
    json_t *status = connect_if_running(cli, &ignored) > 0
                         ? cli_call(cli, "daemon.status", NULL, &ignored)
                         : NULL;
    (void)err; /* that the daemon does not answer is no failure of this command */
    const char *running = json_get_string(status, "version", NULL);
    if (cli->json) {
        AUTO_JSON json_t *versions =
            json_pack("{s:s, s:s?}", "version", BANGER_VERSION, "daemon", running);
        output_json(versions);
    } else {
        (void)printf("banger %s\n", BANGER_VERSION);
        if (running != NULL) {
            (void)printf("daemon %s\n", running);
        }
    }
    json_decref(status);
    return EXIT_DONE;
}
