/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

#define KERNEL_PREFIX "linux-image-"

char *control_field(const char *text, const char *name)
{
    size_t length = strlen(name);
    while (*text != '\0' && *text != '\n') {
        size_t line = strcspn(text, "\n");
        if (line > length && strncasecmp(text, name, length) == 0 && text[length] == ':') {
            const char *value = text + length + 1;
            value += strspn(value, " \t");
            return str_format("%.*s", (int)(text + line - value), value);
        }
        text += line + (text[line] == '\n' ? 1 : 0);
    }
    return NULL;
}

char *control_kernel_dependency(const char *text)
{
    AUTO_FREE char *depends = control_field(text, "Depends");
    AUTO_FREE char *found = NULL;
    if (depends == NULL) {
        return NULL;
    }
    char *rest = NULL;
    for (const char *one = strtok_r(depends, ",", &rest); one != NULL;
         one = strtok_r(NULL, ",", &rest)) {
        one += strspn(one, " \t");
        if (!str_starts(one, KERNEL_PREFIX)) {
            continue;
        }
        if (found != NULL) {
            return NULL;
        }
        found = str_format("%.*s", (int)strcspn(one, " \t(|:"), one);
    }
    return STEAL(found);
}
