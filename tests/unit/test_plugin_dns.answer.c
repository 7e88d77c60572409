/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Queries as bytes against a zone; the answers are read by ldns, whose words the rows are. */
#include "answer.h"
#include "memo.h"

#include <ldns/ldns.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct zone *zone;
static struct memo *memo;

static struct address ip(const char *text)
{
    struct address address;

    assert_true(address_parse(text, &address));
    return address;
}

static void put(const char *id, const char *name, const char *v4, const char *v6)
{
    struct address a = ip(v4);
    struct address b = ip(v6);

    assert_true(zone_put_host(zone, id, name, &a, &b));
}

static int set_up(void **state)
{
    struct address gateway4 = ip("172.16.0.1");
    struct address gateway6 = ip("fd00:1::1");

    (void)state;
    zone = zone_new((const uint8_t *)"\2vm", 4, 5);
    memo = memo_new();
    assert_non_null(memo);
    assert_true(zone_put_range(zone, &gateway4, 24));
    assert_true(zone_put_range(zone, &gateway6, 64));
    put("1", "web", "172.16.0.2", "fd00:1::2");
    put("2", "db", "172.16.0.3", NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    memo_free(memo);
    zone_free(zone);
    return 0;
}

/* -- Asking -- */

struct asked {
    uint8_t wire[MESSAGE_QUERY];
    size_t length;
};

static struct asked make_query(const char *name, const char *type)
{
    struct asked asked = {.length = 0};
    ldns_pkt *packet = ldns_pkt_query_new(
        ldns_dname_new_frm_str(name), ldns_get_rr_type_by_name(type), LDNS_RR_CLASS_IN, LDNS_RD);
    uint8_t *wire = NULL;

    ldns_pkt_set_id(packet, 0x1234);
    assert_int_equal(ldns_pkt2wire(&wire, packet, &asked.length), LDNS_STATUS_OK);
    memcpy(asked.wire, wire, asked.length);
    free(wire);
    ldns_pkt_free(packet);
    return asked;
}

static void add_opt(struct asked *asked, uint16_t size, uint8_t version, uint16_t flags)
{
    const uint8_t opt[11] = {0,
                             0,
                             41,
                             (uint8_t)(size >> 8),
                             (uint8_t)size,
                             0,
                             version,
                             (uint8_t)(flags >> 8),
                             (uint8_t)flags};

    memcpy(asked->wire + asked->length, opt, sizeof(opt));
    asked->length += sizeof(opt);
    asked->wire[11]++;
}

/* Through the memo, twice: what is remembered must be what was built. */
static size_t ask_bytes(const struct asked *asked, enum answer_view view, uint8_t out[ANSWER_MAX],
                        enum answer_verdict *verdict)
{
    uint8_t again[ANSWER_MAX];
    struct query query;
    size_t length = 0;
    size_t length_again = 0;

    *verdict = memo_answer(memo, zone, view, asked->wire, asked->length, &query, out, &length);
    assert_int_equal(
        memo_answer(memo, zone, view, asked->wire, asked->length, &query, again, &length_again),
        *verdict);
    assert_int_equal(length, length_again);
    assert_memory_equal(out, again, length);
    return length;
}

static ldns_pkt *ask(const struct asked *asked, enum answer_view view)
{
    uint8_t out[ANSWER_MAX];
    enum answer_verdict verdict;
    size_t length = ask_bytes(asked, view, out, &verdict);
    ldns_pkt *packet = NULL;

    assert_int_equal(verdict, ANSWER_READY);
    assert_int_equal(ldns_wire2pkt(&packet, out, length), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_id(packet), 0x1234);
    assert_true(ldns_pkt_qr(packet));
    return packet;
}

/* "NOERROR aa: web.vm. A 172.16.0.2": what matters of an answer, on one line. */
static void describe_section(const ldns_rr_list *list, const char *mark, char *text, size_t size)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
        const ldns_rr *rr = ldns_rr_list_rr(list, i);
        char *owner = ldns_rdf2str(ldns_rr_owner(rr));
        char *type = ldns_rr_type2str(ldns_rr_get_type(rr));
        char *data = ldns_rr_rd_count(rr) == 0 ? NULL : ldns_rdf2str(ldns_rr_rdf(rr, 0));
        size_t used = strlen(text);

        (void)snprintf(text + used, size - used, " %s%s %s %s", mark, owner, type,
                       ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA ? "" : data);
        assert_int_equal(ldns_rr_ttl(rr), 5);
        free(owner);
        free(type);
        free(data);
    }
}

