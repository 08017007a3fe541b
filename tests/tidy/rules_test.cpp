// Each rule shown to fire on a bad snippet and to stay silent on a good one.
#include <gtest/gtest.h>

#include "tests/tidy/calls.hpp"
#include "tests/tidy/catalogue.hpp"
#include "tests/tidy/includes.hpp"
#include "tests/tidy/named_tests.hpp"
#include "tests/tidy/sizes.hpp"
#include "tests/tidy/style.hpp"

namespace oarlock::tidy {
namespace {

source_file core_file(std::string text) {
  return {"core/cache/store.cpp", std::move(text)};
}

std::size_t seams(const std::string& code) {
  return check_seams(core_file(code)).size();
}
std::size_t words(const std::string& code) {
  return check_banned_words(core_file(code)).size();
}

TEST(rules, a_message_names_place_finding_and_remedy) {
  EXPECT_EQ(describe({"a/b.cpp", 7, "x", "y"}), "a/b.cpp:7: found x; expected y");
  EXPECT_EQ(describe({"a/b.cpp", 0, "x", "y"}), "a/b.cpp: found x; expected y");
}

TEST(rules, code_only_blanks_comments_and_literals) {
  EXPECT_EQ(code_only("a // b\nc"), "a     \nc");
  EXPECT_EQ(code_only("a /* b\n */ c"), "a     \n    c");
  EXPECT_EQ(code_only("f(\"x\\\"y\", 'z')"), "f(\"    \", ' ')");
  EXPECT_EQ(code_only("R\"(a \" b)\" + c"), "R\"       \" + c");
  EXPECT_EQ(code_only("1'000'000 + x"), "1'000'000 + x");
  EXPECT_EQ(code_only("\"http://x\" + y"), "\"        \" + y");
}

TEST(rules, named_tests) {
  const std::string macro = "TEST";  // so that these lines are no tests themselves
  const source_file tests{"core/a_test.cpp", macro + "(a, b) {}\n" + macro + "_P(c,\n  d) {}"};
  const auto found = [&](const std::string& line) {
    return check_named_tests({tests, {"docs/x.md", "text\n" + line + "\n"}});
  };
  EXPECT_EQ(found("| `a.b`, `c.d` and `core/kube`, `store.cpp`, `x.y.z`, `v1.` |").size(), 0U);
  ASSERT_EQ(found("| `a.b` | `a.d` |").size(), 1U);
  EXPECT_EQ(found("| `a.b` | `a.d` |")[0].line, 2);
  EXPECT_EQ(found("`a.d` outside of a table").size(), 0U);
  EXPECT_EQ(found("| `a.d").size(), 1U);
}

TEST(rules, width) {
  const std::string wide(101, 'x');
  const findings found = check_width({"core/a.cpp", "ok\n" + wide + "\n"});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].line, 2);
  EXPECT_EQ(check_width({"Makefile", wide}).size(), 1U);
  EXPECT_EQ(check_width({"README.md", wide}).size(), 1U);
  EXPECT_EQ(check_width({"README.md", "|" + wide}).size(), 0U);
  EXPECT_EQ(check_width({"README.md", "https://" + wide}).size(), 0U);
  EXPECT_EQ(check_width({"LICENSE", wide}).size(), 0U);
  EXPECT_EQ(check_width({"core/a.cpp", std::string(100, 'x')}).size(), 0U);
  EXPECT_EQ(columns("\xC3\xA4\xC3\xB6", 4), 2);
  EXPECT_EQ(columns("\tx", 4), 5);
}

TEST(rules, the_fault_catalogue_is_whole) {
  const source_file page{"docs/fault-catalogue.md", "| X1 | x | `A.X1_B` |\n| X2 | y | open |\n"};
  const source_file good{"tests/a_test.cpp", "TEST_F(A, X1_B) {\n}\n"};
  EXPECT_EQ(check_catalogue({page, good}, page.path, {"X1"}).size(), 0U);
  EXPECT_EQ(check_catalogue({page, good}, page.path, {"X1", "X2"}).size(), 1U) << "no test";
  EXPECT_EQ(check_catalogue({page, good}, page.path, {"X1", "X2"}, {"open"}).size(), 0U);
  EXPECT_EQ(check_catalogue({page, good}, page.path, {"X1", "X2"}, {"later:"}).size(), 1U);
  EXPECT_EQ(check_catalogue({page, good}, page.path, {"X3"}, {"open"}).size(), 1U) << "no row";
  const source_file orphan{"tests/b_test.cpp", "TEST(A,\n     X1_C) {\n}\n"};
  EXPECT_EQ(check_catalogue({page, good, orphan}, page.path, {"X1"}).size(), 1U);
}

