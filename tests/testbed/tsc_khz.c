/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints the host's time stamp counter's rate as plugins/qemu measures it, for the testbed's kernel,
 * which is under TCG as the product's guests are. */
#include "qemu.h"

#include <stdio.h>

int main(void)
{
    long khz = tsc_khz();

    return khz > 0 && printf("%ld\n", khz) > 0 ? 0 : 1;
}
