#include "core/daemon/plugin_objects.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "core/base/log.hpp"
#include "core/kube/exec_process.hpp"

namespace oarlock::daemon {

namespace {

constexpr auto events_grace = std::chrono::seconds(1);

}  // namespace

plugin_objects::plugin_objects(const options& o, parts p) : o_(o), p_(std::move(p)) {
  // A Plugin acts as itself, whatever those of --plugin do.
  o_.plugin_identity = identity_kind::service_account;
}

plugin_objects::~plugin_objects() {
  worker_.join();
  std::error_code ignored;
  if (!work_.empty()) std::filesystem::remove_all(work_, ignored);
}

result<> plugin_objects::prepare(const std::string& host_name) {
  namespace fs = std::filesystem;
  store_ = fs::absolute(o_.plugin_store);
  // Unpacked files are of one process: what one before it left is removed.
  work_ = store_ / ("unpacked-" + host_name);
  std::error_code failed;
  fs::remove_all(work_, failed);
  fs::create_directories(work_, failed);
  if (!failed) fs::permissions(work_, fs::perms::owner_all, failed);
  if (!failed) return {};
  return error{option_error::bad_value,
               fmt::format("plugin-store: expected a folder that can be written at {}, found: {}",
                           store_.string(), failed.message())};
}

void plugin_objects::start(const controller::controller::parts& shared,
                           const plugin_access::parts& api) {
  client_ = std::make_unique<kube::client>(api.daemon);
  events_ = std::make_unique<controller::event_recorder>(controller::event_recorder::parts{
      shared.loop, client_.get(), shared.clock_source, shared.timer_source, shared.metrics,
      api.instance, o_.events});
  controller_ = std::make_unique<package::plugin_controller>(package::plugin_controller::parts{
      .loop = shared.loop,
      .worker = worker_.get_executor(),
      .daemon = api.daemon,
      .anonymous = api.anonymous,
      .cache = shared.cache,
      .events = events_.get(),
      .runner = this,
      .programs = kube::make_process_runner(shared.loop, *shared.timer_source),
      .runtime = o_.runtime_name,
      .ns = o_.plugin_namespace,
      .scope_ns = o_.ns,
      .store = store_ / "images",
      .work = work_,
      .image_policy = o_.image_policy});
  controller_->start();
}

void plugin_objects::lead() {
  controller_->lead();
}
void plugin_objects::follow() {
  controller_->follow();
}
void plugin_objects::stop() {
  is_stopped_ = true;
  if (controller_) controller_->stop();
}

task<> plugin_objects::drain() {
  if (!controller_) co_return;
  co_await controller_->drain();
  co_await events_->flush(p_.reach.clock_source->now() + events_grace);
}

check plugin_objects::health() const {
  check c{.name = "plugin-objects"};
  if (controller_) c.trouble = controller_->trouble();
  c.gates = false;
  return c;
}

plugin::quota_table plugin_objects::quotas() const {
  plugin::quota_table all;
  // A later entry wins. The CRD bounds what a Plugin says.
  for (const auto& [name, entries] : quotas_) {
    for (const auto& entry : entries) {
      if (auto ok = all.add(entry); !ok) {
        log_warn("a quota of a Plugin does not count",
                 {{"plugin", name}, {"error", ok.error().message}});
      }
    }
  }
  for (const auto& entry : o_.plugin_quotas.entries())
    (void)all.add(entry);
  return all;
}

result<> plugin_objects::install(const package::plugin_order& order) {
  quotas_[order.name] = order.quotas;
  auto o = o_;
  o.plugin_quotas = quotas();
  if (p_.take_quotas) p_.take_quotas(o.plugin_quotas);
  return p_.plugins->install(o,
                             {.name = order.name,
                              .image = order.image,
                              .folder = order.folder,
                              .config = order.config,
                              .load_it = p_.load_image(order.in_core, order.fingerprint),
                              .load_in_child = p_.load_image(false, order.fingerprint)},
                             p_.reach);
}

// The loop waits for the main thread without blocking.
task<result<>> plugin_objects::on_main(std::function<result<>()> work) {
  auto timer = std::make_shared<boost::asio::steady_timer>(
      p_.loop, boost::asio::steady_timer::time_point::max());
  auto outcome = std::make_shared<result<>>();
  p_.on_main([loop = p_.loop, work = std::move(work), timer, outcome] {
    auto done = work();
    boost::asio::post(loop, [done = std::move(done), timer, outcome]() mutable {
      *outcome = std::move(done);
      timer->cancel();
    });
  });
  co_await timer->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  co_return std::move(*outcome);
}

task<result<>> plugin_objects::run(package::plugin_order order) {
  co_return co_await on_main([this, order = std::move(order)] { return install(order); });
}

task<bool> plugin_objects::end(std::string name) {
  auto has_ended = std::make_shared<bool>(false);
  (void)co_await on_main([this, name = std::move(name), has_ended]() -> result<> {
    *has_ended = p_.plugins->uninstall(name, p_.reach);
    quotas_.erase(name);
    return {};
  });
  co_return *has_ended;
}

package::plugin_health plugin_objects::look(const std::string& name) const {
  const auto found = is_stopped_ ? std::nullopt : p_.plugins->check_of(name);
  if (!found) return {};
  return {true, found->trouble, found->note};
}

std::vector<package::kind_claim> plugin_objects::claims() const {
  std::vector<package::kind_claim> out;
  if (is_stopped_) return out;
  for (const auto* declared : p_.plugins->manifests()) {
    for (const auto& c : declared->controllers)
      out.push_back({declared->name, c.primary.name()});
  }
  return out;
}

}  // namespace oarlock::daemon
