// Variables of a manifest: templates, where values come from, and secrets that stay inside. And the
// hosts that may be called, as far as they are read.
#include <gtest/gtest.h>

#include "http/spin/outbound_hosts.hpp"
#include "http/spin/variables.hpp"

namespace wrun::test {
namespace {

using namespace http::spin;  // NOLINT(google-build-using-namespace): the words of this test

/// "text|<name>|text", or why it is none.
[[nodiscard]] std::string parts_of(std::string_view text) {
    std::string why;
    const auto parsed = Template::parse(text, why);
    if (!parsed) return "why: " + why;
    EXPECT_EQ(parsed->source(), text);
    std::string result;
    for (const Template::Part& part : parsed->parts())
        result += (result.empty() ? "" : "|") + (part.is_name ? "<" + part.text + ">" : part.text);
    EXPECT_EQ(parsed->is_literal(), result.find('<') == std::string::npos);
    return result;
}

TEST(SpinVariables, TemplatesAreTakenApart) {
    const struct {
        const char* text;
        const char* parts;
    } rows[] = {
        {"", ""},
        {"a", "a"},
        {"a-{{ expr }}-b", "a-|<expr>|-b"},
        {"{{ a }}{{b}}", "<a>|<b>"},
        {"{{\ta\n}}", "<a>"},
        {"}} { } {", "}} { } {"},
        {"{{ a }}}}", "<a>|}}"},
        {"{ { a } }", "{ { a } }"},
        {"{{{ a }}", "why: {{ \"{ a\" }}: a name begins with a small letter"},
        {"{{ a }", "why: \"{{\" without \"}}\""},
        {"{{ a }} {{", "why: \"{{\" without \"}}\""},
        {"{{}}", "why: {{ \"\" }}: a name is empty"},
        {"{{ A }}", "why: {{ \"A\" }}: a name begins with a small letter"},
        {"{{ a b }}", "why: {{ \"a b\" }}: a name has small letters, digits and \"_\" only"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(parts_of(row.text), row.parts) << row.text;
}

TEST(SpinVariables, NamesHaveAGrammar) {
    for (const char* name : {"a", "a1", "a_b", "a_1", "api_token2"})
        EXPECT_EQ(check_variable_name(name), "") << name;
    for (const char* name :
        {"", "1a", "_a", "a_", "a__b", "A", "aB", "a-b", "a.b", "\xc3\xa4", "a "})
        EXPECT_NE(check_variable_name(name), "") << name;
    EXPECT_EQ(environment_name("api_token2"), "SPIN_VARIABLE_API_TOKEN2");
}

[[nodiscard]] std::string value_of(const Variables& variables, std::string_view text) {
    std::string why;
    const auto parsed = Template::parse(text, why);
    EXPECT_TRUE(parsed) << why;
    const auto value = variables.resolve(*parsed);
    return !value ? "nothing" : (value->is_secret ? "secret " : "") + value->text;
}

[[nodiscard]] Variables sample() {
    return Variables{{{"a", {1, 1}, "default a", false}, {"b", {2, 1}, "default b", false},
                         {"c", {3, 1}, {}, true}, {"d", {4, 1}, {}, false}},
        [](const char* name) {
            return std::string_view{name} == "SPIN_VARIABLE_B" ? "b of env" : nullptr;
        }};
}

TEST(SpinVariables, TheCommandLineComesBeforeTheEnvironmentBeforeTheDefault) {
    Variables variables = sample();
    EXPECT_EQ(value_of(variables, "{{ a }}, {{ b }}!"), "default a, b of env!");
    EXPECT_EQ(value_of(variables, "{{ c }}"), "nothing");
    EXPECT_EQ(value_of(variables, "{{ unknown }}"), "nothing");
    std::string why;
    EXPECT_TRUE(variables.set("b=from=cli", why));
    EXPECT_TRUE(variables.set("a=", why));
    EXPECT_TRUE(variables.set("c={{ b }}", why));
    EXPECT_EQ(value_of(variables, "{{ a }}|{{ b }}"), "|from=cli");
    // A value is a value, whatever stands in it.
    EXPECT_EQ(value_of(variables, "x {{ c }}"), "secret x {{ b }}");
}

TEST(SpinVariables, WhatIsMissingIsToldTogether) {
    Variables variables = sample();
    Report report;
    variables.require_all(report);
    ASSERT_EQ(report.findings().size(), 1u);
    EXPECT_EQ(report.text("f"),
        "f:3:1: error: variables without a value: c, d (give them as --variable c=… or in the "
        "environment, SPIN_VARIABLE_C=…)\n");
    std::string why;
    EXPECT_TRUE(variables.set("c=1", why) && variables.set("d=", why));
    Report fine;
    variables.require_all(fine);
    EXPECT_FALSE(fine.has_errors());
}

TEST(SpinVariables, ASecretIsNeverTold) {
    Variables variables = sample();
    std::string why;
    ASSERT_TRUE(variables.set("c=hunter2", why));
    for (const Variables::Shown& one : variables.shown()) {
        EXPECT_EQ(one.value.find("hunter2"), std::string::npos);
        if (one.name == "c") {
            EXPECT_EQ(one.value, "(secret)");
            EXPECT_EQ(one.from, "command line");
        }
    }
    EXPECT_FALSE(variables.set("hunter2", why));
    EXPECT_EQ(why.find("hunter2"), std::string::npos);
    EXPECT_FALSE(variables.set("cc=hunter2", why));
    EXPECT_EQ(why, "the manifest declares no variable \"cc\" (did you mean \"c\"?)");
}

/// "scheme host-kind host port-port", or why not.
[[nodiscard]] std::string host_of(std::string_view text) {
    std::string why;
    const auto host = parse_allowed_host(text, why);
    if (!host) {
        EXPECT_NE(why, "");
        return "no";
    }
    std::string result = host->scheme.empty() ? "*" : host->scheme;
    using Kind = AllowedHost::Kind;
    if (host->kind == Kind::any) result += " any";
    if (host->kind == Kind::itself) result += " self";
    if (host->kind == Kind::name) result += " " + host->name;
    if (host->kind == Kind::subdomains) result += " *." + host->name;
    if (host->kind == Kind::network) {
        for (std::size_t at = 0; at < (host->is_ipv6 ? 16u : 4u); ++at)
            result += (at == 0 ? " " : ".") + std::to_string(host->network[at]);
        result += "/" + std::to_string(host->prefix_bits);
    }
    return result + " " + std::to_string(host->port_first) + "-" + std::to_string(host->port_last);
}

TEST(SpinHosts, AreReadAsSpinReadsThem) {
    const struct {
        const char* text;
        const char* host;
    } rows[] = {
        {"http://example.com", "http example.com 80-80"},
        {"https://Example.COM/", "https example.com 443-443"},
        {"HTTPS://example.com", "https example.com 443-443"},
        {"redis://r", "redis r 6379-6379"},
        {"mysql://db:1", "mysql db 1-1"},
        {"*://*:*", "* any 0-65535"},
        {"*://example.com:8080/", "* example.com 8080-8080"},
        {"http://*.sub.example.com", "http *.sub.example.com 80-80"},
        {"http://self", "http self 80-80"},
        {"http://self.alt", "http self 80-80"},
        {"http://127.0.0.1", "http 127.0.0.1/32 80-80"},
        {"http://10.11.12.13/8:90", "http 10.0.0.0/8 90-90"},
        {"*://192.168.0.0/16:*", "* 192.168.0.0/16 0-65535"},
        {"http://[::1]:8080", "http 0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1/128 8080-8080"},
        {"http://fe80::/10", "http 254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.0/10 80-80"},
        {"http://example.com:8000..8100", "http example.com 8000-8099"},
        {"http://example.com:0..65535", "http example.com 0-65534"},
        {"tcp://h:1", "tcp h 1-1"},
        {"http://h:", "http h 80-80"},
        {"", "no"},
        {"*", "no"},
        {"example.com", "no"},
        {"://h:1", "no"},
        {"h2c://h:1", "no"},
        {"{http,https}://h:1", "no"},
        {"http://{a,b}", "no"},
        {"http://h:{1,2}", "no"},
        {"*://example.com", "no"},
        {"tcp://h", "no"},
        {"http://h/path", "no"},
        {"http://h:80/path", "no"},
        {"http://a.*.com", "no"},
        {"http://*.*.com", "no"},
        {"http://*x.com", "no"},
        {"http://*.10.0.0.1", "no"},
        {"http://", "no"},
        {"http://a..b", "no"},
        {"http://.b", "no"},
        {"http://user@h", "no"},
        {"http://h h", "no"},
        {"http://\xc3\xa4.de", "no"},
        {"http://1.2.3", "no"},
        {"http://1.2.3.256", "no"},
        {"http://10.0.0.0/33", "no"},
        {"http://10.0.0.0/-1", "no"},
        {"http://h:65536", "no"},
        {"http://h:-1", "no"},
        {"http://h:+1", "no"},
        {"http://h:8..8", "no"},
        {"http://h:9..8", "no"},
        {"http://h:1..2..3", "no"},
        {"http://h:x", "no"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(host_of(row.text), row.host) << row.text;
    EXPECT_EQ(host_of("http://" + std::string(64, 'x')), "no");
    EXPECT_EQ(host_of("http://" + std::string(100'000, ':')), "no");
}

}  // namespace
}  // namespace wrun::test
