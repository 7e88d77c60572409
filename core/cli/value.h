/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a value on the command line may be. Each kind has one check, made before anything is sent,
 * and says how a shell completes it.
 */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include "base/error.h"

enum value_kind {
    VALUE_NONE, /* a flag */
    VALUE_VM,
    VALUE_VM_HOST, /* a VM, or its name as a host: web.vm */
    VALUE_NEW_VM,
    VALUE_IMAGE,
    VALUE_NEW_IMAGE,
    VALUE_KERNEL,
    VALUE_NEW_KERNEL,
    VALUE_PLUGIN,
    VALUE_NEW_PLUGIN,
    VALUE_VMM,
    VALUE_ROOTFS,
    VALUE_NETWORK,
    VALUE_VCPU,
    VALUE_MEMORY,
    VALUE_DISK,
    VALUE_DURATION,
    VALUE_SIGNAL,
    VALUE_LINES,
    VALUE_EVENT,
    VALUE_PORT,
    VALUE_PUBLISH,
    VALUE_LABEL,
    VALUE_LABEL_KEY,
    VALUE_ENV,
    VALUE_BOOT_ARG,
    VALUE_SWITCH,
    VALUE_SHELL,
    VALUE_IMAGE_KIND,
    VALUE_USER,
    VALUE_GUEST_DIR,
    VALUE_FILE,
    VALUE_DIR,
    VALUE_PACKAGE,
    VALUE_COPY,
    VALUE_TOPIC, /* the name of a command, for help */
    VALUE_WORD,  /* anything but nothing */
};

/* Fails with BANGER_EINVALID; `what` names the place: "--memory", "VM". */
int value_check(enum value_kind kind, const char *what, const char *text, banger_error *err);

/* How a shell completes a value of this kind; every field may be NULL or false. */
struct value_completion {
    const char *const *words; /* NULL-terminated */
    const char *list;         /* a banger command whose --quiet output has one candidate a line */
    int files;                /* file names */
};

const struct value_completion *value_completion_of(enum value_kind kind);

/* Conversions of text that has passed its check. */
int64_t value_mib(const char *text);
int64_t value_milliseconds(const char *text);
int64_t value_number(const char *text);

/* The VM's part of a VALUE_VM_HOST; a new string. */
char *value_vm_of_host(const char *text);

/* Where one side of `vm cp` is: `path` points into `text`. Returns the length of the VM's name in
 * front of the colon, or 0 when it is on this machine. */
int value_copy_split(const char *text, const char **path);

#endif
