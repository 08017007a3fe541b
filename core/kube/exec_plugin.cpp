#include "core/kube/exec_plugin.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <atomic>
#include <limits>

#include "core/base/base64.hpp"
#include "core/base/joint_run.hpp"
#include "core/base/log.hpp"
#include "core/base/rfc3339.hpp"
#include "core/json/parse.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::kube {

namespace {

// Below the deadline of a request, so that the plugin is named and not the request.
constexpr duration run_limit = std::chrono::seconds(25);
constexpr std::size_t output_bytes_max = 1U << 20U;
// An identity is renewed a little before it ends: requests take time.
constexpr duration expiry_leeway = std::chrono::seconds(10);

error exec_refused(const std::string& message) {
  return {kube_error::unauthorized, message};
}

// Under component-base's names. The plugin's own exit code is in the log, not in a label.
class exec_metrics {
 public:
  explicit exec_metrics(metric_registry* r) : registry_(r) {}

  void call(const char* status) {
    if (registry_ == nullptr) return;
    registry_
        ->make_counter(
            "rest_client_exec_plugin_call_total",
            "Runs of the credential plugin: code 0, or 1 where it gave no identity.",
            {{"code", std::string(status) == "no_error" ? "0" : "1"}, {"call_status", status}})
        .add();
  }
  void rotated(duration age) {
    if (registry_ == nullptr) return;
    registry_
        ->make_histogram("rest_client_exec_plugin_certificate_rotation_age",
                         "Seconds for which a certificate of the credential plugin was used.", {},
                         {600, 1800, 3600, 14400, 86400, 604800, 2592000, 7776000, 15552000,
                          31104000, 124416000})
        .observe(std::chrono::duration<double>(age).count());
  }
  // `left` is asked on the scraping thread.
  void time_left(std::function<double()> left) {
    if (registry_ == nullptr) return;
    auto& ttl = registry_->make_gauge(
        "rest_client_exec_plugin_ttl_seconds",
        "Seconds until the credential plugin's identity expires; +Inf: it does not.", {});
    registry_->before_scrape([&ttl, left = std::move(left)] { ttl.set(left()); });
  }

 private:
  metric_registry* registry_;
};

class exec_identity_impl final : public exec_identity,
                                 public std::enable_shared_from_this<exec_identity_impl> {
 public:
  exec_identity_impl(executor loop, const clock& clock_source, const cluster_config& config,
                     const std::string& ca_pem, exec_runner run, metric_registry* registry)
      : loop_(std::move(loop)),
        clock_(clock_source),
        plugin_(*config.exec),
        info_(exec_info(config, ca_pem)),
        run_(std::move(run)),
        metrics_(registry) {}

  void report() {
    metrics_.time_left([weak = weak_from_this()] {
      const auto self = weak.lock();
      const auto at = self ? self->expires_ns_.load() : never;
      if (at == never) return std::numeric_limits<double>::infinity();
      const auto left = std::chrono::nanoseconds(at) - self->clock_.wall_now().time_since_epoch();
      return std::chrono::duration<double>(left).count();
    });
  }

  [[nodiscard]] task<result<>> prepare() override { return prepare(shared_from_this()); }
  [[nodiscard]] result<std::string> bearer_token() override {
    return have_ ? have_->token : std::string();
  }
  [[nodiscard]] std::uint64_t revision() const override { return revision_; }
  void refused() override { refused_ = true; }
  [[nodiscard]] std::pair<std::string, std::string> certificate() const override {
    if (!have_) return {};
    return {have_->client_cert_pem, have_->client_key_pem};
  }

 private:
  [[nodiscard]] bool fresh() const {
    if (!have_ || refused_) return false;
    return !have_->expires || clock_.wall_now() + expiry_leeway < *have_->expires;
  }

  static task<result<>> prepare(std::shared_ptr<exec_identity_impl> self) {
    if (self->fresh()) co_return result<>();
    co_await joint_run::join(self->renewing_, self->loop_, [self] { return renew(self); });
    co_return self->last_;
  }

  static task<> renew(std::shared_ptr<exec_identity_impl> self) {
    exec_command command{self->plugin_.command, self->plugin_.args, self->plugin_.env, run_limit,
                         output_bytes_max};
    command.env.emplace_back("KUBERNETES_EXEC_INFO", self->info_);
    const auto printed = co_await self->run_(std::move(command));
    self->last_ = self->take(printed);
  }

  result<> take(const result<std::string>& printed) {
    const std::string where = "credential plugin '" + plugin_.command + "'";
    if (!printed) {
      metrics_.call(printed.error().code == kube_error::invalid ? "plugin_not_found_error"
                                                                : "plugin_execution_error");
      const auto hint = plugin_.install_hint.empty() ? "" : ": " + plugin_.install_hint;
      return exec_refused(where + ": " + printed.error().message + hint);
    }
    auto credential = parse_exec_credential(*printed, plugin_.api_version);
    if (!credential) {
      metrics_.call("client_internal_error");
      return credential.error().within(where);
    }
    metrics_.call("no_error");
    keep(std::move(*credential));
    ++revision_;
    log_info("credential plugin ran", {{"command", plugin_.command}});
    return {};
  }

  void keep(exec_credential fresh) {
    const bool rotated =
        have_ && !have_->client_cert_pem.empty() && have_->client_cert_pem != fresh.client_cert_pem;
    if (rotated) metrics_.rotated(clock_.now() - since_);
    if (!have_ || rotated) since_ = clock_.now();
    expires_ns_ =
        fresh.expires ? std::chrono::nanoseconds(fresh.expires->time_since_epoch()).count() : never;
    refused_ = false;
    have_ = std::move(fresh);
  }

  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
  const executor loop_;
  const clock& clock_;
  const exec_plugin plugin_;
  const std::string info_;
  const exec_runner run_;
  exec_metrics metrics_;
  std::atomic<std::int64_t> expires_ns_{never};
  steady_time since_{};  // the certificate is used
  std::optional<exec_credential> have_;
  std::uint64_t revision_ = 0;
  bool refused_ = false;
  result<> last_;
  const std::shared_ptr<joint_run> renewing_ = std::make_shared<joint_run>();
};

}  // namespace

