/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who has a port. */
#ifndef DNS_HOLDER_H
#define DNS_HOLDER_H

#include "endpoint.h"

#define HOLDER_TEXT_SIZE 64

/* "dnsmasq (pid 812)", or "another process" where /proc does not tell us. */
void holder_find(const struct endpoint *endpoint, char text[HOLDER_TEXT_SIZE]);

#endif
