#include "core/daemon/options.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <utility>

#include "core/daemon/duration_text.hpp"

namespace oarlock::daemon {

namespace {

using namespace std::chrono_literals;

constexpr duration retry_period_min = 100ms;
constexpr std::size_t reconciles_max = 1000;
constexpr double qps_min = 0.01;
constexpr double qps_max = 100000;
constexpr std::size_t label_chars_max = 63;
constexpr const char* default_namespace = "oarlock-system";
constexpr std::size_t default_reconciles = 16;

class option_category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "oarlock.options"; }
  std::string message(int) const override { return "not a legal setting"; }
};

error refuse(const std::string& expected, const std::string& found) {
  return {option_error::bad_value, fmt::format("expected {}, found \"{}\"", expected, found)};
}

result<> set_bool(bool& into, const std::string& text) {
  if (text != "true" && text != "false") return refuse("true or false", text);
  into = text == "true";
  return {};
}

// RFC 1123 label: how namespaces and runtimes are named.
bool is_label(const std::string& text) {
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text.empty() || text.size() > label_chars_max) return false;
  if (!alnum(text.front()) || !alnum(text.back())) return false;
  for (const char c : text) {
    if (!alnum(c) && c != '-') return false;
  }
  return true;
}

result<> set_label(std::string& into, const std::string& text) {
  if (!is_label(text)) {
    return refuse("at most 63 lower-case letters, digits and '-', as namespaces are named", text);
  }
  into = text;
  return {};
}

result<> set_address(std::optional<metrics::bind_address>& into, const std::string& text) {
  auto parsed = metrics::parse_bind_address(text);
  if (!parsed) return error{option_error::bad_value, parsed.error().message};
  into = *parsed;
  return {};
}

result<> set_duration(duration& into, const std::string& text) {
  const auto parsed = parse_duration(text);
  if (!parsed) return refuse("a duration such as 15s, 1m30s or 500ms, at most 24h", text);
  into = *parsed;
  return {};
}

result<> set_count(std::optional<std::size_t>& into, const std::string& text) {
  std::size_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, value);
  if (ec != std::errc() || stop != end || value < 1 || value > reconciles_max) {
    return refuse(fmt::format("a number from 1 to {}", reconciles_max), text);
  }
  into = value;
  return {};
}

