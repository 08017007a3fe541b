// failure-cases.md is whole: no case without a place, no test named after a case that it lacks, no
// name in it that is no test.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace {

std::string text_of(const std::string& file) {
  std::ifstream in(std::string(ML_PIPELINE_FOLDER "/") + file);
  std::ostringstream all;
  all << in.rdbuf();
  EXPECT_FALSE(all.str().empty()) << file;
  return all.str();
}

std::set<std::string> all_of(const std::string& text, const std::string& pattern) {
  std::set<std::string> found;
  const std::regex wanted(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), wanted), end; at != end; ++at)
    found.insert((*at)[1].str());
  return found;
}

// Names as the table spells them.
std::set<std::string> tests_named_after_cases() {
  std::set<std::string> names;
  for (const auto& name : all_of(text_of("tests/runs_test.cpp"), R"(TEST\(runs, (G[0-9]\w+)\))"))
    names.insert("runs." + name);
  for (const auto& name :
       all_of(text_of("tests/report_test.cpp"), R"(TEST\(reports, (G[0-9]\w+)\))"))
    names.insert("reports." + name);
  for (const auto& name : all_of(text_of("../../tests/integration/ml_pipeline_test.cpp"),
                                 R"(TEST_F\(ml_pipeline, (G[0-9]\w+)\))"))
    names.insert("ml_pipeline." + name);
  for (const auto& name : all_of(text_of("trainer/tests/test_trainer.py"), R"(def (test_G\w+)\()"))
    names.insert(name);
  for (const auto& name :
       all_of(text_of("../../tests/long/ml_pipeline.sh"), R"((G[0-9]\w+)\(\) \{)"))
    names.insert("node." + name);
  for (const char* file : {"start.yaml", "end.yaml", "finish.yaml", "report.yaml"}) {
    for (const auto& name :
         all_of(text_of(std::string("tests/cases/") + file), R"(- name: (G[0-9]+_\w+))"))
      names.insert("cases." + name);
  }
  return names;
}

TEST(failure_cases, every_test_in_the_table_exists_and_every_test_is_in_it) {
  const auto named =
      all_of(text_of("tests/failure-cases.md"),
             "`((?:runs\\.|reports\\.|ml_pipeline\\.|node\\.|test_|cases\\.)G?\\w+)`");
  const auto there = tests_named_after_cases();
  for (const auto& name : named)
    EXPECT_TRUE(there.contains(name)) << "there is no test " << name;
  for (const auto& name : there)
    EXPECT_TRUE(named.contains(name)) << "failure-cases.md lacks " << name;
}

TEST(failure_cases, every_case_has_a_place) {
  const std::string table = text_of("tests/failure-cases.md");
  for (int i = 1; i <= 32; ++i) {
    const std::regex row("\\n\\| G" + std::to_string(i) + " \\| [^|]+ \\| (`|part two: )[^|]+ \\|");
    EXPECT_TRUE(std::regex_search(table, row)) << "G" << i << " has no place";
  }
}

}  // namespace
