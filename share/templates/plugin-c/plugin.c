/* SPDX-License-Identifier: MIT-0 */
/*
 * @NAME@: a plugin for banger. Every guest gets a file /etc/@NAME@ with a text that the site chooses:
 *
 *     plugins = { ["@NAME@"] = { text = "be nice" } }        -- in config.lua
 *
 * Replace the hook by your own. The hooks are described in <banger/hooks.h>, what a hook may call in
 * <banger/host.h>, and all of it in banger's share/doc/plugins.md.
 */
#include <banger/json.h>
#include <banger/plugin.h>

/* Can this work here? Asked before every start, and by `banger doctor`. Changes nothing. */
static int @IDENT@_check(const struct banger_host *host, struct banger_call *call)
{
    if (host->get_string(call, "config.text", "")[0] == '\0') {
        host->hint(call, "set plugins[\"@NAME@\"].text in config.lua");
        return host->fail(call, BANGER_EINVALID, "there is no text to give to guests");
    }
    return 0;
}

/* What the machine needs. Changes nothing either: `banger vm plan` asks without a start. */
static int @IDENT@_contribute(const struct banger_host *host, struct banger_call *call)
{
    const char *name = host->get_string(call, "vm.name", "");
    const char *text = host->get_string(call, "config.text", "");

    return banger_json_contribute(host, call, "guest.files",
                                  json_pack("{s:s, s:i, s:o}", "path", "/etc/@NAME@", "mode", 0644,
                                            "content", json_sprintf("%s: %s\n", name, text)));
}

/* banger checks the values of these before the first hook runs, and shows them in
 * `banger plugin show @NAME@`. */
static const struct banger_config_key keys[] = {
    {.size = sizeof(keys[0]),
     .type = BANGER_CONFIG_STRING,
     .name = "text",
     .default_value = "hello from @NAME@",
     .help = "what guests find in /etc/@NAME@"},
};

static const struct banger_hooks hooks = {
    .size = sizeof(hooks),
    .check = @IDENT@_check,
    .contributeMachineConfig = @IDENT@_contribute,
};

static const struct banger_plugin plugin = {
    BANGER_PLUGIN_HEADER,
    .name = "@NAME@",
    .version = "0.1",
    .summary = "a text of the site's in every guest",
    .license = "MIT-0",
    .config = keys,
    .config_count = sizeof(keys) / sizeof(keys[0]),
    .hooks = &hooks,
};

BANGER_PLUGIN(&plugin)
