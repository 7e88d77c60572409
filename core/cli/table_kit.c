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
    {
        .path = "hook new",
        .summary = "begin a hook",
        .description =
            "Writes a script in Lua that works, with every hook in it and what each is for,\n"
            "into the folder where banger looks for yours: hooks.d beside config.lua.",
        .arguments = ARGUMENTS({"NAME", VALUE_NEW_PLUGIN, ARGUMENT_ONE}),
        .options = OPTIONS({"output", 'o', VALUE_FILE, "FILE", "into this file instead", false}),
        .examples = EXAMPLES({"banger hook new motd", "in use at the next start"},
                             {"banger hook new motd -o motd.lua", "not in use before it is moved"}),
        .run = hook_new,
    },
    {
        .path = "hook check",
        .summary = "look whether hooks are in order",
        .description =
            "Each script is compiled and run as the daemon does it, in the same sandbox, and\n"
            "the table that it returns is checked. No hook of it runs, and no daemon is\n"
            "needed. What is wrong is told with file and line, and makes the exit status 1.\n"
            "What is misspelt within a hook is found by 'banger hook test', which runs it.",
        .arguments = ARGUMENTS({"FILE", VALUE_FILE, ARGUMENT_SOME}),
        .examples = EXAMPLES({"banger hook check ~/.config/banger/hooks.d/*.lua", "all of yours"}),
        .run = hook_check,
    },
    {
        .path = "hook test",
        .summary = "run a hook's functions without a VM",
        .description =
            "Runs them in the order of a VM's life, and shows what they contribute, write\n"
            "down and log, and what they run. The VM is made up, or one of yours (--vm), or\n"
            "that of a recording (vm start --record): then programs in the guest and on the\n"
            "host answer as they did. Without one nothing is run, and every program ends with\n"
            "status 0 and says nothing. A function that fails makes the exit status 1.",
        .arguments = ARGUMENTS({"FILE", VALUE_FILE, ARGUMENT_ONE}),
        .options = OPTIONS(
            {"recording", 'r', VALUE_FILE, "FILE", "what was recorded of a start", false},
            {"vm", 0, VALUE_VM, "VM", "as if this VM were started; it is not touched", false},
            SET_OPTION),
        .examples = EXAMPLES(
            {"banger hook test motd.lua", "on a VM that is made up"},
            {"banger hook test --recording web.json motd.lua", "with what a real start saw"}),
        .run = hook_test,
    },
    {0},
};
