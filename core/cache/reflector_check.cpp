#include "core/cache/reflector_check.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "core/cache/errors.hpp"

namespace oarlock::cache {

namespace {

// Eight bytes per listed object instead of its key: of two names that collide, one that should be
// gone may stay unseen.
std::uint64_t hash_of(const object_key& key) {
  return std::hash<std::string>{}(key.text());
}

// Null matters: the store lacks it. An object that the store has newer than the list was already
// there when the check began (pages of a list may run ahead of its version).
bool agrees(const object_meta& listed, const object_ptr& have, const std::string& position) {
  if (!have) return false;
  const auto& mine = have->meta();
  if (mine.uid == listed.uid && mine.resource_version == listed.resource_version) return true;
  const auto order = compare_versions(mine.resource_version, position);
  return !order || *order > 0;
}

}  // namespace

reflector_check::reflector_check(const scope& what, parts p)
    : what_(what),
      p_(p),
      decoder_(what.resource),
      checks_(p.metrics->make_counter("oarlock_cache_checks_total",
                                      "Comparisons of the cache with a list that came to an end.",
                                      {{"resource", what.resource.name()}})),
      inconsistencies_(p.metrics->make_counter("oarlock_cache_inconsistencies_total",
                                               "Objects that the cache did not have as the API "
                                               "server has them, found by comparing.",
                                               {{"resource", what.resource.name()}})) {}

void reflector_check::changed(const object_key& key) {
  if (!comparing_ || given_up_) return;
  changed_.insert(key);
  given_up_ = changed_.size() > check_limits::changed_max;
}

error reflector_check::given_up() const {
  return {cache_error::bad_list, "expected a list at " + against_ +
                                     " to compare with, found too much change or another version"};
}

task<> reflector_check::run(std::stop_token stop) {
  while (co_await p_.timer_source->sleep_for(p_.random->jitter(p_.period, 0.1), stop)) {
    auto found = co_await compare(stop);
    if (stop.stop_requested()) co_return;
    if (!found) {
      log_debug("cache not compared",
                {{"resource", what_.resource.name()}, {"error", found.error().message}});
      continue;
    }
    checks_.add();
    if (found->empty()) {
      reported_.clear();
      continue;
    }
    if (!co_await p_.timer_source->sleep_for(check_limits::confirm, stop)) co_return;
    auto again = co_await compare(stop);
    if (stop.stop_requested()) co_return;
    if (!again) continue;
    keys confirmed;
    std::set_intersection(found->begin(), found->end(), again->begin(), again->end(),
                          std::inserter(confirmed, confirmed.end()));
    if (!confirmed.empty()) report(confirmed);
  }
}

void reflector_check::report(const keys& confirmed) {
  inconsistencies_.add(static_cast<double>(confirmed.size()));
  std::string some;
  std::size_t named = 0;
  for (const auto& key : confirmed) {
    if (++named > check_limits::keys_named) break;
    some += (some.empty() ? "" : ", ") + key.text();
  }
  const bool repairs = confirmed != reported_;
  log_error(repairs ? "the cache differs from the API server; listing again"
                    : "the cache still differs from the API server after a list",
            {{"resource", what_.resource.name()},
             {"objects", confirmed.size()},
             {"some", some},
             {"position", against_}});
  reported_ = confirmed;
  if (repairs) p_.repaired_by->relist();
}

task<result<reflector_check::keys>> reflector_check::compare(std::stop_token stop) {
  if (p_.repaired_by->state() != reflector_state::watching) co_return given_up();
  against_ = position_;
  comparing_ = true;
  given_up_ = false;
  changed_.clear();
  std::vector<std::uint64_t> listed;
  keys differing;
  auto read = co_await read_pages(against_, &listed, &differing, std::move(stop));
  if (read && !given_up_) find_extra(std::move(listed), differing);
  comparing_ = false;
  if (!read) co_return read.error();
  if (given_up_) co_return given_up();
  for (const auto& key : changed_)
    differing.erase(key);
  co_return differing;
}

task<result<>> reflector_check::read_pages(std::string version, std::vector<std::uint64_t>* listed,
                                           keys* differing, std::stop_token stop) {
  kube::list_options options;
  options.ns = what_.ns;
  options.label_selector = what_.label_selector;
  options.field_selector = what_.field_selector;
  options.resource_version = version;
  options.resource_version_match = "Exact";
  options.limit = limits::list_page_objects;
  options.metadata_only = true;
  for (int n = 0; n < reflector_limits::pages_max; ++n) {
    auto body = co_await p_.client->list_page(what_.resource, options, stop);
    if (!body) co_return body.error();
    list_decoder page(decoder_, std::move(*body));
    auto taken = co_await take_page(&page, listed, differing);
    if (!taken) co_return taken.error();
    // Some servers do not know "Exact", and some go on at another version.
    if (page.resource_version() != version || given_up_) co_return given_up();
    if (page.continue_token().empty()) co_return result<>();
    options.continue_token = page.continue_token();
  }
  co_return given_up();
}

task<result<>> reflector_check::take_page(list_decoder* page, std::vector<std::uint64_t>* listed,
                                          keys* differing) {
  const auto loop = co_await boost::asio::this_coro::executor;
  steady_time began = p_.clock_source->now();
  while (true) {
    auto item = page->next();
    if (!item) co_return item.error();
    if (!item->has_value()) co_return result<>();
    if (const auto& o = (*item)->object) {
      const auto& meta = o->meta();
      listed->push_back(hash_of(meta.key));
      if (!agrees(meta, p_.target->get(meta.key), against_)) note(*differing, meta.key);
    }
    if (p_.clock_source->now() - began < reflector_limits::slice) continue;
    co_await boost::asio::post(loop, boost::asio::use_awaitable);
    began = p_.clock_source->now();
  }
}

void reflector_check::note(keys& differing, const object_key& key) const {
  if (differing.size() < check_limits::differences_max) differing.insert(key);
}

void reflector_check::find_extra(std::vector<std::uint64_t> listed, keys& differing) const {
  std::sort(listed.begin(), listed.end());
  for (const auto& o : p_.target->list()) {
    const auto& meta = o->meta();
    if (std::binary_search(listed.begin(), listed.end(), hash_of(meta.key))) continue;
    const auto order = compare_versions(meta.resource_version, against_);
    if (order && *order <= 0) note(differing, meta.key);
  }
}

}  // namespace oarlock::cache
