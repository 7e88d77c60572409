/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an ssh client needs to know: the plugin known-hosts keeps it, and its configuration counts. */
#include "base/cleanup.h"
#include "base/json.h"
#include "capability/registry.h"
#include "daemon/methods.h"

#define PLUGIN "known-hosts"

METHOD(method_ssh_show)
{
    (void)request;
    const struct daemon *daemon = context;
    static const char *const known[] = {NULL};
    if (json_only_keys("the request", params, known, err) < 0) {
        return -1;
    }
    const struct capability *plugin = registry_find(daemon->registry, PLUGIN);
    if (plugin == NULL) {
        (void)error_set(err, BANGER_EUNSUPPORTED,
                        "ssh to VMs is off: the plugin '" PLUGIN "' is not loaded");
        return error_hint(err, "enable it in config.lua: plugins = { [\"" PLUGIN
                               "\"] = { enabled = true } }");
    }
    const char *state = daemon->layout.state_dir;
    const char *key = json_get_string(plugin->config, "key", "");
    AUTO_FREE char *own = str_format("%s/ssh/id_ed25519", state);
    AUTO_FREE char *hosts = str_format("%s/ssh/known_hosts", state);
    AUTO_FREE char *config = str_format("%s/ssh/config", state);
    *result = json_pack("{s:s, s:s, s:s}", "key", *key != '\0' ? key : own, "known_hosts", hosts,
                        "config", config);
    return 0;
}
