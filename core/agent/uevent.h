/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's device events. What they say is not read: each is a reason to look again. */
#ifndef AGENT_UEVENT_H
#define AGENT_UEVENT_H

#include <stdbool.h>

int uevent_open(void); /* -1: none to be had; the owner closes it */
void uevent_drain(int fd);

/* Waits until `found` says true, looking after every event; false when `seconds` have passed. */
bool uevent_wait(int fd, int seconds, bool (*found)(const void *context), const void *context);

#endif
