#include "tests/sim/network.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace oarlock::sim {

namespace {

using namespace std::chrono_literals;

constexpr duration bookmark_period = 60s;

js::object wanted_status(const js::object& deployment) {
  const auto& spec = deployment.at("spec").as_object();
  const auto replicas = spec.at("replicas").as_int64();
  js::object status = deployment.at("status").as_object();
  status["observedGeneration"] = deployment.at("metadata").at("generation");
  for (const auto* f : {"replicas", "updatedReplicas", "readyReplicas", "availableReplicas"}) {
    status.stable_erase(f);
    if (replicas > 0) status[f] = replicas;
  }
  js::object available{{"type", "Available"}, {"status", "True"}};
  available.emplace("reason", "MinimumReplicasAvailable");
  js::array conditions;
  conditions.emplace_back(std::move(available));
  status["conditions"] = std::move(conditions);
  return status;
}

}  // namespace

network::network(test::timeline& time, std::uint64_t seed)
    : time_(time), random_(seed), server_([this] { return loop_.clock.wall_now(); }) {
  time_.add(loop_);
  server_.instant_cache = false;
  server_.namespaces.insert("oarlock-system");
  server_.on_write = [this](const write_record& w) { accepted(w); };
}

network::~network() {
  time_.remove(loop_);
}

void network::note(std::string_view text) {
  for (const char c : text)
    trace_ = (trace_ ^ static_cast<unsigned char>(c)) * 1099511628211U;
  trace_ = (trace_ ^ static_cast<std::uint64_t>(now().time_since_epoch().count())) * 1099511628211U;
  if (trace_lines == nullptr) return;
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now() - test::fake_clock().now());
  trace_lines->push_back(std::to_string(ms.count()) + " ms " + std::string(text));
}

void network::later(duration how_long, std::function<void()> what) {
  (void)loop_.timers.call_at(now() + how_long, std::move(what));
}

duration network::up_to(duration most) {
  return duration(static_cast<duration::rep>(static_cast<double>(most.count()) * random_.unit()));
}

void network::send(const test::scripted_call_ptr& call, const std::string& who) {
  ++requests_;
  if (random_.chance(faults.not_sent)) {
    note(who + " not sent " + call->request().target);
    call->refuse(net::net_error::not_sent);
    return;
  }
  if (random_.chance(faults.lost_request)) {
    note(who + " lost " + call->request().method + " " + call->request().target);
    later(up_to(2s), [call] { call->refuse(net::net_error::no_answer); });
    return;
  }
  const auto there = random_.chance(faults.slow) ? up_to(8s) : 200us + up_to(2ms);
  later(there, [this, call, who, sent = now()] { arrive(call, who, sent); });
}

void network::arrive(const test::scripted_call_ptr& call, const std::string& who,
                     steady_time sent) {
  const auto& request = call->request();
  auto special = decide(request, who);
  if (random_.chance(faults.refused)) {
    constexpr std::array codes{500, 503, 429};
    special.answer_instead = codes.at(random_.below(codes.size()));
  }
  server_answer answer;
  if (special.answer_instead != 0) {
    answer = refusal(special.answer_instead, "InternalError", "a fault of the simulation");
    if (!special.retry_after.empty()) {
      answer.headers.push_back({"Retry-After", special.retry_after});
    }
  } else {
    sent_ = sent;
    answer = server_.handle(request, who);
  }
  note(who + " " + request.method + " " + request.target + " " + request.body + " -> " +
       std::to_string(answer.status) + " " + answer.body);
  const bool lose = lose_answer() || random_.chance(faults.lost_reply);
  if (lose) {
    note("reply lost");
    later(up_to(3s), [call] { call->refuse(net::net_error::no_answer); });
    return;
  }
  const auto back = random_.chance(faults.slow) ? up_to(8s) : 200us + up_to(2ms);
  later(back,
        [this, call, answer = std::move(answer)]() mutable { reply(call, std::move(answer)); });
}

void network::reply(const test::scripted_call_ptr& call, server_answer answer) {
  if (!call->open()) return;
  if (answer.watch) {
    open(call, std::move(answer));
    return;
  }
  answer.headers.push_back({"Content-Type", "application/json"});
  call->reply(answer.status, std::move(answer.body), std::move(answer.headers));
}

// ---------------------------------------------------------------- watches

