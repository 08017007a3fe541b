#include "core/election/lease_watch.hpp"

#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "core/cache/line_splitter.hpp"
#include "core/json/parse.hpp"

namespace oarlock::election {

namespace {

using namespace std::chrono_literals;

using stream = std::unique_ptr<net::http_exchange>;

// Missing rights are granted by people.
constexpr auto refused_pause = 60s;
constexpr double pause_jitter = 1.2;

bool is_refusal(const error& e) {
  return e.code == kube::kube_error::forbidden || e.code == kube::kube_error::unauthorized ||
         e.code == kube::kube_error::not_found || e.code == kube::kube_error::invalid;
}

// The Lease of one line. A deletion tells nothing: it does not shorten the term of a holder.
std::optional<lease> lease_of(const std::string& line) {
  const auto event = json::parse(line);
  if (!event || !event->IsObject()) return std::nullopt;
  const auto type = json::string_at(*event, "/type");
  const auto object = event->FindMember("object");
  if (object == event->MemberEnd() || (type != "ADDED" && type != "MODIFIED")) return std::nullopt;
  auto found = parse_lease(json::write(object->value));
  if (!found) return std::nullopt;
  return std::move(*found);
}

// Until the stream ends, breaks, says something that is no state of the Lease, or falls silent.
task<> follow(std::shared_ptr<const lease_watch::parts> p, stream from, std::stop_token stop) {
  cache::line_splitter lines(limits::watch_line_bytes_max);
  while (!stop.stop_requested()) {
    auto chunk = co_await from->read_some(p->clock_source->now() + p->silence_max);
    if (stop.stop_requested() || !chunk || !*chunk) co_return;
    lines.push(std::move(**chunk));
    while (auto line = lines.next()) {
      auto state = lease_of(*line);
      if (!state) co_return;
      p->on_change(std::move(*state));
    }
    if (lines.overflown()) co_return;
  }
}

}  // namespace

task<> lease_watch::run(std::shared_ptr<const parts> p, std::stop_token stop) {
  bool told = false;
  while (!stop.stop_requested()) {
    // Without a resourceVersion it starts with the present state: nothing to resume, no 410.
    kube::watch_options options;
    options.ns = p->lease_namespace;
    options.field_selector = "metadata.name=" + p->lease_name;
    options.bookmarks = false;
    auto opened = co_await p->client->watch(lease_resource(), std::move(options), stop);
    if (stop.stop_requested()) co_return;
    duration pause = p->retry_period;
    if (opened) {
      told = false;
      co_await follow(p, std::move(*opened), stop);
    } else if (is_refusal(opened.error())) {
      pause = refused_pause;
      if (!std::exchange(told, true)) {
        log_warn("cannot watch the lease, so it is polled; grant the verb watch on leases",
                 {{"lease", p->lease_namespace + "/" + p->lease_name},
                  {"error", opened.error().message}});
      }
    }
    co_await p->timer_source->sleep_for(p->random->jitter(pause, pause_jitter), stop);
  }
}

}  // namespace oarlock::election
