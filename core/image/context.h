/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every long piece of work here does between its steps: tell, and look whether to go on. */
#ifndef IMAGE_CONTEXT_H
#define IMAGE_CONTEXT_H

#include "image.h"

void context_progress(const struct image_context *context, const char *format, ...)
    BANGER_PRINTF(2, 3);
/* Fails with BANGER_ECANCELLED once the caller has asked to stop. */
int context_check(const struct image_context *context, banger_error *err);

#endif
