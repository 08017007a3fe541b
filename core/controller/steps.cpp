#include "core/controller/steps.hpp"

#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>

#include <algorithm>

#include "core/base/mutant.hpp"
#include "core/cache/object_decoder.hpp"
#include "core/controller/errors.hpp"
#include "core/controller/finalizer.hpp"
#include "core/json/parse.hpp"
#include "core/json/scan.hpp"

namespace oarlock::controller {

namespace {

using kube::kube_error;

std::string version_in(const std::string& answer) {
  return json::scan_string(answer, "/metadata/resourceVersion").value_or("");
}

// The name has gone to another object since it was read: a UID that does not exist is a conflict,
// one that differs is an immutable field (422).
bool is_other_object(const error& e) {
  return e.code == kube_error::conflict ||
         (e.code == kube_error::invalid && e.message.find("metadata.uid") != std::string::npos);
}

// The step may change an object that is there, or what the plugin keeps outside for the primary.
// The status is swapped on its version anyway.
bool touches_existing(const step_work& step) {
  if (const auto* set = std::get_if<apply_work>(&step)) {
    return !set->deletes.empty() ||
           std::any_of(set->writes.begin(), set->writes.end(),
                       [](const auto& w) { return w.action == child_action::update; });
  }
  return std::holds_alternative<patch_work>(step) || std::holds_alternative<delete_work>(step) ||
         std::holds_alternative<effect_work>(step);
}

}  // namespace

error stranger(const child& wanted) {
  return {controller_error::name_taken,
          "expected no " + wanted.title() +
              " or one that this object controls, found one that "
              "belongs to somebody else: rename or delete it, or rename this object"};
}

step_runner::step_runner(parts p, cache::object_ptr primary)
    : parts_(std::move(p)),
      client_(parts_.client->on_behalf_of(parts_.spec->plugin, parts_.log)),
      primary_(std::move(primary)) {}

const cache::informer* step_runner::informer_of(const kube::resource& r) const {
  const auto found = std::find_if(parts_.children.begin(), parts_.children.end(),
                                  [&](const auto& entry) { return entry.first == r; });
  return found == parts_.children.end() ? nullptr : found->second;
}

void step_runner::saw(const kube::resource& r, const std::string& answer) {
  expect(r, version_in(answer));
}

void step_runner::expect(const kube::resource& r, std::string version) {
  const auto* informer = informer_of(r);
  if (informer == nullptr || version.empty()) return;
  parts_.writes->expect_version(primary_->meta().key, *informer, std::move(version));
}

void step_runner::event(bool warning, std::string reason, std::string action, std::string note) {
  parts_.events->record({parts_.spec->plugin, parts_.spec->primary, primary_->meta().key,
                         primary_->meta().uid, warning, std::move(reason), std::move(action),
                         std::move(note)});
}

task<result<>> step_runner::look_for(child wanted) {
  const auto live = co_await read(wanted.resource, wanted.key);
  if (!live) co_return live.error();
  if (!*live) co_return result<>{};
  if (!controls(*primary_, **live)) co_return stranger(wanted);
  expect(wanted.resource, (*live)->meta().resource_version);
  co_return error{controller_error::changed_meanwhile,
                  wanted.title() + " exists but is not in the cache yet: looking again"};
}

task<result<>> step_runner::create(child wanted, bool verify_live) {
  if (verify_live) {
    const auto nothing = co_await look_for(wanted);
    if (!nothing) co_return nothing;
  }
  if (!OARLOCK_MUTANT("first_apply_takes_what_is_there")) create_only(wanted);
  const auto answer =
      co_await client_.apply(wanted.resource, wanted.key.ns, wanted.key.name, wanted.body,
                             {field_manager(*parts_.spec), false, {}, false}, parts_.stop);
  if (!answer) {
    if (answer.error().code != kube_error::conflict) co_return answer.error();
    const auto nothing = co_await look_for(wanted);
    if (!nothing) co_return nothing;
    co_return error{controller_error::changed_meanwhile, answer.error().message};
  }
  saw(wanted.resource, answer->body);
  event(false, "Created", "Create", "Created " + wanted.title());
  co_return result<>{};
}

task<result<>> step_runner::update(child wanted) {
  const auto answer =
      co_await client_.apply(wanted.resource, wanted.key.ns, wanted.key.name, wanted.body,
                             {field_manager(*parts_.spec), true, {}, false}, parts_.stop);
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
  const auto live = co_await client_.get(r, meta.key.ns, meta.key.name, parts_.stop);
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
      done = co_await create(write.wanted, check == live_check::everything);
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
    case child_action::ask:
      done = co_await ask_and_write(write.wanted, false);
      break;
  }
  if (done) co_return std::nullopt;
  co_return failed_step{title, done.error()};
}

// A conflict is about the preconditions: the object is not the one that was read.
task<result<>> step_runner::remove(kube::resource r, cache::object_key key,
                                   kube::delete_options options) {
  const auto uid = options.uid;
  const auto answer = co_await client_.remove(r, key.ns, key.name, std::move(options), parts_.stop);
  if (!answer && answer.error().code != kube_error::not_found) {
    if (answer.error().code != kube_error::conflict) co_return answer.error();
    co_return error{controller_error::changed_meanwhile, answer.error().message};
  }
  if (const auto* informer = informer_of(r)) {
    parts_.writes->expect_gone(primary_->meta().key, *informer, key, uid);
  }
  co_return result<>{};
}

