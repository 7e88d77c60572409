/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The machine document: what a VMM is asked to run, composed from contributions, each remembered
 * with the name of who made it. The table in machine_sections.c (name, shape, rule) is the
 * definition; where a section is a list, a contribution is a list or one item of it:
 *
 *   vcpu, memory_mib        numbers, set once
 *   kernel, initramfs       host paths, set once
 *   boot_args               list of kernel arguments, appended
 *   drives                  list of {"id","path","read_only","root","format":"raw"}, ids unique
 *   nics                    list of {"id","backend":"user|tap","mac","tap","forward":[...],
 *                           "restrict"}, ids unique; restrict: nothing but forwards gets through
 *   console                 {"path"}: where the serial console goes, set once
 *   limits                  object of cgroup v2 files and values, keys set once
 *   rate_limits             object of "drive.ID": {"bytes_per_s","ops_per_s"} and "nic.ID":
 *                           {"bytes_per_s","packets_per_s"}, keys set once
 *   guest.conf              object, keys of agent/guest_conf.h; lists appended, scalars set once
 *   guest.files             list of {"path","mode","uid","gid","content"|"source"}, paths unique
 */
#ifndef CAPABILITY_MACHINE_H
#define CAPABILITY_MACHINE_H

#include "base/error.h"

#include <jansson.h>

struct machine;

struct machine *machine_new(void);
void machine_free(struct machine *machine);

/* Adds `value` (borrowed) in the name of `contributor`. Fails on an unknown section (naming the
 * nearest), a wrong shape, or a conflict (naming the earlier contributor). */
int machine_add(struct machine *machine, const char *contributor, const char *section,
                const json_t *value, banger_error *err);

/* What can only be said of the whole: a limit of a drive or NIC that the machine does not have. */
int machine_check(const struct machine *machine, banger_error *err);

const json_t *machine_document(const struct machine *machine); /* borrowed */
/* [{"section","by","value"}], in the order of the contributions; borrowed. */
const json_t *machine_contributions(const struct machine *machine);

#endif
