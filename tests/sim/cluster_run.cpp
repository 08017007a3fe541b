#include "tests/sim/cluster_run.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <stdexcept>

namespace oarlock::sim {

namespace {

using namespace std::chrono_literals;

const std::string apps_path = "/apis/example.com/v1alpha1/namespaces/default/myapps";
const std::string deployments_path = "/apis/apps/v1/namespaces/default/deployments";
constexpr const char* merge_type = "application/merge-patch+json";

std::string condition_status(const js::object& object, std::string_view type) {
  const auto* status = object_at(object, "status");
  const auto* list = status == nullptr ? nullptr : array_at(*status, "conditions");
  if (list == nullptr) return {};
  for (const auto& c : *list) {
    if (text_at(c.as_object(), "type") == type) return text_at(c.as_object(), "status");
  }
  return {};
}

const js::object* controller_of(const js::object& object) {
  const auto* owners = array_at(object.at("metadata").as_object(), "ownerReferences");
  return owners == nullptr || owners->empty() ? nullptr : &owners->front().as_object();
}

// Times, versions and UIDs are other ones in every run.
js::object comparable(const js::object& object) {
  js::object out;
  auto spec = object.at("spec").as_object();
  out["spec"] = std::move(spec);
  const auto& meta = object.at("metadata").as_object();
  if (const auto* labels = object_at(meta, "labels")) out["labels"] = *labels;
  if (const auto* owner = controller_of(object)) out["owner"] = text_at(*owner, "name");
  const auto* status = object_at(object, "status");
  if (status == nullptr) return out;
  auto kept = *status;
  kept.stable_erase("observedGeneration");
  if (auto* list = kept.if_contains("conditions")) {
    std::map<std::string, js::value> by_type;
    for (const auto& c : list->as_array()) {
      auto one = c.as_object();
      one.stable_erase("lastTransitionTime");
      one.stable_erase("observedGeneration");
      by_type[text_at(one, "type")] = std::move(one);
    }
    js::array sorted;
    for (auto& [type, one] : by_type)
      sorted.push_back(std::move(one));
    *list = std::move(sorted);
  }
  std::map<std::string, js::value> ordered;
  for (const auto& m : kept)
    ordered[std::string(m.key())] = m.value();
  js::object status_out;
  for (auto& [key, v] : ordered)
    status_out.emplace(key, std::move(v));
  out["status"] = std::move(status_out);
  return out;
}

}  // namespace

cluster_run::cluster_run(plugin::loaded_plugin& plugin, std::uint64_t seed)
    : net(time, seed), plugin_(plugin), seed_(seed) {
  net.on_write = [this](const write_record& w, steady_time sent) { check_write(w, sent); };
}

cluster_run::~cluster_run() {
  end();
}

void cluster_run::end() {
  for (std::size_t i = 0; i < processes_.size(); ++i)
    crash(i);
  for (auto& p : std::exchange(database.problems, {}))
    problems.push_back(std::move(p));
}

// ---------------------------------------------------------------- processes

void cluster_run::start(std::size_t number) {
  if (processes_.size() <= number) {
    processes_.resize(number + 1);
    lives_.resize(number + 1);
  }
  const auto life = ++lives_[number];
  const auto identity = "oarlockd-" + std::to_string(number) + "-" + std::to_string(life);
  net.note("start " + identity);
  processes_[number] = std::make_unique<process>(
      time, net, plugin_, identity, seed_ * 1000 + number * 100 + static_cast<std::size_t>(life),
      process::world{
          &database,
          [this](const process& p, const std::string& what) { check_effect(p.identity(), what); },
          [this, number](const process&) { after_effect(number); }});
}

void cluster_run::crash(std::size_t number) {
  auto* dying = at(number);
  if (dying == nullptr) return;
  net.note("end " + dying->identity());
  if (auto wrong = dying->crash(); !wrong.empty()) problems.push_back(std::move(wrong));
  processes_[number].reset();
}

process* cluster_run::at(std::size_t number) {
  return number < processes_.size() ? processes_[number].get() : nullptr;
}

bool cluster_run::is_process(const std::string& who) const {
  return who.starts_with("oarlockd-");
}

void cluster_run::advance(duration how_long) {
  time.advance(how_long, [this] {
    for (const auto number : std::exchange(dying_, {}))
      crash(number);
  });
}

// ---------------------------------------------------------------- people

void cluster_run::create_app(const std::string& name, const wishes::app& wish) {
  const js::object spec{{"replicas", wish.replicas}, {"image", wish.image}};
  const js::object body{{"apiVersion", "example.com/v1alpha1"},
                        {"kind", "MyApp"},
                        {"metadata", object_of("name", js::value(name))},
                        {"spec", spec}};
  (void)net.act("user", "POST", apps_path, js::serialize(body));
}

void cluster_run::patch_app(const std::string& name, const std::string& body) {
  (void)net.act("user", "PATCH", apps_path + "/" + name, body, merge_type);
}

void cluster_run::delete_app(const std::string& name) {
  (void)net.act("user", "DELETE", apps_path + "/" + name);
}

void cluster_run::create_stranger(const std::string& name) {
  const std::string labels = R"({"app":")" + name + R"("})";
  (void)net.act("user", "POST", deployments_path,
                R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":")" + name +
                    R"("},"spec":{"replicas":1,"selector":{"matchLabels":)" + labels +
                    R"(},"template":{"metadata":{"labels":)" + labels +
                    R"(},"spec":{"containers":[{"name":"theirs","image":"theirs:1"}]}}}})");
}

