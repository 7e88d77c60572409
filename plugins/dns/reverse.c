/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reverse.h"

#include <string.h>

static const struct tree {
    int family;
    const char *labels; /* in wire format, with the root */
    size_t length;
    unsigned bits; /* a label stands for */
} trees[] = {
    {AF_INET, "\7in-addr\4arpa", sizeof("\7in-addr\4arpa"), 8},
    {AF_INET6, "\3ip6\4arpa", sizeof("\3ip6\4arpa"), 4},
};

#define TREE_LABELS 2 /* both have */

static const struct tree *tree_of(const struct query *query)
{
    const uint8_t *tail;

    if (query->labels < TREE_LABELS) {
        return NULL;
    }
    tail = query->name + query->label_at[query->labels - TREE_LABELS];
    for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
        if ((size_t)(query->name + query->name_length - tail) == trees[i].length &&
            memcmp(tail, trees[i].labels, trees[i].length) == 0) {
            return &trees[i];
        }
    }
    return NULL;
}

/* 0 to 255 without leading zeros; -1: something else. */
static int decimal(const uint8_t *label)
{
    int value = 0;

    if (label[0] < 1 || label[0] > 3 || (label[0] > 1 && label[1] == '0')) {
        return -1;
    }
    for (size_t i = 1; i <= label[0]; i++) {
        if (label[i] < '0' || label[i] > '9') {
            return -1;
        }
        value = value * 10 + (label[i] - '0');
    }
    return value <= 255 ? value : -1;
}

/* One digit in lower case; -1: something else. */
static int hexadecimal(const uint8_t *label)
{
    if (label[0] != 1) {
        return -1;
    }
    if (label[1] >= '0' && label[1] <= '9') {
        return label[1] - '0';
    }
    return label[1] >= 'a' && label[1] <= 'f' ? label[1] - 'a' + 10 : -1;
}

static void put_bits(struct reverse *reverse, unsigned value, unsigned bits)
{
    unsigned shift = bits == 4 && reverse->bits % 8 == 0 ? 4 : 0;

    reverse->address.bytes[reverse->bits / 8] |= (uint8_t)(value << shift);
    reverse->bits += bits;
}

bool reverse_parse(const struct query *query, struct reverse *reverse)
{
    const struct tree *tree = tree_of(query);

    memset(reverse, 0, sizeof(*reverse));
    if (tree == NULL) {
        return false;
    }
    reverse->address.family = tree->family;
    reverse->labels = TREE_LABELS;
    while (!reverse->whole && reverse->labels < query->labels) {
        const uint8_t *label = query->name + query->label_at[query->labels - reverse->labels - 1];
        int value = tree->family == AF_INET ? decimal(label) : hexadecimal(label);

        if (value < 0) {
            break;
        }
        put_bits(reverse, (unsigned)value, tree->bits);
        reverse->labels++;
        reverse->whole = reverse->bits == 8 * address_size(tree->family);
    }
    return true;
}

size_t reverse_labels(int family, unsigned prefix)
{
    unsigned bits = family == AF_INET ? 8 : 4;

    return TREE_LABELS + (prefix + bits - 1) / bits;
}

bool reverse_matches(const struct address *a, const struct address *b, unsigned bits)
{
    uint8_t mask = (uint8_t)(0xff00 >> (bits % 8));

    return memcmp(a->bytes, b->bytes, bits / 8) == 0 &&
           (bits % 8 == 0 || ((a->bytes[bits / 8] ^ b->bytes[bits / 8]) & mask) == 0);
}
