#include "core/cache/line_splitter.hpp"

namespace oarlock::cache {

std::optional<std::string> line_splitter::next() {
  while (at_ < chunk_.size() && !overflown()) {
    const std::size_t newline = chunk_.find('\n', at_);
    const bool whole = newline != std::string::npos;
    const std::size_t end = whole ? newline : chunk_.size();
    partial_.append(chunk_, at_, end - at_);
    at_ = whole ? end + 1 : end;
    if (!whole || overflown()) break;
    std::string line = std::move(partial_);
    partial_.clear();
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) return line;
  }
  return std::nullopt;
}

}  // namespace oarlock::cache
