/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `banger plugin new`: the start of a plugin, in a folder of its own and outside banger's tree. */
#include "base/cleanup.h"
#include "base/layout.h"
#include "base/str.h"
#include "cli/handlers.h"
#include "cli/output.h"
#include "cli/template.h"

#include <stdio.h>

static const struct template_file in_c[] = {
    {"plugin-c/Makefile", "Makefile"},           {"plugin-c/plugin.c", "@NAME@.c"},
    {"plugin-c/test_plugin.c", "test_@NAME@.c"}, {"plugin/README.md", "README.md"},
    {"plugin/gitignore", ".gitignore"},          {0},
};

static const struct template_file in_cxx[] = {
    {"plugin-cxx/Makefile", "Makefile"},
    {"plugin-cxx/plugin.cc", "@NAME@.cc"},
    {"plugin-cxx/test_plugin.cc", "test_@NAME@.cc"},
    {"plugin/README.md", "README.md"},
    {"plugin/gitignore", ".gitignore"},
    {0},
};

static void say_next(const char *name, const struct layout *layout)
{
    (void)printf("created %s/\n\nnext:\n"
                 "  cd %s\n"
                 "  make test     its test, without a daemon and without a VM\n"
                 "  make check    banger plugin check %s.so\n"
                 "  make install  into %s/plugins\n"
                 "then, once, in %s/config.lua:\n"
                 "  plugin_dirs = { \"%s/plugins\" }\n"
                 "and 'banger daemon stop': the next command starts it with the plugin.\n",
                 name, name, name, layout->config_dir, layout->config_dir, layout->config_dir);
}

int plugin_new(struct cli *cli, banger_error *err)
{
    const char *name = args_word(&cli->args, 0);
    struct layout layout;
    if (layout_load(&layout, err) < 0) {
        return -1;
    }
    const struct template_file *files = args_has(&cli->args, "cxx") ? in_cxx : in_c;
    int result = template_check_name(name, err);
    if (result == 0) {
        result = template_write_folder(files, name, name, err);
    }
    if (result == 0 && cli->json) {
        AUTO_JSON json_t *made = json_pack("{s:s, s:s}", "name", name, "folder", name);
        output_json(made);
    } else if (result == 0 && cli->quiet) {
        (void)printf("%s\n", name);
    } else if (result == 0) {
        say_next(name, &layout);
    }
    layout_free(&layout);
    return result == 0 ? EXIT_DONE : -1;
}
