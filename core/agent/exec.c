/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SERVICE_EXEC in its child: become the user, enter the folder, execute.
 *
 * The image may be nearly empty: root needs no /etc/passwd, and a numeric UID[:GID] needs no entry.
 */
#include "frame.h"
#include "service.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define GROUPS_MAX 256

struct identity {
    uid_t uid;
    gid_t gid;
    const char *name; /* NULL: the UID has none */
    const char *home;
    const char *shell;
};

int service_fail(int status, const char *format, ...)
{
    char text[SERVICE_WHY_MAX];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (length >= (int)sizeof(text)) {
        length = sizeof(text) - 1;
    }
    if (length > 0 && write(SERVICE_WHY_FD, text, (size_t)length) < 0) {
        return status; /* the agent is gone, and with it everyone who would read this */
    }
    return status;
}

static int number(const char *text, const char **end, unsigned *value)
{
    if (*text < '0' || *text > '9') {
        return -1;
    }
    char *stop;
    errno = 0;
    unsigned long long all = strtoull(text, &stop, 10);
    *end = stop;
    *value = (unsigned)all;
    return errno != 0 || all >= UINT32_MAX ? -1 : 0; /* UINT32_MAX is "no change" to setuid */
}

static int identity_from_numbers(const char *user, struct identity *who)
{
    const char *end;
    unsigned uid;
    if (number(user, &end, &uid) < 0) {
        return -1;
    }
    unsigned gid = uid;
    if (*end == ':' && number(end + 1, &end, &gid) < 0) {
        return -1;
    }
    *who = (struct identity){.uid = uid, .gid = gid, .home = "/", .shell = "/bin/sh"};
    return *end == '\0' ? 0 : -1;
}

static int identity_find(const char *user, struct identity *who)
{
    const struct passwd *entry = *user != '\0' ? getpwnam(user) : getpwuid(geteuid());
    if (entry == NULL && identity_from_numbers(user, who) == 0) {
        entry = strchr(user, ':') == NULL ? getpwuid(who->uid) : NULL;
        if (entry == NULL) {
            return 0;
        }
    }
    if (entry != NULL) {
        *who = (struct identity){entry->pw_uid, entry->pw_gid, entry->pw_name, entry->pw_dir,
                                 *entry->pw_shell != '\0' ? entry->pw_shell : "/bin/sh"};
        return 0;
    }
    if (*user == '\0' || strcmp(user, "root") == 0) {
        *who = (struct identity){geteuid(), getegid(), "root",
                                 access("/root", X_OK) == 0 ? "/root" : "/", "/bin/sh"};
        return 0;
    }
    return -1;
}

static int identity_assume(const struct identity *who)
{
    if (geteuid() != 0) {
        return who->uid == geteuid() ? 0 : -1;
    }
    gid_t groups[GROUPS_MAX];
    int count = 1;
    groups[0] = who->gid;
    if (who->name != NULL) {
        count = GROUPS_MAX;
        if (getgrouplist(who->name, who->gid, groups, &count) < 0 && count > GROUPS_MAX) {
            count = GROUPS_MAX;
        }
    }
    if (setgroups((size_t)count, groups) < 0 || setgid(who->gid) < 0) {
        return -1;
    }
    return setuid(who->uid);
}

/* The defaults first, so that what the VM's configuration and then the request say wins. */
static int environment_set(const struct identity *who, char **envp)
{
    int failed = setenv("PATH", DEFAULT_PATH, 0) | setenv("HOME", who->home, 0) |
                 setenv("SHELL", who->shell, 0);
    if (who->name != NULL) {
        failed |= setenv("USER", who->name, 0) | setenv("LOGNAME", who->name, 0);
    }
    for (; *envp != NULL; envp++) {
        failed |= strchr(*envp, '=') > *envp ? putenv(*envp) : 0;
    }
    return failed;
}

static int enter_folder(const char *cwd, const struct identity *who)
{
    if (*cwd != '\0') {
        return chdir(cwd);
    }
    return chdir(who->home) == 0 ? 0 : chdir("/");
}

int exec_run(struct exec_request *request)
{
    struct identity who;
    if (identity_find(request->user, &who) < 0) {
        return service_fail(EXIT_CANNOT_EXECUTE, "no user %s in the guest", request->user);
    }
    if (environment_set(&who, request->envp) != 0) {
        return service_fail(EXIT_CANNOT_EXECUTE, "out of memory");
    }
    if ((request->flags & FRAME_EXEC_TTY) != 0 && fchown(STDIN_FILENO, who.uid, (gid_t)-1) < 0 &&
        geteuid() == 0) {
        return service_fail(EXIT_CANNOT_EXECUTE, "cannot give away the terminal: %s",
                            strerror(errno));
    }
    if (identity_assume(&who) < 0) {
        return service_fail(EXIT_CANNOT_EXECUTE, "cannot become user %s: %s", request->user,
                            strerror(errno != 0 ? errno : EPERM));
    }
    if (enter_folder(request->cwd, &who) < 0) {
        return service_fail(EXIT_CANNOT_EXECUTE, "cannot enter the folder %s: %s", request->cwd,
                            strerror(errno));
    }
    (void)execvp(request->argv[0], request->argv);
    if (errno == ENOENT) {
        return service_fail(EXIT_NOT_FOUND, "%s: not found", request->argv[0]);
    }
    return service_fail(EXIT_CANNOT_EXECUTE, "%s: %s", request->argv[0], strerror(errno));
}
