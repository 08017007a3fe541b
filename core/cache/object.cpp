#include "core/cache/object.hpp"

#include <algorithm>

namespace oarlock::cache {

namespace {

constexpr std::size_t inline_string_bytes = 15;  // libstdc++ keeps these inside the string
constexpr std::size_t map_node_bytes = 48;       // links, colour and allocator overhead

std::size_t heap_bytes(const std::string& s) {
  return s.capacity() > inline_string_bytes ? s.capacity() + 1 : 0;
}

std::size_t heap_bytes(const std::map<std::string, std::string>& m) {
  std::size_t total = 0;
  for (const auto& [key, value] : m) {
    total += map_node_bytes + 2 * sizeof(std::string) + heap_bytes(key) + heap_bytes(value);
  }
  return total;
}

bool is_number(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view without_leading_zeros(std::string_view s) {
  return s.substr(std::min(s.find_first_not_of('0'), s.size()));
}

}  // namespace

const owner_reference* object_meta::controller() const {
  const auto found =
      std::find_if(owners.begin(), owners.end(), [](const auto& o) { return o.controller; });
  return found == owners.end() ? nullptr : &*found;
}

std::size_t object::bytes() const {
  std::size_t total = sizeof(object) + heap_bytes(json_.bytes()) + heap_bytes(meta_.key.ns) +
                      heap_bytes(meta_.key.name) + heap_bytes(meta_.uid) +
                      heap_bytes(meta_.resource_version) + heap_bytes(meta_.labels) +
                      heap_bytes(meta_.annotations);
  total += meta_.owners.capacity() * sizeof(owner_reference);
  for (const auto& owner : meta_.owners) {
    total += heap_bytes(owner.api_version) + heap_bytes(owner.kind) + heap_bytes(owner.name) +
             heap_bytes(owner.uid);
  }
  total += meta_.finalizers.capacity() * sizeof(std::string);
  for (const auto& finalizer : meta_.finalizers)
    total += heap_bytes(finalizer);
  return total;
}

std::optional<std::strong_ordering> compare_versions(std::string_view a, std::string_view b) {
  if (a == b) return std::strong_ordering::equal;
  if (!is_number(a) || !is_number(b)) return std::nullopt;
  a = without_leading_zeros(a);
  b = without_leading_zeros(b);
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

}  // namespace oarlock::cache
