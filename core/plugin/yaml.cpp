#include "core/plugin/yaml.hpp"

#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <sstream>
#include <utility>

#include "core/base/limits.hpp"
#include "core/json/utf8.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/file.hpp"

namespace oarlock::plugin {

namespace {

// Aliases may repeat a part many times: what they unfold to is bounded too.
constexpr std::size_t nodes_max = 200'000;

std::string place(const std::string& file, const YAML::Mark& mark) {
  if (mark.is_null()) return file;
  return fmt::format("{}:{}:{}", file, mark.line + 1, mark.column + 1);
}

error bad(const std::string& file, const YAML::Mark& mark, const std::string& message) {
  return {plugin_error::bad_manifest, place(file, mark) + ": " + message};
}

std::string joined(std::initializer_list<std::string_view> words) {
  std::string out;
  for (const auto word : words)
    out.append(out.empty() ? "" : ", ").append(word);
  return out;
}

enum class plain_kind { null, boolean, integer, number, text, ambiguous };

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

template <class Number>
bool reads_as(std::string_view text, Number& into) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), into);
  return failed == std::errc{} && end == text.data() + text.size();
}

bool has_only(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

// YAML 1.2 core schema, section 10.3.2.
plain_kind kind_of(std::string_view plain) {
  if (is_one_of(plain, {"", "~", "null", "Null", "NULL"})) return plain_kind::null;
  if (is_one_of(plain, {"true", "True", "TRUE", "false", "False", "FALSE"})) {
    return plain_kind::boolean;
  }
  if (is_one_of(plain, {"y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON",
                        "off", "Off", "OFF"})) {
    return plain_kind::ambiguous;
  }
  const std::string_view digits = plain.substr(has_only(plain.substr(0, 1), "+-") ? 1 : 0);
  if (has_only(digits, "0123456789")) {
    if (digits.size() > 1 && digits.starts_with('0')) return plain_kind::ambiguous;
    std::int64_t ignored = 0;
    return reads_as(plain, ignored) ? plain_kind::integer : plain_kind::ambiguous;
  }
  if (digits.starts_with("0x") || digits.starts_with("0o")) return plain_kind::ambiguous;
  if (is_one_of(digits, {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"})) {
    return plain_kind::ambiguous;
  }
  const bool begins_as_number = has_only(digits.substr(0, 1), "0123456789.");
  double ignored = 0;
  if (begins_as_number && has_only(digits, "0123456789.eE+-") && reads_as(plain, ignored)) {
    return plain_kind::number;
  }
  return plain_kind::text;
}

class json_writer {
 public:
  explicit json_writer(const std::string& file) : file_(file) {}

  result<std::string> write(const YAML::Node& document) {
    if (!add(document, 0)) return *failure_;
    return std::string(buffer_.GetString(), buffer_.GetSize());
  }

 private:
  bool fail(const YAML::Node& at, const std::string& message) {
    failure_ = bad(file_, at.Mark(), message);
    return false;
  }

  bool add(const YAML::Node& node, std::size_t depth) {
    if (depth > limits::json_depth_max) return fail(node, "expected fewer levels");
    if (++nodes_ > nodes_max) {
      return fail(node, fmt::format("expected at most {} values, found more", nodes_max));
    }
    if (node.IsMap()) return add_map(node, depth);
    if (node.IsSequence()) {
      writer_.StartArray();
      for (const auto& item : node) {
        if (!add(item, depth + 1)) return false;
      }
      return writer_.EndArray();
    }
    if (node.IsScalar()) return add_scalar(node);
    return writer_.Null();
  }

  bool add_map(const YAML::Node& node, std::size_t depth) {
    std::set<std::string> keys;
    writer_.StartObject();
    for (const auto& field : node) {
      if (!field.first.IsScalar()) return fail(node, "expected text as a key");
      const std::string& key = field.first.Scalar();
      if (!keys.insert(key).second) {
        return fail(field.first, fmt::format("expected each key once, found \"{}\" twice", key));
      }
      if (!writer_.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()))) {
        return fail(field.first, "expected a key in UTF-8");
      }
      if (!add(field.second, depth + 1)) return false;
    }
    return writer_.EndObject();
  }

  bool add_scalar(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    const std::string tag = node.Tag();
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return add_text(node);
    if (tag != "?" && !tag.empty()) return fail(node, "expected no tag, found " + tag);
    switch (kind_of(text)) {
      case plain_kind::null:
        return writer_.Null();
      case plain_kind::boolean:
        return writer_.Bool(text.front() == 't' || text.front() == 'T');
      case plain_kind::integer: {
        std::int64_t value = 0;
        reads_as(text, value);
        return writer_.Int64(value);
      }
      case plain_kind::number: {
        double value = 0;
        reads_as(text, value);
        return writer_.Double(value);
      }
      case plain_kind::text:
        return add_text(node);
      case plain_kind::ambiguous:
        break;
    }
    return fail(node, fmt::format("expected a value that all YAML readers read alike, found {}: "
                                  "put it in quotes",
                                  text));
  }

  bool add_text(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    return writer_.String(text.data(), static_cast<rapidjson::SizeType>(text.size())) ||
           fail(node, "expected text in UTF-8");
  }

  const std::string& file_;
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::UTF8<>,
                    rapidjson::CrtAllocator, rapidjson::kWriteValidateEncodingFlag>
      writer_{buffer_};
  std::size_t nodes_ = 0;
  std::optional<error> failure_;
};

// Listens to a document without keeping any of it.
class unheard final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// 0, 1, or 2 for more. LoadAll() would not come back: it finds documents without end where a text
// begins with a comma.
int count_documents(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  unheard nobody;
  int found = 0;
  while (found < 2 && parser.HandleNextDocument(nobody))
    ++found;
  return found;
}

}  // namespace

