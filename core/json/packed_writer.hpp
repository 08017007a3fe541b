#pragma once
// Appends compact JSON to a string. Numbers are passed through as text, so 1.0 and 2^53+1 survive.
// The caller feeds it well-formed SAX events with valid UTF-8 (a reader with encoding validation
// does).
#include <cstddef>
#include <string>
#include <string_view>

namespace oarlock::json {

class packed_writer {
 public:
  void raw(std::string_view number_or_literal) {
    separate();
    out_.append(number_or_literal);
  }
  void string(std::string_view s) {
    separate();
    quote(s);
  }
  void key(std::string_view name) {
    separate();
    quote(name);
    out_ += ':';
    comma_ = false;
  }
  void open(char bracket) {
    separate();
    out_ += bracket;
    comma_ = false;
  }
  void close(char bracket) {
    out_ += bracket;
    comma_ = true;
  }
  [[nodiscard]] std::string_view text() const { return out_; }
  /// Ready for the next value; keeps its memory up to `capacity_max` bytes.
  void reset(std::size_t capacity_max = 1U << 20U) {
    if (out_.capacity() > capacity_max) out_ = std::string();
    out_.clear();
    comma_ = false;
  }

 private:
  void separate() {
    if (comma_) out_ += ',';
    comma_ = true;
  }
  void quote(std::string_view s);

  std::string out_;
  bool comma_ = false;
};

}  // namespace oarlock::json
