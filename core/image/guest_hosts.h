/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of the guest's /etc/hosts (hosts(5)), which several capabilities may have some of. */
#ifndef IMAGE_GUEST_HOSTS_H
#define IMAGE_GUEST_HOSTS_H

#include "base/error.h"

#include <jansson.h>

/* The guest's files with the lines of `hosts` ("ADDRESS NAME", a list) at the end of its /etc/hosts, which is
 * made where nobody gives one. A new reference, or NULL. */
json_t *guest_hosts_add(const json_t *files, const json_t *hosts, banger_error *err);

#endif
