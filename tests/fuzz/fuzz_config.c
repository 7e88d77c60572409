/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a configuration: the sandbox, the conversion to JSON, the check of the keys. */
#include "base/cleanup.h"
#include "config/config.h"
#include "config/config_lua.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    banger_error err = BANGER_ERROR_INIT;
    AUTO_JSON json_t *given = config_lua_read("config.lua", (const char *)data, size, &err);
    if (given == NULL) {
        return 0;
    }
    size_t count = 0;
    const struct banger_config_key *keys = config_core_keys(&count);
    AUTO_JSON json_t *config = config_check("config.lua", keys, count, given, &err);
    return 0;
}
