/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 of files, which is how kernels, images and downloads are told apart. */
#ifndef IMAGE_DIGEST_H
#define IMAGE_DIGEST_H

#include "context.h"

/* The whole file, from its start; the descriptor's offset stays where it is. Holes are read as the
 * zeros that they stand for. `context` may be NULL: then nobody can cancel. */
int digest_file(const struct image_context *context, int fd, char digest[DIGEST_LENGTH + 1],
                banger_error *err);

#endif
