/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/guest_archive.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "temp_dir.h"

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct temp_dir dir;

static int make_folder(void **state)
{
    (void)state;
    temp_dir_make(&dir);
    temp_dir_write(&dir, "base", "an odd number of bytes: 29 ..");
    temp_dir_write(&dir, "source", "from a file\n");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

/* "%s" in `guest` becomes the test's folder. */
static int write_archive(const char *guest, banger_error *err)
{
    AUTO_BUF struct buf text = BUF_INIT;
    const char *place = strstr(guest, "%s");
    buf_append(&text, guest, place != NULL ? (size_t)(place - guest) : strlen(guest));
    if (place != NULL) {
        buf_printf(&text, "%s%s", dir.path, place + 2);
    }
    AUTO_JSON json_t *json = json_parse("guest", text.data, text.length, err);
    assert_non_null(json);
    AUTO_FREE char *base = xstrdup(temp_dir_at(&dir, "base"));
    AUTO_FREE char *out = xstrdup(temp_dir_at(&dir, "out"));
    return guest_archive_write(base, json, out, err);
}

/* The appended archive's members as "mode uid:gid path=content" lines. */
static void read_archive(struct buf *text)
{
    AUTO_BUF struct buf file = BUF_INIT;
    assert_int_equal(file_read(temp_dir_at(&dir, "out"), 1 << 20, &file, NULL), 0);
    assert_memory_equal(file.data, "an odd number of bytes: 29 ..\0\0\0", 32);
    struct archive *archive = archive_read_new();
    assert_int_equal(archive_read_support_format_cpio(archive), ARCHIVE_OK);
    assert_int_equal(archive_read_open_memory(archive, file.data + 32, file.length - 32),
                     ARCHIVE_OK);
    struct archive_entry *entry = NULL;
    int status;
    while ((status = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
        char content[256] = {0};
        la_ssize_t got = archive_read_data(archive, content, sizeof(content) - 1);
        assert_true(got >= 0);
        buf_printf(text, "%06o %d:%d %s=%s\n", archive_entry_mode(entry),
                   (int)archive_entry_uid(entry), (int)archive_entry_gid(entry),
                   archive_entry_pathname(entry), content);
    }
    assert_int_equal(status, ARCHIVE_EOF);
    (void)archive_read_free(archive);
}

static void test_contents(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    int status = write_archive(
        "{\"conf\": {\"root\": \"/dev/vda\", \"env\": [\"A=b\", \"C=d e\"], \"clock\": 17},"
        " \"files\": [{\"path\": \"/etc/hostname\", \"content\": \"web\\n\"},"
        "  {\"path\": \"/etc/empty\", \"content\": \"\"},"
        "  {\"path\": \"/home/u/.ssh/key\", \"mode\": 384, \"uid\": 1000, \"gid\": 100000,"
        "   \"source\": \"%s/source\"}]}",
        &err);
    assert_string_equal(err.message, "");
    assert_int_equal(status, 0);
    AUTO_BUF struct buf text = BUF_INIT;
    read_archive(&text);
    assert_string_equal(text.data, "040755 0:0 banger=\n"
                                   "100600 0:0 banger/guest.conf=root=/dev/vda\n"
                                   "env=A=b\nenv=C=d e\nclock=17\n\n"
                                   "040755 0:0 banger/overlay=\n"
                                   "040755 0:0 banger/overlay/etc=\n"
                                   "100644 0:0 banger/overlay/etc/hostname=web\n\n"
                                   "100644 0:0 banger/overlay/etc/empty=\n"
                                   "040755 0:0 banger/overlay/home=\n"
                                   "040755 0:0 banger/overlay/home/u=\n"
                                   "040755 0:0 banger/overlay/home/u/.ssh=\n"
                                   "100600 1000:100000 banger/overlay/home/u/.ssh/key=from a file\n"
                                   "\n");
}

static void test_lines_of_hosts(void **state)
{
    static const struct {
        const char *guest;
        const char *hosts; /* NULL: refused */
    } rows[] = {
        {"{\"conf\": {\"host\": [\"10.0.0.7 vault\", \"fd00::7 vault\"]}, \"files\": [{\"path\": "
         "\"/etc/hosts\", \"content\": \"127.0.1.1 web\"}]}",
         "/etc/hosts=127.0.1.1 web\n10.0.0.7 vault\nfd00::7 vault\n\n"},
        {"{\"conf\": {\"host\": [\"10.0.0.7 vault\"]}}",
         "/etc/hosts=127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n10.0.0.7 "
         "vault\n\n"},
        {"{\"conf\": {\"host\": [\"10.0.0.7 vault\"]}, \"files\": [{\"path\": \"/etc/hosts\", "
         "\"source\": \"%s/source\"}]}",
         NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(write_archive(rows[i].guest, NULL), rows[i].hosts != NULL ? 0 : -1);
        AUTO_BUF struct buf text = BUF_INIT;
        read_archive(&text);
        if (rows[i].hosts != NULL && strstr(text.data, rows[i].hosts) == NULL) {
            fail_msg("%s", text.data);
        }
    }
}

static void test_empty_guest(void **state)
{
    (void)state;
    assert_int_equal(write_archive("{}", NULL), 0);
    AUTO_BUF struct buf text = BUF_INIT;
    read_archive(&text);
    assert_string_equal(text.data, "040755 0:0 banger=\n100600 0:0 banger/guest.conf=\n");
}

static void test_same_bytes_again(void **state)
{
    (void)state;
    AUTO_BUF struct buf first = BUF_INIT;
    AUTO_BUF struct buf second = BUF_INIT;
    static const char guest[] = "{\"files\": [{\"path\": \"/a\", \"source\": \"%s/source\"}]}";
    assert_int_equal(write_archive(guest, NULL), 0);
    assert_int_equal(file_read(temp_dir_at(&dir, "out"), 1 << 20, &first, NULL), 0);
    temp_dir_write(&dir, "source", "from a file\n"); /* another time, another inode maybe */
    assert_int_equal(write_archive(guest, NULL), 0);
    assert_int_equal(file_read(temp_dir_at(&dir, "out"), 1 << 20, &second, NULL), 0);
    assert_int_equal(first.length, second.length);
    assert_memory_equal(first.data, second.data, first.length);
}

/* A refused guest leaves the archive of the run before as it was. */
static void refused(const char *guest, enum banger_code code, const char *text)
{
    banger_error err = BANGER_ERROR_INIT;
    assert_int_equal(write_archive("{}", NULL), 0);
    AUTO_BUF struct buf before = BUF_INIT;
    AUTO_BUF struct buf after = BUF_INIT;
    assert_int_equal(file_read(temp_dir_at(&dir, "out"), 1 << 20, &before, NULL), 0);
    if (write_archive(guest, &err) == 0) {
        fail_msg("accepted: %s", guest);
    }
    if (strstr(err.message, text) == NULL || err.code != code) {
        fail_msg("expected '%s' (%d), got '%s' (%d)", text, code, err.message, err.code);
    }
    assert_int_equal(file_read(temp_dir_at(&dir, "out"), 1 << 20, &after, NULL), 0);
    assert_int_equal(before.length, after.length);
    assert_false(temp_dir_has(&dir, "out.new"));
}

static void test_bad_configuration(void **state)
{
    (void)state;
    refused("{\"conf\": {\"hostname\": \"a\\nroot=/dev/vdb\"}}", BANGER_EINVALID, "one line");
    refused("{\"conf\": {\"env\": [\"A=1\", \"B=\\r\"]}}", BANGER_EINVALID, "one line");
    refused("{\"conf\": {\"env\": {\"A\": \"1\"}}}", BANGER_EINVALID, "whole number");
    refused("{\"conf\": {\"env\": [[]]}}", BANGER_EINVALID, "whole number");
    refused("{\"conf\": {\"a=b\": \"c\"}}", BANGER_EINVALID, "invalid guest configuration key");
    refused("{\"conf\": {\"\": \"c\"}}", BANGER_EINVALID, "invalid guest configuration key");
}

#define FILE_JSON(fields) "{\"files\": [{" fields "}]}"

static void test_bad_files(void **state)
{
    (void)state;
    refused(FILE_JSON("\"content\": \"\""), BANGER_EINVALID, "has no path");
    refused(FILE_JSON("\"path\": \"/etc/../../x\", \"content\": \"\""), BANGER_EINVALID, "..");
    refused(FILE_JSON("\"path\": \"etc/x\", \"content\": \"\""), BANGER_EINVALID, "etc/x");
    refused(FILE_JSON("\"path\": \"/\", \"content\": \"\""), BANGER_EINVALID, "'/'");
    refused(FILE_JSON("\"path\": \"/x\""), BANGER_EINVALID, "content or a source");
    refused(FILE_JSON("\"path\": \"/x\", \"content\": \"\", \"source\": \"/y\""), BANGER_EINVALID,
            "content or a source");
    refused(FILE_JSON("\"path\": \"/x\", \"content\": \"\", \"mode\": 65536"), BANGER_EINVALID,
            "0 to 4095");
    refused(FILE_JSON("\"path\": \"/x\", \"content\": \"\", \"mode\": \"0644\""), BANGER_EINVALID,
            "whole number");
    refused(FILE_JSON("\"path\": \"/x\", \"content\": \"\", \"uid\": -1"), BANGER_EINVALID, "uid");
    refused(FILE_JSON("\"path\": \"/x\", \"source\": \"%s/missing\""), BANGER_ENOTFOUND, "missing");
    refused(FILE_JSON("\"path\": \"/x\", \"source\": \"%s\""), BANGER_EINVALID, "regular file");
    refused(FILE_JSON("\"path\": \"/x\", \"source\": \"/dev/zero\""), BANGER_EINVALID,
            "regular file");
    refused("{\"files\": {}}", BANGER_EINVALID, "must be a list");
}

static void test_paths_that_clash(void **state)
{
    (void)state;
    refused("{\"files\": [{\"path\": \"/x\", \"content\": \"\"}, {\"path\": \"/x\", \"content\": "
            "\"\"}]}",
            BANGER_EINVALID, "given twice");
    refused("{\"files\": [{\"path\": \"/x\", \"content\": \"\"}, {\"path\": \"/x/y\", \"content\": "
            "\"\"}]}",
            BANGER_EINVALID, "at once");
    refused("{\"files\": [{\"path\": \"/x/y\", \"content\": \"\"}, {\"path\": \"/x\", \"content\": "
            "\"\"}]}",
            BANGER_EINVALID, "given twice");
}

static void test_missing_base(void **state)
{
    (void)state;
    banger_error err = BANGER_ERROR_INIT;
    AUTO_JSON json_t *guest = json_object();
    assert_int_equal(
        guest_archive_write("/nonexistent/base", guest, temp_dir_at(&dir, "out2"), &err), -1);
    assert_int_equal(err.code, BANGER_ENOTFOUND);
    assert_false(temp_dir_has(&dir, "out2"));
    assert_false(temp_dir_has(&dir, "out2.new"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents),         cmocka_unit_test(test_empty_guest),
        cmocka_unit_test(test_same_bytes_again), cmocka_unit_test(test_bad_configuration),
        cmocka_unit_test(test_bad_files),        cmocka_unit_test(test_paths_that_clash),
        cmocka_unit_test(test_missing_base),     cmocka_unit_test(test_lines_of_hosts),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
