#include "core/package/held_objects.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/limits.hpp"
#include "core/json/parse.hpp"

namespace oarlock::package {

namespace {

bool is_held(const rapidjson::Value& object, const std::string& finalizer) {
  const auto* all = json::find(object, "/metadata/finalizers");
  if (all == nullptr || !all->IsArray()) return false;
  return std::any_of(all->Begin(), all->End(), [&](const auto& one) {
    return one.IsString() && finalizer == one.GetString();
  });
}

}  // namespace

std::string finalizer_of(const std::string& plugin) {
  return "oarlock.dev/" + plugin;
}

task<result<>> for_each_listed(kube::client* client, kube::resource kind, kube::list_options how,
                               std::function<result<>(const rapidjson::Value& object)> take,
                               std::stop_token stop) {
  how.limit = limits::list_page_objects;
  do {
    const auto page = co_await client->list_page(kind, how, stop);
    if (!page && page.error().code == kube::kube_error::not_found) break;
    if (!page) co_return page.error();
    const auto doc = json::parse(*page);
    if (!doc) co_return doc.error();
    how.continue_token = json::string_at(*doc, "/metadata/continue");
    const auto* items = json::find(*doc, "/items");
    if (items == nullptr || !items->IsArray()) break;
    for (const auto& item : items->GetArray()) {
      if (auto taken = take(item); !taken) co_return taken;
    }
  } while (!how.continue_token.empty());
  co_return result<>();
}

task<result<held_objects>> objects_held(kube::client* client, std::vector<kube::resource> kinds,
                                        std::string finalizer, std::string ns,
                                        std::stop_token stop) {
  held_objects held;
  for (const auto& kind : kinds) {
    kube::list_options how;
    how.ns = ns;
    how.metadata_only = true;
    const auto count = [&](const rapidjson::Value& item) -> result<> {
      if (!is_held(item, finalizer) || held.count++ > 0) return {};
      held.first =
          fmt::format("{} {}/{}", kind.name(), json::string_at(item, "/metadata/namespace"),
                      json::string_at(item, "/metadata/name"));
      return {};
    };
    auto listed = co_await for_each_listed(client, kind, std::move(how), count, stop);
    if (!listed) co_return listed.error();
  }
  co_return held;
}

}  // namespace oarlock::package