TEST(rules, spaces) {
  EXPECT_EQ(check_spaces({"core/a.cpp", "x \n"}).size(), 1U);
  EXPECT_EQ(check_spaces({"core/a.cpp", "x\r\n"}).size(), 1U);
  EXPECT_EQ(check_spaces({"core/a.cpp", "\tx\n"}).size(), 1U);
  EXPECT_EQ(check_spaces({"cmake/a.cmake", "\tx\n"}).size(), 1U);
  EXPECT_EQ(check_spaces({"core/a.cpp", "x"}).size(), 1U);
  EXPECT_EQ(check_spaces({"Makefile", "\tx\n"}).size(), 0U);
  EXPECT_EQ(check_spaces({"core/a.cpp", "x\n"}).size(), 0U);
}

TEST(rules, header_guard) {
  EXPECT_EQ(check_header_guard({"core/a.hpp", "int x;\n"}).size(), 1U);
  EXPECT_EQ(check_header_guard({"plugin-api/include/oarlock/a.h", "int x;\n"}).size(), 1U);
  EXPECT_EQ(check_header_guard({"core/a.hpp", "#pragma once\n"}).size(), 0U);
  EXPECT_EQ(check_header_guard({"plugin-api/a.h", "#ifndef OARLOCK_A_H\n"}).size(), 0U);
}

TEST(rules, extension) {
  EXPECT_EQ(check_extension({"core/base/a.h", ""}).size(), 1U);
  EXPECT_EQ(check_extension({"core/base/a.c", ""}).size(), 1U);
  EXPECT_EQ(check_extension({"core/base/a.cc", ""}).size(), 1U);
  EXPECT_EQ(check_extension({"plugin-api/include/oarlock/a.h", ""}).size(), 0U);
  EXPECT_EQ(check_extension({"tests/abi/smallest.c", ""}).size(), 0U);
}

TEST(rules, open_work) {
  const std::string mark = std::string("TO") + "DO";
  EXPECT_EQ(check_todo(core_file("// " + mark + ": later\n")).size(), 1U);
  EXPECT_EQ(check_todo(core_file("// " + mark + "(someone): later\n")).size(), 1U);
  EXPECT_EQ(check_todo(core_file("// " + mark + "(perf): one pass would do\n")).size(), 0U);
  EXPECT_EQ(check_todo(core_file("int " + mark + "_list;\n")).size(), 0U);
}

TEST(rules, host_strings) {
  const std::string home = std::string("/ho") + "me/";
  EXPECT_EQ(check_host_strings({"Makefile", "DIR=" + home + "me\n"}).size(), 1U);
  EXPECT_EQ(check_host_strings({"Makefile", "x " + std::string("/wo") + "rk/main\n"}).size(), 1U);
  EXPECT_EQ(check_host_strings({"Makefile", "$(ROOT)" + home + "x\n"}).size(), 0U);
}

TEST(rules, scripts) {
  const std::string bash = "#!/usr/bin/env bash\n";
  EXPECT_EQ(check_script({"tools/a.sh", "#!/usr/bin/zsh\necho\n"}).size(), 2U);
  EXPECT_EQ(check_script({"tools/a.sh", "#!/bin/sh\nset -e\n"}).size(), 1U);
  EXPECT_EQ(check_script({".ci/run", bash + "set -eu\nmake test\n"}).size(), 1U);
  EXPECT_EQ(check_script({"tools/a.sh", bash + "set -euo pipefail\n"}).size(), 0U);
  EXPECT_EQ(check_script({"tools/a.sh", "#!/bin/sh\nset -eu\n"}).size(), 0U);
}

TEST(rules, readmes) {
  std::string long_text;
  for (int i = 0; i < 61; ++i)
    long_text += "x\n";
  EXPECT_EQ(check_readmes({{"core/base/a.cpp", ""}}).size(), 2U);  // core and core/base
  EXPECT_EQ(check_readmes({{"tests/README.md", long_text}}).size(), 1U);
  EXPECT_EQ(check_readmes({{"README.md", long_text}}).size(), 0U);
  EXPECT_EQ(check_readmes({{"tests/README.md", "x\n"}, {"tests/e2e/a.cpp", ""}}).size(), 0U);
}