result<exec_credential> parse_exec_credential(std::string_view text,
                                              const std::string& api_version) {
  const auto parsed = json::parse(text);
  if (!parsed) return exec_refused("expected an ExecCredential on standard output, found no JSON");
  if (json::string_at(*parsed, "/kind") != "ExecCredential") {
    return exec_refused("expected kind ExecCredential on standard output, found another or none");
  }
  const auto version = json::string_at(*parsed, "/apiVersion");
  if (version != api_version) {
    return exec_refused("expected apiVersion " + api_version + " as the kubeconfig says, found '" +
                        std::string(version.substr(0, 64)) + "'");
  }
  exec_credential out;
  out.token = json::string_at(*parsed, "/status/token");
  out.client_cert_pem = json::string_at(*parsed, "/status/clientCertificateData");
  out.client_key_pem = json::string_at(*parsed, "/status/clientKeyData");
  if (out.client_cert_pem.empty() != out.client_key_pem.empty()) {
    return exec_refused("expected clientCertificateData and clientKeyData, found only one of them");
  }
  if (out.token.empty() && out.client_cert_pem.empty()) {
    return exec_refused("expected status.token or status.clientCertificateData, found neither");
  }
  const auto expires = json::string_at(*parsed, "/status/expirationTimestamp");
  if (expires.empty()) return out;
  out.expires = parse_rfc3339(expires);
  if (!out.expires) {
    return exec_refused("expected expirationTimestamp as an RFC 3339 time, found something else");
  }
  return out;
}

std::string exec_info(const cluster_config& config, const std::string& ca_pem) {
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer> json(out);
  const auto member = [&json](const char* name, const std::string& value) {
    if (value.empty()) return;
    json.Key(name);
    json.String(value);
  };
  json.StartObject();
  member("apiVersion", config.exec->api_version);
  member("kind", "ExecCredential");
  json.Key("spec");
  json.StartObject();
  json.Key("interactive");
  json.Bool(false);
  if (config.exec->provide_cluster_info) {
    json.Key("cluster");
    json.StartObject();
    member("server", config.server);
    member("tls-server-name", config.tls_server_name);
    member("certificate-authority-data", base64_encode(ca_pem));
    if (config.insecure_skip_tls_verify) {
      json.Key("insecure-skip-tls-verify");
      json.Bool(true);
    }
    json.EndObject();
  }
  json.EndObject();
  json.EndObject();
  return {out.GetString(), out.GetSize()};
}

std::shared_ptr<exec_identity> make_exec_identity(executor loop, const clock& clock_source,
                                                  const cluster_config& config,
                                                  const std::string& ca_pem, exec_runner run,
                                                  metric_registry* metrics) {
  auto made = std::make_shared<exec_identity_impl>(std::move(loop), clock_source, config, ca_pem,
                                                   std::move(run), metrics);
  made->report();
  return made;
}

}  // namespace oarlock::kube
