/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/documents.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static void document_clear(struct document *document)
{
    free(document->text);
    json_decref(document->json);
    *document = (struct document){0};
}

void documents_free(struct documents *documents)
{
    if (documents == NULL) {
        return;
    }
    for (size_t i = 0; i < documents->count; i++) {
        document_clear(&documents->rows[i].spec);
        document_clear(&documents->rows[i].runtime);
    }
    free(documents->rows);
    free(documents);
}

struct documents_row *documents_follow(struct documents *fresh, struct documents *kept, size_t *at,
                                       int64_t seq)
{
    fresh->rows = sql_grow(fresh->rows, fresh->count, sizeof(fresh->rows[0]));
    struct documents_row *row = &fresh->rows[fresh->count++];
    while (kept != NULL && *at < kept->count && kept->rows[*at].seq < seq) {
        ++*at;
    }
    if (kept != NULL && *at < kept->count && kept->rows[*at].seq == seq) {
        *row = kept->rows[*at];
        kept->rows[*at] = (struct documents_row){.seq = seq};
    } else {
        *row = (struct documents_row){.seq = seq};
    }
    return row;
}

json_t *documents_get(struct document *document, struct sql *sql, int column, const char *whose,
                      banger_error *err)
{
    const char *text = (const char *)sqlite3_column_text(sql->statement, column);
    if (document->json == NULL || text == NULL || strcmp(document->text, text) != 0) {
        document_clear(document);
        document->json = sql_column_json(sql, column, whose, err);
        if (document->json == NULL) {
            return NULL;
        }
        document->text = xstrdup(text);
    }
    return json_incref(document->json);
}
