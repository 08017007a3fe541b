#include "core/controller/steps.hpp"

#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

#include <algorithm>

#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/cache/object_decoder.hpp"
#include "core/controller/errors.hpp"
#include "core/controller/finalizer.hpp"
#include "core/json/parse.hpp"

namespace oarlock::controller {

namespace {

using kube::kube_error;

std::string version_in(const std::string& answer) {
  const auto parsed = json::parse(answer);
  if (!parsed) return {};
  return std::string(json::string_at(*parsed, "/metadata/resourceVersion"));
}

// The name has gone to another object since it was read: a UID that does not exist is a conflict,
// one that differs is an immutable field (422).
bool is_other_object(const error& e) {
  return e.code == kube_error::conflict ||
         (e.code == kube_error::invalid && e.message.find("metadata.uid") != std::string::npos);
}

error stranger(const child& wanted) {
  return {controller_error::name_taken,
          "expected no " + wanted.title() +
              " or one that this object controls, found one that "
              "belongs to somebody else: rename or delete it, or rename this object"};
}

}  // namespace

step_runner::step_runner(parts p, cache::object_ptr primary)
    : parts_(std::move(p)), primary_(std::move(primary)) {}

const cache::informer* step_runner::informer_of(const kube::resource& r) const {
  const auto found = std::find_if(parts_.children.begin(), parts_.children.end(),
                                  [&](const auto& entry) { return entry.first == r; });
  return found == parts_.children.end() ? nullptr : found->second;
}

void step_runner::saw(const kube::resource& r, const std::string& answer) {
  const auto* informer = informer_of(r);
  auto version = version_in(answer);
  if (informer == nullptr || version.empty()) return;
  parts_.writes->expect_version(primary_->meta().key, *informer, std::move(version));
}

void step_runner::event(bool warning, std::string reason, std::string action, std::string note) {
  parts_.events->record({parts_.spec->plugin, parts_.spec->primary, primary_->meta().key,
                         primary_->meta().uid, warning, std::move(reason), std::move(action),
                         std::move(note)});
}

task<result<>> step_runner::refuse_stranger(child wanted) {
  // Our apply went onto an object that somebody made in the meantime: take our fields off again.
  rapidjson::Document body(rapidjson::kObjectType);
  auto& memory = body.GetAllocator();
  rapidjson::Value metadata(rapidjson::kObjectType);
  metadata.AddMember("name", rapidjson::Value(wanted.key.name.c_str(), memory), memory);
  metadata.AddMember("namespace", rapidjson::Value(wanted.key.ns.c_str(), memory), memory);
  body.AddMember("apiVersion", rapidjson::Value(wanted.resource.api_version().c_str(), memory),
                 memory);
  body.AddMember("kind", rapidjson::Value(wanted.resource.kind.c_str(), memory), memory);
  body.AddMember("metadata", metadata, memory);
  const auto withdrawn = co_await parts_.client->apply(
      wanted.resource, wanted.key.ns, wanted.key.name, json::write(body),
      {field_manager(*parts_.spec), false, {}, false});
  if (!withdrawn) {
    log_warn("could not withdraw fields from an object of somebody else",
             {{"plugin", parts_.spec->plugin},
              {"child", wanted.title()},
              {"error", withdrawn.error().message}});
  }
  co_return stranger(wanted);
}

task<result<>> step_runner::create(child wanted, bool verify_live) {
  if (verify_live) {
    const auto live = co_await parts_.client->get(wanted.resource, wanted.key.ns, wanted.key.name);
    if (live) {
      saw(wanted.resource, *live);
      co_return error{controller_error::changed_meanwhile,
                      wanted.title() + " exists but is not in the cache yet: looking again"};
    }
    if (live.error().code != kube_error::not_found) co_return live.error();
  }
  const auto answer =
      co_await parts_.client->apply(wanted.resource, wanted.key.ns, wanted.key.name, wanted.body,
                                    {field_manager(*parts_.spec), false, {}, false});
  if (!answer) {
    if (answer.error().code == kube_error::conflict) co_return stranger(wanted);
    co_return answer.error();
  }
  if (answer->status != 201 && foreign_owner(answer->body, field_manager(*parts_.spec))) {
    co_return co_await refuse_stranger(wanted);
  }
  saw(wanted.resource, answer->body);
  event(false, "Created", "Create", "Created " + wanted.title());
  co_return result<>{};
}

task<result<>> step_runner::update(child wanted) {
  const auto answer =
      co_await parts_.client->apply(wanted.resource, wanted.key.ns, wanted.key.name, wanted.body,
                                    {field_manager(*parts_.spec), true, {}, false});
  if (!answer) {
    if (!is_other_object(answer.error())) co_return answer.error();
    co_return error{controller_error::changed_meanwhile, answer.error().message};
  }
  saw(wanted.resource, answer->body);
  event(false, "Updated", "Update", "Updated " + wanted.title());
  co_return result<>{};
}

task<result<>> step_runner::confirm(kube::resource r, cache::object_ptr cached) {
  const auto& meta = cached->meta();
  const error differs{controller_error::changed_meanwhile,
                      "expected " + r.kind + " " + meta.key.text() +
                          " in the API server as in the cache, found another or none: the "
                          "cache may be behind, looking again"};
  const auto live = co_await parts_.client->get(r, meta.key.ns, meta.key.name);
  if (!live) co_return live.error().code == kube_error::not_found ? differs : live.error();
  const auto parsed = json::parse(*live);
  if (!parsed) co_return parsed.error();
  const bool same = json::string_at(*parsed, "/metadata/uid") == meta.uid &&
                    json::string_at(*parsed, "/metadata/resourceVersion") == meta.resource_version;
  if (!same) co_return differs;
  co_return result<>{};
}

task<std::optional<failed_step>> step_runner::apply_one(child_write write, live_check check) {
  const auto title = "apply " + write.wanted.title();
  result<> done;
  switch (write.action) {
    case child_action::none:
      break;
    case child_action::create:
      done = co_await create(write.wanted,
                             check == live_check::creates || check == live_check::everything);
      break;
    case child_action::update:
      if (check >= live_check::existing) {
        done = co_await confirm(write.wanted.resource, write.live);
      }
      if (done) done = co_await update(write.wanted);
      break;
    case child_action::conflict:
      done = stranger(write.wanted);
      break;
  }
  if (done) co_return std::nullopt;
  co_return failed_step{title, done.error()};
}

task<std::optional<failed_step>> step_runner::delete_one(child_delete gone) {
  const auto& meta = gone.live->meta();
  const auto title = gone.resource.kind + " " + meta.key.text();
  const auto answer =
      co_await parts_.client->remove(gone.resource, meta.key.ns, meta.key.name,
                                     {meta.uid, meta.resource_version, "Background", std::nullopt});
  if (!answer && answer.error().code != kube_error::not_found) {
    if (answer.error().code != kube_error::conflict) {
      co_return failed_step{"delete " + title, answer.error()};
    }
    co_return failed_step{"delete " + title,
                          {controller_error::changed_meanwhile, answer.error().message}};
  }
  if (const auto* informer = informer_of(gone.resource)) {
    parts_.writes->expect_gone(primary_->meta().key, *informer, meta.key, meta.uid);
  }
  event(false, "Deleted", "Delete", "Deleted " + title + ", which is not wanted any more");
  co_return std::nullopt;
}

task<std::optional<failed_step>> step_runner::run(work w, live_check check) {
  namespace asio = boost::asio;
  const bool updates = std::any_of(w.writes.begin(), w.writes.end(), [](const auto& write) {
    return write.action == child_action::update;
  });
  const bool touches = updates || !w.deletes.empty();
  if ((check >= live_check::existing && touches) ||
      (check == live_check::everything && !w.writes.empty())) {
    const auto same = co_await confirm(parts_.spec->primary, primary_);
    if (!same) co_return failed_step{"read " + primary_->meta().key.text(), same.error()};
  }
  for (std::size_t begin = 0; begin < w.writes.size();) {
    std::size_t end = begin;
    while (end < w.writes.size() && w.writes[end].wanted.group == w.writes[begin].wanted.group) {
      ++end;
    }
    std::vector<std::optional<failed_step>> failures(end - begin);
    const auto one = [this, &w, &failures, begin, check](std::size_t i) -> task<> {
      failures[i - begin] = co_await apply_one(w.writes[i], check);
    };
    using operation = decltype(asio::co_spawn(parts_.loop, one(begin), asio::deferred));
    std::vector<operation> group;
    for (std::size_t i = begin; i < end; ++i) {
      group.push_back(asio::co_spawn(parts_.loop, one(i), asio::deferred));
    }
    co_await asio::experimental::make_parallel_group(std::move(group))
        .async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    for (auto& failure : failures) {
      if (failure) co_return std::move(failure);
    }
    begin = end;
  }
  for (const auto& gone : w.deletes) {
    if (check >= live_check::existing) {
      const auto same = co_await confirm(gone.resource, gone.live);
      if (!same) {
        co_return failed_step{"delete " + gone.resource.kind + " " + gone.live->meta().key.text(),
                              same.error()};
      }
    }
    auto failure = co_await delete_one(gone);
    if (failure) co_return failure;
  }
  co_return std::nullopt;
}

task<result<cache::object_ptr>> step_runner::add_finalizer(const cache::informer* primaries) {
  const auto& key = primary_->meta().key;
  const auto answer = co_await parts_.client->json_patch(
      parts_.spec->primary, key.ns, key.name, add_finalizer_patch(*parts_.spec, *primary_));
  if (!answer) {
    // 422: a test failed, or it is being deleted and takes no finalizer any more.
    if (answer.error().code != kube_error::invalid) co_return answer.error();
    co_return error{controller_error::changed_meanwhile, answer.error().message};
  }
  auto fresh = cache::object_decoder(parts_.spec->primary).decode(answer->body);
  if (!fresh) co_return fresh.error();
  primary_ = std::move(*fresh);
  parts_.writes->expect_version(primary_->meta().key, *primaries,
                                primary_->meta().resource_version);
  co_return primary_;
}

task<result<>> step_runner::remove_finalizer(const cache::informer* primaries) {
  const auto key = primary_->meta().key;
  const auto answer = co_await parts_.client->json_patch(
      parts_.spec->primary, key.ns, key.name, remove_finalizer_patch(*parts_.spec, *primary_));
  if (!answer && answer.error().code != kube_error::not_found) {
    if (answer.error().code != kube_error::invalid) co_return answer.error();
    co_return error{controller_error::changed_meanwhile, answer.error().message};
  }
  parts_.writes->expect_released(key, *primaries, primary_->meta().uid,
                                 finalizer_name(*parts_.spec));
  co_return result<>{};
}

task<result<>> step_runner::write_status(std::string body, const cache::informer* primaries) {
  const auto& key = primary_->meta().key;
  const auto answer =
      co_await parts_.client->apply(parts_.spec->primary, key.ns, key.name, std::move(body),
                                    {status_field_manager(*parts_.spec), true, "status", false});
  if (!answer) {
    // Gone or replaced meanwhile: its own event brings the key back if there is a successor.
    const auto& code = answer.error().code;
    if (code == kube_error::not_found || code == kube_error::conflict) co_return result<>{};
    co_return answer.error();
  }
  if (auto version = version_in(answer->body); !version.empty() && primaries != nullptr) {
    parts_.writes->expect_version(key, *primaries, std::move(version));
  }
  co_return result<>{};
}

}  // namespace oarlock::controller
