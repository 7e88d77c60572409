/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "utf8.h"

#include "base/cleanup.h"
#include "base/str.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Length of the UTF-8 character at `text` (RFC 3629 section 4); 0 when there is none. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
    static const struct {
        unsigned char first, last; /* of the lead byte */
        unsigned char low, high;   /* of the second byte */
        size_t length;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    size_t form = 0;
    while (form < COUNT_OF(forms) && (text[0] < forms[form].first || text[0] > forms[form].last)) {
        form++;
    }
    if (form == COUNT_OF(forms) || forms[form].length > left) {
        return 0;
    }
    size_t length = forms[form].length;
    if (length > 1 && (text[1] < forms[form].low || text[1] > forms[form].high)) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

json_t *utf8_json(const char *text, size_t length)
{
    json_t *whole = json_stringn(text, length);
    if (whole != NULL) {
        return whole;
    }
    AUTO_BUF struct buf out = BUF_INIT;
    for (size_t at = 0; at < length;) {
        size_t good = utf8_length((const unsigned char *)text + at, length - at);
        if (good == 0) {
            buf_puts(&out, REPLACEMENT);
        } else {
            buf_append(&out, text + at, good);
        }
        at += good != 0 ? good : 1;
    }
    return json_stringn(str_or(out.data, ""), out.length);
}