void network::open(const test::scripted_call_ptr& call, server_answer answer) {
  call->answer(answer.status);
  auto s = std::make_shared<stream>();
  *s = {call, answer.watch, now(), now() + answer.watch_timeout, false};
  streams_.push_back(s);
  for (auto& line : s->watch->lines())
    push(*s, std::move(line));
  keep_alive(s);
}

// Bookmarks, and the end that the client asked for.
void network::keep_alive(std::weak_ptr<stream> weak) {
  const auto s = weak.lock();
  if (!s) return;
  const auto wait = std::min(bookmark_period, s->ends - now());
  later(wait, [this, weak] {
    const auto again = weak.lock();
    if (!again || !again->call->open()) return;
    const auto& plural = again->watch->kind().resource.plural;
    server_.advance_cache(plural, server_.now_at());
    pump(plural);
    if (auto line = again->watch->bookmark()) push(*again, std::move(*line));
    if (now() >= again->ends) {
      again->call->finish();
      std::erase(streams_, again);
      return;
    }
    keep_alive(weak);
  });
}

void network::push(stream& s, std::string line) {
  if (s.ended) return;
  if (random_.chance(faults.watch_cut)) {
    note("watch cut");
    s.ended = true;
    random_.chance(0.5) ? s.call->break_off() : s.call->finish();
    return;
  }
  if (random_.chance(faults.watch_gone)) {
    note("watch gone");
    s.ended = true;
    s.call->push(model_watch::expired_line(s.watch->position(), server_.now_at()));
    s.call->finish();
    return;
  }
  // In order, however late.
  s.last_push = std::max(s.last_push, now() + 100us + up_to(1ms));
  later(s.last_push - now(), [call = s.call, text = std::move(line)]() mutable {
    if (call->open()) call->push(std::move(text));
  });
}

void network::pump(std::string_view plural) {
  std::erase_if(streams_, [](const auto& s) { return !s->call->open(); });
  for (const auto& s : streams_) {
    if (s->watch->kind().resource.plural != plural) continue;
    for (auto& line : s->watch->lines())
      push(*s, std::move(line));
  }
}

void network::cut_watches() {
  for (const auto& s : std::exchange(streams_, {}))
    s->call->break_off();
}

// ---------------------------------------------------------------- what the cluster does

void network::accepted(const write_record& w) {
  on_write(w, sent_);
  if (!w.effective) return;
  const auto& plural = w.kind->resource.plural;
  later(up_to(faults.cache_lag) + 50us, [this, plural, at = w.at] {
    server_.advance_cache(plural, at);
    pump(plural);
  });
  if (plural == "deployments" && !std::exchange(deployments_due_, true)) {
    later(50ms + up_to(1500ms), [this] { run_deployments(); });
  }
  // A child may be created after its owner is gone: its request was on the way.
  if ((w.verb == "delete" || w.verb == "apply") && !std::exchange(collection_due_, true)) {
    later(100ms + up_to(4s), [this] { collect(); });
  }
}

void network::run_deployments() {
  deployments_due_ = false;
  const auto live = server_.kind("deployments").live();
  for (const auto& [name, object] : live) {
    const auto status = wanted_status(*object.body);
    if (status == object.body->at("status").as_object()) continue;
    js::object meta;
    meta.emplace("uid", meta_text(*object.body, "uid"));
    auto patch = status;
    for (const auto& old : object.body->at("status").as_object())
      patch.emplace(old.key(), nullptr);  // a merge patch removes what is null
    const js::object body{{"metadata", std::move(meta)}, {"status", std::move(patch)}};
    (void)act("kcm", "PATCH",
              "/apis/apps/v1/namespaces/" + name.ns + "/deployments/" + name.name +
                  "/status?fieldManager=kube-controller-manager",
              js::serialize(body), "application/merge-patch+json");
  }
}

void network::collect() {
  collection_due_ = false;
  sent_ = now();
  if (server_.collect_garbage() && !std::exchange(collection_due_, true)) {
    later(10ms + up_to(200ms), [this] { collect(); });
  }
}

int network::act(const std::string& who, const std::string& method, const std::string& target,
                 const std::string& body, const std::string& type) {
  net::http_request request{method, target, {}, body};
  if (!body.empty()) {
    request.headers.push_back({"Content-Type", type.empty() ? "application/json" : type});
  }
  sent_ = now();
  const auto answer = server_.handle(request, who);
  note(who + " " + method + " " + target + " " + body + " -> " + std::to_string(answer.status));
  return answer.status;
}

}  // namespace oarlock::sim
