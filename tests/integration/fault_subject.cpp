#include "tests/integration/fault_subject.hpp"

#include <utility>

#include "core/json/parse.hpp"

namespace oarlock::testing {

using namespace std::chrono_literals;

fault_subject::fault_subject(const std::filesystem::path& kubeconfig, duration self_check) {
  kube::config_sources sources;
  sources.flag_path = kubeconfig.string();
  const auto config = kube::load_cluster_config(sources);
  if (!config) throw std::runtime_error(config.error().message);
  auto api = kube::connect(loop_.get_executor(), clock_, timers_, *config);
  if (!api) throw std::runtime_error(api.error().message);
  api_ = std::move(*api);
  client_ = std::make_unique<kube::client>(
      kube::client::parts{loop_.get_executor(), api_.transport.get(), api_.identity.get(), &clock_,
                          &timers_, metrics_.get(), nullptr});
  cache_ = std::make_unique<cache::informer_cache>(
      cache::informer_cache::parts{loop_.get_executor(), client_.get(), &clock_, &timers_, &random_,
                                   metrics_.get(), self_check});
  thread_ = std::thread([this] { loop_.run(); });
}

fault_subject::~fault_subject() {
  on_loop([this] { subscriptions_.clear(); });
  std::promise<void> stopped;
  boost::asio::co_spawn(loop_, cache_->stop(), [&](std::exception_ptr) { stopped.set_value(); });
  stopped.get_future().wait();
  work_.reset();
  loop_.stop();
  thread_.join();
}

void fault_subject::on_loop(std::function<void()> what) {
  auto done = std::make_shared<std::promise<bool>>();
  boost::asio::post(loop_, [done, what = std::move(what)] {
    what();
    done->set_value(true);
  });
  got(done->get_future());
}

std::string fault_subject::get(const std::string& path) {
  auto answer = call(client_->get_path(path));
  return answer ? *answer : "!" + answer.error().message;
}

task<std::string> fault_subject::fetch_once(std::string path, duration limit) {
  const auto end = clock_.now() + limit;
  net::http_request request{"GET", std::move(path), {}, {}};
  auto opened = co_await api_.transport->open(std::move(request), {end, {}});
  if (!opened) co_return "!" + opened.error().message;
  std::string body;
  while (true) {
    auto piece = co_await (*opened)->read_some(end);
    if (!piece) co_return "!" + piece.error().message;
    if (!*piece) co_return body;
    body += **piece;
  }
}

std::string fault_subject::fetch(const std::string& path, std::chrono::milliseconds limit) {
  return call(fetch_once(path, limit));
}

const cache::informer& fault_subject::watch(const std::string& ns, const kube::resource& r) {
  const cache::informer* view = nullptr;
  on_loop([&] {
    const auto tell = [this](const cache::change& c) {
      const auto& name = (c.after ? c.after : c.before)->meta().key.name;
      if (name == "kube-root-ca.crt") return;
      const std::lock_guard lock(mutex_);
      story_.push_back((!c.before ? "+" : c.after ? "~" : "-") + name);
    };
    subscriptions_.push_back(cache_->acquire({r, ns, {}}, {}, tell));
    view = &subscriptions_.back()->view();
  });
  return *view;
}

const cache::informer& fault_subject::follow(const std::string& ns, const kube::resource& r) {
  const auto& view = watch(ns, r);
  if (!eventually([&] { return view.synced(); }, 60s)) {
    throw std::runtime_error("no first list: " + view.trouble());
  }
  return view;
}

std::vector<std::string> fault_subject::story() const {
  const std::lock_guard lock(mutex_);
  return story_;
}

double fault_subject::counted(const std::string& name, const std::string& label) const {
  std::vector<std::string> labels;
  if (!label.empty()) labels.push_back(label);
  return std::max(metric(metrics_->serialize(), name, labels), 0.0);
}

double fault_subject::failures(const std::string& reason) const {
  return counted("oarlock_reflector_errors_total", "reason=\"" + reason + "\"");
}

std::string data_in(const cache::informer& view, const std::string& ns, const std::string& name,
                    const std::string& key) {
  const auto found = view.get({ns, name});
  if (!found) return "-";
  const auto parsed = json::parse(found->json());
  return parsed ? std::string(json::string_at(*parsed, "/data/" + key)) : "!";
}

std::string config_map_json(const std::string& ns, const std::string& name,
                            const std::string& version, const std::string& value) {
  return R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":")" + ns +
         R"(","name":")" + name + R"(","uid":"uid-)" + name + R"(","resourceVersion":")" + version +
         R"("},"data":{"v":")" + value + "\"}}";
}

std::string list_json(const std::string& version, const std::vector<std::string>& items,
                      const std::string& continue_token) {
  std::string all;
  for (const auto& item : items)
    all += (all.empty() ? "" : ",") + item;
  return R"({"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":")" + version +
         R"(","continue":")" + continue_token + R"("},"items":[)" + all + "]}";
}

std::string event_json(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

std::string end_of_list_json(const std::string& version) {
  return event_json("BOOKMARK",
                    R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":")" +
                        version + R"(","annotations":{"k8s.io/initial-events-end":"true"}}})");
}

std::string maps_path(const std::string& ns) {
  return "/api/v1/namespaces/" + ns + "/configmaps";
}

gate_rule on_watch(const std::string& path, gate_fault what, int times) {
  return {"GET", path, "watch=true", "sendInitialEvents", 0, times, std::move(what)};
}

gate_rule on_streaming(const std::string& path, gate_fault what, int times) {
  return {"GET", path, "sendInitialEvents", "", 0, times, std::move(what)};
}

gate_rule on_list(const std::string& path, gate_fault what, int times) {
  return {"GET", path, "limit=", "watch=true", 0, times, std::move(what)};
}

gate_rule no_streaming(const std::string& path) {
  return on_streaming(
      path, gate::answer(422, gate::status_body(422, "Invalid", "sendInitialEvents: forbidden")),
      0);
}

void put_config_map(const std::string& ns, const std::string& name, const std::string& value) {
  shared_cluster().must({"apply", "-n", ns, "-f", "-"},
                        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name +
                            "}\ndata: {v: \"" + value + "\"}\n");
}

std::filesystem::path admin_kubeconfig() {
  return shared_cluster().dir() / "admin.kubeconfig";
}

}  // namespace oarlock::testing
