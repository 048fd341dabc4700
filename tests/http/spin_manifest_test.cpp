// spin.toml of version 2: what is acted on, what is warned about, and errors with their places.
#include "http/spin/manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/spin/fields.hpp"

namespace wrun::test {
namespace {

using namespace http::spin;  // NOLINT(google-build-using-namespace): the words of this test
using testing::HasSubstr;

constexpr std::string_view head = R"(spin_manifest_version = 2
[application]
name = "app"
)";

/// All that is told of it, after three lines of a head that is fine.
[[nodiscard]] std::string told(std::string_view rest, std::string_view before = head) {
    Report report;
    (void)read_manifest(std::string{before} + std::string{rest}, report);
    return report.text("f");
}

/// A component and a trigger with these lines in the component, from line 10 on.
[[nodiscard]] std::string in_component(std::string_view lines) {
    return told(
        "[variables]\nv = {default = \"d\"}\n[[trigger.http]]\nroute = \"/\"\n"
        "component = \"c\"\n[component.c]\n" +
        std::string{lines} + (lines.find("source") == 0 ? "" : "\nsource = \"c.wasm\"\n"));
}

/// A trigger with these lines, from line 7 on.
[[nodiscard]] std::string in_trigger(std::string_view lines) {
    return told("[component.c]\nsource = \"c.wasm\"\n[[trigger.http]]\n" + std::string{lines});
}

TEST(SpinManifest, AllThatIsActedOnIsRead) {
    Report report;
    const Manifest manifest = read_manifest(R"(spin_manifest_version = 2
[application]
name = "shop"
version = "1.2.3"
description = "sells"
authors = ["a"]
[application.tool.lint]
x = 1
[variables]
token = { required = true, secret = true }
region = { default = "eu", description = "where" }
[[trigger.http]]
id = "t1"
route = "/api/:item/..."
component = "api-v2"
executor = { type = "wagi", argv = "a b ${ARGS}", entrypoint = "_start" }
[[trigger.http]]
route = "/hi"
static_response = { status_code = 201, body = "hi", headers = { content-type = "text/plain" } }
[[trigger.http]]
route = "/inline/..."
component = { source = "i.wasm" }
executor = { type = "http" }
[component.api-v2]
source = "api.wasm"
description = "d"
environment = { REGION = "in {{ region }}", A = "" }
files = ["assets/**/*", { source = "s", destination = "/d" }]
exclude_files = ["**/*.bak"]
allowed_outbound_hosts = []
[component.api-v2.build]
command = "make"
)",
        report);
    EXPECT_EQ(report.text("f"), "");
    EXPECT_EQ(manifest.name, "shop");
    EXPECT_EQ(manifest.version, "1.2.3");
    EXPECT_EQ(manifest.description, "sells");
    ASSERT_EQ(manifest.variables.size(), 2u);
    EXPECT_TRUE(manifest.variables[0].is_secret);
    EXPECT_FALSE(manifest.variables[0].default_value);
    EXPECT_EQ(manifest.variables[1].default_value, "eu");
    ASSERT_EQ(manifest.components.size(), 2u);
    const Component& api = manifest.components[0];
    EXPECT_EQ(api.id, "api-v2");
    EXPECT_EQ(api.source, "api.wasm");
    ASSERT_EQ(api.environment.size(), 2u);
    EXPECT_EQ(api.environment[0].name, "REGION");
    ASSERT_EQ(api.files.size(), 2u);
    EXPECT_EQ(api.files[0].source, "assets/**/*");
    EXPECT_FALSE(api.files[0].destination);
    EXPECT_EQ(api.files[1].destination, "/d");
    EXPECT_EQ(api.exclude_files, std::vector<std::string>{"**/*.bak"});
    ASSERT_EQ(manifest.triggers.size(), 3u);
    const Trigger& first = manifest.triggers[0];
    EXPECT_EQ(first.id, "t1");
    EXPECT_EQ(first.route, "/api/:item/...");
    EXPECT_EQ(first.component, 0u);
    EXPECT_EQ(first.executor, Trigger::Executor::wagi);
    EXPECT_EQ(first.argv, "a b ${ARGS}");
    const Trigger& second = manifest.triggers[1];
    ASSERT_TRUE(second.static_response);
    EXPECT_EQ(second.static_response->status, 201u);
    EXPECT_EQ(second.static_response->body, "hi");
    EXPECT_EQ(second.static_response->fields.at(0).second, "text/plain");
    EXPECT_EQ(manifest.triggers[2].component, 1u);
    EXPECT_EQ(manifest.components[1].id, "http-trigger3-component");

