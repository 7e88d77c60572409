/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool line_has_virtualization(char *line)
{
    char *rest = NULL;
    char *word = strtok_r(line, " \t\n:", &rest);

    if (word == NULL || strcmp(word, "flags") != 0) {
        return false;
    }
    while ((word = strtok_r(NULL, " \t\n:", &rest)) != NULL) {
        if (strcmp(word, "svm") == 0 || strcmp(word, "vmx") == 0) {
            return true;
        }
    }
    return false;
}

bool cpu_has_virtualization(void)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char *line = NULL;
    size_t size = 0;
    bool found = false;

    if (file == NULL) {
        return false;
    }
    while (!found && getline(&line, &size, file) >= 0) {
        found = line_has_virtualization(line);
    }
    free(line);
    (void)fclose(file);
    return found;
}
