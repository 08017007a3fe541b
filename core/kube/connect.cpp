#include "core/kube/connect.hpp"

#include <tuple>

#include "core/kube/credentials.hpp"
#include "core/kube/exec_plugin.hpp"
#include "core/kube/exec_process.hpp"
#include "core/kube/files.hpp"
#include "core/kube/url.hpp"

namespace oarlock::kube {

namespace {

constexpr std::size_t pem_file_bytes_max = 1U << 20U;

result<std::string> data_or_file(const std::string& data, const std::string& file) {
  if (!data.empty() || file.empty()) return data;
  return read_small_file(file, pem_file_bytes_max);
}

result<net::tls_material> load_material(const cluster_config& config) {
  net::tls_material out;
  out.server_name = config.tls_server_name;
  out.verify_peer = !config.insecure_skip_tls_verify;
  auto ca = data_or_file(config.ca_data, config.ca_file);
  if (!ca) return ca.error().within("certificate authority");
  auto cert = data_or_file(config.client_cert_data, config.client_cert_file);
  if (!cert) return cert.error().within("client certificate");
  auto key = data_or_file(config.client_key_data, config.client_key_file);
  if (!key) return key.error().within("client key");
  out.ca_pem = std::move(*ca);
  out.client_cert_pem = std::move(*cert);
  out.client_key_pem = std::move(*key);
  return out;
}

// client-go's histogram.
std::function<void(duration)> count_resolutions(metric_registry* metrics, const std::string& host) {
  if (metrics == nullptr) return {};
  return [metrics, host](duration took) {
    metrics
        ->make_histogram("rest_client_dns_resolution_duration_seconds",
                         "Seconds to resolve the name of the API server or its proxy, by host.",
                         {{"host", host}}, {0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30})
        .observe(std::chrono::duration<double>(took).count());
  };
}

}  // namespace

result<connection> connect(executor loop, const clock& clock_source, timers& timer_source,
                           const cluster_config& config, metric_registry* metrics) {
  const auto url = parse_server_url(config.server);
  if (!url) return url.error();
  net::client_transport_config wanted;
  wanted.host = url->host;
  wanted.port = url->port;
  wanted.tls = url->tls;
  wanted.path_prefix = url->prefix;
  wanted.via = config.via;
  if (config.as) wanted.headers = config.as->headers();
  wanted.user_agent = "oarlock/" OARLOCK_VERSION;
  // The API server closes idle connections after 90 s: be first, or a write may meet its close.
  wanted.idle_max = std::chrono::seconds(60);
  wanted.resolved = count_resolutions(metrics, wanted.via ? wanted.via->host : wanted.host);
  connection out;
  std::shared_ptr<exec_identity> plugin;
  if (config.exec) {
    const auto ca = data_or_file(config.ca_data, config.ca_file);
    if (!ca) return ca.error().within("certificate authority");
    plugin = make_exec_identity(loop, clock_source, config, *ca,
                                make_process_runner(loop, timer_source), metrics);
    out.identity = plugin;
  } else if (!config.token_file.empty()) {
    out.identity = make_token_file(config.token_file, clock_source);
  } else if (!config.token.empty()) {
    out.identity = make_static_token(config.token);
  } else if (!config.client_cert_file.empty()) {
    out.identity = make_certificate_files(config.client_cert_file, config.client_key_file);
  }
  wanted.load_tls = [config, plugin]() -> result<net::tls_material> {
    auto material = load_material(config);
    if (!material || !plugin) return material;
    std::tie(material->client_cert_pem, material->client_key_pem) = plugin->certificate();
    return material;
  };
  out.transport = net::make_client_transport(std::move(loop), clock_source, std::move(wanted));
  return out;
}

}  // namespace oarlock::kube
