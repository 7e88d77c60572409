/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real migrations, from a store of every version that there was (tests/fixtures/schema/N.sql, with
 * rows in all tables): killed at each statement and at each write, opened again, it has the schema of a
 * new store and each row that it had.
 */
#include "fault_vfs.h"
#include "store/migrate.h"
#include "store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#define VERSIONS (schema_migrations.count)

static char *query(sqlite3 *db, const char *text)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, text, -1, &statement, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sqlite3_errmsg(db), text);
    }
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const char *value = (const char *)sqlite3_column_text(statement, 0);
    char *copy = xstrdup(str_or(value, ""));
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    return copy;
}

static sqlite3 *open_db(const char *path)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void execute(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s", sqlite3_errmsg(db));
    }
}

static void remove_db(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".new", ".new-journal"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        AUTO_FREE char *file = str_format("%s%s", path, suffixes[i]);
        assert_int_equal(file_remove(file, NULL), 0);
    }
}

/* A store of that version, as it lay there when the banger of its time had ended. */
static void unpack(const char *path, int version)
{
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_FREE char *fixture = str_format("tests/fixtures/schema/%d.sql", version);
    banger_error err = BANGER_ERROR_INIT;
    if (file_read(fixture, (size_t)1 << 20, &text, &err) < 0) {
        fail_msg("each schema version has a fixture: %s", err.message);
    }
    remove_db(path);
    sqlite3 *db = open_db(path);
    execute(db, text.data);
    execute(db, "PRAGMA journal_mode = WAL");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static char *schema_of(sqlite3 *db)
{
    return query(db, "SELECT group_concat(type || ' ' || name || ': ' || sql, char(10)) FROM "
                     "(SELECT * FROM sqlite_schema ORDER BY type, name)");
}

/* A statement that gives a table's rows as one text, by the columns that the table has now. */
static char *dump_statement(sqlite3 *db, const char *table)
{
    AUTO_FREE char *columns =
        str_format("SELECT group_concat('quote(' || name || ')', '||'',''||') "
                   "FROM pragma_table_info('%s')",
                   table);
    AUTO_FREE char *values = query(db, columns);
    return str_format("SELECT group_concat(row, char(10)) FROM (SELECT '%s: ' || %s AS row FROM %s "
                      "ORDER BY 1)",
                      table, values, table);
}

#define TABLES_MAX 16

/* What a fixture has in it, and how it is asked for again. */
struct contents {
    size_t count;
    char *statements[TABLES_MAX];
    char *rows[TABLES_MAX];
};

static void contents_read(struct contents *contents, const char *path)
{
    sqlite3 *db = open_db(path);
    AUTO_FREE char *tables =
        query(db, "SELECT group_concat(name, ' ') FROM sqlite_schema WHERE type = 'table'");
    contents->count = 0;
    char *rest = NULL;
    for (const char *table = strtok_r(tables, " ", &rest); table != NULL;
         table = strtok_r(NULL, " ", &rest)) {
        size_t i = contents->count++;
        assert_true(i < TABLES_MAX);
        contents->statements[i] = dump_statement(db, table);
        contents->rows[i] = query(db, contents->statements[i]);
        if (contents->rows[i][0] == '\0') {
            fail_msg("the fixture has no row in %s", table);
        }
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void contents_free(struct contents *contents)
{
    for (size_t i = 0; i < contents->count; i++) {
        free(contents->statements[i]);
        free(contents->rows[i]);
    }
}

static char *newest; /* the schema of a new store */

static int describe_newest(void **state)
{
    sqlite3 *db = open_db(":memory:");
    (void)state;
    int status = migrate_run(db, "memory", &schema_migrations, NULL);
    newest = schema_of(db);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return status;
}

static int forget_newest(void **state)
{
    (void)state;
    free(newest);
    return 0;
}

static bool lists_every_row(const char *text, const char *rows)
{
    AUTO_FREE char *lines = xstrdup(rows);
    char *rest = NULL;
    for (const char *line = strtok_r(lines, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(text, line) == NULL) {
            return false;
        }
    }
    return true;
}

/* Opened as a daemon does. A migration may add rows; none may go or change. */
static void assert_migrated(const char *path, const struct contents *before)
{
    banger_error err = BANGER_ERROR_INIT;
    struct store *store = store_open(path, &err);
    if (store == NULL) {
        fail_msg("%s", err.message);
    }
    store_close(store);
    sqlite3 *db = open_db(path);
    AUTO_FREE char *schema = schema_of(db);
    AUTO_FREE char *version = query(db, "PRAGMA user_version");
    AUTO_FREE char *check = query(db, "PRAGMA integrity_check");
    AUTO_FREE char *foreign = query(db, "SELECT count(*) FROM pragma_foreign_key_check");
    assert_string_equal(schema, newest);
    assert_int_equal(strtol(version, NULL, 10), VERSIONS);
    assert_string_equal(check, "ok");
    assert_string_equal(foreign, "0");
    for (size_t i = 0; i < before->count; i++) {
        AUTO_FREE char *rows = query(db, before->statements[i]);
        if (!lists_every_row(rows, before->rows[i])) {
            fail_msg("was:\n%s\nis:\n%s", before->rows[i], rows);
        }
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A migration that was released is never changed: what it makes is what there is in the field. */
static void fixtures_are_what_the_migrations_make(void **state)
{
    const struct fixture *fixture = *state;
    for (int version = 1; version <= VERSIONS; version++) {
        unpack(fixture->path, version);
        sqlite3 *db = open_db(fixture->path);
        sqlite3 *made = open_db(":memory:");
        struct migrations some = {.texts = schema_migrations.texts, .count = version};
        assert_int_equal(migrate_run(made, "memory", &some, NULL), 0);
        AUTO_FREE char *found = schema_of(db);
        AUTO_FREE char *expected = schema_of(made);
        AUTO_FREE char *number = query(db, "PRAGMA user_version");
        assert_string_equal(found, expected);
        assert_int_equal(strtol(number, NULL, 10), version);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_int_equal(sqlite3_close(made), SQLITE_OK);
    }
}

static void each_version_becomes_the_newest(void **state)
{
    const struct fixture *fixture = *state;
    for (int version = 1; version <= VERSIONS; version++) {
        struct contents before;
        unpack(fixture->path, version);
        contents_read(&before, fixture->path);
        assert_migrated(fixture->path, &before);
        assert_migrated(fixture->path, &before); /* which changes nothing */
        contents_free(&before);
    }
}

/* -- Killed on the way ----------------------------------------------------------------------------- */

static int statements_left;

static int kill_at_statement(unsigned kind, void *context, void *statement, void *text)
{
    (void)kind;
    (void)context;
    (void)statement;
    (void)text;
    if (statements_left-- == 0) {
        (void)raise(SIGKILL);
    }
    return 0;
}

static int trace(sqlite3 *db, const char **problem, const struct sqlite3_api_routines *api)
{
    (void)problem;
    (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, kill_at_statement, NULL);
}

/* Opens the store in a child that is killed in front of the statement or the write of that number. */
static bool killed(const char *path, int number, bool at_write)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        statements_left = number;
        if (at_write) {
            fault_install();
            fault_arm(number, FAULT_KILL);
        } else {
            (void)sqlite3_auto_extension((void (*)(void))trace);
        }
        _exit(store_open(path, NULL) != NULL ? 0 : 2);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 1;
}

/* Returns how often it was killed. */
static int kill_everywhere(const char *path, int version, bool at_write)
{
    struct contents before;
    unpack(path, version);
    contents_read(&before, path);
    int kills = 0;
    for (; killed(path, kills, at_write); kills++) {
        assert_migrated(path, &before);
        unpack(path, version);
    }
    assert_migrated(path, &before);
    contents_free(&before);
    return kills;
}

static void killed_at_each_statement(void **state)
{
    const struct fixture *fixture = *state;
    for (int version = 1; version <= VERSIONS; version++) {
        int kills = kill_everywhere(fixture->path, version, false);
        assert_true(kills > (version < VERSIONS ? 10 : 5));
    }
}

static void killed_at_each_write(void **state)
{
    const struct fixture *fixture = *state;
    for (int version = 1; version < VERSIONS; version++) {
        assert_true(kill_everywhere(fixture->path, version, true) > 10);
    }
}

#define SCHEMA_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_folder, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCHEMA_TEST(fixtures_are_what_the_migrations_make),
        SCHEMA_TEST(each_version_becomes_the_newest),
        SCHEMA_TEST(killed_at_each_statement),
        SCHEMA_TEST(killed_at_each_write),
    };
    return cmocka_run_group_tests_name("schema", tests, describe_newest, forget_newest);
}
