/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The identity of the plugin ABI: what a loader checks before it believes anything else.
 *
 * Rules (the whole ABI follows them):
 *  - `magic` and `abi_major` are the first two fields of the descriptor and are read before all
 *    others.
 *  - Every struct that crosses the boundary starts with its own `size` in bytes (the descriptor
 *    right after magic and ABI) and only ever grows at its end. A reader touches a field only when
 *    the writer's `size` covers it; use BANGER_HAS for that.
 *  - All text is UTF-8, NUL-terminated. All structured data is JSON text. No pointer in a call's
 *    data means anything in another process, so that the same plugin can be run in a child process.
 */
#ifndef BANGER_ABI_H
#define BANGER_ABI_H

#include <stddef.h>
#include <stdint.h>

/* "BNGR", read as a little-endian number. Ours by choice; no registry of such numbers exists. */
#define BANGER_ABI_MAGIC UINT32_C(0x52474e42)

/* Raised when an existing field or function changes its meaning; a loader refuses any other value.
 */
#define BANGER_ABI_MAJOR 1

/* Raised when something is added at the end of a struct. Informative: `size` decides what is there.
 */
#define BANGER_ABI_MINOR 2

/* True when the struct behind `pointer`, as its writer sized it, has `field`. */
#define BANGER_HAS(pointer, field)                                                                 \
    ((pointer)->size >= offsetof(__typeof__(*(pointer)), field) + sizeof((pointer)->field))

#define BANGER_EXPORT __attribute__((visibility("default")))
#define BANGER_PRINTF(format_index, first_index)                                                   \
    __attribute__((format(printf, format_index, first_index)))

/*
 * Why something failed. The numbers are part of the ABI and of the JSON-RPC protocol, where they
 * appear as the error's `data.code`. The CLI's exit status follows from them (share/doc/cli.md).
 */
enum banger_code {
    BANGER_EINVALID = 1,     /* the caller's input is wrong: a name, a size, a flag */
    BANGER_ENOTFOUND = 2,    /* the thing named does not exist */
    BANGER_EEXISTS = 3,      /* a thing of that name exists */
    BANGER_EBUSY = 4,        /* in use, or in a state that forbids this */
    BANGER_ETIMEDOUT = 5,    /* a deadline passed */
    BANGER_ECANCELLED = 6,   /* the caller asked to stop, or went away */
    BANGER_EIO = 7,          /* the operating system refused: a read, a write, a system call */
    BANGER_EPERMISSION = 8,  /* missing privilege */
    BANGER_EUNSUPPORTED = 9, /* this host, build or provider cannot do it */
    BANGER_ECORRUPT = 10,    /* stored data is not what it must be */
    BANGER_EFULL = 11,       /* no space or quota left */
    BANGER_EGUEST = 12,      /* the guest failed or misbehaved */
    BANGER_EINTERNAL = 13,   /* a defect in banger or in a plugin */
};

#endif
