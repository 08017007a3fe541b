#pragma once
// Cuts the chunks of a watch into lines. Chunks may end anywhere, in the middle of a character too.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace oarlock::cache {

class line_splitter {
 public:
  explicit line_splitter(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

  /// The lines of the chunks before must have been taken.
  void push(std::string chunk) {
    if (at_ == chunk_.size()) {
      chunk_ = std::move(chunk);
    } else {
      chunk_.erase(0, at_).append(chunk);
    }
    at_ = 0;
  }
  /// The next whole line that is not empty, without its newline; nullopt: more bytes are needed.
  [[nodiscard]] std::optional<std::string> next();
  /// The line that is being received is longer than allowed: the stream is of no use any more.
  [[nodiscard]] bool overflown() const { return partial_.size() > line_bytes_max_; }
  /// A line has begun and not ended.
  [[nodiscard]] bool in_line() const { return !partial_.empty() || at_ < chunk_.size(); }

 private:
  std::size_t line_bytes_max_;
  std::string chunk_;
  std::size_t at_ = 0;
  std::string partial_;
};

}  // namespace oarlock::cache
