#include "core/json/parse.hpp"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/writer.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/base/limits.hpp"
#include "core/json/limits_check.hpp"
#include "core/json/utf8.hpp"

namespace oarlock::json {

namespace {

class json_category final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "oarlock.json"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<json_error>(value)) {
      case json_error::syntax:
        return "not JSON";
      case json_error::too_deep:
        return "JSON nested too deep";
      case json_error::too_large:
        return "JSON too large";
      case json_error::duplicate_key:
        return "JSON object with a key twice";
      case json_error::wrong_shape:
        return "JSON of another shape than expected";
    }
    return "unknown JSON error";
  }
};

// Passes SAX events on while the limits hold.
template <class Next>
class limiting_handler {
 public:
  using Ch = char;
  explicit limiting_handler(Next& next) : next_(next) {}

  bool Null() { return next_.Null(); }
  bool Bool(bool v) { return next_.Bool(v); }
  bool Int(int v) { return next_.Int(v); }
  bool Uint(unsigned v) { return next_.Uint(v); }
  bool Int64(std::int64_t v) { return next_.Int64(v); }
  bool Uint64(std::uint64_t v) { return next_.Uint64(v); }
  bool Double(double v) { return next_.Double(v); }
  bool RawNumber(const char* s, rapidjson::SizeType n, bool) { return add_number({s, n}); }
  bool String(const char* s, rapidjson::SizeType n, bool copy) {
    return is_text({s, n}) && next_.String(s, n, copy);
  }
  bool StartObject() { return check_.enter() && next_.StartObject(); }
  bool Key(const char* s, rapidjson::SizeType n, bool copy) {
    check_.key({s, n});
    return is_text({s, n}) && next_.Key(s, n, copy);
  }
  bool EndObject(rapidjson::SizeType n) { return check_.leave() && next_.EndObject(n); }
  bool StartArray() { return check_.enter() && next_.StartArray(); }
  bool EndArray(rapidjson::SizeType n) { return check_.leave() && next_.EndArray(n); }

  [[nodiscard]] limit_broken broken() const { return check_.broken(); }
  /// What is wrong with a string or a number; null when nothing is.
  [[nodiscard]] const char* complaint() const { return complaint_; }

 private:
  bool complain(const char* what) {
    complaint_ = what;
    return false;
  }

  // The reader checks bytes, but takes the escape of a low surrogate without its high one.
  bool is_text(std::string_view s) {
    return !has_surrogate(s) || complain("half of a surrogate pair");
  }

  // The reader's own conversion makes 0e300 a random number: it normalises a zero.
  bool add_number(std::string_view text) {
    const char* end = text.data() + text.size();
    if (text.find_first_of(".eE") == std::string_view::npos) {
      std::int64_t with_sign = 0;
      if (std::from_chars(text.data(), end, with_sign).ec == std::errc()) {
        return next_.Int64(with_sign);
      }
      std::uint64_t large = 0;
      if (const auto [stop, failed] = std::from_chars(text.data(), end, large);
          failed == std::errc() && stop == end) {
        return next_.Uint64(large);
      }
    }
    double value = 0;
    if (std::from_chars(text.data(), end, value).ec == std::errc::result_out_of_range) {
      value = std::strtod(std::string(text).c_str(), nullptr);  // tells too small from too big
    }
    return std::isfinite(value) ? next_.Double(value) : complain("a number too big");
  }

  Next& next_;
  const char* complaint_ = nullptr;
  limits_check check_;
};

struct string_output {
  using Ch = char;
  std::string text;
  void Put(char c) { text.push_back(c); }
  void Flush() {}
};

std::string found_at(std::string_view text, std::size_t offset) {
  if (offset >= text.size()) return "the end of the text";
  std::string out = "'";
  for (const char c : text.substr(offset, 16)) {
    out += (c >= 0x20 && c < 0x7f) ? c : '?';
  }
  return out + "'";
}