    const Variables variables{
        manifest.variables, [](const char*) -> const char* { return nullptr; }};
    const auto environment = resolve_environment(api, variables, report);
    ASSERT_EQ(environment.size(), 2u);
    EXPECT_EQ(environment[0].text, "REGION=in eu");
    EXPECT_FALSE(environment[0].is_secret);
}

TEST(SpinManifest, OtherVersionsAreRefusedByName) {
    EXPECT_EQ(told("", "spin_manifest_version = \"1\"\nname = \"x\"\n[[component]]\nid = \"c\"\n"),
        "f:1:25: error: a manifest of version 1: only version 2 is read (`spin doctor` rewrites "
        "it)\n");
    EXPECT_THAT(told("", "spin_manifest_version = 1\n"), HasSubstr("of version 1"));
    EXPECT_THAT(told("", "spin_version = \"1\"\n"), HasSubstr("of version 1"));
    EXPECT_THAT(
        told("", "spin_manifest_version = 3\n"), HasSubstr("f:1:25: error: spin_manifest_"));
    EXPECT_THAT(told("", "spin_manifest_version = 2020-01-01\n"), HasSubstr("number 2"));
    EXPECT_THAT(told("", ""), HasSubstr("f: error: spin_manifest_version = 2 is missing"));
}

TEST(SpinManifest, AllErrorsAreToldAtOnce) {
    EXPECT_EQ(told("[[trigger.http]]\nroute = \"/a\"\ncomponent = \"helo\"\n"
                   "[[trigger.http]]\nroute = \"/a/\"\ncomponent = \"hello\"\n"
                   "[component.hello]\nsourec = \"x\"\nfiles = [1979-05-27]\n"),
        "f:6:13: error: there is no component \"helo\" (did you mean \"hello\"?)\n"
        "f:8:9: error: route \"/a/\": it meets the same paths as \"/a\" of line 5\n"
        "f:10:1: error: component.hello.source is missing\n"
        "f:11:1: error: component.hello: unknown field \"sourec\" (did you mean \"source\"?)\n"
        "f:12:10: error: component.hello.files: expected an array of strings and tables, found a "
        "date or time in it\n");
}

