/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands on virtual machines. */
#include "cli/handlers.h"

/* What a VM is made of: `vm run` and `vm create`. */
/* clang-format off */
#define SPEC_OPTIONS                                                                                                       \
    {"name",          'n', VALUE_NEW_VM,  "NAME",     "its name; without one, banger makes one up", false},                 \
    {"image",         0,   VALUE_IMAGE,   "IMAGE",    "the root file system it starts from", false},                        \
    {"kernel",        0,   VALUE_KERNEL,  "KERNEL",   "the kernel it boots", false},                                        \
    {"vcpu",          0,   VALUE_VCPU,    "N",        "virtual processors, 1 to 32", false},                                \
    {"memory",        0,   VALUE_MEMORY,  "SIZE",     "memory: 512M, 2G; a bare number is MiB", false},                     \
    {"disk-size",     0,   VALUE_DISK,    "SIZE",     "size of its disk; never below the image's", false},                  \
    {"vmm",           0,   VALUE_VMM,     "PROVIDER", "what runs the machine (auto)", false},                               \
    {"rootfs-driver", 0,   VALUE_ROOTFS,  "PROVIDER", "how its disk is made from the image (auto)", false},                 \
    {"network",       0,   VALUE_NETWORK, "PROVIDER", "how it is connected (auto)", false},                                 \
    {"nat",           0,   VALUE_NONE,    NULL,       "let it reach the networks that this machine reaches", false},        \
    {"publish",       'p', VALUE_PUBLISH, "PORTS",    "[ADDRESS:]HOST:GUEST[/udp]: a port of ours", true},             \
    {"label",         'l', VALUE_LABEL,   "KEY=VALUE", "a label", true},                                                     \
    {"env",           'e', VALUE_ENV,     "NAME=VALUE", "environment of every program in it", true},                     \
    {"boot-arg",      0,   VALUE_BOOT_ARG, "ARGUMENT", "an argument for its kernel", true}

#define EXEC_OPTIONS                                                                                                       \
    {"tty",           't', VALUE_NONE,    NULL,       "give the program a terminal where we have none", false}, \
    {"no-tty",        'T', VALUE_NONE,    NULL,       "give it none where we have one", false},                      \
    {"interactive",   'i', VALUE_NONE,    NULL,       "pass standard input on (always so)", false},      \
    {"user",          'u', VALUE_USER,    "USER",     "the guest's user that runs it (root)", false},                       \
    {"workdir",       'w', VALUE_GUEST_DIR, "DIR",    "the folder it starts in (the user's home)", false}

#define RECORD_OPTION                                                                                                      \
    {"record",        0,   VALUE_FILE,    "FILE",     "write down what each hook asked and was told", false}
/* clang-format on */

