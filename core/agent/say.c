/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "say.h"

#include "guest_conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void say(const char *format, ...)
{
    char line[512] = GUEST_CONSOLE_PREFIX;
    size_t used = strlen(line);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line + used, sizeof(line) - used - 1, format, args);
    va_end(args);
    used = strlen(line);
    line[used++] = '\n'; /* one write: lines of the kernel's log do not cut it in two */
    if (write(STDERR_FILENO, line, used) < 0) {
        return; /* without a console there is nobody to tell */
    }
}