// No number for what is not one, also for "1e3" and "nan".
std::optional<double> decimal(const std::string& text) {
  double value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (ec != std::errc() || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

result<> set_qps(double& into, const std::string& text) {
  const auto value = decimal(text);
  if (!value || *value < 0 || *value > qps_max || (*value > 0 && *value < qps_min)) {
    return refuse(fmt::format("0 for no limit, or requests a second from {} to {}, such as 20 or "
                              "0.5",
                              qps_min, qps_max),
                  text);
  }
  into = *value;
  return {};
}

result<> set_burst(std::size_t& into, const std::string& text) {
  const auto value = decimal(text);
  if (!value || *value < 1 || *value > qps_max || *value != std::floor(*value)) {
    return refuse(fmt::format("a number from 1 to {}", qps_max), text);
  }
  into = static_cast<std::size_t>(*value);
  return {};
}

result<> set_level(options& o, const std::string& text) {
  if (text == "debug") {
    o.log_level = log_level::debug;
  } else if (text == "info") {
    o.log_level = log_level::info;
  } else if (text == "warn") {
    o.log_level = log_level::warn;
  } else if (text == "error") {
    o.log_level = log_level::error;
  } else {
    return refuse("debug, info, warn or error", text);
  }
  return {};
}

std::string show_level(log_level level) {
  switch (level) {
    case log_level::debug:
      return "debug";
    case log_level::info:
      return "info";
    case log_level::warn:
      return "warn";
    case log_level::error:
      return "error";
  }
  return "info";
}

result<> set_format(options& o, const std::string& text) {
  if (text != "text" && text != "json") return refuse("text or json", text);
  o.log_format = text == "json" ? log_format::json : log_format::text;
  return {};
}

std::string show_address(const std::optional<metrics::bind_address>& a) {
  return a ? a->text() : "0";
}

result<> set_path(std::string& into, const std::string& text) {
  if (text.empty()) return refuse("a path", text);
  into = text;
  return {};
}

// One of two words.
result<> set_choice(bool& into, const std::string& text, const char* off, const char* on) {
  if (text != off && text != on) return refuse(fmt::format("{} or {}", off, on), text);
  into = text == on;
  return {};
}

// "https://host[:port]", perhaps with a path; pods add to it.
result<> set_url(std::string& into, const std::string& text) {
  constexpr std::string_view scheme = "https://";
  const bool is_well = text.starts_with(scheme) && text.size() > scheme.size() &&
                       text.back() != '/' && std::all_of(text.begin(), text.end(), [](char c) {
                         return c > ' ' && c <= '~' && c != '?' && c != '#';
                       });
  if (!is_well) return refuse("https://HOST[:PORT] without a / at its end", text);
  into = text;
  return {};
}

template <class Member>
auto show_text(Member member) {
  return [member](const options& o) { return std::vector<std::string>{o.*member}; };
}
template <class Member>
auto show_bool(Member member) {
  return
      [member](const options& o) { return std::vector<std::string>{o.*member ? "true" : "false"}; };
}
template <class Member>
auto show_bind(Member member) {
  return [member](const options& o) { return std::vector<std::string>{show_address(o.*member)}; };
}
template <class Member>
auto show_time(Member member) {
  return [member](const options& o) { return std::vector<std::string>{show_duration(o.*member)}; };
}

template <auto Set, class Member>
auto into(Member member) {
  return [member](options& o, const std::string& text) { return Set(o.*member, text); };
}

std::vector<setting> election_settings() {
  return {
      {"leader-elect", "", "Hold a Lease while working, so that replicas take turns",
       setting_kind::boolean, into<set_bool>(&options::leader_elect),
       show_bool(&options::leader_elect)},
      {"leader-election-id", "NAME", "Name of the Lease (default: the runtime's name)",
       setting_kind::text, into<set_label>(&options::leader_election_id),
       show_text(&options::leader_election_id)},
      {"leader-election-namespace", "NAMESPACE",
       "Namespace of the Lease (default: the pod's, else oarlock-system)", setting_kind::text,
       into<set_label>(&options::leader_election_namespace),
       show_text(&options::leader_election_namespace)},
      {"leader-election-lease-duration", "DURATION",
       "Others wait so long before they take a lease that is not renewed (default 15s)",
       setting_kind::text, into<set_duration>(&options::leader_election_lease_duration),
       show_time(&options::leader_election_lease_duration)},
      {"leader-election-renew-deadline", "DURATION",
       "A leader that could not renew for so long steps down (default 10s)", setting_kind::text,
       into<set_duration>(&options::leader_election_renew_deadline),
       show_time(&options::leader_election_renew_deadline)},
      {"leader-election-retry-period", "DURATION", "Between two tries (default 2s)",
       setting_kind::text, into<set_duration>(&options::leader_election_retry_period),
       show_time(&options::leader_election_retry_period)},
  };
}

std::vector<setting> endpoint_settings() {
  return {
      {"metrics-bind-address", "ADDRESS", "Where /metrics listens; 0: nowhere (default :8443)",
       setting_kind::text, into<set_address>(&options::metrics), show_bind(&options::metrics)},
      {"metrics-secure", "", "TLS, and a token that may get /metrics; off only on loopback",
       setting_kind::boolean, into<set_bool>(&options::metrics_secure),
       show_bool(&options::metrics_secure)},
      {"metrics-cert-dir", "DIR", "Folder of tls.crt and tls.key (default: self-signed)",
       setting_kind::text, into<set_path>(&options::metrics_cert_dir),
       show_text(&options::metrics_cert_dir)},
      {"health-probe-bind-address", "ADDRESS",
       "Where /healthz and /readyz listen; 0: nowhere (default :8081)", setting_kind::text,
       into<set_address>(&options::probes), show_bind(&options::probes)},
  };
}

std::vector<setting> inbound_settings() {
  return {
      {"inbound-bind-address", "ADDRESS",
       "Where pods reach plugins by HTTPS; 0: nowhere (default 0)", setting_kind::text,
       into<set_address>(&options::inbound), show_bind(&options::inbound)},
      {"inbound-url", "URL",
       "How pods reach it (default: https://RUNTIME-inbound.NAMESPACE.svc:PORT of the daemon's "
       "namespace)",
       setting_kind::text, into<set_url>(&options::inbound_url), show_text(&options::inbound_url)},
      {"inbound-cert-dir", "DIR",
       "Folder of tls.crt, tls.key and ca.crt (default: an authority in the Secret "
       "RUNTIME-inbound)",
       setting_kind::text, into<set_path>(&options::inbound_cert_dir),
       show_text(&options::inbound_cert_dir)},
  };
}

setting choice(const char* name, const char* help, bool options::* member, const char* off,
               const char* on) {
  return {name,
          "WORD",
          help,
          setting_kind::text,
          [=](options& o, const std::string& text) { return set_choice(o.*member, text, off, on); },
          [=](const options& o) { return std::vector<std::string>{o.*member ? on : off}; }};
}

// "child", "core,zoo:child": of all, and of one plugin by its name.
result<> set_homes(options& o, const std::string& text) {
  std::istringstream words(text + ",");
  for (std::string word; std::getline(words, word, ',');) {
    const auto colon = word.find(':');
    const auto name = colon == std::string::npos ? std::string() : word.substr(0, colon);
    bool& home = colon == std::string::npos ? o.plugins_in_children : o.plugin_homes[name];
    if (colon == 0) return refuse("core or child, perhaps with PLUGIN: before it", word);
    const auto home_text = colon == std::string::npos ? word : word.substr(colon + 1);
    if (auto done = set_choice(home, home_text, "core", "child"); !done) return done;
  }
  return {};
}

std::vector<std::string> show_homes(const options& o) {
  std::string text = o.plugins_in_children ? "child" : "core";
  for (const auto& [name, in_child] : o.plugin_homes)
    text += "," + name + (in_child ? ":child" : ":core");
  return {text};
}

std::vector<setting> home_settings() {
  return {
      {"plugin-home", "HOME",
       "Where plugins run: core (this process, the default) or child; for one: \"core,zoo:child\"",
       setting_kind::text, &set_homes, &show_homes},
      choice("plugin-sandbox",
             "Walls of a child: required, or bestEffort where the kernel lacks some",
             &options::sandbox_required, "bestEffort", "required"),
      choice("plugin-exports",
             "Libraries that export more than their entry: refuse, or for development warn",
             &options::extra_exports_refused, "warn", "refuse"),
  };
}

setting events_setting() {
  return choice("events", "Events about the objects that plugins manage: all or none (default all)",
                &options::events, "none", "all");
}

std::vector<setting> rate_settings() {
  return {
      {"kube-api-qps", "N",
       "Requests to the API server a second, watches and the lease apart; 0: no limit (default 0)",
       setting_kind::text, into<set_qps>(&options::kube_api_qps),
       [](const options& o) {
         return std::vector<std::string>{fmt::format("{}", o.kube_api_qps)};
       }},
      {"kube-api-burst", "N", "So many at once after a pause, under --kube-api-qps (default 10)",
       setting_kind::text, into<set_burst>(&options::kube_api_burst),
       [](const options& o) { return std::vector<std::string>{std::to_string(o.kube_api_burst)}; }},
  };
}

std::vector<setting> image_settings() {
  return {
      {"plugin-objects", "", "Install the plugins that Plugin objects of this runtime ask for",
       setting_kind::boolean, into<set_bool>(&options::plugin_objects),
       show_bool(&options::plugin_objects)},
      {"plugin-store", "DIR", "Folder of their images (default: plugins in --state-dir)",
       setting_kind::text, into<set_path>(&options::plugin_store),
       show_text(&options::plugin_store)},
      {"image-policy", "FILE",
       "YAML: which plugin images are trusted, and how registries are reached (default: none is)",
       setting_kind::text, into<set_path>(&options::image_policy),
       show_text(&options::image_policy)},
  };
}

setting config_setting() {
  return {"plugin-config",
          "PLUGIN=FILE",
          "YAML file with what a plugin may be configured with (spec.configSchema of its "
          "plugin.yaml); "
          "read again at a reload; repeatable",
          setting_kind::list,
          [](options& o, const std::string& text) -> result<> {
            if (auto ok = o.plugin_configs.add(text); !ok) {
              return error{option_error::bad_value, ok.error().message};
            }
            return {};
          },
          [](const options& o) { return o.plugin_configs.entries(); }};
}

std::vector<setting> work_settings() {
  return {
      {"kubeconfig", "FILE", "Cluster to use (default: KUBECONFIG, in-cluster, ~/.kube/config)",
       setting_kind::text, into<set_path>(&options::kubeconfig), show_text(&options::kubeconfig)},
      {"plugin", "PATH", "A plugin: its folder, or its library beside plugin.yaml; repeatable",
       setting_kind::list,
       [](options& o, const std::string& text) -> result<> {
         if (text.empty()) return refuse("a path", text);
         o.plugins.push_back(text);
         return {};
       },
       [](const options& o) { return o.plugins; }},
      {"plugin-identity", "IDENTITY",
       "Whose rights a plugin acts with: daemon, or serviceaccount for oarlock-plugin-<plugin>",
       setting_kind::text,
       [](options& o, const std::string& text) -> result<> {
         if (text != "daemon" && text != "serviceaccount") {
           return refuse("daemon or serviceaccount", text);
         }
         o.plugin_identity =
             text == "daemon" ? identity_kind::daemon : identity_kind::service_account;
         return {};
       },
       [](const options& o) {
         const bool is_daemon = o.plugin_identity == identity_kind::daemon;
         return std::vector<std::string>{is_daemon ? "daemon" : "serviceaccount"};
       }},
      {"plugin-namespace", "NAMESPACE",
       "Namespace of the plugins' ServiceAccounts (default: the pod's, else oarlock-system)",
       setting_kind::text, into<set_label>(&options::plugin_namespace),
       show_text(&options::plugin_namespace)},
      {"plugin-quota", "PLUGIN:QUOTA=VALUE",
       "What a plugin may use, * for all: writes-per-second, writes-in-flight, "
       "concurrent-reconciles, cache-bytes, log-lines-per-second, enqueues-per-second, "
       "metric-series, child-memory-bytes; 0: no limit; repeatable",
       setting_kind::list,
       [](options& o, const std::string& text) -> result<> {
         if (auto ok = o.plugin_quotas.add(text); !ok) {
           return error{option_error::bad_value, ok.error().message};
         }
         return {};
       },
       [](const options& o) { return o.plugin_quotas.entries(); }},
      config_setting(),
      {"namespace", "NAMESPACE", "Work in this namespace only (default: all)", setting_kind::text,
       into<set_label>(&options::ns), show_text(&options::ns)},
      {"max-concurrent-reconciles", "N",
       "Keys that a controller works on at once (default: its manifest, else 16)",
       setting_kind::text, into<set_count>(&options::max_concurrent_reconciles),
       [](const options& o) {
         return std::vector<std::string>{
             std::to_string(o.max_concurrent_reconciles.value_or(default_reconciles))};
       }},
      {"runtime-name", "NAME", "Name of this installation of Oarlock (default oarlock)",
       setting_kind::text, into<set_label>(&options::runtime_name),
       show_text(&options::runtime_name)},
      {"state-dir", "DIR", "Folder for files of this process, such as metrics-ca.crt",
       setting_kind::text, into<set_path>(&options::state_dir), show_text(&options::state_dir)},
      {"debug-socket", "PATH",
       "Unix socket, for this user only, that dumps queues, caches and the lease (default: none)",
       setting_kind::text, into<set_path>(&options::debug_socket),
       show_text(&options::debug_socket)},
      {"log-level", "LEVEL", "debug, info, warn or error (default info)", setting_kind::text,
       set_level,
       [](const options& o) { return std::vector<std::string>{show_level(o.log_level)}; }},
      {"log-format", "FORMAT", "text or json (default text)", setting_kind::text, set_format,
       [](const options& o) {
         return std::vector<std::string>{o.log_format == log_format::json ? "json" : "text"};
       }},
  };
}

}  // namespace

boost::system::error_code make_error_code(option_error e) {
  static const option_category category;
  return {static_cast<int>(e), category};
}

const std::vector<setting>& all_settings() {
  static const std::vector<setting> made = [] {
    auto all = work_settings();
    all.push_back(events_setting());
    for (auto&& more : {rate_settings(), home_settings(), image_settings(), election_settings(),
                        endpoint_settings(), inbound_settings()}) {
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  }();
  return made;
}

namespace {

// client-go's rules. A Lease holds whole seconds.
result<> check_election_times(const options& o) {
  const auto lease = o.leader_election_lease_duration;
  const auto renew = o.leader_election_renew_deadline;
  const auto retry = o.leader_election_retry_period;
  const auto wrong = [](const char* name, const std::string& expected, duration found) {
    return error{option_error::bad_value, fmt::format("{}: expected {}, found \"{}\"", name,
                                                      expected, show_duration(found))};
  };
  if (lease < 1s || lease % 1s != 0s) {
    return wrong("leader-election-lease-duration", "whole seconds, at least one", lease);
  }
  if (retry < retry_period_min) {
    return wrong("leader-election-retry-period", "at least " + show_duration(retry_period_min),
                 retry);
  }
  if (renew >= lease) {
    return wrong("leader-election-renew-deadline",
                 "less than leader-election-lease-duration, " + show_duration(lease), renew);
  }
  if (renew * 5 <= retry * 6) {
    return wrong("leader-election-renew-deadline",
                 "more than 1.2 times leader-election-retry-period, " + show_duration(retry),
                 renew);
  }
  return {};
}

}  // namespace

namespace {

result<> check_inbound(const options& o) {
  if (o.inbound) return {};
  for (const auto& [name, value] : {std::pair{"inbound-url", &o.inbound_url},
                                    std::pair{"inbound-cert-dir", &o.inbound_cert_dir}}) {
    if (value->empty()) continue;
    return error{
        option_error::bad_value,
        fmt::format("{}: expected none without inbound-bind-address, found \"{}\"", name, *value)};
  }
  return {};
}

}  // namespace

result<> complete(options& o, const std::string& pod_namespace) {
  if (o.leader_election_id.empty()) o.leader_election_id = o.runtime_name;
  const auto own_namespace = pod_namespace.empty() ? default_namespace : pod_namespace;
  if (o.leader_election_namespace.empty()) o.leader_election_namespace = own_namespace;
  if (o.plugin_namespace.empty()) o.plugin_namespace = own_namespace;
  if (o.plugin_objects && o.plugin_store.empty()) {
    if (o.state_dir.empty()) {
      return error{option_error::bad_value,
                   "plugin-objects: expected plugin-store or state-dir, where verified images are "
                   "kept; found neither"};
    }
    o.plugin_store = (std::filesystem::path(o.state_dir) / "plugins").string();
  }
  if (auto times = check_election_times(o); !times) return times;
  if (auto pods = check_inbound(o); !pods) return pods;
  if (o.metrics && !o.metrics_secure && !o.metrics->is_loopback()) {
    return error{option_error::bad_value,
                 fmt::format("metrics-secure: expected true, because metrics-bind-address {} can "
                             "be reached from other machines; found false. Listen on a loopback "
                             "address such as 127.0.0.1:{}, or leave it secure",
                             o.metrics->text(), o.metrics->port)};
  }
  if (!o.metrics_secure && !o.metrics_cert_dir.empty()) {
    return error{option_error::bad_value,
                 "metrics-cert-dir: expected none with metrics-secure false, found \"" +
                     o.metrics_cert_dir + "\""};
  }
  return {};
}

namespace {

// The emitter leaves text such as "-\r" plain, which does not read back.
void emit(YAML::Emitter& out, const std::string& value) {
  const bool plain = std::all_of(value.begin(), value.end(),
                                 [](unsigned char c) { return c > 0x1f && c != 0x7f; });
  if (!plain) out << YAML::DoubleQuoted;
  out << value;
}

}  // namespace

std::string to_yaml(const options& o) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  for (const auto& s : all_settings()) {
    const auto values = s.show(o);
    if (s.kind == setting_kind::list) {
      out << YAML::Key << s.name << YAML::Value << YAML::BeginSeq;
      for (const auto& value : values)
        emit(out, value);
      out << YAML::EndSeq;
    } else if (!values.front().empty()) {
      // An empty value is no value: the key is left out, so that the text reads back.
      out << YAML::Key << s.name << YAML::Value;
      emit(out, values.front());
    }
  }
  out << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace oarlock::daemon