void cluster_run::patch_deployment(const std::string& name, const std::string& body) {
  (void)net.act("user", "PATCH", deployments_path + "/" + name, body, merge_type);
}

void cluster_run::delete_deployment(const std::string& name) {
  (void)net.act("user", "DELETE", deployments_path + "/" + name);
}

// ---------------------------------------------------------------- what must hold at every write

void cluster_run::note_holder() {
  const auto* lease = net.server().kind("leases").find({"oarlock-system", "oarlock"});
  const auto holder = lease == nullptr
                          ? std::string()
                          : text_at(lease->body->at("spec").as_object(), "holderIdentity");
  if (holder == holder_) return;
  holder_ = holder;
  held_since_ = net.now();
}

void cluster_run::check_write(const write_record& w, steady_time sent) {
  const auto& plural = w.kind->resource.plural;
  if (plural == "leases") {
    note_holder();
    return;
  }
  if (!is_process(w.by)) return;
  const auto what = w.by + ": " + w.verb + " " + plural + "/" + w.name.name + " " + w.subresource;
  // What was on its way when the lease changed hands may still land: the documented residual.
  if (w.by != holder_ && sent > held_since_) {
    problems.push_back(what + " was sent while " + holder_ + " held the lease");
  }
  // Of what goes on failing (a name that is taken) events go on telling, at most every 30 s.
  if (plural == "events") return;
  check_form(w);
  ++written.all;
  const auto kind = plural + (w.subresource.empty() ? "" : "/" + w.subresource);
  if (w.effective) ++written.effective[w.verb + " " + kind];
  for (std::size_t i = 0; i < processes_.size(); ++i) {
    if (processes_[i] && processes_[i]->identity() == w.by) after_write(i);
  }
}

void cluster_run::check_effect(const std::string& by, const std::string& what) {
  if (by != holder_) problems.push_back(by + ": " + what + " while " + holder_ + " held the lease");
}

void cluster_run::check_form(const write_record& w) {
  const auto& plural = w.kind->resource.plural;
  const auto what = w.by + ": " + w.verb + " " + plural + "/" + w.name.name;
  if (plural == "myapps" && w.subresource != "status") {
    problems.push_back(what + " is not a write of status");
  } else if (plural == "deployments") {
    if (w.verb != "apply" && w.verb != "delete") problems.push_back(what + " is no apply");
    if ((w.forced || w.verb == "delete") && !w.guarded) {
      problems.push_back(what + " does not name the object it means");
    }
  }
}

// ---------------------------------------------------------------- at rest

wishes cluster_run::wished() const {
  auto& server = const_cast<network&>(net).server();
  wishes out;
  for (const auto& [name, app] : server.kind("myapps").live()) {
    const auto& spec = app.body->at("spec").as_object();
    out.apps[name.name] = {spec.at("replicas").as_int64(), text_at(spec, "image")};
  }
  for (const auto& [name, d] : server.kind("deployments").live()) {
    if (controller_of(*d.body) == nullptr) out.strangers.insert(name.name);
  }
  return out;
}

