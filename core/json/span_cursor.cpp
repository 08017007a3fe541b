#include "core/json/span_cursor.hpp"

namespace oarlock::json {

void span_cursor::skip_space() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
    ++at_;
  }
}

char span_cursor::peek() {
  skip_space();
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool span_cursor::at_end() {
  skip_space();
  return at_ == text_.size();
}

bool span_cursor::open(char bracket) {
  if (peek() != bracket) return false;
  ++at_;
  first_ = true;
  return true;
}

span_cursor::step span_cursor::next(char closing) {
  const char c = peek();
  if (c == closing) {
    ++at_;
    first_ = false;
    return step::end;
  }
  if (!first_) {
    if (c != ',') return step::broken;
    ++at_;
    if (peek() == closing) return step::broken;
  }
  first_ = false;
  return peek() == '\0' ? step::broken : step::value;
}

span_cursor::step span_cursor::next_element() {
  return next(']');
}

span_cursor::step span_cursor::next_member(std::string_view& key) {
  const step s = next('}');
  if (s != step::value) return s;
  const std::size_t begin = at_;
  if (text_[at_] != '"' || !skip_string()) return step::broken;
  key = text_.substr(begin + 1, at_ - begin - 2);
  if (peek() != ':') return step::broken;
  ++at_;
  return peek() == '\0' ? step::broken : step::value;
}

bool span_cursor::skip_string() {
  ++at_;  // the opening quote
  while (at_ < text_.size()) {
    const char c = text_[at_++];
    if (c == '"') return true;
    if (c == '\\') ++at_;
  }
  at_ = text_.size();
  return false;
}

bool span_cursor::skip_value(span& where) {
  skip_space();
  where.begin = at_;
  std::size_t depth = 0;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      if (!skip_string()) return false;
      if (depth == 0) break;
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at_;
    } else if (c == '}' || c == ']') {
      if (depth == 0) break;  // the end of a number or literal
      ++at_;
      if (--depth == 0) break;
    } else if (depth == 0 && (c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
      break;
    } else {
      ++at_;
    }
  }
  where.end = at_;
  return depth == 0 && where.end > where.begin;
}

}  // namespace oarlock::json
