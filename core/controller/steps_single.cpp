// The steps that are about one object each, and the children of kinds that are not cached.
#include "core/base/mutant.hpp"
#include "core/cache/object_decoder.hpp"
#include "core/controller/errors.hpp"
#include "core/controller/steps.hpp"

namespace oarlock::controller {

namespace {

using kube::kube_error;

std::optional<failed_step> as_step(std::string title, const result<>& done) {
  if (done) return std::nullopt;
  return failed_step{std::move(title), done.error()};
}

// Another field manager has the fields: looking again does not help.
bool is_field_conflict(const error& e) {
  return e.message.find("Apply failed with") != std::string::npos;
}

// The object is not the one that was read: another has its name, or it has another version.
error as_change(const error& e) {
  const bool other =
      e.code == kube_error::conflict || e.code == kube_error::not_found ||
      (e.code == kube_error::invalid && e.message.find("metadata.uid") != std::string::npos);
  if (!other || is_field_conflict(e)) return e;
  return {controller_error::changed_meanwhile, e.message};
}

}  // namespace

task<result<cache::object_ptr>> step_runner::read(kube::resource r, cache::object_key key) {
  auto live = co_await client_.get(r, key.ns, key.name, parts_.stop);
  if (!live) {
    if (live.error().code == kube_error::not_found) co_return cache::object_ptr();
    co_return live.error();
  }
  co_return cache::object_decoder(r).decode(std::move(*live));
}

task<result<>> step_runner::ask_and_write(child wanted, bool once) {
  const auto live = co_await read(wanted.resource, wanted.key);
  if (!live) co_return live.error();
  if (!*live) co_return co_await create(std::move(wanted), false);
  switch (decide_uncached(wanted, **live, *primary_)) {
    case child_action::conflict:
      co_return stranger(wanted);
    case child_action::update:
      if (once) co_return result<>{};
      guard_by_uid(wanted, (*live)->meta().uid);
      co_return co_await update(std::move(wanted));
    default:
      co_return result<>{};
  }
}

// POST: the server itself sees to it that nothing is there.
task<result<>> step_runner::create_if_missing(child wanted, live_check check) {
  if (check == live_check::everything) {
    const auto nothing = co_await look_for(wanted);
    if (!nothing) co_return nothing;
  }
  const auto answer =
      co_await client_.create(wanted.resource, wanted.key.ns, wanted.body, parts_.stop);
  if (answer) {
    saw(wanted.resource, answer->body);
    event(false, "Created", "Create", "Created " + wanted.title());
    co_return result<>{};
  }
  if (answer.error().code != kube_error::already_exists) co_return answer.error();
  const auto nothing = co_await look_for(wanted);
  if (!nothing) co_return nothing;
  co_return error{controller_error::changed_meanwhile, answer.error().message};
}

task<step_runner::failure> step_runner::run_step(create_work* step, live_check check) {
  const auto& wanted = step->write.wanted;
  result<> done;
  switch (step->write.action) {
    case child_action::conflict:
      done = stranger(wanted);
      break;
    case child_action::ask:
      done = co_await ask_and_write(wanted, true);
      break;
    default:
      done = co_await create_if_missing(wanted, check);
  }
  co_return as_step("create " + wanted.title(), done);
}

task<step_runner::failure> step_runner::run_step(patch_work* step, live_check check) {
  const auto title = title_of("patch", step->target, primary_->meta().key.ns);
  const auto& r = step->target.resource;
  const auto ns = r.namespaced ? primary_->meta().key.ns : std::string();
  if (check >= live_check::existing && step->live) {
    const auto same = co_await confirm(r, step->live);
    if (!same) co_return failed_step{title, same.error()};
  }
  result<kube::write_answer> answer = kube::write_answer{};
  if (step->merge) {
    answer = co_await client_.merge_patch(r, ns, step->target.name, step->body, {}, parts_.stop);
  } else {
    answer = co_await client_.apply(r, ns, step->target.name, step->body,
                                    {field_manager(*parts_.spec), false, {}, false}, parts_.stop);
  }
  if (!answer) co_return failed_step{title, as_change(answer.error())};
  // An object outside of what is watched would never be seen.
  if (step->live) saw(r, answer->body);
  event(false, "Patched", "Patch", "P" + title.substr(1));
  co_return std::nullopt;
}

task<result<>> step_runner::delete_live(delete_work step) {
  const auto& target = step.what.target;
  const cache::object_key key{target.resource.namespaced ? primary_->meta().key.ns : "",
                              target.name};
  const auto live = co_await read(target.resource, key);
  if (!live) co_return live.error();
  if (!*live || (*live)->meta().deleting) co_return result<>{};
  if (!target.uid.empty() && (*live)->meta().uid != target.uid) co_return result<>{};
  if (step.must_be_child && !controls(*primary_, **live)) {
    co_return error{controller_error::name_taken,
                    "expected a child of this object, found one of somebody else"};
  }
  co_return co_await remove(target.resource, key,
                            {(*live)->meta().uid, (*live)->meta().resource_version,
                             step.what.propagation, step.what.grace_seconds});
}

task<step_runner::failure> step_runner::run_step(delete_work* step, live_check check) {
  const auto& target = step->what.target;
  const auto title = title_of("delete", target, primary_->meta().key.ns);
  result<> done;
  if (!step->live) {
    done = co_await delete_live(*step);
  } else {
    if (check >= live_check::existing) done = co_await confirm(target.resource, step->live);
    if (done) {
      done = co_await remove(
          target.resource, step->live->meta().key,
          {target.uid, target.resource_version, step->what.propagation, step->what.grace_seconds});
    }
  }
  if (!done) co_return failed_step{title, done.error()};
  event(false, "Deleted", "Delete", "D" + title.substr(1));
  co_return std::nullopt;
}

task<step_runner::failure> step_runner::run_step(status_work* step, live_check) {
  const auto title = "status " + primary_->meta().key.text();
  const auto& key = primary_->meta().key;
  const auto answer = co_await client_.apply(
      parts_.spec->primary, key.ns, key.name, step->body,
      {status_field_manager(*parts_.spec), true, "status", false}, parts_.stop);
  if (!answer) co_return failed_step{title, as_change(answer.error())};
  auto fresh = cache::object_decoder(parts_.spec->primary).decode(answer->body);
  if (!fresh) co_return failed_step{title, fresh.error()};
  primary_ = std::move(*fresh);
  parts_.writes->expect_version(primary_->meta().key, *parts_.primaries,
                                primary_->meta().resource_version);
  co_return std::nullopt;
}

task<step_runner::failure> step_runner::run_step(effect_work* step, live_check) {
  const auto title = "effect " + step->what.name;
  if (parts_.stop.stop_requested()) {
    co_return failed_step{title, {kube_error::cancelled, "no time was left for it: not started"}};
  }
  effect_input input;
  input.spec = parts_.spec;
  input.key = primary_->meta().key;
  input.primary = primary_;
  input.what = step->what;
  input.observation = step->observation;
  const auto done = co_await parts_.perform(std::move(input));
  if (done.not_started) co_return failed_step{title, *done.not_started};
  if (done.verdict == plan_verdict::done) co_return std::nullopt;
  const auto code = done.verdict == plan_verdict::terminal ? controller_error::effect_refused
                                                           : controller_error::effect_failed;
  co_return failed_step{title, {code, done.message}, done.reason};
}

}  // namespace oarlock::controller
