#include "tests/tidy/calls.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace oarlock::tidy {
namespace {

// A name in code, with what stands around it.
struct use {
  std::string name;
  std::string qualifier;     // "std::this_thread" of std::this_thread::sleep_for
  bool is_global = false;    // ::connect
  bool is_member = false;    // x.time(), x->time()
  bool is_call = false;      // followed by (
  bool is_declared = false;  // a type stands before it
  std::string argument;      // the start of what stands behind (
  std::size_t offset = 0;
};

std::size_t skip_spaces_back(std::string_view code, std::size_t end) {
  while (end > 0 && std::isspace(static_cast<unsigned char>(code[end - 1])) != 0)
    --end;
  return end;
}

std::string_view word_ending_at(std::string_view code, std::size_t end) {
  std::size_t start = end;
  while (start > 0 && is_identifier_char(code[start - 1]))
    --start;
  return code.substr(start, end - start);
}

// "int now(" and "foo& bar::now(" declare; "return now(" and "co_await now(" call.
bool type_stands_before(std::string_view code, std::size_t start) {
  const std::size_t end = skip_spaces_back(code, start);
  if (end == 0 || end == start) return false;
  const char last = code[end - 1];
  if (last == '>' && end > 1 && code[end - 2] == '-') return false;
  if (last == '>' || last == '*' || (last == '&' && (end < 2 || code[end - 2] != '&'))) {
    return is_identifier_char(code[skip_spaces_back(code, end - 1) - 1]) || last == '>';
  }
  static constexpr std::array<std::string_view, 9> not_types = {
      "return", "co_return", "co_await", "co_yield", "else", "do", "case", "throw", "and"};
  const std::string_view word = word_ending_at(code, end);
  return !word.empty() && std::find(not_types.begin(), not_types.end(), word) == not_types.end();
}

use describe_use(std::string_view code, std::size_t at, std::size_t length) {
  use u;
  u.name = std::string(code.substr(at, length));
  u.offset = at;
  const std::size_t after = code.find_first_not_of(" \n", at + length);
  u.is_call = after != std::string_view::npos && code[after] == '(';
  if (u.is_call) u.argument = std::string(code.substr(after + 1, 7));
  std::size_t start = at;
  while (start >= 2 && code.substr(start - 2, 2) == "::") {
    const std::string_view outer = word_ending_at(code, start - 2);
    if (outer.empty()) {
      const bool templated = start >= 3 && code[start - 3] == '>';
      u.is_global = u.qualifier.empty() && !templated;
      if (templated) u.qualifier = "<>" + (u.qualifier.empty() ? "" : "::" + u.qualifier);
      start -= 2;
      break;
    }
    u.qualifier = std::string(outer) + (u.qualifier.empty() ? "" : "::" + u.qualifier);
    start -= 2 + outer.size();
  }
  u.is_member =
      (start >= 1 && code[start - 1] == '.') || (start >= 2 && code.substr(start - 2, 2) == "->");
  u.is_declared = type_stands_before(code, start);
  return u;
}

template <class Visit>
void for_each_name(std::string_view code, Visit visit) {
  std::size_t i = 0;
  while (i < code.size()) {
    if (!is_identifier_char(code[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < code.size() && is_identifier_char(code[end]))
      ++end;
    visit(code.substr(i, end - i), i);
    i = end;
  }
}

bool is_free_function(const use& u) {
  static const std::set<std::string> outer = {"", "std", "std::this_thread", "this_thread",
                                              "boost::this_thread"};
  return u.is_call && !u.is_member && !u.is_declared && outer.contains(u.qualifier);
}

// time(nullptr) asks the clock; time(x) may as well initialise a member.
bool asks_for_time(const use& u) {
  const bool out = u.argument.starts_with("nullptr") || u.argument.starts_with("NULL") ||
                   u.argument.starts_with("0)") || u.argument.starts_with("&");
  return u.name == "time" && is_free_function(u) && (out || u.is_global || !u.qualifier.empty());
}

// What is wrong with this use of a name; "" if nothing.
std::string broken_seam(const use& u) {
  static const std::set<std::string> types = {"steady_timer",
                                              "system_timer",
                                              "high_resolution_timer",
                                              "deadline_timer",
                                              "basic_waitable_timer",
                                              "random_device",
                                              "mt19937",
                                              "mt19937_64",
                                              "default_random_engine",
                                              "tcp_stream",
                                              "uniform_int_distribution",
                                              "uniform_real_distribution"};
  static const std::set<std::string> functions = {
      "gettimeofday", "clock_gettime", "sleep", "usleep",    "nanosleep",  "sleep_for",
      "sleep_until",  "rand",          "srand", "getrandom", "getentropy", "arc4random"};
  if (types.contains(u.name)) return u.name;
  if (u.name == "RAND_bytes" || u.name == "RAND_priv_bytes") return u.name;
  if (u.name == "now" && u.is_call && !u.qualifier.empty() && !u.is_declared && !u.is_member) {
    return u.qualifier + "::now()";
  }
  if (u.name == "tcp" && (u.qualifier == "ip" || u.qualifier.ends_with("::ip"))) return "ip::tcp";
  if ((u.name == "socket" || u.name == "connect") && u.is_global && u.is_call) {
    return "::" + u.name + "()";
  }
  if (functions.contains(u.name) && is_free_function(u)) return u.name + "()";
  return asks_for_time(u) ? "time()" : "";
}

std::string banned_word(const use& u) {
  static const std::set<std::string> functions = {
      "strtok", "sprintf", "vsprintf", "strcpy", "strcat", "gets",    "atoi",
      "atol",   "atof",    "system",   "popen",  "setjmp", "longjmp", "alloca"};
  return functions.contains(u.name) && is_free_function(u) ? u.name + "()" : "";
}

template <class Rule>
findings check_names(const source_file& file, Rule rule, const std::string& expected) {
  findings out;
  const std::string code = code_only(file.text);
  for_each_name(code, [&](std::string_view name, std::size_t at) {
    const std::string found = rule(describe_use(code, at, name.size()));
    if (!found.empty()) out.push_back({file.path, line_at(code, at), found, expected});
  });
  return out;
}

}  // namespace

bool is_adapter(std::string_view path) {
  static constexpr std::array<std::string_view, 6> stems = {
      "core/base/system_clock",        "core/base/system_random",
      "core/base/asio_timers",         "core/metrics/http_server",
      "plugins/mysql-cluster/src/sql", "plugins/mysql-cluster/src/generate"};
  for (const std::string_view stem : stems) {
    if (!path.starts_with(stem)) continue;
    const std::string_view rest = path.substr(stem.size());
    if (rest == ".hpp" || rest == ".cpp" || rest == "_test.cpp") return true;
  }
  return in_folder(path, "core/net") || in_folder(path, "core/daemon");
}

findings check_seams(const source_file& file) {
  const bool guarded = in_folder(file.path, "core") || in_folder(file.path, "plugins");
  if (!guarded || !is_c_family(file.path) || is_adapter(file.path)) return {};
  return check_names(file, broken_seam,
                     "the seam passed in (clock, timers, random, transport): see core/base");
}

findings check_banned_words(const source_file& file) {
  if (!is_c_family(file.path)) return {};
  findings out = check_names(file, banned_word, "the C++ library or core/base");
  const std::string code = code_only(file.text);
  const std::string phrase = "using namespace std;";
  for (std::size_t at = code.find(phrase); at != std::string::npos;
       at = code.find(phrase, at + 1)) {
    out.push_back({file.path, line_at(code, at), "using namespace std", "std:: where it is used"});
  }
  return out;
}

}  // namespace oarlock::tidy
