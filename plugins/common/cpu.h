/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMMON_CPU_H
#define COMMON_CPU_H

#include <stdbool.h>

/* Whether the CPU shows svm or vmx in /proc/cpuinfo: without, a /dev/kvm that opens runs no guest. */
bool cpu_has_virtualization(void);

#endif
