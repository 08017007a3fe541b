// Server URLs and percent encoding.
#include "core/kube/errors.hpp"
#include "core/kube/resource.hpp"
#include "core/kube/url.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

void check_encoding(std::string_view text) {
  const auto encoded = kube::percent_encoded(text);
  std::string back;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    const bool escape = encoded[i] == '%';
    expect(encoded[i] > ' ' && encoded[i] < 0x7f && encoded[i] != '/', "one segment", encoded);
    back +=
        escape ? static_cast<char>(std::stoi(encoded.substr(i + 1, 2), nullptr, 16)) : encoded[i];
    if (escape) i += 2;
  }
  expect(back == text, "encoded and decoded", encoded);
  expect(encoded != "." && encoded != "..", "no segment that a proxy normalises away", encoded);
  const kube::resource pods{"", "v1", "Pod", "pods", true};
  const auto path = pods.path("ns", text);
  if (!text.empty()) {
    expect(path == pods.path("ns") + "/" + encoded, "a path of one more segment", path);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  check_encoding(text);
  const auto url = kube::parse_server_url(text);
  if (!url) {
    expect(url.error().code == kube::kube_error::invalid, "one kind of error", text);
    return 0;
  }
  expect(!url->host.empty() && !url->port.empty(), "a host and a port", text);
  expect(url->prefix.empty() || (url->prefix.front() == '/' && url->prefix.back() != '/'),
         "a prefix between slashes", text);
  const bool brackets = url->host.find(':') != std::string::npos;
  const auto rebuilt = std::string(url->tls ? "https://" : "http://") +
                       (brackets ? "[" + url->host + "]" : url->host) + ":" + url->port +
                       url->prefix;
  const auto again = kube::parse_server_url(rebuilt);
  expect(again && again->tls == url->tls && again->host == url->host && again->port == url->port &&
             again->prefix == url->prefix,
         "taken apart and put together", rebuilt);
  return 0;
}