TEST(SpinManifest, EachErrorHasItsPlaceAndItsWords) {
    const struct {
        std::string all;
        const char* text;
    } rows[] = {
        {told(""), "f:1:1: error: trigger is missing"},
        {told("[trigger]\n"), "error: no [[trigger.http]]"},
        {told("[trigger.http]\nroute = \"/\"\n"), "error: trigger.http: expected an array of"},
        {told("trigger = 1\n", "spin_manifest_version = 2\n"),
            "expected a table, found an integer"},
        {told("", "spin_manifest_version = 2\n"), "error: application is missing"},
        {told("version = 1\n"),
            "f:4:11: error: application.version: expected a string, found an in"},
        {told("authors = [\"a\", 2]\n"),
            "f:4:17: error: application.authors: expected an array of st"},
        {told("naem = \"x\"\n"),
            "f:4:1: error: application: unknown field \"naem\" (did you mean \"na"},
        {told("[variablez]\n"),
            "f:4:2: error: unknown field \"variablez\" (did you mean \"variables\"?)"},
        {told("[variables]\nA = {}\n"),
            "f:5:1: error: variables.A: a name begins with a small letter"},
        {told("[variables]\na = {secert = true}\n"), "f:5:6: error: variables.a: unknown field"},
        {told("[variables]\na = {default = 1}\n"),
            "f:5:16: error: variables.a.default: expected a st"},
        {told("[variables]\na = \"x\"\n"), "f:5:5: error: variables: expected a table of tables"},
        {told("[component.a_b]\nsource = \"x\"\n"),
            "f:4:12: error: component \"a_b\": words of an"},
        {told("[component.aB]\nsource = \"x\"\n"), "all small or all capital"},
        {told("[component.1a]\nsource = \"x\"\n"), "begin with a letter"},
        {told("[component.\"a-\"]\nsource = \"x\"\n"), "empty word"},
        {told("[component.\"\"]\nsource = \"x\"\n"), "an id is empty"},
        {told("[component.\"a\\u0000b\"]\nsource = \"x\"\n"),
            "component \"a\\x00b\": an id has letters"},
        {in_component("source = \"\""),
            "f:10:10: error: component.c.source: not the path of a file"},
        {in_component("source = \"a\\u0000b\""), "component.c.source: not the path of a file"},
        {in_component("source = {url = \"u\", digest = \"d\"}"),
            "f:10:11: error: component.c.source.u"},
        {in_component("source = {package = \"a:b\", version = \"1\"}"),
            "source.package: modules are n"},
        {in_component("source = {digest = \"d\"}"),
            "error: component.c.source: neither a path nor"},
        {in_component("source = {path = \"d\"}"), "component.c.source: unknown field \"path\""},
        {in_component("source = 1"), "component.c.source: expected a string or a table"},
        {in_component("environment = {A = 1}"),
            "f:10:20: error: component.c.environment: expected a"},
        {in_component("environment = {\"A=B\" = \"\"}"), "environment.A=B: no name of a variable"},
        {in_component("environment = {\"\" = \"\"}"), "no name of a variable"},
        {in_component("environment = {A = \"\\u0000\"}"), "environment.A: a NUL"},
        {in_component("environment = {A = \"{{ w }}\"}"),
            "[variables] declares no \"w\" (did you mean"},
        {in_component("environment = {A = \"{{ v\"}"), "environment.A: \"{{\" without \"}}\""},
        {in_component("variables = {B = \"\"}"), "component.c.variables.B: a name begins with"},
        {in_component("files = [{source = \"a\"}]"), "component.c.files.destination is missing"},
        {in_component("files = [{source = \"a\", destination = \"b\", mode = \"rw\"}]"),
            "field \"mode\""},
        {in_component("files = [\"\"]"), "an empty pattern"},
        {in_component("files = [\"a\\u0000\"]"), "a NUL in a path"},
        {in_component("files = \"a\""),
            "expected an array of strings and tables, found a string\n"},
        {in_component("allowed_outbound_hosts = [\"h\"]"),
            "f:10:27: error: component.c.allowed_outbo"},
        {in_component("build = {}"), "component.c.build.command is missing"},
        {in_component("build = {command = [1]}"),
            "component.c.build.command: expected a string or a"},
        {in_component("[component.c.profile.p]\nsauce = \"x\"\n"),
            "profile.p: unknown field \"sauce\""},
        {in_component("dependencies = {\"a:b\" = 1}"),
            "dependencies: expected a string or a table"},
        {in_component("dependencies = {\"a:b\" = {pat = \"x\"}}"),
            "unknown field \"pat\" (did you m"},
        {in_component("targets = [{ur = \"x\"}]"), "targets: unknown field \"ur\""},
        {in_component("key_value_stores = [true]"),
            "key_value_stores: expected an array of strings"},
        {in_trigger("component = \"c\"\n"), "f:6:1: error: trigger.http.route is missing"},
        {in_trigger("route = \"/\"\n"),
            "f:6:1: error: trigger.http: component or static_response is"},
        {in_trigger("route = \"/\"\ncomponent = \"c\"\nstatic_response = {}"),
            "both component and"},
        {in_trigger("route = false\ncomponent = \"c\"\n"),
            "f:7:9: error: trigger.http.route: expected"},
        {in_trigger("route = {private = false}\ncomponent = \"c\"\n"),
            "a pattern or { private = true"},
        {in_trigger("route = {privat = true}\ncomponent = \"c\"\n"), "unknown field \"privat\""},
        {in_trigger("route = \"x\"\ncomponent = \"c\"\n"),
            "route \"x\": a route begins with \"/\""},
        {in_trigger("route = \"/.well-known/spin/x\"\ncomponent = \"c\"\n"), "is the server's"},
        {in_trigger("route = \"/.well-known/spin/...\"\ncomponent = \"c\"\n"), "is the server's"},
        {in_trigger("route = \"/%2ewell-known/spin/:x\"\ncomponent = \"c\"\n"), "route \"/%2ewell"},
        {in_trigger("route = \"/\"\ncomponent = 7\n"),
            "expected a string or a table, found an integer"},
        {in_trigger("route = \"/\"\ncomponent = {}\n"),
            "component.http-trigger1-component.source is m"},
        {in_trigger("route = \"/\"\ncomponent = \"c\"\nexecutor = {}"), "executor.type is missing"},
        {in_trigger("route = \"/\"\ncomponent = \"c\"\nexecutor = {type = \"wagy\"}"),
            "mean \"wagi\""},
        {in_trigger("route = \"/\"\ncomponent = \"c\"\nexecutor = {type = \"http\", argv = \"\"}"),
            "argv and entrypoint are those of the type wagi"},
        {in_trigger(
             "route = \"/\"\ncomponent = \"c\"\nexecutor = {type = \"wagi\", entrypoint = \"m\"}"),
            "modules begin at"},
        {in_trigger("route = \"/\"\ncomponent = \"c\"\ncomponents = {a = \"c\"}"), "may guard"},
        {in_trigger(
             "route = \"/\"\ncomponent = \"c\"\ndependencies = {middleware = [{path = \"a\"}]}"),
            "f:9:1: error: trigger.http.dependencies: not supported yet, and it may guard"},
        {in_trigger("route = \"/\"\nstatic_response = {status_code = 199}"), "from 200 to 599"},
        {in_trigger("route = \"/\"\nstatic_response = {status_code = 600}"), "from 200 to 599"},
        {in_trigger("route = \"/\"\nstatic_response = {status_code = 204, body = \"x\"}"),
            "has no body"},
        {in_trigger("route = \"/\"\nstatic_response = {headers = {\"a b\" = \"\"}}"),
            "no name of a fie"},
        {in_trigger("route = \"/\"\nstatic_response = {headers = {a = \"x\\r\\ny\"}}"),
            "control char"},
        {in_trigger("route = \"/\"\nstatic_response = {headers = {Content-Length = \"9\"}}"),
            "server's"},
        {in_trigger("route = \"/\"\nstatic_response = {header = {}}"),
            "(did you mean \"headers\"?)"},
        {in_trigger("route = \"/\"\nstatic_response = {}\nexecutor = {type = \"http\"}"),
            "has no exec"},
    };
    for (const auto& row : rows) {
        EXPECT_THAT(row.all, HasSubstr(row.text));
        EXPECT_THAT(row.all, HasSubstr(": error: "));
    }
}

