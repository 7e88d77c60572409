/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "output.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

struct table_row {
    char *cells[OUTPUT_COLUMNS_MAX];
};

struct table {
    size_t columns;
    struct table_row *rows; /* the first one has the titles */
    size_t count;
    size_t capacity;
};

/* Code points of UTF-8 text: as many columns as they take for the text that we print. */
static int text_width(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

/* Bytes of the first `width` code points. */
static int text_cut(const char *text, int width)
{
    const char *at = text;
    for (; *at != '\0'; at++) {
        if (((unsigned char)*at & 0xc0) != 0x80 && width-- == 0) {
            break;
        }
    }
    return (int)(at - text);
}

struct table *table_new(size_t columns, const char *const *titles)
{
    struct table *table = xcalloc(1, sizeof(*table));
    table->columns = columns < OUTPUT_COLUMNS_MAX ? columns : OUTPUT_COLUMNS_MAX;
    table_add(table, titles);
    return table;
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        for (size_t j = 0; j < table->columns; j++) {
            free(table->rows[i].cells[j]);
        }
    }
    free(table->rows);
    free(table);
}

void table_add(struct table *table, const char *const *cells)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity != 0 ? table->capacity * 2 : 16;
        table->rows = xrealloc(table->rows, table->capacity * sizeof(*table->rows));
    }
    struct table_row *row = &table->rows[table->count++];
    for (size_t i = 0; i < table->columns; i++) {
        bool empty = cells[i] == NULL || cells[i][0] == '\0';
        row->cells[i] = output_line(empty ? "-" : cells[i]);
    }
}

static void print_row(const struct table *table, const struct table_row *row, const int *widths,
                      int terminal)
{
    int used = 0;
    for (size_t i = 0; i + 1 < table->columns; i++) {
        int padding = widths[i] - text_width(row->cells[i]) + 2;
        (void)printf("%s%*s", row->cells[i], padding, "");
        used += widths[i] + 2;
    }
    const char *last = row->cells[table->columns - 1];
    /* A narrow terminal gets whole rows: cutting to a few letters would help nobody. */
    bool cut = terminal - used >= 16 && text_width(last) > terminal - used;
    if (cut) {
        (void)printf("%.*s...", text_cut(last, terminal - used - 3), last);
    } else {
        (void)printf("%s", last);
    }
}

void table_print(const struct table *table)
{
    int widths[OUTPUT_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < table->count; i++) {
        for (size_t j = 0; j < table->columns; j++) {
            int width = text_width(table->rows[i].cells[j]);
            widths[j] = width > widths[j] ? width : widths[j];
        }
    }
    int terminal = output_width(STDOUT_FILENO);
    for (size_t i = 0; i < table->count; i++) {
        bool title = i == 0;
        (void)printf("%s", title ? output_style(STDOUT_FILENO, STYLE_BOLD) : "");
        print_row(table, &table->rows[i], widths, terminal);
        (void)printf("%s\n", title ? output_style(STDOUT_FILENO, STYLE_PLAIN) : "");
    }
}
