#pragma once
// JSON to read: nodes of a parsed document that are safe to walk, whatever is missing.
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace oarlock::sdk::json {

inline constexpr std::size_t depth_max = 128;

class parse_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {

// Hands the reader's events to the document, and stops at the depth limit.
template <class Handler>
struct depth_guard {
  Handler& to;
  std::size_t depth = 0;

  bool Null() { return to.Null(); }
  bool Bool(bool b) { return to.Bool(b); }
  bool Int(int i) { return to.Int(i); }
  bool Uint(unsigned i) { return to.Uint(i); }
  bool Int64(std::int64_t i) { return to.Int64(i); }
  bool Uint64(std::uint64_t i) { return to.Uint64(i); }
  bool Double(double d) { return to.Double(d); }
  bool RawNumber(const char* s, rapidjson::SizeType n, bool copy) {
    return to.RawNumber(s, n, copy);
  }
  bool String(const char* s, rapidjson::SizeType n, bool copy) { return to.String(s, n, copy); }
  bool Key(const char* s, rapidjson::SizeType n, bool copy) { return to.Key(s, n, copy); }
  bool StartObject() { return ++depth <= depth_max && to.StartObject(); }
  bool EndObject(rapidjson::SizeType n) { return --depth, to.EndObject(n); }
  bool StartArray() { return ++depth <= depth_max && to.StartArray(); }
  bool EndArray(rapidjson::SizeType n) { return --depth, to.EndArray(n); }
};

}  // namespace detail

/// Parses one JSON text: iterative, UTF-8 checked, at most depth_max deep. Throws parse_error.
[[nodiscard]] inline rapidjson::Document parse(std::string_view text) {
  constexpr unsigned flags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
  rapidjson::Reader reader;
  rapidjson::ParseResult parsed;
  rapidjson::Document document;
  auto generate = [&](rapidjson::Document& handler) {
    rapidjson::MemoryStream bytes(text.data(), text.size());
    rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> stream(bytes);
    detail::depth_guard<rapidjson::Document> guard{handler};
    parsed = reader.Parse<flags>(stream, guard);
    return !parsed.IsError();
  };
  document.Populate(generate);
  if (parsed.IsError()) {
    const bool too_deep = parsed.Code() == rapidjson::kParseErrorTermination;
    throw parse_error("expected JSON, found at byte " + std::to_string(parsed.Offset()) + ": " +
                      (too_deep ? "more than " + std::to_string(depth_max) + " levels"
                                : std::string(rapidjson::GetParseError_En(parsed.Code()))));
  }
  return document;
}

/// A place in a parsed document, or nowhere: every step from nowhere leads nowhere, and reads give
/// their fallback. Valid as long as the document.
class node {
 public:
  node() = default;
  explicit node(const rapidjson::Value* value) : value_(value) {}

  [[nodiscard]] bool exists() const { return value_ != nullptr && !value_->IsNull(); }
  [[nodiscard]] bool is_object() const { return value_ != nullptr && value_->IsObject(); }
  [[nodiscard]] bool is_array() const { return value_ != nullptr && value_->IsArray(); }
  [[nodiscard]] bool is_integer() const { return value_ != nullptr && value_->IsInt64(); }
  [[nodiscard]] bool is_text() const { return value_ != nullptr && value_->IsString(); }

  [[nodiscard]] node operator[](std::string_view key) const {
    if (!is_object()) return {};
    const auto found =
        value_->FindMember(rapidjson::Value(rapidjson::StringRef(key.data(), key.size())));
    return found == value_->MemberEnd() ? node{} : node{&found->value};
  }
  [[nodiscard]] std::string_view text(std::string_view fallback = {}) const {
    if (!is_text()) return fallback;
    return {value_->GetString(), value_->GetStringLength()};
  }
  [[nodiscard]] std::int64_t integer(std::int64_t fallback = 0) const {
    return is_integer() ? value_->GetInt64() : fallback;
  }
  [[nodiscard]] bool boolean(bool fallback = false) const {
    return value_ != nullptr && value_->IsBool() ? value_->GetBool() : fallback;
  }

  /// Iterates over the items of an array; over nothing elsewhere.
  class iterator {
   public:
    explicit iterator(const rapidjson::Value* at) : at_(at) {}
    node operator*() const { return node{at_}; }
    iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const iterator&) const = default;

   private:
    const rapidjson::Value* at_;
  };
  [[nodiscard]] iterator begin() const { return iterator{is_array() ? value_->Begin() : nullptr}; }
  [[nodiscard]] iterator end() const { return iterator{is_array() ? value_->End() : nullptr}; }
  [[nodiscard]] std::size_t size() const { return is_array() ? value_->Size() : 0; }

  /// For what this class does not offer; null when nowhere.
  [[nodiscard]] const rapidjson::Value* raw() const { return value_; }

 private:
  const rapidjson::Value* value_ = nullptr;
};

}  // namespace oarlock::sdk::json
