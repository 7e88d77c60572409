/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mounts.h"

#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>

int mounts_make_own(void)
{
    return unshare(CLONE_NEWNS) == 0 ? mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) : -1;
}
