// The style rules of the project as an ordinary test over the whole tree. What each rule means is
// in the headers beside this file; rules_test.cpp shows each of them firing.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/tidy/calls.hpp"
#include "tests/tidy/catalogue.hpp"
#include "tests/tidy/includes.hpp"
#include "tests/tidy/named_tests.hpp"
#include "tests/tidy/sizes.hpp"
#include "tests/tidy/style.hpp"

namespace oarlock::tidy {
namespace {

const std::vector<source_file>& tree() {
  static const std::vector<source_file> files = read_tree(OARLOCK_SOURCE_DIR);
  return files;
}

void expect_none(const findings& found) {
  for (const finding& f : found) {
    ADD_FAILURE_AT(f.path.c_str(), f.line) << "found " << f.found << "; expected " << f.expected;
  }
}

void expect_everywhere(findings (*rule)(const source_file&)) {
  for (const source_file& file : tree())
    expect_none(rule(file));
}

TEST(tidy, finds_the_tree) {
  EXPECT_GT(tree().size(), 20U) << OARLOCK_SOURCE_DIR;
}
TEST(tidy, lines_fit_in_100_columns) {
  expect_everywhere(check_width);
}
TEST(tidy, no_tabs_and_no_spaces_at_line_ends) {
  expect_everywhere(check_spaces);
}
TEST(tidy, headers_are_guarded) {
  expect_everywhere(check_header_guard);
}
TEST(tidy, extensions_tell_c_from_cpp) {
  expect_everywhere(check_extension);
}
TEST(tidy, open_work_has_a_type) {
  expect_everywhere(check_todo);
}
TEST(tidy, no_path_of_one_machine) {
  expect_everywhere(check_host_strings);
}
TEST(tidy, scripts_are_strict) {
  expect_everywhere(check_script);
}
TEST(tidy, folders_have_a_short_readme) {
  expect_none(check_readmes(tree()));
}
TEST(tidy, only_adapters_touch_clock_timer_socket_random) {
  expect_everywhere(check_seams);
}
TEST(tidy, no_banned_words) {
  expect_everywhere(check_banned_words);
}
TEST(tidy, includes_go_one_way) {
  expect_none(check_includes(tree()));
}
TEST(tidy, no_dead_files) {
  expect_none(check_dead_files(tree()));
}

TEST(tidy, documents_name_tests_that_exist) {
  expect_none(check_named_tests(tree()));
}

TEST(tidy, the_fault_catalogue_names_its_tests) {
  expect_none(
      check_catalogue(tree(), "docs/fault-catalogue.md",
                      {"V1", "V2", "V3", "V4", "V5", "V6", "V7",  "V8", "V9", "H1", "H2", "H3",
                       "H4", "H5", "H6", "H7", "H8", "H9", "H10", "D1", "D2", "D3", "D4", "D5",
                       "Q1", "T1", "T2", "T3", "T4", "L1", "L2",  "L3", "L4", "L5", "L6", "L7"}));
}

TEST(tidy, each_failure_of_mysql_has_its_place) {
  std::vector<std::string> rows;
  for (int i = 1; i <= 42; ++i)
    rows.push_back("F" + std::to_string(i));
  expect_none(check_catalogue(tree(), "docs/mysql-failures.md", rows, {"later: ", "part two: "}));
}

TEST(tidy, reports_sizes) {
  for (const std::string& line : size_report(tree()))
    std::printf("size: %s\n", line.c_str());
}

}  // namespace
}  // namespace oarlock::tidy