task<std::optional<failed_step>> step_runner::delete_one(child_delete gone, live_check check) {
  const auto& meta = gone.live->meta();
  const auto title = gone.resource.kind + " " + meta.key.text();
  result<> done;
  if (check >= live_check::existing) done = co_await confirm(gone.resource, gone.live);
  const auto version = OARLOCK_MUTANT("prune_without_version") ? "" : meta.resource_version;
  if (done) {
    done =
        co_await remove(gone.resource, meta.key, {meta.uid, version, "Background", std::nullopt});
  }
  if (!done) co_return failed_step{"delete " + title, done.error()};
  event(false, "Deleted", "Delete", "Deleted " + title + ", which is not wanted any more");
  co_return std::nullopt;
}

task<step_runner::failure> step_runner::run_group(std::vector<child_write*> group,
                                                  live_check check) {
  namespace asio = boost::asio;
  std::vector<failure> failures(group.size());
  const auto one = [this, &group, &failures, check](std::size_t i) -> task<> {
    failures[i] = co_await apply_one(*group[i], check);
  };
  using operation = decltype(asio::co_spawn(parts_.loop, one(0), asio::deferred));
  std::vector<operation> all;
  for (std::size_t i = 0; i < group.size(); ++i) {
    all.push_back(asio::co_spawn(parts_.loop, one(i), asio::deferred));
  }
  co_await asio::experimental::make_parallel_group(std::move(all))
      .async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
  for (auto& failed : failures) {
    if (failed) co_return std::move(failed);
  }
  co_return std::nullopt;
}

task<step_runner::failure> step_runner::run_step(apply_work* set, live_check check) {
  auto& writes = set->writes;
  for (std::size_t begin = 0; begin < writes.size();) {
    std::vector<child_write*> group;
    std::size_t end = begin;
    while (end < writes.size() && writes[end].wanted.group == writes[begin].wanted.group) {
      group.push_back(&writes[end++]);
    }
    auto failed = co_await run_group(std::move(group), check);
    if (failed && !OARLOCK_MUTANT("group_after_a_failed_one")) co_return failed;
    begin = end;
  }
  for (const auto& gone : set->deletes) {
    auto failed = co_await delete_one(gone, check);
    if (failed) co_return failed;
  }
  co_return std::nullopt;
}

task<std::optional<failed_step>> step_runner::run(work w, live_check check) {
  const bool touches = std::any_of(w.steps.begin(), w.steps.end(), touches_existing);
  if ((check == live_check::everything && !w.steps.empty()) ||
      (check == live_check::existing && touches)) {
    const auto same = co_await confirm(parts_.spec->primary, primary_);
    if (!same) co_return failed_step{"read " + primary_->meta().key.text(), same.error()};
  }
  for (auto& step : w.steps) {
    auto failed =
        co_await std::visit([this, check](auto& one) { return run_step(&one, check); }, step);
    if (failed && !OARLOCK_MUTANT("steps_go_on_after_a_failure")) co_return failed;
  }
  co_return std::nullopt;
}

task<result<cache::object_ptr>> step_runner::add_finalizer() {
  const auto& key = primary_->meta().key;
  const auto answer =
      co_await client_.json_patch(parts_.spec->primary, key.ns, key.name,
                                  add_finalizer_patch(*parts_.spec, *primary_), {}, parts_.stop);
  if (!answer) {
    // 422: a test failed, or it is being deleted and takes no finalizer any more.
    if (answer.error().code != kube_error::invalid) co_return answer.error();
    co_return error{controller_error::changed_meanwhile, answer.error().message};
  }
  auto fresh = cache::object_decoder(parts_.spec->primary).decode(answer->body);
  if (!fresh) co_return fresh.error();
  primary_ = std::move(*fresh);
  parts_.writes->expect_version(primary_->meta().key, *parts_.primaries,
                                primary_->meta().resource_version);
  co_return primary_;
}

task<result<>> step_runner::remove_finalizer() {
  const auto key = primary_->meta().key;
  const auto answer =
      co_await client_.json_patch(parts_.spec->primary, key.ns, key.name,
                                  remove_finalizer_patch(*parts_.spec, *primary_), {}, parts_.stop);
  if (!answer && answer.error().code != kube_error::not_found) {
    if (answer.error().code != kube_error::invalid) co_return answer.error();
    co_return error{controller_error::changed_meanwhile, answer.error().message};
  }
  parts_.writes->expect_released(key, *parts_.primaries, primary_->meta().uid,
                                 finalizer_name(*parts_.spec));
  co_return result<>{};
}

task<result<>> step_runner::write_status(std::string body) {
  const auto& key = primary_->meta().key;
  const auto answer =
      co_await client_.apply(parts_.spec->primary, key.ns, key.name, std::move(body),
                             {status_field_manager(*parts_.spec), true, "status", false});
  if (!answer) {
    // Gone or replaced meanwhile: its own event brings the key back if there is a successor.
    const auto& code = answer.error().code;
    if (code == kube_error::not_found || code == kube_error::conflict) co_return result<>{};
    co_return answer.error();
  }
  if (auto version = version_in(answer->body); !version.empty()) {
    parts_.writes->expect_version(key, *parts_.primaries, std::move(version));
  }
  co_return result<>{};
}

}  // namespace oarlock::controller
