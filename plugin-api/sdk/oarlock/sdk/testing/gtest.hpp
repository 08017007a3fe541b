#pragma once
// Cases as GoogleTest tests, one each:
//
//   OARLOCK_TEST_CASES("build/libmyapp.so", "tests/cases")
//
// The plugin is a path of a library, or oarlock_plugin_entry_v0() of one that is linked in. A case
// that is not met says so with a diff. With OARLOCK_UPDATE_CASES=1 in the environment its file is
// rewritten instead: what it expects becomes what was found, and only that.
#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "oarlock/sdk/testing/library.hpp"
#include "oarlock/sdk/testing/update.hpp"
#include "oarlock/sdk/testing/variations.hpp"

namespace oarlock::sdk::testing {

/// How GoogleTest shows a case.
inline void PrintTo(const plan_case& one, std::ostream* out) {
  *out << one.file << ": " << one.name;
}

namespace detail {

inline bool updates_cases() {
  const char* set = std::getenv("OARLOCK_UPDATE_CASES");
  return set != nullptr && std::string_view(set) != "" && std::string_view(set) != "0";
}

/// The cases; or one that cannot be met and says why the files cannot be read.
inline std::vector<plan_case> cases_or_complaint(const std::filesystem::path& folder) {
  try {
    return read_all_cases(folder);
  } catch (const std::exception& e) {
    return {plan_case{
        folder.string(), std::string("cases that can be read: ") + e.what(), {}, {}, "{}"}};
  }
}

inline std::string case_test_name(const ::testing::TestParamInfo<plan_case>& info) {
  std::string name = std::to_string(info.index) + "_" + info.param.name.substr(0, 80);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

inline void run_case(const oarlock_plugin& plugin, const std::filesystem::path& folder,
                     const plan_case& one) {
  if (one.inputs.primary.json.empty()) {
    ADD_FAILURE() << one.file << ": " << one.name;
    return;
  }
  bench_host host(plugin, one.config);
  const auto answer = host.plan(one.inputs);
  EXPECT_EQ(as_expectation(host.plan(one.inputs)), as_expectation(answer))
      << one.file << ": " << one.name << ": plan is not pure: the same inputs gave another answer";
  const std::string wrong =
      one.expect.is_null() ? "it expects nothing yet\n" : compare(one.expect, answer);
  if (wrong.empty()) return;
  const std::string diff = expectation_diff(one.expect, answer);
  if (updates_cases()) {
    update_case(folder / one.file, one, answer);
    std::cout << one.file << ": " << one.name << ": updated\n" << diff;
    return;
  }
  ADD_FAILURE() << one.file << ": " << one.name << "\n"
                << wrong << "- expected, + found:\n"
                << diff << "(OARLOCK_UPDATE_CASES=1 writes what was found into the file)";
}

inline given input_of(const std::string& controller, const json::value& primary) {
  given made;
  made.controller = controller;
  made.primary = {resource_of(primary), primary.text()};
  made.ns = text_at(primary, {"metadata", "namespace"});
  made.name = text_at(primary, {"metadata", "name"});
  return made;
}

}  // namespace detail

/// Plans every variation of an object: the schema and this kit agree on which are valid; none of
/// them ends the plugin; the valid ones get an answer; and back at the first object the answer is
/// the first one.
inline void plan_variations(const oarlock_plugin& plugin, const std::string& controller,
                            const std::filesystem::path& crd, const std::filesystem::path& sample) {
  const auto schema = read_crd(crd).schema;
  const auto base = read_object(sample);
  bench_host host(plugin);
  const auto first = as_expectation(host.plan(detail::input_of(controller, base)));
  int valid = 0, refused = 0;
  for (const auto& one : variations(schema, base)) {
    const auto why = refusal(schema, one.object);
    EXPECT_EQ(why.empty(), one.is_valid) << one.what << ": " << why;
    const auto answer = host.plan(detail::input_of(controller, one.object));
    if (one.is_valid) EXPECT_NE(answer.fail_reason, "PluginThrew") << one.what;
    EXPECT_EQ(as_expectation(host.plan(detail::input_of(controller, base))), first)
        << "after " << one.what << " the plan for the object before is another one";
    ++(one.is_valid ? valid : refused);
  }
  EXPECT_GT(valid, 0) << crd << " has no field that could be varied";
  EXPECT_GT(refused, 0) << crd << " refuses nothing";
}

}  // namespace oarlock::sdk::testing

#define OARLOCK_TEST_CASES(plugin, folder)                                                        \
  class plan_cases : public ::testing::TestWithParam<::oarlock::sdk::testing::plan_case> {};      \
  TEST_P(plan_cases, are_met) {                                                                   \
    ::oarlock::sdk::testing::detail::run_case(::oarlock::sdk::testing::plugin_of(plugin), folder, \
                                              GetParam());                                        \
  }                                                                                               \
  INSTANTIATE_TEST_SUITE_P(                                                                       \
      all, plan_cases,                                                                            \
      ::testing::ValuesIn(::oarlock::sdk::testing::detail::cases_or_complaint(folder)),           \
      ::oarlock::sdk::testing::detail::case_test_name)
