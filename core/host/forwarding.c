/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 *   1. The first use writes how it was found, "BOOT_ID VALUE", and only then changes it: a daemon that
 *      dies in between has at worst written down what still is.
 *   2. Any later use, by this daemon or the next one, finds the note and leaves it.
 *   3. The restore puts the value back and only then drops the note.
 */
#include "host/forwarding.h"

#include "base/cleanup.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/process.h"
#include "base/str.h"
#include "host/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SWITCH "net/ipv4/ip_forward"
#define NOTE "ip_forward.found"

/* Of the process, as the switch is: note and switch change together. */
static pthread_mutex_t note_lock = PTHREAD_MUTEX_INITIALIZER;

static int boot_id(char id[BOOT_ID_LENGTH + 1], banger_error *err)
{
    struct process_id self;
    if (process_identify(getpid(), &self, err) < 0) {
        return -1;
    }
    memcpy(id, self.boot_id, BOOT_ID_LENGTH + 1);
    return 0;
}

/* False: there is none, or none of this boot. One that says anything else was not written by us. */
static bool read_note(const char *path, const char *boot, int *found)
{
    AUTO_BUF struct buf text = BUF_INIT;
    char of_boot[BOOT_ID_LENGTH + 1] = "";
    return file_read(path, 256, &text, NULL) == 0 && text.data != NULL &&
           sscanf(text.data, "%36s %1d", of_boot, found) == 2 && strcmp(of_boot, boot) == 0;
}

/* Whole for the next daemon, which is all: what it tells of ends with the boot, so nothing waits for a
 * disk here. */
static int replace_note(const char *path, const char *text, banger_error *err)
{
    AUTO_FREE char *temporary = str_format("%s.new", path);
    (void)unlink(temporary);
    AUTO_CLOSE int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return error_sys(err, errno, "cannot make %s", temporary);
    }
    if (fd_write_all(fd, text, strlen(text), err) < 0) {
        (void)unlink(temporary);
        return -1;
    }
    return rename(temporary, path) == 0 ? 0 : error_sys(err, errno, "cannot replace %s", path);
}

static int write_note(const char *path, const char *boot, banger_error *err)
{
    int found = 0;
    if (sysctl_read(SWITCH, &found, err) < 0) {
        return -1;
    }
    AUTO_FREE char *text = str_format("%s %d\n", boot, found);
    return replace_note(path, text, err);
}

static int turn_on(const char *path, banger_error *err)
{
    char boot[BOOT_ID_LENGTH + 1];
    int found = 0;
    int now = 0;
    if (boot_id(boot, err) < 0 ||
        (!read_note(path, boot, &found) && write_note(path, boot, err) < 0) ||
        failpoint("forwarding.on", "noted", err) < 0 || sysctl_read(SWITCH, &now, err) < 0) {
        return -1;
    }
    /* Writing resets conf/ALL/forwarding of each link, what its owner set there included: only when
     * it must be. */
    return now == 1 ? 0 : sysctl_write(SWITCH, 1, err);
}

static int restore(const char *path, banger_error *err)
{
    char boot[BOOT_ID_LENGTH + 1];
    int found = 0;
    int now = 0;
    if (boot_id(boot, err) < 0) {
        return -1;
    }
    if (read_note(path, boot, &found) && (sysctl_read(SWITCH, &now, err) < 0 ||
                                          (now != found && sysctl_write(SWITCH, found, err) < 0))) {
        return -1;
    }
    return failpoint("forwarding.restore", "restored", err) < 0 ? -1 : file_remove(path, err);
}

static int locked(const struct host *host, int (*act)(const char *, banger_error *),
                  banger_error *err)
{
    AUTO_FREE char *path = str_format("%s/%s", host->run_dir, NOTE);
    (void)pthread_mutex_lock(&note_lock);
    int result = act(path, err);
    (void)pthread_mutex_unlock(&note_lock);
    return result;
}

int forwarding_on(struct host *host, banger_error *err)
{
    return locked(host, turn_on, err);
}

int forwarding_restore(struct host *host, banger_error *err)
{
    return locked(host, restore, err);
}