result<YAML::Node> load_yaml(const std::filesystem::path& file) {
  const auto bytes = read_file(file, limits::yaml_file_bytes_max);
  if (!bytes) return bytes.error();
  return parse_yaml(*bytes, file);
}

result<YAML::Node> parse_yaml(const std::string& text, const std::filesystem::path& file) {
  if (!json::is_yaml_text(text)) {
    return error{plugin_error::bad_manifest,
                 file.string() + ": expected UTF-8 text without control characters"};
  }
  try {
    if (const int found = count_documents(text); found != 1) {
      return error{plugin_error::bad_manifest,
                   fmt::format("{}: expected one YAML document, found {}", file.string(),
                               found == 0 ? "none" : "2 or more")};
    }
    return YAML::Load(text);
  } catch (const YAML::Exception& e) {
    return bad(file.string(), e.mark, "expected YAML, found: " + e.msg);
  }
}

result<std::string> yaml_to_json(const YAML::Node& document, const std::string& file) {
  return json_writer(file).write(document);
}

std::string path_text(const doc_path& path) {
  std::string out;
  for (const auto& part : path) {
    const bool is_index = part.find_first_not_of("0123456789") == std::string::npos;
    out += is_index ? "[" + part + "]" : (out.empty() ? "" : ".") + part;
  }
  return out;
}

YAML::Mark mark_of(const YAML::Node& document, const doc_path& path) {
  YAML::Node at = document;
  YAML::Mark mark = at.Mark();
  for (const auto& part : path) {
    const bool is_index = at.IsSequence() && has_only(part, "0123456789");
    const YAML::Node next =
        is_index ? at[std::stoul(part)]
                 : (at.IsMap() ? std::as_const(at)[part] : YAML::Node(YAML::NodeType::Undefined));
    if (!next.IsDefined() || next.Mark().is_null()) break;
    at.reset(next);
    mark = at.Mark();
  }
  return mark;
}

error error_at(const std::string& file, const YAML::Node& document, const doc_path& path,
               const std::string& message) {
  return bad(file, mark_of(document, path), message);
}

void yaml_reader::fail(const YAML::Node& at, const std::string& message) {
  if (failure_) return;
  failure_ = bad(file_, at.IsDefined() ? at.Mark() : YAML::Mark::null_mark(), message);
}

void yaml_reader::fail(const error& placed) {
  if (!failure_) failure_ = placed;
}

