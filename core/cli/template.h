/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that a command writes for its user to go on with: they lie below share/templates, as plain files
 * in which @NAME@ stands for the name that was asked for, @IDENT@ for the same as a C identifier, @ENV@ as the
 * name of an environment variable, and @VERSION@ for banger's version.
 */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

#include "base/error.h"
#include "base/str.h"

struct template_file {
    const char *source; /* below share/templates; NULL ends the list */
    const char *target; /* below the folder; with the marks in it, as in the text */
};

/* Names are unique among all that is loaded, and banger's own plugins are there first. */
int template_check_name(const char *name, banger_error *err);

/* Appends the text of one template, filled in for `name`. */
int template_read(const char *source, const char *name, struct buf *out, banger_error *err);

/* Makes `folder`, which must not be there yet, with these files in it. When one cannot be written
 * nothing is left. */
int template_write_folder(const struct template_file *files, const char *folder, const char *name,
                          banger_error *err);

/* Writes one new file; one that is there already is an error, and stays as it is. Makes the folders
 * above it. */
int template_write_file(const char *path, const struct buf *text, banger_error *err);

#endif