TEST(rules, clocks) {
  EXPECT_EQ(seams("auto t = std::chrono::steady_clock::now();"), 1U);
  EXPECT_EQ(seams("using c = std::chrono::system_clock; return c::now();"), 1U);
  EXPECT_EQ(seams("auto t = time(nullptr);"), 1U);
  EXPECT_EQ(seams("auto t = ::time(nullptr);"), 1U);
  EXPECT_EQ(seams("return std::time(nullptr);"), 1U);
  EXPECT_EQ(seams("clock_gettime(CLOCK_MONOTONIC, &t);"), 1U);
  EXPECT_EQ(seams("gettimeofday(&t, nullptr);"), 1U);
  EXPECT_EQ(seams("auto t = clock_.now(); auto u = clock->now();"), 0U);
  EXPECT_EQ(seams("steady_time manual_clock::now() const { return now_; }"), 0U);
  EXPECT_EQ(seams("std::chrono::steady_clock::time_point t;"), 0U);
  EXPECT_EQ(seams("// std::chrono::steady_clock::now()\nlog(\"time(x)\");"), 0U);
  EXPECT_EQ(seams("f(a, time(0)); time(&t);"), 2U);
  EXPECT_EQ(seams("auto t = event.time(); int time(int zone);"), 0U);
  EXPECT_EQ(seams("state(const clock& t) : count(0), time(t) {}"), 0U);
}

TEST(rules, sleeps_and_timers) {
  EXPECT_EQ(seams("std::this_thread::sleep_for(1s);"), 1U);
  EXPECT_EQ(seams("std::this_thread::sleep_until(t);"), 1U);
  EXPECT_EQ(seams("sleep(1);"), 1U);
  EXPECT_EQ(seams("::usleep(5);"), 1U);
  EXPECT_EQ(seams("if (x) nanosleep(&t, nullptr);"), 1U);
  EXPECT_EQ(seams("boost::asio::steady_timer timer(loop);"), 1U);
  EXPECT_EQ(seams("asio::basic_waitable_timer<manual> timer(loop);"), 1U);
  EXPECT_EQ(seams("asio::deadline_timer t(loop); asio::system_timer u(loop);"), 2U);
  EXPECT_EQ(seams("co_await timers_->sleep_for(1s, stop);"), 0U);
  EXPECT_EQ(seams("task<bool> sim_timers::sleep_for(duration d) { }"), 0U);
  EXPECT_EQ(seams("virtual task<bool> sleep_for(duration d) = 0;"), 0U);
}

TEST(rules, sockets) {
  EXPECT_EQ(seams("boost::asio::ip::tcp::socket s(loop);"), 1U);
  EXPECT_EQ(seams("asio::ip::tcp::resolver r(loop);"), 1U);
  EXPECT_EQ(seams("using tcp = boost::asio::ip::tcp;"), 1U);
  EXPECT_EQ(seams("int fd = ::socket(AF_INET, SOCK_STREAM, 0);"), 1U);
  EXPECT_EQ(seams("return ::connect(fd, a, n);"), 1U);
  EXPECT_EQ(seams("beast::tcp_stream s(loop);"), 1U);
  EXPECT_EQ(seams("signal_.connect(f); connect(a, b); kube::connect(config);"), 0U);
}

TEST(rules, random_numbers) {
  EXPECT_EQ(seams("std::random_device d; std::mt19937 g(d());"), 2U);
  EXPECT_EQ(seams("int x = rand();"), 1U);
  EXPECT_EQ(seams("int x = std::rand() % 6;"), 1U);
  EXPECT_EQ(seams("getrandom(p, n, 0);"), 1U);
  EXPECT_EQ(seams("RAND_bytes(p, n);"), 1U);
  EXPECT_EQ(seams("auto x = random_.next();"), 0U);
}

TEST(rules, seams_bind_core_and_plugins_but_not_adapters) {
  const std::string code = "auto t = std::chrono::steady_clock::now();\n";
  EXPECT_EQ(check_seams({"core/base/queue_test.cpp", code}).size(), 1U);
  EXPECT_EQ(check_seams({"core/base/system_clock_more.cpp", code}).size(), 1U);
  EXPECT_EQ(check_seams({"plugins/myapp/plan.cpp", code}).size(), 1U);
  EXPECT_EQ(check_seams({"core/base/system_clock.cpp", code}).size(), 0U);
  EXPECT_EQ(check_seams({"core/net/connection.cpp", code}).size(), 0U);
  EXPECT_EQ(check_seams({"core/daemon/main.cpp", code}).size(), 0U);
  EXPECT_EQ(check_seams({"core/metrics/http_server.cpp", code}).size(), 0U);
  EXPECT_EQ(check_seams({"tests/support/wait.cpp", code}).size(), 0U);
}

