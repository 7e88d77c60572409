/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Debian control paragraphs (deb-control(5)): what a package says of itself. */
#ifndef IMAGE_CONTROL_H
#define IMAGE_CONTROL_H

/* A field of the first paragraph, without continuation lines; a new string, NULL when it is not
 * there. */
char *control_field(const char *text, const char *name);
/* The package that a kernel metapackage stands for: the only dependency that starts with
 * "linux-image-", without its version. A new string, NULL when there is none or more than one. */
char *control_kernel_dependency(const char *text);

#endif
