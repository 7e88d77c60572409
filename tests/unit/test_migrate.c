/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The runner, with migrations of the test's own: wherever it is killed, the database is of one
 * version, and the next run brings it to the last. */
#include "store/migrate.h"

#include "fault_vfs.h"
#include "store_fixture.h"

#include <sys/wait.h>

static const char *const steps[] = {
    "CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT);"
    "INSERT INTO a (name) VALUES ('x'), ('y'), ('z');",
    "CREATE TABLE b (id INTEGER PRIMARY KEY, name TEXT, size INTEGER NOT NULL);"
    "INSERT INTO b SELECT id, name, 0 FROM a;"
    "DROP TABLE a;"
    "ALTER TABLE b RENAME TO a;",
    "CREATE INDEX a_by_name ON a (name);"
    "UPDATE a SET size = 10 * id;"
    "DELETE FROM a WHERE name = 'y';",
};
#define STEPS ((int)COUNT_OF(steps))

static struct migrations up_to(int count)
{
    return (struct migrations){.texts = steps, .count = count};
}

static sqlite3 *open_db(const char *path)
{
    sqlite3 *db = NULL;
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s", sqlite3_errmsg(db));
    }
    return db;
}

static char *query(sqlite3 *db, const char *text)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const char *value = (const char *)sqlite3_column_text(statement, 0);
    char *copy = xstrdup(value != NULL ? value : "");
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    return copy;
}

/* The whole of the database as text: its version, schema and rows. */
static char *describe(sqlite3 *db)
{
    AUTO_FREE char *check = query(db, "PRAGMA integrity_check");
    assert_string_equal(check, "ok");
    AUTO_FREE char *version = query(db, "PRAGMA user_version");
    AUTO_FREE char *schema = query(db, "SELECT group_concat(sql, '; ') FROM sqlite_schema");
    AUTO_FREE char *sized = query(db, "SELECT count(*) FROM pragma_table_info('a', 'main')");
    AUTO_FREE char *rows = strcmp(version, "0") == 0 ? xstrdup("")
                           : strcmp(version, "1") == 0
                               ? query(db, "SELECT group_concat(id || name) FROM a")
                               : query(db, "SELECT group_concat(id || name || size) FROM a");
    return str_format("version %s, %s columns, %s: %s", version, sized, schema, rows);
}

/* What each version looks like when nothing goes wrong. */
static char *expected[STEPS + 1];

static int describe_versions(void **state)
{
    (void)state;
    for (int version = 0; version <= STEPS; version++) {
        sqlite3 *db = open_db(":memory:");
        struct migrations migrations = up_to(version);
        assert_int_equal(migrate_run(db, "memory", &migrations, NULL), 0);
        expected[version] = describe(db);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
    }
    return 0;
}

static int forget_versions(void **state)
{
    (void)state;
    for (int version = 0; version <= STEPS; version++) {
        free(expected[version]);
    }
    return 0;
}

/* Which version the file is of; fails when it is none, whole. */
static int version_of(const char *path)
{
    sqlite3 *db = open_db(path);
    AUTO_FREE char *found = describe(db);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    for (int version = 0; version <= STEPS; version++) {
        if (strcmp(found, expected[version]) == 0) {
            return version;
        }
    }
    fail_msg("between two versions: %s", found);
    return -1;
}

static int statements_left;

static int end_at_statement(unsigned event, void *context, void *statement, void *text)
{
    (void)event;
    (void)context;
    (void)statement;
    (void)text;
    if (statements_left-- == 0) {
        _exit(1);
    }
    return 0;
}

/* Migrates in a child that ends in front of the statement or the write of that number; true when it
 * was killed, false when it came to its end. */
static bool killed(const char *path, int number, bool at_write)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (at_write) {
            fault_install();
        }
        sqlite3 *db = open_db(path);
        statements_left = number;
        if (at_write) {
            fault_arm(number, FAULT_KILL);
        } else {
            (void)sqlite3_trace_v2(db, SQLITE_TRACE_STMT, end_at_statement, NULL);
        }
        struct migrations migrations = up_to(STEPS);
        _exit(migrate_run(db, path, &migrations, NULL) == 0 ? 0 : 2);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 1;
}

