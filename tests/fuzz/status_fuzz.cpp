// Answers outside 2xx. The first line of the input is the HTTP status, the second the Retry-After
// header, the rest the body.
#include <algorithm>
#include <charconv>

#include "core/kube/errors.hpp"
#include "core/kube/retry.hpp"
#include "core/kube/status.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

bool is_within_a_day(const std::optional<std::chrono::milliseconds>& wait) {
  return !wait || (wait->count() >= 0 && *wait <= std::chrono::hours(24));
}

bool is_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

void check_retries(const kube::failure& f, bool is_write) {
  for (int attempt = 1; attempt <= kube::attempts_max; ++attempt) {
    const auto wait = kube::retry_delay(f, is_write, attempt);
    if (!wait) continue;
    expect(attempt < kube::attempts_max, "a last attempt");
    expect(f.why.code != kube::kube_error::unknown_outcome,
           "no replay of a write whose fate is "
           "unknown",
           f.why.message);
    expect(wait->count() > 0 && *wait <= std::chrono::hours(24), "a pause, and not for ever");
    expect(!f.why.retry_after || *wait >= *f.why.retry_after, "what the server asked for");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto body = fuzz::text_of(data, size);
  const auto first = fuzz::cut(body, "\n");
  const auto retry_after = fuzz::cut(body, "\n");
  int http_status = 500;
  (void)std::from_chars(first.data(), first.data() + first.size(), http_status);
  expect(is_within_a_day(kube::parse_retry_after(retry_after)), "at most a day", retry_after);
  if (const auto status = kube::parse_status(body); status) {
    expect(is_within_a_day(status->retry_after), "at most a day", body);
  }
  const auto e = kube::decode_status(http_status, body, retry_after);
  expect(e.code.value() >= 1 && e.code.value() <= static_cast<int>(kube::kube_error::cancelled),
         "a known code", e.message);
  expect(e.message.starts_with("HTTP ") && is_one_line(e.message), "one line", e.message);
  expect(e.message.size() <= body.size() * 3 + 512, "no more than was said", e.message);
  for (const bool is_write : {false, true}) {
    const auto f = kube::answer_failure(http_status, body, retry_after, is_write);
    expect(is_write || f.why.code == e.code, "a read's error is the answer's", e.message);
    expect(!f.nothing_sent, "an answer means that something was sent");
    check_retries(f, is_write);
  }
  return 0;
}
