// Line splitting: the lines do not depend on where the chunks end. The first byte of the input is
// the longest line that is allowed, the next four are chunk lengths in turn.
#include <array>
#include <vector>

#include "core/cache/line_splitter.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

struct outcome {
  std::vector<std::string> lines;
  bool overflown = false;
  bool in_line = false;
  bool operator==(const outcome&) const = default;
};

// What the splitter promises, written down without chunks.
outcome model(std::string_view text, std::size_t longest) {
  outcome out;
  while (!text.empty()) {
    const bool whole = text.find('\n') != std::string_view::npos;
    auto line = fuzz::cut(text, "\n");
    out.overflown = line.size() > longest;
    out.in_line = !whole || out.overflown;
    if (out.in_line) break;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) out.lines.emplace_back(line);
  }
  return out;
}

template <class Lengths>
outcome split(std::string_view text, std::size_t longest, const Lengths& lengths) {
  cache::line_splitter splitter(longest);
  outcome out;
  for (std::size_t i = 0; !text.empty() && !out.overflown; ++i) {
    const auto chunk = text.substr(0, lengths[i % lengths.size()] + 1);
    text.remove_prefix(chunk.size());
    splitter.push(std::string(chunk));
    while (auto line = splitter.next()) {
      expect(line->size() <= longest, "lines within the limit", *line);
      out.lines.push_back(std::move(*line));
    }
    out.overflown = splitter.overflown();
  }
  out.in_line = splitter.in_line();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto text = fuzz::text_of(data, size);
  const std::size_t longest = fuzz::cut_byte(text);
  std::array<std::size_t, 4> lengths{};
  for (auto& length : lengths)
    length = fuzz::cut_byte(text);
  const auto expected = model(text, longest);
  expect(split(text, longest, lengths) == expected, "chunks do not matter", text);
  expect(split(text, longest, std::array{size}) == expected, "one chunk", text);
  expect(split(text, longest, std::array{std::size_t{0}}) == expected, "byte by byte", text);
  return 0;
}
