// Kubeconfig files, and the base64 in them.
#include <openssl/evp.h>

#include "core/base/base64.hpp"
#include "core/kube/errors.hpp"
#include "core/kube/kubeconfig.hpp"
#include "core/kube/url.hpp"
#include "tests/fuzz/memory_file.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

void check_base64(std::string_view text) {
  const auto foreign = base64_decode(text);
  if (foreign) {
    expect(foreign->size() <= text.size() / 4 * 3 + 3, "three bytes of four", text);
  } else {
    expect(!foreign.error().message.empty(), "an error says why", text);
  }
  std::string encoded((text.size() + 2) / 3 * 4 + 1, '\0');
  const int length = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                       reinterpret_cast<const unsigned char*>(text.data()),
                                       static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(length));
  const auto back = base64_decode(encoded);
  expect(back && *back == text, "encoded and decoded", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  check_base64(text);
  static fuzz::memory_file file;
  file.write(text);
  kube::config_sources sources;
  sources.flag_path = file.path().string();
  sources.home = "/nonexistent";
  sources.service_account = "/nonexistent";
  const auto config = kube::load_cluster_config(sources);
  if (!config) {
    expect(config.error().code == kube::kube_error::invalid, "one kind of error", text);
    expect(!config.error().message.empty(), "an error says why", text);
    return 0;
  }
  expect(kube::parse_server_url(config->server).has_value(), "a usable server", config->server);
  const bool has_ca = !config->ca_data.empty() || !config->ca_file.empty();
  expect(!config->insecure_skip_tls_verify || !has_ca, "insecure or a CA, not both", text);
  expect(!config->ns.empty(), "a namespace", text);
  // The same file twice in the list changes nothing: the first to set a name wins.
  sources.flag_path.clear();
  sources.env = file.path().string() + ":" + file.path().string();
  const auto twice = kube::load_cluster_config(sources);
  expect(twice && twice->server == config->server && twice->token == config->token &&
             twice->ca_data == config->ca_data && twice->ns == config->ns &&
             twice->client_cert_data == config->client_cert_data,
         "merging a file with itself changes nothing", text);
  return 0;
}