error failure(std::string_view text, std::size_t offset, rapidjson::ParseErrorCode code,
              limit_broken broken) {
  const std::string at = " at byte " + std::to_string(offset);
  if (broken == limit_broken::depth) {
    return {json_error::too_deep, "expected JSON of at most " +
                                      std::to_string(limits::json_depth_max) +
                                      " levels, found one more" + at};
  }
  if (broken == limit_broken::duplicate_key) {
    return {json_error::duplicate_key,
            "expected each key once, found one twice in the object that "
            "ends" +
                at};
  }
  return {json_error::syntax, "expected JSON, found " + found_at(text, offset) + at + ": " +
                                  rapidjson::GetParseError_En(code)};
}

}  // namespace

boost::system::error_code make_error_code(json_error e) {
  static const json_category category;
  return {static_cast<int>(e), category};
}

result<rapidjson::Document> parse(std::string_view text) {
  if (text.size() > limits::response_body_bytes_max) {
    return error{json_error::too_large, "expected at most " +
                                            std::to_string(limits::response_body_bytes_max) +
                                            " bytes of JSON, found " + std::to_string(text.size())};
  }
  constexpr unsigned flags = rapidjson::kParseIterativeFlag |
                             rapidjson::kParseValidateEncodingFlag |
                             rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::Document document;
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  rapidjson::ParseResult outcome;
  limit_broken broken = limit_broken::none;
  const char* complaint = nullptr;
  auto generate = [&](rapidjson::Document& target) {
    limiting_handler handler(target);
    outcome = reader.Parse<flags>(stream, handler);
    broken = handler.broken();
    complaint = handler.complaint();
    return !outcome.IsError();
  };
  document.Populate(generate);
  if (complaint != nullptr) {
    return error{json_error::syntax, std::string("expected JSON, found ") + complaint +
                                         " before byte " + std::to_string(outcome.Offset())};
  }
  if (outcome.IsError()) return failure(text, outcome.Offset(), outcome.Code(), broken);
  // The reader takes a NUL byte for the end of the text.
  if (stream.Tell() != text.size()) {
    return failure(text, stream.Tell(), rapidjson::kParseErrorDocumentRootNotSingular, broken);
  }
  return document;
}

std::string write(const rapidjson::Value& value) {
  string_output out;
  rapidjson::Writer<string_output, rapidjson::UTF8<>, rapidjson::UTF8<>, rapidjson::CrtAllocator,
                    rapidjson::kWriteValidateEncodingFlag>
      writer(out);
  limiting_handler handler(writer);
  if (!value.Accept(handler)) return {};
  return std::move(out.text);
}

std::string unescaped_segment(std::string_view segment) {
  std::string name;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    const bool escaped = segment[i] == '~' && i + 1 < segment.size();
    if (escaped) ++i;
    name += !escaped ? segment[i] : segment[i] == '1' ? '/' : '~';
  }
  return name;
}

namespace {

const rapidjson::Value* child(const rapidjson::Value& parent, std::string_view segment) {
  if (parent.IsArray()) {
    rapidjson::SizeType index = 0;
    const char* end = segment.data() + segment.size();
    const auto [stop, failed] = std::from_chars(segment.data(), end, index);
    if (failed != std::errc() || stop != end || index >= parent.Size()) return nullptr;
    return &parent[index];
  }
  if (!parent.IsObject()) return nullptr;
  const auto found = parent.FindMember(unescaped_segment(segment));
  return found == parent.MemberEnd() ? nullptr : &found->value;
}

}  // namespace

const rapidjson::Value* find(const rapidjson::Value& root, std::string_view pointer) {
  const rapidjson::Value* at = &root;
  while (at != nullptr && !pointer.empty()) {
    if (pointer.front() != '/') return nullptr;
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    at = child(*at, pointer.substr(0, end));
    pointer.remove_prefix(end);
  }
  return at;
}

std::string_view string_at(const rapidjson::Value& root, std::string_view pointer) {
  const auto* value = find(root, pointer);
  if (value == nullptr || !value->IsString()) return {};
  return {value->GetString(), value->GetStringLength()};
}

std::optional<std::int64_t> int_at(const rapidjson::Value& root, std::string_view pointer) {
  const auto* value = find(root, pointer);
  if (value == nullptr || !value->IsInt64()) return std::nullopt;
  return value->GetInt64();
}

std::optional<bool> bool_at(const rapidjson::Value& root, std::string_view pointer) {
  const auto* value = find(root, pointer);
  if (value == nullptr || !value->IsBool()) return std::nullopt;
  return value->GetBool();
}

}  // namespace oarlock::json
