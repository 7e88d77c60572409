// SPDX-License-Identifier: MIT-0
//
// @NAME@: a plugin for banger. Every guest gets a file /etc/@NAME@ with a text that the site chooses:
//
//     plugins = { ["@NAME@"] = { text = "be nice" } }        -- in config.lua
//
// Replace the hook by your own. The hooks are described in <banger/hooks.h>, what a hook may call in
// <banger/host.h>, and all of it in banger's share/doc/plugins.md.
#include <banger/json.h>
#include <banger/plugin.h>

#include <exception>
#include <string>

namespace {

// No exception may leave a hook: banger is C.
template <typename Body>
int guarded(const banger_host *host, banger_call *call, Body body)
{
    try {
        return body();
    } catch (const std::exception &problem) {
        return host->fail(call, BANGER_EINTERNAL, "%s", problem.what());
    }
}

// Can this work here? Asked before every start, and by `banger doctor`. Changes nothing.
int check(const banger_host *host, banger_call *call)
{
    if (host->get_string(call, "config.text", "")[0] == '\0') {
        host->hint(call, "set plugins[\"@NAME@\"].text in config.lua");
        return host->fail(call, BANGER_EINVALID, "there is no text to give to guests");
    }
    return 0;
}

// What the machine needs. Changes nothing either: `banger vm plan` asks without a start.
int contribute(const banger_host *host, banger_call *call)
{
    return guarded(host, call, [&] {
        const std::string name = host->get_string(call, "vm.name", "");
        const std::string text = name + ": " + host->get_string(call, "config.text", "") + "\n";

        return banger_json_contribute(host, call, "guest.files",
                                      json_pack("{s:s, s:i, s:s}", "path", "/etc/@NAME@", "mode",
                                                0644, "content", text.c_str()));
    });
}

// banger checks the values of these before the first hook runs, and shows them in
// `banger plugin show @NAME@`.
const banger_config_key keys[] = {
    {sizeof(banger_config_key), BANGER_CONFIG_STRING, "text", "hello from @NAME@",
     "what guests find in /etc/@NAME@", 0, 0},
};

banger_hooks make_hooks()
{
    banger_hooks hooks = {};
    hooks.size = sizeof(hooks);
    hooks.check = check;
    hooks.contributeMachineConfig = contribute;
    return hooks;
}

const banger_hooks hooks = make_hooks();

banger_plugin make_plugin()
{
    banger_plugin plugin = {};
    plugin.magic = BANGER_ABI_MAGIC;
    plugin.abi_major = BANGER_ABI_MAJOR;
    plugin.abi_minor = BANGER_ABI_MINOR;
    plugin.size = sizeof(plugin);
    plugin.name = "@NAME@";
    plugin.version = "0.1";
    plugin.summary = "a text of the site's in every guest";
    plugin.license = "MIT-0";
    plugin.config = keys;
    plugin.config_count = sizeof(keys) / sizeof(keys[0]);
    plugin.hooks = &hooks;
    return plugin;
}

const banger_plugin plugin = make_plugin();

} // namespace

BANGER_PLUGIN(&plugin)
