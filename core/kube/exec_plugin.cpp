#include "core/kube/exec_plugin.hpp"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

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

error refused(const std::string& message) {
  return {kube_error::unauthorized, message};
}

class exec_identity_impl final : public exec_identity,
                                 public std::enable_shared_from_this<exec_identity_impl> {
 public:
  exec_identity_impl(executor loop, const clock& clock_source, const cluster_config& config,
                     const std::string& ca_pem, exec_runner run)
      : loop_(std::move(loop)),
        clock_(clock_source),
        plugin_(*config.exec),
        info_(exec_info(config, ca_pem)),
        run_(std::move(run)) {}

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
      const auto hint = plugin_.install_hint.empty() ? "" : ": " + plugin_.install_hint;
      return kube::refused(where + ": " + printed.error().message + hint);
    }
    auto credential = parse_exec_credential(*printed, plugin_.api_version);
    if (!credential) return credential.error().within(where);
    refused_ = false;
    have_ = std::move(*credential);
    ++revision_;
    log_info("credential plugin ran", {{"command", plugin_.command}});
    return {};
  }

  const executor loop_;
  const clock& clock_;
  const exec_plugin plugin_;
  const std::string info_;
  const exec_runner run_;
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
  if (!parsed) return refused("expected an ExecCredential on standard output, found no JSON");
  if (json::string_at(*parsed, "/kind") != "ExecCredential") {
    return refused("expected kind ExecCredential on standard output, found another or none");
  }
  const auto version = json::string_at(*parsed, "/apiVersion");
  if (version != api_version) {
    return refused("expected apiVersion " + api_version + " as the kubeconfig says, found '" +
                   std::string(version.substr(0, 64)) + "'");
  }
  exec_credential out;
  out.token = json::string_at(*parsed, "/status/token");
  out.client_cert_pem = json::string_at(*parsed, "/status/clientCertificateData");
  out.client_key_pem = json::string_at(*parsed, "/status/clientKeyData");
  if (out.client_cert_pem.empty() != out.client_key_pem.empty()) {
    return refused("expected clientCertificateData and clientKeyData, found only one of them");
  }
  if (out.token.empty() && out.client_cert_pem.empty()) {
    return refused("expected status.token or status.clientCertificateData, found neither");
  }
  const auto expires = json::string_at(*parsed, "/status/expirationTimestamp");
  if (expires.empty()) return out;
  out.expires = parse_rfc3339(expires);
  if (!out.expires) {
    return refused("expected expirationTimestamp as an RFC 3339 time, found something else");
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
                                                  const std::string& ca_pem, exec_runner run) {
  return std::make_shared<exec_identity_impl>(std::move(loop), clock_source, config, ca_pem,
                                              std::move(run));
}

}  // namespace oarlock::kube
