/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON on standard output, for the services that report. */
#ifndef AGENT_REPORT_H
#define AGENT_REPORT_H

void report_string(const char *text); /* quoted; bytes that are not printable ASCII are escaped */
int report_end(void);                 /* flushes; the service's exit status */

#endif
