/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands for those who write plugins and hooks. */
#include "cli/handlers.h"

const struct command commands_kit[] = {
    {
        .path = "plugin new",
        .summary = "begin a plugin",
        .description =
            "Writes a folder of that name, to be built outside banger's tree: a plugin that\n"
            "works, a test of it against libbanger-test, a Makefile that finds banger through\n"
            "pkg-config, and a README.md. What to type next is printed.",
        .arguments = ARGUMENTS({"NAME", VALUE_NEW_PLUGIN, ARGUMENT_ONE}),
        .options = OPTIONS({"cxx", 0, VALUE_NONE, NULL, "in C++ instead of C", false}),
        .examples = EXAMPLES({"banger plugin new motd", "then: cd motd && make test"},
                             {"banger plugin new motd --cxx", "the same in C++"}),
        .run = plugin_new,
    },
    {0},
};