bool yaml_reader::expect_map(const YAML::Node& node, std::string_view path,
                             std::initializer_list<std::string_view> known) {
  if (failure_) return false;
  if (!node.IsDefined() || !node.IsMap()) {
    fail(node, fmt::format("expected {} to be a map with the keys {}", path, joined(known)));
    return false;
  }
  std::set<std::string> seen;
  for (const auto& field : node) {
    if (!field.first.IsScalar()) {
      fail(node, fmt::format("expected text as keys of {}", path));
      return false;
    }
    const std::string& key = field.first.Scalar();
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      fail(field.first,
           fmt::format("unknown key \"{}\" in {}; known are {}", key, path, joined(known)));
      return false;
    }
    if (!seen.insert(key).second) {
      fail(field.first, fmt::format("expected each key once, found \"{}\" twice", key));
      return false;
    }
  }
  return true;
}

bool yaml_reader::expect_list(const YAML::Node& node, std::string_view path, std::size_t items_max,
                              bool needs_one) {
  if (failure_) return false;
  if (!node.IsDefined()) {
    if (needs_one) fail(node, fmt::format("expected {} to be a list, found nothing", path));
    return false;
  }
  if (!node.IsSequence() || node.size() > items_max || (needs_one && node.size() == 0)) {
    fail(node,
         fmt::format("expected {} to be a list of {} to {} items{}", path, needs_one ? 1 : 0,
                     items_max, node.IsSequence() ? fmt::format(", found {}", node.size()) : ""));
    return false;
  }
  return true;
}

YAML::Node yaml_reader::required(const YAML::Node& map, std::string_view path,
                                 const std::string& key) {
  if (failure_) return YAML::Node(YAML::NodeType::Undefined);
  YAML::Node value = map[key];
  if (!value.IsDefined() || value.IsNull()) {
    fail(map, fmt::format("expected the key \"{}\" in {}, found none", key, path));
  }
  return value;
}

std::string yaml_reader::text(const YAML::Node& map, std::string_view path, const std::string& key,
                              bool (*matches)(std::string_view), std::string_view describe) {
  const YAML::Node value = required(map, path, key);
  if (failure_) return {};
  const bool is_text =
      value.IsScalar() && (value.Tag() == "!" || kind_of(value.Scalar()) == plain_kind::text);
  if (!is_text || !matches(value.Scalar())) {
    const std::string found = value.IsScalar() ? "\"" + value.Scalar() + "\"" : "no text";
    const char* hint = value.IsScalar() && !is_text ? "; put it in quotes" : "";
    fail(value,
         fmt::format("expected {}.{} to be {}, found {}{}", path, key, describe, found, hint));
    return {};
  }
  return value.Scalar();
}

bool yaml_reader::flag(const YAML::Node& map, std::string_view path, const std::string& key) {
  if (failure_ || !map[key].IsDefined()) return false;
  const YAML::Node node = map[key];
  const bool is_plain = node.IsScalar() && node.Tag() != "!";
  if (is_plain && kind_of(node.Scalar()) == plain_kind::boolean) return node.as<bool>();
  fail(node, fmt::format("expected {}.{} to be true or false", path, key));
  return false;
}

std::int64_t yaml_reader::integer(const YAML::Node& map, std::string_view path,
                                  const std::string& key, std::int64_t lowest, std::int64_t highest,
                                  std::optional<std::int64_t> fallback) {
  if (failure_) return lowest;
  if (fallback && !map[key].IsDefined()) return *fallback;
  const YAML::Node value = required(map, path, key);
  return integer_at(value, fmt::format("{}.{}", path, key), lowest, highest);
}

std::int64_t yaml_reader::integer_at(const YAML::Node& value, std::string_view where,
                                     std::int64_t lowest, std::int64_t highest) {
  if (failure_) return lowest;
  std::int64_t number = 0;
  const bool is_integer = value.IsScalar() && value.Tag() != "!" &&
                          kind_of(value.Scalar()) == plain_kind::integer &&
                          reads_as(value.Scalar(), number);
  if (!is_integer || number < lowest || number > highest) {
    fail(value, fmt::format("expected {} to be an integer from {} to {}, found {}", where, lowest,
                            highest, value.IsScalar() ? value.Scalar() : "no scalar"));
    return lowest;
  }
  return number;
}

}  // namespace oarlock::plugin
