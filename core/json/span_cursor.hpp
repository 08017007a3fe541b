#pragma once
// Finds where the members of an object or the elements of an array lie, without decoding them: the
// envelopes of lists and watch events are walked with it, so that one broken object cannot break
// its neighbours. It checks brackets and strings only; each value that matters is parsed properly
// after.
#include <cstddef>
#include <string_view>

namespace oarlock::json {

struct span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

class span_cursor {
 public:
  enum class step { value, end, broken };

  explicit span_cursor(std::string_view text, std::size_t offset = 0) : text_(text), at_(offset) {}

  /// Steps into the object or array that must start here. `bracket` is '{' or '['.
  [[nodiscard]] bool open(char bracket);
  /// Moves to the next member's value; `key` is its name as written, without the quotes.
  [[nodiscard]] step next_member(std::string_view& key);
  /// Moves to the next element.
  [[nodiscard]] step next_element();
  /// Steps over the value that starts here. False: the text ends first, or no value starts here.
  [[nodiscard]] bool skip_value(span& where);
  /// Only white space is left.
  [[nodiscard]] bool at_end();
  /// The byte that comes next, after white space; NUL at the end.
  [[nodiscard]] char peek();
  [[nodiscard]] std::size_t offset() const { return at_; }

 private:
  [[nodiscard]] bool skip_string();
  void skip_space();
  [[nodiscard]] step next(char closing);

  std::string_view text_;
  std::size_t at_;
  bool first_ = false;
};

}  // namespace oarlock::json
