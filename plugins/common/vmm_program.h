/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a VMM's program is: as configured, as the environment says, or in PATH. */
#ifndef COMMON_VMM_PROGRAM_H
#define COMMON_VMM_PROGRAM_H

#include <banger/host.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct vmm_program {
    const char *name;        /* in PATH: "qemu-system-x86_64" */
    const char *title;       /* for people: "QEMU" */
    const char *variable;    /* of the environment: counts where config.binary is not set */
    const char *absent_hint; /* what to do when it is not installed, */
    const char *wrong_hint;  /* and when the one that was named cannot be executed */
};

/* Fills `path`, and `file` with what lies there. <0: host->fail has been called. */
int vmm_program_locate(const struct banger_host *host, struct banger_call *call,
                       const struct vmm_program *program, char *path, size_t size,
                       struct stat *file);
/* Whether a file is still the one that was asked about: what it said then holds. */
bool vmm_program_is_same(const struct stat *a, const struct stat *b);

#endif
