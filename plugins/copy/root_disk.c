/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plugin is built from its own folder: this is where the shared part enters it. */
#include "../common/root_disk.c" /* NOLINT(bugprone-suspicious-include) */
