/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest_hosts.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"

#include <string.h>

#define HOSTS_PATH "/etc/hosts"
#define HOSTS_LOOPBACK "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"

/* The file's place in the list; NULL: it has none. */
static json_t *find_file(const json_t *files)
{
    size_t index = 0;
    json_t *file = NULL;
    json_array_foreach ((json_t *)files, index, file) {
        if (str_equal(json_get_string(file, "path", NULL), HOSTS_PATH)) {
            return file;
        }
    }
    return NULL;
}

static json_t *lines_behind(const char *content, const json_t *hosts)
{
    AUTO_BUF struct buf text = BUF_INIT;
    size_t length = strlen(content);
    buf_printf(&text, "%s%s", content, length > 0 && content[length - 1] != '\n' ? "\n" : "");
    size_t index = 0;
    json_t *line = NULL;
    json_array_foreach ((json_t *)hosts, index, line) {
        buf_printf(&text, "%s\n", str_or(json_string_value(line), ""));
    }
    return json_stringn(text.data, text.length);
}

json_t *guest_hosts_add(const json_t *files, const json_t *hosts, banger_error *err)
{
    AUTO_JSON json_t *all = files != NULL ? json_deep_copy(files) : json_array();
    if (json_array_size(hosts) == 0 || !json_is_array(all)) {
        return STEAL(all);
    }
    json_t *file = find_file(all);
    if (file == NULL) {
        file = json_pack("{s:s, s:s}", "path", HOSTS_PATH, "content", HOSTS_LOOPBACK);
        (void)json_array_append_new(all, file);
    }
    const char *content = json_get_string(file, "content", NULL);
    if (content == NULL) {
        (void)error_set(err, BANGER_EINVALID,
                        "lines cannot be added to the guest's " HOSTS_PATH ", which is %s",
                        json_get_string(file, "source", "no text"));
        return NULL;
    }
    (void)json_object_set_new(file, "content", lines_behind(content, hosts));
    return STEAL(all);
}
