/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "boot.h"
#include "guest_conf.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/module.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void load(const char *path)
{
    size_t length = strlen(path);
    bool plain = length > 3 && strcmp(path + length - 3, ".ko") == 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int failed =
        fd < 0 ? -1
               : (int)syscall(SYS_finit_module, fd, "", plain ? 0 : MODULE_INIT_COMPRESSED_FILE);
    if (failed != 0 && errno != EEXIST) {
        say("cannot load the module %s: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

void boot_modules(void)
{
    FILE *list = fopen(GUEST_CONF_MODULES, "re");
    char line[512];
    while (list != NULL && fgets(line, sizeof(line), list) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0') {
            load(line);
        }
    }
    if (list != NULL) {
        (void)fclose(list);
    }
}