TEST(rules, banned_words) {
  EXPECT_EQ(words("char* p = strtok(s, x);"), 1U);
  EXPECT_EQ(words("sprintf(b, f, x);"), 1U);
  EXPECT_EQ(words("std::system(c);"), 1U);
  EXPECT_EQ(words("using namespace std;"), 1U);
  EXPECT_EQ(words("int n = atoi(s);"), 1U);
  EXPECT_EQ(words("snprintf(b, n, f); boost::system::result<int> r;"), 0U);
  EXPECT_EQ(words("using namespace std::chrono_literals;"), 0U);
}

TEST(rules, include_direction) {
  EXPECT_NE(forbidden_include("core/net/a.cpp", "core/kube/b.hpp"), "");
  EXPECT_NE(forbidden_include("core/cli/a.cpp", "core/daemon/b.hpp"), "");
  EXPECT_NE(forbidden_include("core/base/a.cpp", "tests/support/b.hpp"), "");
  EXPECT_NE(forbidden_include("core/base/a.cpp", "plugins/myapp/b.hpp"), "");
  EXPECT_NE(forbidden_include("core/new/a.cpp", "core/base/b.hpp"), "");
  EXPECT_NE(forbidden_include("plugins/myapp/a.cpp", "core/base/b.hpp"), "");
  EXPECT_NE(forbidden_include("plugins/myapp/a.cpp", "plugins/other/b.hpp"), "");
  EXPECT_NE(forbidden_include("plugin-api/sdk/a.hpp", "core/base/b.hpp"), "");
  EXPECT_NE(forbidden_include("tests/sim/a.cpp", "core/daemon/b.hpp"), "");
  EXPECT_EQ(forbidden_include("core/kube/a.cpp", "core/net/b.hpp"), "");
  EXPECT_EQ(forbidden_include("core/daemon/a.cpp", "core/daemon/b.hpp"), "");
  EXPECT_EQ(forbidden_include("core/plugin/a.cpp", "plugin-api/include/oarlock/b.h"), "");
  EXPECT_EQ(forbidden_include("core/base/a_test.cpp", "tests/support/b.hpp"), "");
  EXPECT_EQ(forbidden_include("core/base/a_test.hpp", "tests/support/b.hpp"), "");
  EXPECT_EQ(forbidden_include("plugins/myapp/src/a.cpp", "plugins/myapp/src/b.hpp"), "");
}

TEST(rules, includes_of_the_tree_are_resolved) {
  const findings found = check_includes({{"core/base/a.hpp", "  #include \"../kube/b.hpp\"\n"},
                                         {"core/net/a.cpp", "\n#include \"core/kube/b.hpp\"\n"},
                                         {"core/kube/b.hpp", "#include <vector>\n"},
                                         {"plugins/x/a.cpp", "#include <core/kube/b.hpp>\n"}});
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[1].line, 2);
}

TEST(rules, dead_files) {
  const std::vector<source_file> dead = {{"core/base/a.hpp", ""}, {"core/base/a.cpp", ""}};
  EXPECT_EQ(check_dead_files(dead).size(), 2U);
  std::vector<source_file> alive = dead;
  alive[1].text = "#include \"core/base/a.hpp\"\n";
  alive.push_back({"core/base/CMakeLists.txt", "add_library(x a.cpp)\n"});
  EXPECT_EQ(check_dead_files(alive).size(), 0U);
  EXPECT_EQ(check_dead_files({{"core/base/a.hpp", "#include \"core/base/a.hpp\"\n"}}).size(), 1U);
}

TEST(rules, function_sizes) {
  const std::string text =
      "namespace a {\nclass b {\n  int f() {\n    return 1;\n  }\n};\nint c = {};\n"
      "void d() {\n  if (x) {\n  }\n}\n}\n";
  const std::vector<function_size> found = functions_of({"core/a.cpp", text});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].line, 3);
  EXPECT_EQ(found[0].lines, 3);
  EXPECT_EQ(found[1].lines, 4);
}

TEST(rules, sizes_are_reported) {
  std::string body = "void f() {\n";
  for (int i = 0; i < 70; ++i)
    body += "  x();\n";
  std::string header;
  for (int i = 0; i <= header_lines_max; ++i)
    header += "int x;\n";
  EXPECT_EQ(size_report({{"core/a.cpp", body + "}\n"}, {"core/a.hpp", header}}).size(), 2U);
}

}  // namespace
}  // namespace oarlock::tidy
