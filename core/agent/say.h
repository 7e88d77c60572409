/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The agent's own words, each line behind GUEST_CONSOLE_PREFIX: on the console when it is /init. */
#ifndef AGENT_SAY_H
#define AGENT_SAY_H

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