TEST(SpinManifest, WhatIsNotActedOnIsAWarningThatNamesIt) {
    const struct {
        std::string all;
        const char* text;
    } rows[] = {
        {in_component("key_value_stores = [\"default\"]"),
            "f:10:1: warning: component.c.key_value_stor"},
        {in_component("sqlite_databases = [\"default\"]"),
            "warning: component.c.sqlite_databases is n"},
        {in_component("ai_models = [\"m\"]"), "warning: component.c.ai_models is not acted on"},
        {in_component("allowed_http_hosts = [\"m\"]"),
            "warning: component.c.allowed_http_hosts is not"},
        {in_component("allowed_outbound_hosts = [\"http://h\"]"),
            "is checked, but not used yet: guests"},
        {in_component("variables = {a = \"{{ v }}\"}"),
            "warning: component.c.variables is checked, but"},
        {in_component("dependencies = {\"a:b\" = \"1\"}"),
            "warning: component.c.dependencies is not act"},
        {in_component("dependencies_inherit_configuration = true"),
            "inherit_configuration is not acted"},
        {in_component("[component.other]\nsource = \"o\"\n[component.c]\n"), ""},
        {in_trigger("route = {private = true}\ncomponent = \"c\"\n"),
            "f:7:9: warning: trigger.http.route"},
        {in_trigger("route = \"/\"\nstatic_response = {}\n"),
            "warning: component \"c\" has no [[trigger"},
        {in_trigger("route = \"/\"\ncomponent = \"c\"\n[[trigger.redis]]\nchannel = \"x\""),
            "warning: triggers of the type \"redis\" are not served"},
        {told("[application.trigger.http]\nbase = \"/x\"\n[[trigger.http]]\nroute = \"/\"\n"
              "static_response = {}\n"),
            "warning: application.trigger is not acted on"},
    };
    for (const auto& row : rows) {
        if (*row.text == '\0') continue;
        EXPECT_THAT(row.all, HasSubstr(row.text));
        EXPECT_THAT(row.all, testing::Not(HasSubstr("error")));
    }
    // Empty, it says nothing.
    EXPECT_EQ(
        in_component("key_value_stores = []\nallowed_outbound_hosts = []\nvariables = {}"), "");
    EXPECT_EQ(in_component("build = {command = [\"a\"], workdir = \"b\", watch = [\"c\"]}"), "");
    EXPECT_EQ(in_component("tool = {x = {y = 1}}\ntargets = [\"t\", {path = \"p\"}]"), "");
}

TEST(SpinManifest, EveryFieldOfTheTableIsKnownAndHasAType) {
    // A value of no field's type: each known name complains about the type, none about the name.
    u32 typed = 0;
    for (const FieldRow& row : field_rows()) {
        Report report;
        const auto table = parse_toml(std::string{row.name} + " = 1979-05-27\n", report);
        ASSERT_TRUE(table);
        const Fields fields{*table, row.table, "x", report};
        EXPECT_THAT(report.text("f"), testing::Not(HasSubstr("unknown field"))) << row.name;
        if (row.type == FieldType::any) continue;
        ++typed;
        EXPECT_THAT(report.text("f"), HasSubstr("found a date or time")) << row.name;
        EXPECT_EQ(fields.find(row.name), nullptr);
    }
    EXPECT_GT(typed, 50u);
}

