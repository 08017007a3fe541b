#include "tests/sim/process.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace oarlock::sim {

namespace {

using namespace std::chrono_literals;

// Longer than every deadline there is in the core.
constexpr duration longest_end = 10min;

}  // namespace

process::process(test::timeline& time, network& net, plugin::loaded_plugin& plugin,
                 std::string identity, std::uint64_t seed, world around)
    : time_(time),
      net_(net),
      identity_(std::move(identity)),
      random_(seed),
      stream_client_(
          {loop_.loop(), &wire_, nullptr, &loop_.clock, &loop_.timers, metrics_.get(), &window_}),
      probe_client_(
          {loop_.loop(), &wire_, nullptr, &loop_.clock, &loop_.timers, metrics_.get(), nullptr}),
      world_(std::move(around)) {
  time_.add(loop_);
  wire_.on_request = [this](const test::scripted_call_ptr& call) {
    if (dead_) {
      call->refuse(net::net_error::not_sent, "the process is dead");
    } else {
      net_.send(call, identity_);
    }
  };
  cache_ = std::make_unique<cache::informer_cache>(cache::informer_cache::parts{
      loop_.loop(), &stream_client_, &loop_.clock, &loop_.timers, &random_, metrics_.get()});
  events_ = std::make_unique<controller::event_recorder>(controller::event_recorder::parts{
      loop_.loop(), &stream_client_, &loop_.clock, &loop_.timers, metrics_.get(), identity_});
  const auto& spec = plugin.declared().controllers.front();
  acting_ = std::make_unique<acting>(plugin.reconciler_for(spec.name), *this);
  controller_ =
      std::make_unique<controller::controller>(spec, controller::controller::parts{loop_.loop(),
                                                                                   loop_.loop(),
                                                                                   &stream_client_,
                                                                                   cache_.get(),
                                                                                   events_.get(),
                                                                                   acting_.get(),
                                                                                   &loop_.clock,
                                                                                   &loop_.timers,
                                                                                   metrics_.get(),
                                                                                   &ids_,
                                                                                   {},
                                                                                   {},
                                                                                   &window_});
  controller_->start();
  election::elector_config config;
  config.lease_name = "oarlock";
  config.lease_namespace = "oarlock-system";
  config.identity = identity_;
  const auto lead = [this](bool leads) {
    boost::asio::post(loop_.loop(), [this, leads] {
      if (stopping_) return;
      leads ? controller_->lead() : controller_->follow();
    });
  };
  elector_ = std::make_unique<election::elector>(
      config, election::elector::parts{&probe_client_, &loop_.clock, &loop_.timers, &random_,
                                       metrics_.get(), &window_, [lead] { lead(true); },
                                       [lead] { lead(false); }});
  spawn(loop_.loop(), [](process* self) -> task<> {
    co_await self->elector_->run(self->election_stop_.get_token());
    self->election_over_ = true;
  }(this));
}

controller::plan_output process::acting::plan(const controller::plan_input& input) {
  auto made = inner_.plan(input);
  self_.world_.database->add_to(made, *input.primary);
  return made;
}

controller::effect_output process::acting::effect(const controller::effect_input& input) {
  if (self_.dead_) return {controller::plan_verdict::retry, "Dead", "the process is dead", {}};
  self_.net_.note(self_.identity_ + ": effect " + input.what.name + " " + input.key.text());
  self_.world_.check(self_, "effect " + input.what.name + " " + input.key.text());
  auto done = self_.world_.database->act(input, self_.identity_);
  self_.world_.after_effect(self_);
  return done;
}

process::~process() {
  time_.remove(loop_);
}

// The order of daemon::run().
task<> process::shut_down(process* self, bool with_release) {
  self->stopping_ = true;
  co_await self->controller_->drain();
  co_await self->events_->flush(self->loop_.clock.now() + 3s);
  co_await self->cache_->stop();
  self->election_stop_.request_stop();
  while (!self->election_over_)
    (void)co_await self->loop_.timers.sleep_for(10ms, {});
  if (with_release) co_await self->elector_->release();
  self->stopped_ = true;
}

void process::stop_gracefully() {
  if (stopping_) return;
  spawn(loop_.loop(), shut_down(this, true));
}

void process::suspend(bool on) {
  suspended_ = on;
  time_.suspend(loop_, on);
}

std::string process::crash() {
  dead_ = true;
  time_.remove(loop_);
  for (const auto& call : wire_.calls()) {
    if (!call->open()) continue;
    call->break_off();
    if (!call->answered()) call->refuse(net::net_error::no_answer, "the process is dead");
  }
  if (!stopping_) spawn(loop_.loop(), shut_down(this, false));
  const auto end = loop_.clock.now() + longest_end;
  loop_.run_ready();
  while (!loop_.io.stopped()) {
    const auto next = loop_.timers.next();
    if (!next || *next > end) break;
    loop_.advance(std::max(*next - loop_.clock.now(), duration::zero()));
    loop_.run_ready();
  }
  if (!stopped_) return identity_ + ": it does not come to an end";
  if (!loop_.io.stopped()) return identity_ + ": a coroutine is left";
  return {};
}

std::string process::cache_difference() {
  for (const auto* informer : cache_->informers()) {
    const auto& what = informer->what();
    selectors match{what.ns, parse_selector(what.label_selector), {}};
    std::size_t expected = 0;
    for (const auto& [name, object] : net_.server().kind(what.resource.plural).live()) {
      if (!match.match(*object.body)) continue;
      ++expected;
      const auto cached = informer->get({name.ns, name.name});
      const auto at = meta_text(*object.body, "resourceVersion");
      if (cached && cached->meta().resource_version == at) continue;
      return identity_ + ": " + what.resource.plural + " " + name.name + " at " + at +
             " is cached at " + (cached ? cached->meta().resource_version : "nothing");
    }
    if (informer->object_count() != expected) {
      return identity_ + ": too many " + what.resource.plural + " in the cache";
    }
  }
  return {};
}

}  // namespace oarlock::sim
