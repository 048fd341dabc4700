// Requests that two servers have been seen to read differently, one row each with its source: none
// gets past the parser, however the bytes are cut, and what comes behind is never taken for a
// request.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/http/parse.hpp"

namespace wrun::http {
namespace {

using namespace std::string_view_literals;

struct Row {
    const char* name;
    const char* source;
    std::string_view text;
    u16 status;
};

#define WRUN_GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define WRUN_POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define WRUN_CHUNKED WRUN_POST "Transfer-Encoding: chunked\r\n\r\n"

// clang-format off
constexpr Row rows[] = {
    {"cl_te", "Linhart et al. 2005; Kettle 2019 (CL.TE)",
        WRUN_POST "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"sv, 400},
    {"te_cl", "Kettle 2019 (TE.CL)",
        WRUN_POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\nG\r\n0\r\n"
        "\r\n"sv, 400},
    {"te_identity_and_cl", "RFC 9112, 6.3",
        WRUN_POST "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nG"sv, 400},
    {"te_xchunked", "Kettle 2019 (TE.TE)",
        WRUN_POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"sv, 501},
    {"te_chunked_then_identity", "Kettle 2019",
        WRUN_POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_identity_then_chunked", "CVE-2022-32215",
        WRUN_POST "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n"sv, 501},
    {"te_twice", "Kettle 2019",
        WRUN_POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        "\r\n"sv, 400},
    {"te_twice_second_cow", "Kettle 2019",
        WRUN_POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_gzip_chunked", "RFC 9112, 6.1 (a coding we do not know)",
        WRUN_POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"sv, 501},
    {"te_quoted", "smuggler.py",
        WRUN_POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"sv, 501},
    {"te_empty", "smuggler.py",
        WRUN_POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_comma_first", "CVE-2022-32213",
        WRUN_POST "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"sv, 501},
    {"te_vertical_tab", "Kettle 2019",
        WRUN_POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_space_before_colon", "Kettle 2019; RFC 9112, 5.1",
        WRUN_POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_tab_before_colon", "smuggler.py",
        WRUN_POST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_in_http_1_0", "RFC 9112, 6.1; CVE-2021-33197's kin",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_folded", "CVE-2022-32214; Kettle 2019",
        WRUN_POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_fold_after", "RFC 9112, 5.2",
        WRUN_POST "Transfer-Encoding: chunked\r\n x\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_behind_bare_cr", "Kettle 2019 (X: y\\rTransfer-Encoding)",
        WRUN_POST "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_behind_bare_lf", "Kettle 2019 (X: y\\nTransfer-Encoding)",
        WRUN_POST "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_nul_before", "smuggler.py",
        WRUN_POST "Transfer-Encoding: \0chunked\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_nul_behind", "smuggler.py",
        WRUN_POST "Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_name_with_nul", "smuggler.py",
        WRUN_POST "Transfer\0-Encoding: chunked\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_name_beyond_ascii", "smuggler.py",
        WRUN_POST "Transfer-Encoding\xff: chunked\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_named_by_connection_with_cl", "Davison 2020 (hop-by-hop abuse)",
        WRUN_POST "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n"
        "Content-Length: 5\r\n\r\n0\r\n\r\n"sv, 400},
    {"te_kelvin_sign", "case folding beyond ASCII",
        WRUN_POST "Transfer-Encoding: chun\xe2\x84\xaa" "ed\r\n\r\n0\r\n\r\n"sv, 501},
    {"cl_differing", "RFC 9112, 6.3",
        WRUN_POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nGG"sv, 400},
    {"cl_twice_the_same", "RFC 9112, 6.3 (may be refused)",
        WRUN_POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nG"sv, 400},
    {"cl_list", "RFC 9110, 8.6",
        WRUN_POST "Content-Length: 1, 1\r\n\r\nG"sv, 400},
    {"cl_list_differing", "RFC 9110, 8.6",
        WRUN_POST "Content-Length: 1,2\r\n\r\nG"sv, 400},
    {"cl_plus", "CVE-2018-7159's kin; RFC 9110, 8.6",
        WRUN_POST "Content-Length: +1\r\n\r\nG"sv, 400},
    {"cl_minus", "RFC 9110, 8.6",
        WRUN_POST "Content-Length: -1\r\n\r\nG"sv, 400},
    {"cl_hexadecimal", "T-Reqs 2021",
        WRUN_POST "Content-Length: 0x1\r\n\r\nG"sv, 400},
    {"cl_fraction", "T-Reqs 2021",
        WRUN_POST "Content-Length: 1.0\r\n\r\nG"sv, 400},
    {"cl_space_inside", "CVE-2018-7159",
        WRUN_POST "Content-Length: 1 1\r\n\r\nGGGGGGGGGGG"sv, 400},
    {"cl_underscored_digits", "PEP 515 in servers",
        WRUN_POST "Content-Length: 1_0\r\n\r\nG"sv, 400},
    {"cl_empty", "RFC 9110, 8.6",
        WRUN_POST "Content-Length:\r\n\r\n"sv, 400},
    {"cl_overflow", "integers that wrap",
        WRUN_POST "Content-Length: 18446744073709551617\r\n\r\nG"sv, 400},
    {"cl_name_behind_space", "CVE-2024-27982",
        WRUN_POST " Content-Length: 1\r\n\r\nG"sv, 400},
    {"cl_name_behind_space_first", "CVE-2024-27982",
        "POST / HTTP/1.1\r\n Content-Length: 1\r\nHost: a\r\n\r\nG"sv, 400},
    {"cl_space_before_colon", "CVE-2019-16869",
        WRUN_POST "Content-Length : 1\r\n\r\nG"sv, 400},
    {"cl_folded", "RFC 9112, 5.2",
        WRUN_POST "Content-Length:\r\n 1\r\n\r\nG"sv, 400},
    {"cl_cr_before_name", "CVE-2019-9515's time; smuggler.py",
        WRUN_POST "\rContent-Length: 1\r\n\r\nG"sv, 400},
    {"chunk_size_empty", "RFC 9112, 7.1",
        WRUN_CHUNKED "\r\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_size_hexadecimal_prefix", "CVE-2020-10719's kin",
        WRUN_CHUNKED "0x1\r\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_size_minus", "RFC 9112, 7.1",
        WRUN_CHUNKED "-1\r\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_size_plus", "RFC 9112, 7.1",
        WRUN_CHUNKED "+1\r\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_size_underscored", "PEP 515 in servers",
        WRUN_CHUNKED "1_0\r\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_size_overflow", "CVE-2013-2028",
        WRUN_CHUNKED "fffffffffffffffff\r\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_size_wraps_to_one", "integers that wrap",
        WRUN_CHUNKED "10000000000000001\r\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_size_space_before", "T-Reqs 2021",
        WRUN_CHUNKED " 1\r\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_size_space_behind", "CVE-2021-22960's time",
        WRUN_CHUNKED "1 \r\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_size_bare_lf", "Kettle 2025; TERM.EXT (Wallace 2025)",
        WRUN_CHUNKED "1\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_size_bare_cr", "CVE-2024-24549's kin",
        WRUN_CHUNKED "1\rXG\r\n0\r\n\r\n"sv, 400},
    {"chunk_extension_bare_lf", "CVE-2021-22960; EXT.TERM (Wallace 2025)",
        WRUN_CHUNKED "1;a\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_extension_bare_cr", "CVE-2021-22960",
        WRUN_CHUNKED "1;a\rb\r\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_extension_nul", "CVE-2021-22960",
        WRUN_CHUNKED "1;a=\0\r\nG\r\n0\r\n\r\n"sv, 400},
    {"chunk_data_without_end", "SPILL.TERM (Wallace 2025)",
        WRUN_CHUNKED "1\r\nG0\r\n\r\n"sv, 400},
    {"chunk_data_ends_in_two_others", "SPILL.TWO (Wallace 2025)",
        WRUN_CHUNKED "1\r\nGXX0\r\n\r\n"sv, 400},
    {"chunk_data_bare_lf_behind", "ONE.TWO (Wallace 2025)",
        WRUN_CHUNKED "1\r\nG\n0\r\n\r\n"sv, 400},
    {"chunk_last_bare_lf", "RFC 9112, 7.1",
        WRUN_CHUNKED "0\n\n"sv, 400},
    {"chunk_last_followed_by_bare_lf", "RFC 9112, 7.1",
        WRUN_CHUNKED "0\r\n\nGET"sv, 400},
    {"trailer_space_before_colon", "RFC 9112, 7.1.2",
        WRUN_CHUNKED "0\r\nX : y\r\n\r\n"sv, 400},
    {"trailer_folded", "RFC 9112, 7.1.2",
        WRUN_CHUNKED "0\r\nX: y\r\n z\r\n\r\n"sv, 400},
    {"host_missing", "RFC 9112, 3.2",
        "GET / HTTP/1.1\r\n\r\n"sv, 400},
    {"host_twice", "RFC 9112, 3.2; Kettle 2013",
        WRUN_GET "Host: b\r\n\r\n"sv, 400},
    {"host_twice_the_same", "RFC 9112, 3.2",
        WRUN_GET "Host: a\r\n\r\n"sv, 400},
    {"host_twice_in_http_1_0", "RFC 9112, 3.2",
        "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"sv, 400},
    {"host_space_before_colon", "CVE-2020-11724's kin",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n"sv, 400},
    {"host_first_folded", "HTTP Host header attacks, Kettle 2013",
        "GET / HTTP/1.1\r\n Host: a\r\nHost: b\r\n\r\n"sv, 400},
    {"host_with_user", "RFC 9110, 4.2.4",
        "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"sv, 400},
    {"host_with_path", "Kettle 2013",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"sv, 400},
    {"host_with_space", "Kettle 2013",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"sv, 400},
    {"host_list", "Kettle 2013",
        "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"sv, 400},
    {"host_port_no_number", "Kettle 2013",
        "GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n"sv, 400},
    {"host_unlike_target", "Kettle 2013; RFC 9112, 3.2.2",
        "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target_with_user", "RFC 9110, 4.2.4",
        "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target_other_scheme", "request routing, Kettle 2017",
        "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target_without_slash", "Kettle 2017",
        "GET @b/ HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target_asterisk", "RFC 9112, 3.2.4",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target_fragment", "RFC 9112, 3.2",
        "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target_nul", "RFC 9112, 3.2",
        "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target_delete", "RFC 3986",
        "GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target_beyond_ascii", "RFC 3986",
        "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target_with_space", "RFC 9112, 3.2",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"target_bare_cr", "RFC 9112, 2.2",
        "GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"connect", "tunnels are none of ours",
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"sv, 501},
    {"line_two_spaces", "RFC 9112, 3",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"line_tab", "RFC 9112, 3",
        "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"sv, 501},
    {"line_two_spaces_behind_target", "RFC 9112, 3",
        "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"line_space_at_end", "RFC 9112, 3",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"sv, 505},
    {"line_space_first", "RFC 9112, 3",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"line_bare_lf", "RFC 9112, 2.2",
        "GET / HTTP/1.1\nHost: a\r\n\r\n"sv, 505},
    {"line_bare_cr", "RFC 9112, 2.2",
        "GET / HTTP/1.1\rHost: a\r\n\r\n"sv, 400},
    {"line_without_version", "llhttp 877 (HTTP/0.9)",
        "GET /\r\nHost: a\r\n\r\n"sv, 400},
    {"line_without_version_bare_lf", "llhttp 877",
        "GET /\nHost: a\r\n\r\n"sv, 400},
    {"all_bare_lf", "RFC 9112, 2.2",
        "GET / HTTP/1.1\nHost: a\n\n"sv, 505},
    {"fields_bare_lf", "RFC 9112, 2.2",
        "GET / HTTP/1.1\r\nHost: a\n\r\n"sv, 400},
    {"head_ends_bare_lf", "RFC 9112, 2.2",
        WRUN_GET "\n"sv, 400},
    {"head_ends_bare_cr", "CVE-2022-32214; CVE-2023-30589",
        WRUN_GET "\rGET / HTTP/1.1\r\nHost: b\r\n\r\n"sv, 400},
    {"value_ends_bare_cr", "CVE-2023-30589",
        "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"sv, 400},
    {"version_0_9", "RFC 9112, 2.3",
        "GET / HTTP/0.9\r\nHost: a\r\n\r\n"sv, 505},
    {"version_1_2", "RFC 9112, 2.3",
        "GET / HTTP/1.2\r\nHost: a\r\n\r\n"sv, 505},
    {"version_2_0", "RFC 9112, 2.3",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n"sv, 505},
    {"version_1_10", "T-Reqs 2021",
        "GET / HTTP/1.10\r\nHost: a\r\n\r\n"sv, 505},
    {"version_lower_case", "T-Reqs 2021",
        "GET / http/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"version_rtsp", "another protocol",
        "GET / RTSP/1.0\r\nHost: a\r\n\r\n"sv, 400},
    {"preface_of_http_2", "RFC 9113, 3.4",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"sv, 400},
    {"method_unknown", "RFC 9110, 9.1",
        "GETT / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 501},
    {"method_lower_case", "RFC 9110, 9.1",
        "get / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"tls_hello", "another protocol",
        "\x16\x03\x01\x02\0\x01\0"sv, 400},
    {"field_without_colon", "RFC 9112, 5",
        WRUN_GET "X\r\n\r\n"sv, 400},
    {"field_without_name", "CVE-2023-25725 (HAProxy)",
        WRUN_GET ": x\r\n\r\n"sv, 400},
    {"field_name_with_space", "RFC 9110, 5.6.2",
        WRUN_GET "X Y: z\r\n\r\n"sv, 400},
    {"field_value_nul", "RFC 9110, 5.5",
        WRUN_GET "X: \0\r\n\r\n"sv, 400},
    {"field_value_escape", "RFC 9110, 5.5",
        WRUN_GET "X: \x1b[0m\r\n\r\n"sv, 400},
    {"blank_lines_two", "RFC 9112, 2.2",
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"blank_line_bare_lf", "RFC 9112, 2.2",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
    {"blank_line_bare_cr", "RFC 9112, 2.2",
        "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"sv, 400},
};
// clang-format on

void expect_refused(const Row& row, const std::vector<std::string_view>& pieces) {
    const auto results = parse(pieces);
    ASSERT_EQ(results.size(), 1u) << row.name << " (" << row.source << ")";
    EXPECT_EQ(results.front().status, row.status) << row.name << " (" << row.source << ")";
}

TEST(RequestSmuggling, IsRefusedWhole) {
    for (const Row& row : rows)
        expect_refused(row, {row.text});
}

TEST(RequestSmuggling, IsRefusedByteByByte) {
    for (const Row& row : rows)
        expect_refused(row, bytewise(row.text));
}

TEST(RequestSmuggling, IsRefusedWhereverItIsCut) {
    for (const Row& row : rows) {
        for (std::size_t cut = 1; cut < row.text.size(); cut++)
            expect_refused(row, {row.text.substr(0, cut), row.text.substr(cut)});
    }
}

TEST(RequestSmuggling, IsRefusedBehindAGoodRequest) {
    for (const Row& row : rows) {
        const std::string text = "GET /first HTTP/1.1\r\nHost: a\r\n\r\n" + std::string{row.text};
        const auto results = parse({text});
        ASSERT_EQ(results.size(), 2u) << row.name;
        EXPECT_EQ(results[0].target, "/first") << row.name;
        EXPECT_EQ(results[1].status, row.status) << row.name;
    }
}

}  // namespace
}  // namespace wrun::http