TEST(SpinManifest, HostsAreCheckedAgainWithTheValuesOfVariablesWhichAreNotTold) {
    Report report;
    const Manifest manifest = read_manifest(std::string{head} + R"(
[variables]
host = { secret = true, default = "hunter2/path" }
none = { default = "" }
port = { default = "81" }
[[trigger.http]]
route = "/"
component = "c"
[component.c]
source = "c.wasm"
allowed_outbound_hosts = ["http://{{ host }}", "{{ none }}", "https://{{ none }}", "http://h:{{ port }}"]
environment = { A = "{{ host }}", B = "{{ port }}" }
)",
        report);
    ASSERT_FALSE(report.has_errors()) << report.text("f");
    const Variables variables{
        manifest.variables, [](const char*) -> const char* { return nullptr; }};
    const auto hosts = resolve_hosts(manifest.components[0], variables, report);
    ASSERT_EQ(hosts.size(), 1u);
    EXPECT_EQ(hosts[0].port_first, 81);
    EXPECT_THAT(
        report.text("f"), HasSubstr("\"http://{{ host }}\" with the values of its variables"));
    EXPECT_THAT(report.text("f"), testing::Not(HasSubstr("hunter2")));
    const auto environment = resolve_environment(manifest.components[0], variables, report);
    EXPECT_TRUE(environment.at(0).is_secret);
    EXPECT_FALSE(environment.at(1).is_secret);
}

TEST(SpinManifest, TenThousandRoutesAreRead) {
    std::string text{head};
    text += "[component.c]\nsource = \"c\"\n";
    for (int number = 0; number < 10'000; ++number)
        text +=
            "[[trigger.http]]\nroute = \"/r" + std::to_string(number) + "\"\ncomponent = \"c\"\n";
    Report report;
    EXPECT_EQ(read_manifest(text, report).triggers.size(), 10'000u);
    EXPECT_EQ(report.text("f"), "");
    // The same with an error each: told with an end.
    text = head;
    for (int number = 0; number < 10'000; ++number)
        text += "[[trigger.http]]\nroute = 1\ncomponent = \"no\"\n";
    Report errors;
    (void)read_manifest(text, errors);
    EXPECT_THAT(errors.text("f"), HasSubstr("more errors"));
    EXPECT_LT(errors.text("f").size(), 20'000u);
}

TEST(SpinManifest, MutatedItNeverFails) {
    const std::string whole = std::string{head} + R"([variables]
v = {default = "d", secret = true}
[[trigger.http]]
route = "/a/:b/..."
component = {source = "x", files = ["a", {source = "b", destination = "c"}]}
executor = {type = "wagi", argv = "x"}
[[trigger.http]]
route = {private = true}
component = "c"
[component.c]
source = "c.wasm"
environment = {A = "{{ v }}"}
allowed_outbound_hosts = ["http://h:{{ v }}"]
)";
    u64 seed = 1;
    for (int round = 0; round < 4'000; ++round) {
        std::string text = whole;
        for (int edit = 0; edit < 2; ++edit) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            const std::size_t at = (seed >> 33) % text.size();
            constexpr std::string_view bytes{"\0\"'[]{}=.,\n1t#/:-\xff", 18};
            text[at] = bytes[(seed >> 20) % bytes.size()];
        }
        Report report;
        const Manifest manifest = read_manifest(text, report);
        if (report.has_errors()) continue;
        for (const Trigger& trigger : manifest.triggers)
            ASSERT_TRUE(trigger.component.has_value() != trigger.static_response.has_value());
    }
}

TEST(SpinManifest, TellsComponentsFromModules) {
    const u8 module[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    const u8 component[] = {0, 'a', 's', 'm', 13, 0, 1, 0};
    const u8 other[] = {0, 'e', 'l', 'f', 13, 0, 1, 0};
    EXPECT_EQ(wasm_kind(module), WasmKind::module);
    EXPECT_EQ(wasm_kind(component), WasmKind::component);
    EXPECT_EQ(wasm_kind(other), WasmKind::neither);
    EXPECT_EQ(wasm_kind(std::span{component}.first(7)), WasmKind::neither);
    EXPECT_EQ(wasm_kind({}), WasmKind::neither);
}

}  // namespace
}  // namespace wrun::test
