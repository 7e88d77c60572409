/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `banger hook new`: a script that works, with every hook in it, where banger looks for scripts. */
#include "base/cleanup.h"
#include "base/layout.h"
#include "base/str.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/template.h"

#include <stdio.h>

static char *default_path(const char *name, banger_error *err)
{
    struct layout layout;
    if (layout_load(&layout, err) < 0) {
        return NULL;
    }
    char *path = str_format("%s/hooks.d/%s.lua", layout.config_dir, name);
    layout_free(&layout);
    return path;
}

static void say(const struct cli *cli, const char *name, const char *path, bool in_use)
{
    if (cli->json) {
        AUTO_JSON json_t *made = json_pack("{s:s, s:s}", "name", name, "file", path);
        output_json(made);
    } else if (cli->quiet) {
        (void)printf("%s\n", path);
    } else {
        (void)printf("created %s\n\nnext:\n"
                     "  banger hook check %s   is it in order?\n"
                     "  banger hook test %s    what does it do?\n"
                     "%s",
                     path, path, path,
                     in_use ? "It is in use from the next start of a VM on.\n"
                            : "It is in use once it lies in a folder of hooks.\n");
    }
}

int hook_new(struct cli *cli, banger_error *err)
{
    const char *name = args_word(&cli->args, 0);
    const char *output = args_text(&cli->args, "output");
    AUTO_FREE char *path = output != NULL ? xstrdup(output) : default_path(name, err);
    AUTO_BUF struct buf text = BUF_INIT;
    if (path == NULL || template_check_name(name, err) < 0 ||
        template_read("hook.lua", name, &text, err) < 0 ||
        template_write_file(path, &text, err) < 0) {
        return -1;
    }
    say(cli, name, path, output == NULL);
    return EXIT_DONE;
}