std::string cluster_run::unsettled(const std::string& name, const js::object& app) const {
  auto& server = const_cast<network&>(net).server();
  const auto* status = object_at(app, "status");
  if (status == nullptr) return name + " has no status";
  const auto* observed = status->if_contains("observedGeneration");
  if (observed == nullptr || *observed != app.at("metadata").at("generation")) {
    return name + ": its status is about another generation";
  }
  const auto* child = server.kind("deployments").find({"default", name});
  if (child == nullptr) return name + " has no Deployment";
  const auto* owner = controller_of(*child->body);
  if (owner == nullptr) {
    return condition_status(app, "Stalled") == "True" ? "" : name + " does not say NameTaken";
  }
  if (text_at(*owner, "uid") != meta_text(app, "uid")) return name + ": another one's Deployment";
  const auto& spec = child->body->at("spec").as_object();
  if (spec.at("replicas") != app.at("spec").at("replicas")) return name + ": replicas differ";
  if (condition_status(app, "Ready") != "True") return name + " is not Ready";
  if (database.used_by(meta_text(app, "uid")) != text_at(app.at("spec").as_object(), "image")) {
    return name + ": the image in use is another";
  }
  return {};
}

std::string cluster_run::unsettled() const {
  auto& server = const_cast<network&>(net).server();
  for (const auto& [name, app] : server.kind("myapps").live()) {
    if (auto why = unsettled(name.name, *app.body); !why.empty()) return why;
  }
  for (const auto& [name, d] : server.kind("deployments").live()) {
    const auto* owner = controller_of(*d.body);
    if (owner == nullptr) {
      const auto& managers = d.managers;
      const bool touched = std::any_of(managers.begin(), managers.end(), [](const auto& m) {
        return m.manager.starts_with("oarlock-");
      });
      if (touched) return "Deployment " + name.name + " is somebody else's and has fields of ours";
      continue;
    }
    const auto* app = server.kind("myapps").find({"default", text_at(*owner, "name")});
    if (app == nullptr || meta_text(*app->body, "uid") != text_at(*owner, "uid")) {
      return "Deployment " + name.name + " is an orphan";
    }
  }
  return {};
}

std::string cluster_run::converge(duration limit) {
  const auto end = time.now() + limit;
  std::string missing = unsettled();
  while (!missing.empty() && time.now() < end) {
    advance(1s);
    missing = unsettled();
  }
  if (!missing.empty()) return missing;
  // Statuses that only just arrived: a last plan may follow.
  advance(10s);
  return unsettled();
}

std::string cluster_run::summary() {
  std::string out;
  for (const auto* plural : {"myapps", "deployments"}) {
    for (const auto& [name, object] : net.server().kind(plural).live()) {
      const bool is_child = std::string_view(plural) == "deployments";
      if (is_child && controller_of(*object.body) == nullptr) continue;  // nothing of ours
      out += std::string(plural) + "/" + name.name + " " + js::serialize(comparable(*object.body)) +
             "\n";
    }
  }
  return out;
}

std::string clean_summary(plugin::loaded_plugin& plugin, const wishes& w) {
  cluster_run clean(plugin, 1);
  for (const auto& name : w.strangers)
    clean.create_stranger(name);
  for (const auto& [name, wish] : w.apps)
    clean.create_app(name, wish);
  clean.start(0);
  const auto missing = clean.converge(5min);
  if (!missing.empty()) throw std::runtime_error("a clean run does not converge: " + missing);
  return clean.summary();
}

plugin::loaded_plugin& myapp_plugin() {
  static const auto loaded = [] {
    auto made = plugin::load_plugin(std::string(OARLOCK_OUTPUT_DIR) + "/plugins/myapp", "{}");
    if (!made) throw std::runtime_error(made.error().message);
    if (auto started = (*made)->start(); !started)
      throw std::runtime_error(started.error().message);
    return std::move(*made);
  }();
  return *loaded;
}

}  // namespace oarlock::sim
