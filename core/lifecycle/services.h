/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an operation does for the hooks that it dispatches (capability/dispatch.h); the context is
 * the struct operation. */
#ifndef LIFECYCLE_SERVICES_H
#define LIFECYCLE_SERVICES_H

#include "capability/dispatch.h"

extern const struct scope_services operation_services;

#endif
