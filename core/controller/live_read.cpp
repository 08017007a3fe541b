#include "core/controller/live_read.hpp"

#include <boost/asio/use_future.hpp>

#include <algorithm>

#include "core/controller/errors.hpp"
#include "core/json/scan.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::controller {

namespace {

live_object refused(std::string reason, std::string message) {
  live_object out;
  out.reason = std::move(reason);
  out.message = std::move(message);
  return out;
}

// "{name}-root" of web -> "web-root".
std::string filled(std::string pattern, const std::string& name) {
  constexpr std::string_view hole = "{name}";
  for (auto at = pattern.find(hole); at != std::string::npos; at = pattern.find(hole, at)) {
    pattern.replace(at, hole.size(), name);
    at += name.size();
  }
  return pattern;
}

bool is_object_name(const std::string& s) {
  return !s.empty() && s.size() <= 253 && s.front() != '.' &&
         s.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.:") == std::string::npos;
}

task<> stop_after(timers* timer_source, duration wait, std::stop_token over,
                  std::stop_source late) {
  if (co_await timer_source->sleep_for(wait, over)) late.request_stop();
}

// Runs on the loop. All of `with` outlives it: who asked waits for its end.
task<result<std::string>> read_in_time(const key_reads::parts* with, duration wait,
                                       kube::resource r, std::string ns, std::string name) {
  auto client = with->client->on_behalf_of(with->spec->plugin, with->log);
  std::stop_source late;
  std::stop_source over;
  spawn(with->loop, stop_after(with->timer_source, wait, over.get_token(), late));
  auto got = co_await client.get(r, std::move(ns), std::move(name), late.get_token());
  over.request_stop();
  co_return got;
}

live_object answer_of(result<std::string> got, const std::string& title) {
  live_object out;
  if (!got && got.error().code == kube::kube_error::not_found) {
    out.is_read = true;
    return out;
  }
  if (!got) {
    const bool is_late = got.error().code == kube::kube_error::cancelled;
    out.may_work_later = !needs_a_person(got.error());
    out.reason = is_late ? "ReadTimeout" : reason_of(got.error());
    out.message = title + ": " + (is_late ? "no answer in time" : got.error().message);
    return out;
  }
  if (got->size() > live_object_bytes_max) {
    return refused("TooLarge", title + ": expected at most " +
                                   std::to_string(live_object_bytes_max) + " bytes, found " +
                                   std::to_string(got->size()));
  }
  out.is_read = true;
  out.json = std::move(*got);
  return out;
}

}  // namespace

const kube::resource* key_reads::allowed(const std::string& resource, const std::string& name,
                                         std::string& why) const {
  const auto& all = parts_.spec->reads;
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const auto& r) { return r.resource.name() == resource; });
  if (found == all.end()) {
    why = "expected a kind that plugin.yaml lists under reads, found \"" + resource + "\"";
    return nullptr;
  }
  const auto& primary = *parts_.primary;
  const bool any = found->names.empty() && found->pointers.empty();
  const bool is_named = std::any_of(found->names.begin(), found->names.end(), [&](const auto& p) {
    return filled(p, primary.meta().key.name) == name;
  });
  const auto is_at = [&](const auto& p) { return json::scan_string(primary.json(), p) == name; };
  if (is_object_name(name) &&
      (any || is_named || std::any_of(found->pointers.begin(), found->pointers.end(), is_at))) {
    return &found->resource;
  }
  why = "expected a name of " + resource + " that reads of plugin.yaml allows for " +
        primary.meta().key.text() + ", found \"" + name + "\"";
  return nullptr;
}

live_object key_reads::get(const std::string& resource, const std::string& name) {
  std::string why;
  const auto* r = allowed(resource, name, why);
  if (r == nullptr) return refused("NotDeclared", why);
  const auto left = until_ - parts_.clock_source->now();
  const auto title = "read " + r->kind + " " + name;
  if (left <= duration::zero()) {
    return answer_of(error{kube::kube_error::cancelled, "late"}, title);
  }
  const auto ns = r->namespaced ? parts_.primary->meta().key.ns : std::string();
  auto got = boost::asio::co_spawn(parts_.loop, read_in_time(&parts_, left, *r, ns, name),
                                   boost::asio::use_future);
  return answer_of(got.get(), title);
}

}  // namespace oarlock::controller
