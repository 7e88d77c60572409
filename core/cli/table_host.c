/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands on everything but virtual machines. */
#include "cli/handlers.h"

const struct command commands_host[] = {
    {
        .path = "ps",
        .summary = "list the running VMs",
        .description = "The same as 'banger vm list'.",
        .options =
            OPTIONS({"all", 'a', VALUE_NONE, NULL, "also those that do not run", false},
                    {"label", 'l', VALUE_LABEL, "KEY=VALUE", "only those with this label", true}),
        .examples = EXAMPLES({"banger ps", "what runs"}, {"banger ps -a", "what there is"}),
        .traits = COMMAND_EVERYDAY,
        .run = vm_list,
    },
    {
        .path = "image build",
        .summary = "make an image",
        .description = "tiny: busybox and nothing else, made in a second or two.\n"
                       "debian: a minimal Debian with systemd and an SSH server.",
        .arguments = ARGUMENTS({"KIND", VALUE_IMAGE_KIND, ARGUMENT_ONE}),
        .options = OPTIONS({"name", 'n', VALUE_NEW_IMAGE, "NAME", "its name (its kind)", false}),
        .examples = EXAMPLES({"banger image build tiny", "the smallest one"}),
        .run = image_build,
    },
    {
        .path = "image register",
        .summary = "take an ext4 file as an image",
        .description = "Copies the file; the original is not needed afterwards.",
        .options =
            OPTIONS({"rootfs", 0, VALUE_FILE, "FILE", "a file with an ext4 file system", false},
                    {"name", 'n', VALUE_NEW_IMAGE, "NAME", "its name (the file's)", false}),
        .examples = EXAMPLES(
            {"banger image register --rootfs root.ext4 --name mine", "an image of your own"}),
        .run = image_register,
    },
    {
        .path = "image list",
        .alias = "ls",
        .summary = "list the images",
        .description = "Every image, with its size and where it came from.",
        .examples = EXAMPLES({"banger image list", "what VMs can start from"}),
        .run = image_list,
    },
    {
        .path = "image show",
        .summary = "show an image",
        .description = "Everything that is known of it.",
        .arguments = ARGUMENTS({"IMAGE", VALUE_IMAGE, ARGUMENT_ONE}),
        .examples = EXAMPLES({"banger image show tiny", "its digest, path and size"}),
        .run = image_show,
    },
    {
        .path = "image delete",
        .alias = "rm",
        .summary = "delete images",
        .description = "Refused for an image that a VM uses.",
        .arguments = ARGUMENTS({"IMAGE", VALUE_IMAGE, ARGUMENT_SOME}),
        .examples = EXAMPLES({"banger image delete mine", "remove it for good"}),
        .run = image_delete,
    },
    {
        .path = "kernel import",
        .summary = "take in a kernel",
        .description =
            "From a Debian package (a file, or a name to be downloaded), or from a kernel\n"
            "file and the folder of its modules. An initramfs with banger's agent is made\n"
            "for it. A kernel file without modules has all that guests need built in, and\n"
            "boots their disks directly.",
        .options = OPTIONS(
            {"deb", 0, VALUE_PACKAGE, "PACKAGE|FILE", "a package's name, or a .deb file", false},
            {"vmlinuz", 0, VALUE_FILE, "FILE", "a bzImage or an ELF vmlinux", false},
            {"modules", 0, VALUE_DIR, "DIR", "with --vmlinuz: its lib/modules/VERSION folder",
             false},
            {"name", 'n', VALUE_NEW_KERNEL, "NAME", "its name (its version)", false}),
        .examples = EXAMPLES(
            {"banger kernel import --deb linux-image-cloud-amd64",
             "Debian's kernel for virtual machines"},
            {"banger kernel import --vmlinuz bzImage --name mine", "one with virtio built in"}),
        .run = kernel_import,
    },
    {
        .path = "kernel list",
        .alias = "ls",
        .summary = "list the kernels",
        .description = "Every kernel, with its version and where it came from.",
        .examples = EXAMPLES({"banger kernel list", "what VMs can boot"}),
        .run = kernel_list,
    },
    {
        .path = "kernel show",
        .summary = "show a kernel",
        .description = "Everything that is known of it.",
        .arguments = ARGUMENTS({"KERNEL", VALUE_KERNEL, ARGUMENT_ONE}),
        .examples = EXAMPLES({"banger kernel show mine", "its version, path and digest"}),
        .run = kernel_show,
    },
    {
        .path = "kernel delete",
        .alias = "rm",
        .summary = "delete kernels",
        .description = "Refused for a kernel that a VM uses.",
        .arguments = ARGUMENTS({"KERNEL", VALUE_KERNEL, ARGUMENT_SOME}),
        .examples = EXAMPLES({"banger kernel delete mine", "remove it for good"}),
        .run = kernel_delete,
    },
    {
        .path = "plugin list",
        .alias = "ls",
        .summary = "list the plugins in the order in which they run",
        .description =
            "Every plugin that is loaded and every script, with the providers and hooks that\n"
            "it has, how often hooks of it were called and failed since the daemon's start,\n"
            "and how long half of them, and all but one in a hundred, took at most. What\n"
            "cannot be used is broken: the reason is printed below.",
        .options = OPTIONS(
            {"hooks", 0, VALUE_NONE, NULL, "a row for each hook that was called instead", false}),
        .examples = EXAMPLES({"banger plugin list", "who takes part in a start"},
                             {"banger plugin list --hooks", "which hook of whose takes long"}),
        .run = plugin_list,
    },
    {
        .path = "plugin show",
        .summary = "show a plugin and its configuration",
        .description =
            "What it is, its hooks with their counters, and every key of its configuration.",
        .arguments = ARGUMENTS({"PLUGIN", VALUE_PLUGIN, ARGUMENT_ONE}),
        .examples = EXAMPLES({"banger plugin show hostname", "all that can be configured of it"}),
        .run = plugin_show,
    },
    {
        .path = "plugin enable",
        .summary = "enable a plugin or script that its failures have disabled",
        .description =
            "One whose policy has 'disable_after' is not called any more after so many\n"
            "failures in a row. A script that is edited, and a daemon that is started again,\n"
            "begin anew; this does it for one that goes on as it was.",
        .arguments = ARGUMENTS({"PLUGIN", VALUE_PLUGIN, ARGUMENT_ONE}),
        .examples = EXAMPLES({"banger plugin enable inventory", "its server is back"}),
        .run = plugin_enable,
    },
    {
        .path = "hook list",
        .alias = "ls",
        .summary = "list the scripts in the order in which they run",
        .description =
            "Every script of the hook folders, as it is now: whether it can be used, and if\n"
            "not, why; the hooks that it has, how often they were called and failed since\n"
            "the daemon's start, and how long they took, as in 'banger plugin list'.",
        .examples = EXAMPLES({"banger hook list", "is the one just edited in order?"}),
        .run = hook_list,
    },
    {
        .path = "ssh-config",
        .summary = "make 'ssh NAME.vm' work",
        .description =
            "Prints what OpenSSH's client has to be told. With --install it goes into a file\n"
            "of banger's, which an Include at the top of ~/.ssh/config leads to; the rest of\n"
            "that file stays as it is. --uninstall takes back both.",
        .options = OPTIONS({"install", 0, VALUE_NONE, NULL, "put it into ~/.ssh/config", false},
                           {"uninstall", 0, VALUE_NONE, NULL, "take it out again", false}),
        .examples = EXAMPLES({"banger ssh-config --install", "then: ssh web.vm"},
                             {"banger ssh-config > vms.conf", "for ssh -F vms.conf web.vm"}),
        .run = ssh_config,
    },
    {
        .path = "doctor",
        .summary = "check what this machine can do",
        .description =
            "Every check with its outcome, and what 'auto' chooses. A failed check makes\n"
            "the exit status 1; a warning does not.",
        .examples = EXAMPLES({"banger doctor", "before the first VM, or when one fails"}),
        .traits = COMMAND_EVERYDAY,
        .run = doctor,
    },
    {
        .path = "daemon start",
        .summary = "start the daemon",
        .description = "Every command starts it where it does not run; this does only that.",
        .examples = EXAMPLES({"banger daemon start", "have it ready"}),
        .run = daemon_start,
    },
    {
        .path = "daemon stop",
        .summary = "stop the daemon; VMs go on running",
        .description = "The next command starts it again, and it takes its VMs back.",
        .examples = EXAMPLES({"banger daemon stop", "for an upgrade, say"}),
        .run = daemon_stop,
    },
    {
        .path = "daemon status",
        .summary = "say whether the daemon runs",
        .description = "Never starts it. The exit status is 1 where it does not run.",
        .examples = EXAMPLES({"banger daemon status --json", "for a script"}),
        .run = daemon_status,
    },
    {
        .path = "events",
        .summary = "print what happened",
        .description = "Past events, oldest first; with --follow, new ones as they come. With\n"
                       "--json each event is an object on a line of its own.",
        .options = OPTIONS({"follow", 'f', VALUE_NONE, NULL, "go on until Ctrl-C", false},
                           {"after", 0, VALUE_EVENT, "ID", "only those after this event", false}),
        .examples = EXAMPLES({"banger events -f --json", "feed another program"}),
        .run = events,
    },
    {
        .path = "completion",
        .summary = "print the completion of a shell",
        .description = "A script for the shell, with every command, option and name.",
        .arguments = ARGUMENTS({"SHELL", VALUE_SHELL, ARGUMENT_ONE}),
        .examples = EXAMPLES(
            {"source <(banger completion bash)", "in this bash"},
            {"banger completion fish > ~/.config/fish/completions/banger.fish", "for every fish"}),
        .run = completion,
    },
    {
        .path = "version",
        .summary = "print the versions",
        .description = "Of this program, and of the daemon where it runs.",
        .examples = EXAMPLES({"banger version --json", "for a script"}),
        .run = version,
    },
    {
        .path = "help",
        .summary = "explain a command",
        .description = "The same as --help behind the command. Without one, every command.",
        .arguments = ARGUMENTS({"COMMAND", VALUE_TOPIC, ARGUMENT_ANY}),
        .options = OPTIONS({"man", 0, VALUE_WORD, "PAGE", NULL, false}),
        .examples = EXAMPLES({"banger help vm run", "the same as banger vm run --help"}),
        .run = help,
    },
    {0},
};
