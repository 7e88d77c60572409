/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot.h"

#include "guest_conf.h"
#include "init.h"
#include "power.h"
#include "say.h"
#include "uevent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONF_MAX (256 * 1024)
#define REAL_INIT "/sbin/init"

static void take_console(void)
{
    int fd = open("/dev/console", O_RDWR | O_NOCTTY);
    for (int i = STDIN_FILENO; fd >= 0 && i <= STDERR_FILENO; i++) {
        (void)dup2(fd, i);
    }
    if (fd > STDERR_FILENO) {
        (void)close(fd);
    }
}

/* The configuration's text; never freed, since conf points into it. */
static char *read_conf(void)
{
    char *text = calloc(1, CONF_MAX);
    int fd = open(GUEST_CONF_FILE, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t got = 1;
    while (text != NULL && fd >= 0 && got > 0 && used < CONF_MAX - 1) {
        got = read(fd, text + used, CONF_MAX - 1 - used);
        used += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return text;
}

static void set_clock(int64_t wall_ns)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t off = wall_ns / 1000000000 - now.tv_sec;
    if (wall_ns != 0 && (off > 1 || off < -1) && power_set_clock(wall_ns) < 0) {
        say("cannot set the clock: %s", strerror(errno));
    }
}

/* The program that is to be PID 1; NULL: the agent itself. */
static const char *choose_init(const struct conf *conf)
{
    if (strcmp(conf->init, "agent") == 0) {
        return NULL;
    }
    const char *path = strcmp(conf->init, "auto") == 0 ? REAL_INIT : conf->init;
    if (access(path, X_OK) == 0) {
        return path;
    }
    if (path == conf->init) {
        power_give_up("cannot run the init %s: %s", path, strerror(errno));
    }
    return NULL;
}

/* Parent: becomes the init. Child: returns, to serve beside it. */
static void hand_over(const char *path)
{
    pid_t agent = fork();
    if (agent == 0) {
        (void)setsid();
        return;
    }
    if (agent < 0) {
        say("cannot start the agent beside %s: %s", path, strerror(errno));
    }
    char *const argv[] = {(char *)(uintptr_t)path, NULL};
    (void)execv(path, argv);
    power_give_up("cannot run the init %s: %s", path, strerror(errno));
}

static void set_environment(const struct conf *conf)
{
    (void)clearenv();
    for (size_t i = 0; i < conf->env_count; i++) {
        if (strchr(conf->env[i], '=') > conf->env[i]) {
            (void)putenv((char *)(uintptr_t)conf->env[i]);
        }
    }
}

void boot_run(void)
{
    init_mount_kernel();
    take_console();
    power_own_machine();
    int uevents = uevent_open(); /* before the drivers, so that no device comes unnoticed */
    boot_modules();
    struct conf conf;
    conf_parse(read_conf(), &conf);
    const char *root = conf.root != NULL ? BOOT_NEW_ROOT : "/";
    if (conf.root != NULL) {
        boot_root_mount(&conf, uevents);
    }
    boot_mounts(&conf, root, uevents);
    boot_overlay(GUEST_CONF_OVERLAY, root);
    if (conf.hostname != NULL && sethostname(conf.hostname, strlen(conf.hostname)) < 0) {
        say("cannot set the hostname %s: %s", conf.hostname, strerror(errno));
    }
    set_clock(conf.clock);
    boot_net(&conf, uevents);
    if (uevents >= 0) {
        (void)close(uevents);
    }
    if (conf.root != NULL) {
        boot_root_enter();
    }
    const char *init = choose_init(&conf);
    if (init != NULL) {
        hand_over(init);
    } else {
        init_prepare();
    }
    set_environment(&conf);
}