static void remove_db(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        AUTO_FREE char *file = str_format("%s%s", path, suffixes[i]);
        assert_int_equal(file_remove(file, NULL), 0);
    }
}

static void kill_everywhere(const char *path, bool at_write)
{
    bool seen[STEPS + 1] = {false};
    int kills = 0;
    while (killed(path, kills, at_write)) {
        int version = version_of(path);
        seen[version] = true;
        sqlite3 *db = open_db(path);
        struct migrations migrations = up_to(STEPS);
        assert_int_equal(migrate_run(db, path, &migrations, NULL), 0);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_int_equal(version_of(path), STEPS);
        remove_db(path);
        kills++;
    }
    assert_int_equal(version_of(path), STEPS);
    assert_true(kills > 10);
    for (int version = 0; version < STEPS; version++) {
        assert_true(seen[version]);
    }
}

static void killed_at_each_statement(void **state)
{
    const struct fixture *fixture = *state;
    kill_everywhere(fixture->path, false);
}

static void killed_at_each_write(void **state)
{
    const struct fixture *fixture = *state;
    kill_everywhere(fixture->path, true);
}

static void failure_keeps_the_last_good_version(void **state)
{
    struct fixture *fixture = *state;
    static const char *const broken[] = {
        "CREATE TABLE a (id INTEGER PRIMARY KEY)",
        "INSERT INTO a VALUES (1); INSERT INTO nowhere VALUES (1)",
    };
    struct migrations migrations = {.texts = broken, .count = 2};
    banger_error err = BANGER_ERROR_INIT;
    sqlite3 *db = open_db(fixture->path);
    assert_int_equal(migrate_run(db, fixture->path, &migrations, &err), -1);
    assert_non_null(strstr(err.message, "cannot bring the schema from version 1 to 2: "));
    assert_non_null(strstr(err.message, "nowhere"));
    AUTO_FREE char *version = query(db, "PRAGMA user_version");
    AUTO_FREE char *rows = query(db, "SELECT count(*) FROM a");
    assert_string_equal(version, "1");
    assert_string_equal(rows, "0");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void dangling_references_are_not_committed(void **state)
{
    struct fixture *fixture = *state;
    static const char *const dangling[] = {
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a (id));"
        "INSERT INTO b VALUES (7);",
    };
    struct migrations migrations = {.texts = dangling, .count = 1};
    banger_error err = BANGER_ERROR_INIT;
    sqlite3 *db = open_db(fixture->path);
    assert_int_equal(migrate_run(db, fixture->path, &migrations, &err), -1);
    AUTO_FREE char *version = query(db, "PRAGMA user_version");
    assert_string_equal(version, "0");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void newer_is_refused_by_both_numbers(void **state)
{
    struct fixture *fixture = *state;
    struct migrations all = up_to(STEPS);
    struct migrations older = up_to(1);
    banger_error err = BANGER_ERROR_INIT;
    sqlite3 *db = open_db(fixture->path);
    assert_int_equal(migrate_run(db, fixture->path, &all, NULL), 0);
    assert_int_equal(migrate_run(db, fixture->path, &all, NULL), 0); /* nothing to do */
    assert_int_equal(migrate_run(db, fixture->path, &older, &err), -1);
    assert_int_equal(err.code, BANGER_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "has schema version 3, and this banger knows versions up "
                                        "to 1"));
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = -1", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(migrate_run(db, fixture->path, &all, &err), -1);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

#define MIGRATE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_folder, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MIGRATE_TEST(killed_at_each_statement),
        MIGRATE_TEST(killed_at_each_write),
        MIGRATE_TEST(failure_keeps_the_last_good_version),
        MIGRATE_TEST(dangling_references_are_not_committed),
        MIGRATE_TEST(newer_is_refused_by_both_numbers),
    };
    return cmocka_run_group_tests(tests, describe_versions, forget_versions);
}