static void describe(const ldns_pkt *packet, char *text, size_t size)
{
    char *rcode = ldns_pkt_rcode2str(ldns_pkt_get_rcode(packet));

    (void)snprintf(text, size, "%s%s%s", rcode, ldns_pkt_aa(packet) ? " aa" : "",
                   ldns_pkt_ra(packet) ? " ra" : "");
    free(rcode);
    describe_section(ldns_pkt_answer(packet), "", text, size);
    describe_section(ldns_pkt_authority(packet), "auth:", text, size);
}

static void expect(const char *name, const char *type, const char *expected)
{
    struct asked asked = make_query(name, type);
    ldns_pkt *packet = ask(&asked, ANSWER_LOCAL);
    char text[1024];

    describe(packet, text, sizeof(text));
    if (strcmp(text, expected) != 0) {
        fail_msg("%s %s: '%s', not '%s'", name, type, text, expected);
    }
    ldns_pkt_free(packet);
}

/* -- Tests -- */

static void answers_by_name_and_type(void **state)
{
    static const char *const rows[][3] = {
        {"web.vm.", "A", "NOERROR aa web.vm. A 172.16.0.2"},
        {"web.vm.", "AAAA", "NOERROR aa web.vm. AAAA fd00:1::2"},
        {"db.vm.", "A", "NOERROR aa db.vm. A 172.16.0.3"},
        {"db.vm.", "AAAA", "NOERROR aa auth:vm. SOA "},
        {"web.vm.", "MX", "NOERROR aa auth:vm. SOA "},
        {"web.vm.", "SOA", "NOERROR aa auth:vm. SOA "},
        {"web.vm.", "NS", "NOERROR aa auth:vm. SOA "},
        {"none.vm.", "A", "NXDOMAIN aa auth:vm. SOA "},
        {"we.vm.", "A", "NXDOMAIN aa auth:vm. SOA "},
        {"webx.vm.", "A", "NXDOMAIN aa auth:vm. SOA "},
        {"x.web.vm.", "A", "NXDOMAIN aa auth:vm. SOA "},
        {"vm.", "SOA", "NOERROR aa vm. SOA "},
        {"vm.", "NS", "NOERROR aa vm. NS _ns.vm."},
        {"vm.", "A", "NOERROR aa auth:vm. SOA "},
        {"_ns.vm.", "A", "NOERROR aa _ns.vm. A 172.16.0.1"},
        {"_ns.vm.", "AAAA", "NOERROR aa _ns.vm. AAAA fd00:1::1"},
        {"web.vm.", "ANY", "NOERROR aa web.vm. HINFO \"RFC8482\""},
        {"none.vm.", "ANY", "NXDOMAIN aa auth:vm. SOA "},
        {"vm.example.", "A", "REFUSED"},
        {"webvm.", "A", "REFUSED"},
        {".", "NS", "REFUSED"},
        {"web.vm.", "AXFR", "REFUSED"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect(rows[i][0], rows[i][1], rows[i][2]);
    }
}

#define V6_NET "0.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa."

static void answers_for_addresses(void **state)
{
    static const char *const rows[][3] = {
        {"2.0.16.172.in-addr.arpa.", "PTR", "NOERROR aa 2.0.16.172.in-addr.arpa. PTR web.vm."},
        {"2.0.16.172.in-addr.arpa.", "A", "NOERROR aa auth:0.16.172.in-addr.arpa. SOA "},
        {"9.0.16.172.in-addr.arpa.", "PTR", "NXDOMAIN aa auth:0.16.172.in-addr.arpa. SOA "},
        {"02.0.16.172.in-addr.arpa.", "PTR", "NXDOMAIN aa auth:0.16.172.in-addr.arpa. SOA "},
        {"x.2.0.16.172.in-addr.arpa.", "PTR", "NXDOMAIN aa auth:0.16.172.in-addr.arpa. SOA "},
        {"0.16.172.in-addr.arpa.", "SOA", "NOERROR aa 0.16.172.in-addr.arpa. SOA "},
        {"0.16.172.in-addr.arpa.", "NS", "NOERROR aa 0.16.172.in-addr.arpa. NS _ns.vm."},
        {"2.1.16.172.in-addr.arpa.", "PTR", "REFUSED"},
        {"16.172.in-addr.arpa.", "PTR", "REFUSED"},
        {"300.0.16.172.in-addr.arpa.", "PTR", "NXDOMAIN aa auth:0.16.172.in-addr.arpa. SOA "},
        {"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0." V6_NET, "PTR",
         "NOERROR aa 2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0." V6_NET " PTR web.vm."},
        {"3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0." V6_NET, "PTR", "NXDOMAIN aa auth:" V6_NET " SOA "},
        {"0.0.0." V6_NET, "PTR", "NOERROR aa auth:" V6_NET " SOA "},
        {"1.0.0." V6_NET, "PTR", "NXDOMAIN aa auth:" V6_NET " SOA "},
        {"in-addr.arpa.", "NS", "REFUSED"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect(rows[i][0], rows[i][1], rows[i][2]);
    }
}

static void cuts_odd_ranges_at_labels(void **state)
{
    struct address gateway = ip("10.1.16.1");

    (void)state;
    assert_true(zone_put_range(zone, &gateway, 20));
    put("3", "far", "10.1.31.7", NULL);
    expect("7.31.1.10.in-addr.arpa.", "PTR", "NOERROR aa 7.31.1.10.in-addr.arpa. PTR far.vm.");
    expect("31.1.10.in-addr.arpa.", "SOA", "NOERROR aa 31.1.10.in-addr.arpa. SOA ");
    expect("7.32.1.10.in-addr.arpa.", "PTR", "REFUSED");
    expect("1.10.in-addr.arpa.", "PTR", "REFUSED");
}

static void follows_changes(void **state)
{
    (void)state;
    expect("web.vm.", "A", "NOERROR aa web.vm. A 172.16.0.2");
    put("1", "web", "172.16.0.9", NULL); /* the same VM, another run */
    expect("web.vm.", "A", "NOERROR aa web.vm. A 172.16.0.9");
    expect("web.vm.", "AAAA", "NOERROR aa auth:vm. SOA ");
    put("7", "web", "172.16.0.7", NULL); /* a new VM with the old name */
    expect("web.vm.", "A", "NOERROR aa web.vm. A 172.16.0.7");
    put("8", "new", "172.16.0.3", NULL); /* a new VM with an old address */
    expect("3.0.16.172.in-addr.arpa.", "PTR", "NOERROR aa 3.0.16.172.in-addr.arpa. PTR new.vm.");
    expect("db.vm.", "A", "NXDOMAIN aa auth:vm. SOA ");
    zone_remove_host(zone, "7");
    zone_remove_host(zone, "7");
    zone_remove_host(zone, "never");
    expect("web.vm.", "A", "NXDOMAIN aa auth:vm. SOA ");
    assert_int_equal(zone_count(zone), 1);
}

static void keeps_the_case_of_the_question(void **state)
{
    struct asked asked = make_query("wEb.Vm.", "A");
    struct asked plain = make_query("web.vm.", "A");
    uint8_t out[ANSWER_MAX];
    enum answer_verdict verdict;
    ldns_pkt *packet = ask(&plain, ANSWER_LOCAL); /* remembered in lower case */
    size_t length;

    (void)state;
    ldns_pkt_free(packet);
    length = ask_bytes(&asked, ANSWER_LOCAL, out, &verdict);
    assert_int_equal(verdict, ANSWER_READY);
    assert_memory_equal(out + 12, "\3wEb\2Vm", 8);
    assert_int_equal(ldns_wire2pkt(&packet, out, length), LDNS_STATUS_OK);
    assert_int_equal(ldns_pkt_ancount(packet), 1);
    ldns_pkt_free(packet);
}

static void copies_flags(void **state)
{
    struct asked asked = make_query("web.vm.", "A");
    ldns_pkt *packet;

    (void)state;
    asked.wire[2] = 0;
    asked.wire[3] = 0x10; /* CD without RD */
    packet = ask(&asked, ANSWER_GUEST);
    assert_false(ldns_pkt_rd(packet));
    assert_true(ldns_pkt_cd(packet));
    assert_true(ldns_pkt_ra(packet));
    assert_true(ldns_pkt_aa(packet));
    ldns_pkt_free(packet);
}

static void speaks_edns(void **state)
{
    struct asked asked = make_query("none.vm.", "A");
    ldns_pkt *packet;

    (void)state;
    packet = ask(&asked, ANSWER_LOCAL);
    assert_false(ldns_pkt_edns(packet));
    ldns_pkt_free(packet);
    add_opt(&asked, 4096, 0, 0x8000);
    packet = ask(&asked, ANSWER_LOCAL);
    assert_true(ldns_pkt_edns(packet));
    assert_int_equal(ldns_pkt_edns_udp_size(packet), 1232);
    assert_int_equal(ldns_pkt_edns_version(packet), 0);
    assert_true(ldns_pkt_edns_do(packet));
    assert_int_equal(ldns_pkt_get_rcode(packet), LDNS_RCODE_NXDOMAIN);
    ldns_pkt_free(packet);
}

static void refuses_other_edns_versions(void **state)
{
    struct asked asked = make_query("web.vm.", "A");
    ldns_pkt *packet;

    (void)state;
    add_opt(&asked, 1232, 1, 0);
    packet = ask(&asked, ANSWER_LOCAL);
    assert_int_equal(ldns_pkt_get_rcode(packet), 0);
    assert_int_equal(ldns_pkt_edns_extended_rcode(packet), 1); /* BADVERS is 16 */
    assert_int_equal(ldns_pkt_ancount(packet), 0);
    ldns_pkt_free(packet);
}

static void repeats_edns_in_refusals(void **state)
{
    struct asked asked = make_query("example.org.", "A");
    ldns_pkt *packet;

    (void)state;
    add_opt(&asked, 1232, 0, 0);
    packet = ask(&asked, ANSWER_LOCAL);
    assert_int_equal(ldns_pkt_get_rcode(packet), LDNS_RCODE_REFUSED);
    assert_true(ldns_pkt_edns(packet));
    ldns_pkt_free(packet);
}

static void expect_verdict(const struct asked *asked, enum answer_view view,
                           enum answer_verdict expected, int rcode)
{
    uint8_t out[ANSWER_MAX];
    enum answer_verdict verdict;
    size_t length = ask_bytes(asked, view, out, &verdict);

    assert_int_equal(verdict, expected);
    if (expected == ANSWER_READY) {
        assert_true(length >= 12);
        assert_int_equal(out[3] & 0x0f, rcode);
        assert_memory_equal(out, asked->wire, 2);
        assert_int_equal(out[2] & 0x80, 0x80);
    }
}

static void forwards_for_guests_only(void **state)
{
    struct asked asked = make_query("example.org.", "A");
    struct asked outside = make_query("2.1.16.172.in-addr.arpa.", "PTR");
    struct asked ours = make_query("none.vm.", "A");

    (void)state;
    expect_verdict(&asked, ANSWER_GUEST, ANSWER_FORWARD, 0);
    expect_verdict(&outside, ANSWER_GUEST, ANSWER_FORWARD, 0);
    expect_verdict(&ours, ANSWER_GUEST, ANSWER_READY, MESSAGE_NXDOMAIN);
    expect_verdict(&asked, ANSWER_LOCAL, ANSWER_READY, MESSAGE_REFUSED);
    asked.wire[2] = 0; /* without RD nobody wants us to ask further */
    expect_verdict(&asked, ANSWER_GUEST, ANSWER_READY, MESSAGE_REFUSED);
}

static void turns_down_what_is_no_query(void **state)
{
    struct asked good = make_query("web.vm.", "A");
    struct asked asked = good;

    (void)state;
    asked.wire[2] |= 0x80; /* an answer */
    expect_verdict(&asked, ANSWER_LOCAL, ANSWER_NONE, 0);
    asked = good;
    asked.length = 11;
    expect_verdict(&asked, ANSWER_LOCAL, ANSWER_NONE, 0);
    asked = good;
    asked.wire[2] |= 5 << 3; /* UPDATE */
    expect_verdict(&asked, ANSWER_LOCAL, ANSWER_READY, MESSAGE_NOTIMP);
    for (size_t length = 12; length < good.length; length++) {
        asked = good;
        asked.length = length;
        expect_verdict(&asked, ANSWER_LOCAL, ANSWER_READY, MESSAGE_FORMERR);
    }
    asked = good;
    asked.wire[asked.length++] = 0; /* something behind it */
    expect_verdict(&asked, ANSWER_LOCAL, ANSWER_READY, MESSAGE_FORMERR);
    asked = good;
    asked.wire[5] = 2; /* two questions */
    expect_verdict(&asked, ANSWER_LOCAL, ANSWER_READY, MESSAGE_FORMERR);
    asked.wire[5] = 0;
    expect_verdict(&asked, ANSWER_LOCAL, ANSWER_READY, MESSAGE_FORMERR);
    asked = good;
    asked.wire[12] = 0xc0; /* a pointer in the question */
    expect_verdict(&asked, ANSWER_LOCAL, ANSWER_READY, MESSAGE_FORMERR);
    asked = good;
    add_opt(&asked, 1232, 0, 0);
    add_opt(&asked, 1232, 0, 0); /* two OPTs */
    expect_verdict(&asked, ANSWER_LOCAL, ANSWER_READY, MESSAGE_FORMERR);
    asked = good;
    asked.wire[asked.length - 1] = 3; /* class CH */
    expect_verdict(&asked, ANSWER_LOCAL, ANSWER_READY, MESSAGE_REFUSED);
}

static void takes_the_longest_names(void **state)
{
    struct asked asked = {.wire = {0x12, 0x34, 1, 0, 0, 1}, .length = 12};

    (void)state;
    for (int i = 0; i < 127; i++) { /* 127 labels of one byte: 255 bytes with the root */
        asked.wire[asked.length++] = 1;
        asked.wire[asked.length++] = 'x';
    }
    memcpy(asked.wire + asked.length, "\0\0\1\0\1", 5);
    asked.length += 5;
    expect_verdict(&asked, ANSWER_LOCAL, ANSWER_READY, MESSAGE_REFUSED);
    memcpy(asked.wire + asked.length - 5, "\1x\0\0\1\0\1", 7); /* one more */
    asked.length += 2;
    expect_verdict(&asked, ANSWER_LOCAL, ANSWER_READY, MESSAGE_FORMERR);
}

static void parses_endpoints(void **state)
{
    static const struct {
        const char *text;
        const char *expected; /* NULL: refused */
    } rows[] = {
        {"127.0.0.1:42069", "127.0.0.1:42069"},
        {"9.9.9.9", "9.9.9.9:53"},
        {"::1", "[::1]:53"},
        {"[fd00::1]:5353", "[fd00::1]:5353"},
        {"[fd00::1]", "[fd00::1]:53"},
        {"", NULL},
        {"host:53", NULL},
        {"1:53", NULL},
        {"1.2.3.4:0", NULL},
        {"1.2.3.4:65536", NULL},
        {"1.2.3.4:", NULL},
        {"[::1", NULL},
        {"[::1]x", NULL},
        {"[1.2.3.4]:53", NULL},
        {":53", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct endpoint endpoint;
        char text[ENDPOINT_TEXT_SIZE];
        bool good = endpoint_parse(rows[i].text, 53, &endpoint);

        if (good != (rows[i].expected != NULL)) {
            fail_msg("'%s'", rows[i].text);
        }
        if (good) {
            endpoint_format(&endpoint, text);
            assert_string_equal(text, rows[i].expected);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(answers_by_name_and_type),
        TEST(answers_for_addresses),
        TEST(cuts_odd_ranges_at_labels),
        TEST(follows_changes),
        TEST(keeps_the_case_of_the_question),
        TEST(copies_flags),
        TEST(speaks_edns),
        TEST(refuses_other_edns_versions),
        TEST(repeats_edns_in_refusals),
        TEST(forwards_for_guests_only),
        TEST(turns_down_what_is_no_query),
        TEST(takes_the_longest_names),
        TEST(parses_endpoints),
    };

    return cmocka_run_group_tests_name("plugin_dns.answer", tests, NULL, NULL);
}
