// HTTP answers: what they mean does not depend on how the bytes arrive. The first byte of the input
// is the length of the pieces; its highest bit says that a HEAD was asked.
#include "core/net/answer_parser.hpp"
#include "core/net/message.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

constexpr std::size_t header_bytes_max = 2048;

struct outcome {
  bool sound = true;
  int status = 0;
  std::string headers{};
  std::string body{};
  bool done = false;
  bool reusable = false;
  bool operator==(const outcome&) const = default;
};

outcome parse(std::string_view bytes, std::size_t step, bool head_request) {
  net::answer_parser parser(header_bytes_max, head_request);
  outcome out;
  const auto take = [&] {
    if (parser.head_ready()) out.body += parser.take_body();
  };
  for (std::size_t at = 0; at < bytes.size() && out.sound; at += step) {
    out.sound = parser.feed(bytes.substr(at, step)).has_value();
    take();
  }
  expect(out.body.size() <= bytes.size(), "no body out of nothing", out.body);
  if (out.sound) out.sound = parser.feed_end().has_value();
  if (!out.sound) return {.sound = false};
  take();
  expect(parser.head_ready(), "a sound answer has a head", bytes);
  out.status = parser.head().status;
  for (const auto& h : parser.head().headers) {
    expect(h.name.size() + h.value.size() <= header_bytes_max, "headers within the limit", h.name);
    expect(!parser.head().find(h.name).empty() || h.value.empty() ||
               parser.head().find(h.name) != h.value,
           "headers are found by name", h.name);
    out.headers += h.name + ":" + h.value + "\n";
  }
  out.done = parser.done();
  out.reusable = parser.reusable();
  expect(out.done, "after its end an answer is whole or an error", bytes);
  expect(out.status >= 200 && out.status < 1000, "a final status", bytes);
  expect(!head_request || out.body.empty(), "the answer to a HEAD has no body", out.body);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto bytes = fuzz::text_of(data, size);
  const unsigned mode = fuzz::cut_byte(bytes);
  const bool head_request = (mode & 0x80U) != 0;
  // A long one may break a limit that counts what waits unparsed, which pieces change.
  if (bytes.empty() || bytes.size() > header_bytes_max) return 0;
  const auto whole = parse(bytes, bytes.size(), head_request);
  const auto pieces = parse(bytes, (mode & 0x7fU) + 1, head_request);
  const auto single = parse(bytes, 1, head_request);
  expect(whole.sound == pieces.sound && whole.sound == single.sound, "pieces do not decide", bytes);
  expect(whole == pieces && whole == single, "pieces do not change the answer", bytes);
  return 0;
}
