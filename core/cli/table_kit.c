/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands for those who write plugins and hooks. */
#include "cli/handlers.h"

#define SET_OPTION                                                                                 \
    {                                                                                              \
        "set", 0, VALUE_LABEL, "KEY=VALUE", "a key of its configuration; JSON, or else a text",    \
            true                                                                                   \
    }

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
    {
        .path = "plugin check",
        .summary = "try a plugin's file",
        .description =
            "Loads it into a process of its own, and says how its ABI, its descriptor and its\n"
            "configuration keys are. Then its hooks run, in the order of a VM's life, on a VM\n"
            "that is made up and against a host that only records: no daemon and no guest is\n"
            "needed. What a hook does by itself it really does. A failed check makes the exit\n"
            "status 1; a warning does not.",
        .arguments = ARGUMENTS({"FILE", VALUE_FILE, ARGUMENT_ONE}),
        .options = OPTIONS(SET_OPTION),
        .examples =
            EXAMPLES({"banger plugin check ./motd.so", "before it is installed"},
                     {"banger plugin check --set text='be nice' ./motd.so", "configured so"}),
        .run = plugin_check,
    },
    {0},
};
