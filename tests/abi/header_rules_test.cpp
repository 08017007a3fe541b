// The headers of the C ABI keep their own rules: every slot has a tag line, every struct that
// crosses starts with its size, nothing but fixed-width types.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

namespace {

std::vector<std::filesystem::path> headers() {
  std::vector<std::filesystem::path> all;
  const std::string root = std::string(OARLOCK_SOURCE_DIR) + "/plugin-api/include/oarlock";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() == ".h") all.push_back(entry.path());
  }
  return all;
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Slots ("  void (*stop)(...") whose comment does not end in "[thread] [state] [since x.y] */".
std::vector<std::string> untagged_slots(const std::string& text) {
  static const std::regex slot(R"(\n  [\w ]+\*? ?\(\*(\w+)\)\()");
  static const std::regex tag(
      R"(\* \[(control|worker|any-thread)\]( \[[!\w ]+\])+ \[since \d+\.\d+\] \*/$)");
  std::vector<std::string> wrong;
  for (std::sregex_iterator at(text.begin(), text.end(), slot), end; at != end; ++at) {
    const std::string before = text.substr(0, static_cast<std::size_t>(at->position()));
    const std::string line = before.substr(before.rfind('\n') + 1);
    if (!std::regex_search(line, tag)) wrong.push_back((*at)[1].str() + ": " + line);
  }
  return wrong;
}

// They never grow.
bool is_plain_value(const std::string& name) {
  return name == "oarlock_str_view" || name == "oarlock_bytes_view" || name == "oarlock_pair_view";
}

// Members that are a struct which may grow, not a pointer to one: what comes behind would move.
std::vector<std::string> embedded_structs(const std::string& text) {
  static const std::regex of_struct(R"(typedef struct (\w+) \{)");
  static const std::regex member(R"(\n  (?:const )?(oarlock_\w+) \w+(?:\[\w+\])?;)");
  std::vector<std::string> structs;
  for (std::sregex_iterator at(text.begin(), text.end(), of_struct), end; at != end; ++at)
    structs.push_back((*at)[1]);
  std::vector<std::string> wrong;
  for (std::sregex_iterator at(text.begin(), text.end(), member), end; at != end; ++at) {
    const std::string type = (*at)[1];
    const bool grows = std::find(structs.begin(), structs.end(), type) != structs.end();
    if (grows && !is_plain_value(type)) wrong.push_back(type);
  }
  return wrong;
}

// Structs whose first member is not struct_size; plain values that never grow are exempt.
std::vector<std::string> unsized_structs(const std::string& text) {
  static const std::regex body(R"(typedef struct (\w+) \{\n\s*([^\n]*))");
  std::vector<std::string> wrong;
  for (std::sregex_iterator at(text.begin(), text.end(), body), end; at != end; ++at) {
    const std::string name = (*at)[1];
    if (!is_plain_value(name) && (*at)[2].str() != "uint32_t struct_size;") wrong.push_back(name);
  }
  return wrong;
}

TEST(header_rules, every_slot_says_thread_state_and_since) {
  std::size_t slots = 0;
  for (const auto& file : headers()) {
    const std::string text = text_of(file);
    for (const auto& wrong : untagged_slots(text))
      ADD_FAILURE() << file << ": " << wrong;
    for (std::size_t at = text.find("(*"); at != std::string::npos; at = text.find("(*", at + 1)) {
      ++slots;
    }
  }
  EXPECT_GE(slots, 15U);
}

TEST(header_rules, the_rule_can_fail) {
  EXPECT_EQ(untagged_slots("\n  /* Does it. */\n  void (*go)(int);").size(), 1U);
  EXPECT_EQ(untagged_slots("\n   * [worker] [started] [since 0.1] */\n  void (*go)(int);").size(),
            0U);
  EXPECT_EQ(unsized_structs("typedef struct oarlock_x {\n  int32_t a;").size(), 1U);
}

TEST(header_rules, every_struct_starts_with_its_size) {
  for (const auto& file : headers()) {
    for (const auto& wrong : unsized_structs(text_of(file)))
      ADD_FAILURE() << file << ": " << wrong;
  }
}

TEST(header_rules, no_struct_that_may_grow_is_part_of_another) {
  std::string all;
  for (const auto& file : headers())
    all += text_of(file);
  for (const auto& wrong : embedded_structs(all))
    ADD_FAILURE() << wrong;
  EXPECT_EQ(embedded_structs(all + "\n  oarlock_object_view primary;").size(), 1U);
}

TEST(header_rules, only_plain_types_cross) {
  static const std::regex banned(
      R"(\b(bool|long|unsigned|short|double|float|time_t|ssize_t|FILE|wchar_t|va_list)\b\s+\**\w)");
  for (const auto& file : headers()) {
    // Comments may use these words.
    const std::string code =
        std::regex_replace(text_of(file), std::regex(R"(/\*[^*]*\*+([^/*][^*]*\*+)*/)"), "");
    // One floating-point type has a name of its own.
    const std::string but = std::regex_replace(code, std::regex("typedef double oarlock_f64;"), "");
    std::smatch found;
    EXPECT_FALSE(std::regex_search(but, found, banned)) << file << ": " << found.str();
  }
}

TEST(header_rules, the_core_header_stays_short) {
  std::size_t lines = 0;
  for (const auto& file : headers()) {
    if (file.parent_path().filename() == "ext") continue;  // optional, each a page of its own
    const std::string text = text_of(file);
    lines += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  EXPECT_LT(lines, 600U);
}

}  // namespace
