#include "core/kube/warnings.hpp"

#include "core/net/message.hpp"

namespace oarlock::kube {

namespace {

// The text between the first quotation marks, escapes removed; empty when they are not closed.
std::string quoted_text(std::string_view value) {
  const auto open = value.find('"');
  if (open == std::string_view::npos) return {};
  std::string out;
  for (auto i = open + 1; i < value.size(); ++i) {
    if (value[i] == '"') return out;
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    out += value[i];
  }
  return {};
}

}  // namespace

std::vector<std::string> warning_texts(const net::http_head& head) {
  std::vector<std::string> out;
  for (const auto& h : head.headers) {
    if (!net::same_name(h.name, "Warning") || !h.value.starts_with("299 ")) continue;
    if (auto text = quoted_text(h.value); !text.empty()) out.push_back(std::move(text));
  }
  return out;
}

bool warning_memory::is_new(const std::string& text) {
  if (seen_.contains(text)) return false;
  if (seen_.size() >= texts_max) seen_.clear();
  seen_.insert(text);
  return true;
}

}  // namespace oarlock::kube