const struct command commands_vm[] = {
    {
        .path = "vm run",
        .summary = "create a VM, start it, and run a command in it",
        .description =
            "Makes a VM, boots it, and runs the command behind '--' in it, with its input,\n"
            "output and exit status passed through; without a command, a login shell.\n"
            "Where no image or kernel is there yet, the configured default is made first.\n"
            "The VM goes on running afterwards, unless --rm is given. The program gets a\n"
            "terminal when both standard input and output are one.\n"
            "With --json the program's output is collected (at most 16 MiB of each stream)\n"
            "and printed with its status when it has ended.",
        .arguments = ARGUMENTS({"PATH", VALUE_DIR, ARGUMENT_OPTIONAL},
                               {"COMMAND", VALUE_WORD, ARGUMENT_TAIL}),
        .options = OPTIONS(
            SPEC_OPTIONS, {"rm", 0, VALUE_NONE, NULL, "delete the VM when the command ends", false},
            {"detach", 'd', VALUE_NONE, NULL, "only start it, and print its name; takes no command",
             false},
            RECORD_OPTION, EXEC_OPTIONS),
        .examples = EXAMPLES({"banger vm run --rm -- uname -a", "one command in a throw-away VM"},
                             {"echo hi | banger vm run --rm -- cat", "input goes to the program"},
                             {"banger vm run -d --name web -p 8080:80 --memory 1G",
                              "a VM that stays, with a port forwarded to it"}),
        .traits = COMMAND_EVERYDAY | COMMAND_GUEST_EXIT,
        .run = vm_run,
    },
    {
        .path = "vm create",
        .summary = "make a VM without starting it",
        .description = "Makes the record of a VM and prints its name. 'banger vm start' boots it.",
        .options = OPTIONS(SPEC_OPTIONS),
        .examples = EXAMPLES(
            {"banger vm create --name web --vcpu 2 --memory 1G", "a VM to be started later"}),
        .run = vm_create,
    },
    {
        .path = "vm start",
        .summary = "start VMs",
        .description = "Boots the VMs, one after the other. One that runs is left as it is.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_SOME}),
        .options = OPTIONS(RECORD_OPTION),
        .examples = EXAMPLES({"banger vm start web db", "boot two VMs"},
                             {"banger vm start --record web.json web", "for banger hook test"}),
        .run = vm_start,
    },
    {
        .path = "vm stop",
        .summary = "stop VMs, as their power buttons would",
        .description = "Asks the guest to end, waits, and then ends its process. One that has\n"
                       "ended is cleaned up. Names after one that fails are still worked on.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_SOME}),
        .options = OPTIONS({"timeout", 't', VALUE_DURATION, "TIME",
                            "how long the guest may take: 10s, 2m", false}),
        .examples = EXAMPLES({"banger vm stop --timeout 30s web", "half a minute to shut down"}),
        .traits = COMMAND_EVERYDAY,
        .run = vm_stop,
    },
    {
        .path = "vm kill",
        .summary = "end VMs by a signal",
        .description = "Sends the signal to the VM's process, waits for its end, and cleans up.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_SOME}),
        .options =
            OPTIONS({"signal", 's', VALUE_SIGNAL, "SIGNAL", "a name or number (TERM)", false}),
        .examples = EXAMPLES({"banger vm kill -s KILL web", "end it at once"}),
        .run = vm_kill,
    },
    {
        .path = "vm restart",
        .summary = "stop VMs and start them again",
        .description = "A stop and a start of each VM, with nothing between them.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_SOME}),
        .options = OPTIONS(
            {"timeout", 't', VALUE_DURATION, "TIME", "how long the guest may take to end", false},
            RECORD_OPTION),
        .examples = EXAMPLES({"banger vm restart web", "boot it anew"}),
        .run = vm_restart,
    },
    {
        .path = "vm pause",
        .summary = "let VMs stand still",
        .description =
            "Stops the VM's processors. It keeps its memory, addresses and ports, and goes\n"
            "on where it was with 'banger vm resume'; until then nothing runs in it.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_SOME}),
        .examples = EXAMPLES({"banger vm pause web", "until it is needed again"}),
        .run = vm_pause,
    },
    {
        .path = "vm resume",
        .summary = "let paused VMs go on",
        .description = "The other end of 'banger vm pause'. One that runs is left as it is.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_SOME}),
        .examples = EXAMPLES({"banger vm resume web", "go on"}),
        .run = vm_resume,
    },
    {
        .path = "vm delete",
        .alias = "rm",
        .summary = "delete VMs and their disks",
        .description = "Ends the VM where it runs and removes everything that is kept for it.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_SOME}),
        .examples = EXAMPLES({"banger vm delete web db", "remove two VMs for good"}),
        .traits = COMMAND_EVERYDAY,
        .run = vm_delete,
    },
    {
        .path = "vm list",
        .alias = "ls",
        .summary = "list the running VMs",
        .description = "The running VMs; with --all, the others too. --quiet prints names only.",
        .options =
            OPTIONS({"all", 'a', VALUE_NONE, NULL, "also those that do not run", false},
                    {"label", 'l', VALUE_LABEL, "KEY=VALUE", "only those with this label", true}),
        .examples = EXAMPLES({"banger vm list --all --json", "everything there is, for a script"},
                             {"banger vm list -q --label team=web", "names, of those of one team"}),
        .run = vm_list,
    },
    {
        .path = "vm show",
        .summary = "show everything about a VM",
        .description = "Its state, what it is made of, its addresses, and its last error.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_ONE}),
        .examples = EXAMPLES({"banger vm show web", "all of it"}),
        .run = vm_show,
    },
    {
        .path = "vm plan",
        .summary = "show the machine that a start would boot",
        .description = "Composes the machine without starting it, and says which capability\n"
                       "contributed what.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_ONE}),
        .examples = EXAMPLES({"banger vm plan web", "who contributes what"},
                             {"banger vm plan web --json", "the machine's document"}),
        .run = vm_plan,
    },
    {
        .path = "vm exec",
        .summary = "run a command in a running VM",
        .description =
            "Runs the command with its input, output and exit status passed through;\n"
            "without a command, a login shell. Options stand before the command: what\n"
            "follows its first word is the command's own.\n"
            "With --json the output is collected (at most 16 MiB of each stream) and printed\n"
            "with the status when it has ended.",
        .arguments =
            ARGUMENTS({"VM", VALUE_VM, ARGUMENT_ONE}, {"COMMAND", VALUE_WORD, ARGUMENT_COMMAND}),
        .options =
            OPTIONS({"env", 'e', VALUE_ENV, "NAME=VALUE", "environment of the program", true},
                    EXEC_OPTIONS),
        .examples = EXAMPLES({"banger vm exec web", "a shell in it"},
                             {"banger vm exec -u www -w /srv web -- ls -l", "one command"}),
        .traits = COMMAND_EVERYDAY | COMMAND_GUEST_EXIT,
        .run = vm_exec,
    },
    {
        .path = "vm ssh",
        .summary = "log in to a VM by ssh",
        .description =
            "Becomes OpenSSH's client, with a key of banger's that every VM lets in, and\n"
            "without your own configuration. It needs an ssh server in the image; 'vm exec'\n"
            "needs none. One word behind the VM is a command line for the guest's shell, as\n"
            "with ssh; several are passed on word by word. The exit status is ssh's: that of\n"
            "the command, or 255 when the connection failed.",
        .arguments = ARGUMENTS({"VM", VALUE_VM_HOST, ARGUMENT_ONE},
                               {"COMMAND", VALUE_WORD, ARGUMENT_COMMAND}),
        .options = OPTIONS(
            {"user", 'u', VALUE_USER, "USER", "the guest's user to log in as (root)", false},
            {"port", 0, VALUE_PORT, "PORT", "the ssh server's port in the guest (22)", false},
            {"tty", 't', VALUE_NONE, NULL, "give the command a terminal", false},
            {"forward", 'L', VALUE_WORD, "SPEC", "forward a port, as ssh -L does", true},
            {"option", 'o', VALUE_WORD, "NAME=VALUE", "an option of ssh_config(5)", true},
            {"print", 0, VALUE_NONE, NULL, "print the command instead of running it", false}),
        .examples = EXAMPLES({"banger vm ssh web", "a login shell"},
                             {"banger vm ssh web 'journalctl -b | tail'", "a line for its shell"},
                             {"banger vm ssh -L 8080:localhost:80 web", "with a port forwarded"}),
        .traits = COMMAND_EVERYDAY | COMMAND_GUEST_EXIT,
        .run = vm_ssh,
    },
    {
        .path = "vm connect",
        .summary = "connect to a TCP port in a VM",
        .description =
            "Standard input and output become a TCP connection to a port in the guest,\n"
            "through the agent, so that the guest needs no network. The end of either\n"
            "direction is passed on by itself. VM may end in .vm, as in ssh's ProxyCommand.",
        .arguments =
            ARGUMENTS({"VM", VALUE_VM_HOST, ARGUMENT_ONE}, {"PORT", VALUE_PORT, ARGUMENT_ONE}),
        .options = OPTIONS({"wait", 0, VALUE_DURATION, "TIME",
                            "if the VM is up for less, wait for a listener", false}),
        .examples = EXAMPLES(
            {"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | banger vm connect web 80", "by hand"},
            {"ssh -o 'ProxyCommand banger vm connect %h %p' web.vm", "for another program"}),
        .run = vm_connect,
    },
    {
        .path = "vm cp",
        .summary = "copy files and folders to or from a VM",
        .description =
            "One of the two is VM:PATH, with an absolute path in the guest. As cp(1) does, it\n"
            "copies into DESTINATION where that is a folder. A local path with a colon in it\n"
            "is written with ./ in front.",
        .arguments = ARGUMENTS({"SOURCE", VALUE_COPY, ARGUMENT_ONE},
                               {"DESTINATION", VALUE_COPY, ARGUMENT_ONE}),
        .examples = EXAMPLES({"banger vm cp site web:/srv", "a folder into the guest"},
                             {"banger vm cp web:/var/log/syslog .", "a file out of it"}),
        .run = vm_cp,
    },
    {
        .path = "vm logs",
        .summary = "print a VM's console",
        .description =
            "What the guest wrote on its console; with --vmm, what the program that runs the\n"
            "machine wrote; with --ops, what banger did with the VM, stage by stage.\n"
            "On a terminal, control characters are left out. With --json each line is an\n"
            "object; --ops prints an array.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_ONE}),
        .options =
            OPTIONS({"follow", 'f', VALUE_NONE, NULL, "go on until the VM ends", false},
                    {"lines", 'n', VALUE_LINES, "N", "only the last N lines, or operations", false},
                    {"vmm", 0, VALUE_NONE, NULL, "the log of the machine's process", false},
                    {"ops", 0, VALUE_NONE, NULL, "the operations on the VM", false}),
        .examples = EXAMPLES({"banger vm logs -f web", "watch it boot"},
                             {"banger vm logs --ops web", "how long each stage took"}),
        .run = vm_logs,
    },
    {
        .path = "vm stats",
        .summary = "show what VMs use",
        .description = "Memory, disk, load and processes as the guest sees them, and what the VM\n"
                       "costs this machine. Without a name, every running VM.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_ANY}),
        .examples = EXAMPLES({"banger vm stats", "all that run"}),
        .run = vm_stats,
    },
    {
        .path = "vm ports",
        .summary = "show a VM's listening and published ports",
        .description = "What listens in the guest, and which ports of this machine lead to it.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_ONE}),
        .examples = EXAMPLES({"banger vm ports web", "what answers where"}),
        .run = vm_ports,
    },
    {
        .path = "vm set",
        .summary = "change a VM's settings",
        .description =
            "Changes what is given and leaves the rest. What a running VM cannot take over\n"
            "counts from its next start. --publish replaces all published ports. A disk\n"
            "only grows.",
        .arguments = ARGUMENTS({"VM", VALUE_VM, ARGUMENT_ONE}),
        .options = OPTIONS(
            {"vcpu", 0, VALUE_VCPU, "N", "virtual processors, 1 to 32", false},
            {"memory", 0, VALUE_MEMORY, "SIZE", "memory: 512M, 2G; a bare number is MiB", false},
            {"disk-size", 0, VALUE_DISK, "SIZE", "size of its disk", false},
            {"nat", 0, VALUE_SWITCH, "on|off", "whether it reaches other networks", false},
            {"publish", 'p', VALUE_PUBLISH, "PORTS", "[ADDRESS:]HOST:GUEST[/udp]", true},
            {"label", 'l', VALUE_LABEL, "KEY=VALUE", "set a label", true},
            {"no-label", 0, VALUE_LABEL_KEY, "KEY", "remove a label", true}),
        .examples = EXAMPLES({"banger vm set --memory 2G --label team=web web",
                              "more memory from the next start on, and a label"}),
        .run = vm_set,
    },
    {
        .path = "vm prune",
        .summary = "delete every VM that is not running",
        .description = "Asks first; --force does not. Where nobody can be asked, because standard\n"
                       "input is no terminal, --force must be given.",
        .options = OPTIONS({"force", 'f', VALUE_NONE, NULL, "do not ask", false}),
        .examples = EXAMPLES({"banger vm prune --force", "delete them all, without a question"}),
        .run = vm_prune,
    },
    {0},
};
