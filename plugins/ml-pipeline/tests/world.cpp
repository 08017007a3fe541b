#include "world.hpp"

#include <gtest/gtest.h>

namespace ml::testing {

json::value parsed(const std::string& text) {
  const auto document = json::parse(text);
  return json::copy(json::node{&document});
}

namespace {

std::string text_at(const json::value& in, std::initializer_list<std::string_view> path) {
  return kit::detail::text_at(in, path);
}

const json::value* find(const json::value& in, std::initializer_list<std::string_view> path) {
  const json::value* at = &in;
  for (const auto key : path) {
    if (at != nullptr) at = at->find(key);
  }
  return at;
}

void merge(json::value& into, const std::string& patch) {
  kit::merge_patch(into, parsed(patch));
}

// Times say nothing about what came of it.
void drop_times(json::value& in) {
  if (const auto* list = in.as_array()) {
    json::items made = *list;
    for (auto& one : made)
      drop_times(one);
    in = made;
    return;
  }
  if (in.as_object() == nullptr) return;
  json::members kept;
  for (auto field : *in.as_object()) {
    if (field.key.ends_with("At") || field.key == "notBefore" || field.key == "podUID" ||
        field.key.starts_with("eta") || field.key == "resourceVersion") {
      continue;
    }
    drop_times(field.value);
    kept.push_back(std::move(field));
  }
  in = kept;
}

}  // namespace

json::value a_pipeline(const json::value& spec_patch) {
  auto made = parsed(R"({"apiVersion":"ml.oarlock.dev/v1alpha1","kind":"TrainingPipeline",
    "metadata":{"name":"cancer","namespace":"lab","uid":"0123456789ab","generation":1,
                "resourceVersion":"1"},
    "spec":{"dataset":{"source":"builtin","name":"breast_cancer"},"algorithm":{"name":"xgboost"},
            "params":{"rounds":20},"storage":{"size":"1Gi"}}})");
  json::value patch = json::object({{"spec", spec_patch}});
  kit::merge_patch(made, patch);
  return made;
}

json::value a_model() {
  return parsed(R"({"apiVersion":"ml.oarlock.dev/v1alpha1","kind":"Model",
    "metadata":{"name":"cancer","namespace":"lab","uid":"model-uid","resourceVersion":"1"},
    "spec":{"storage":{"size":"1Gi"},"serving":{"alias":"production","replicas":1}}})");
}

job_end all_goes_well(const std::string& unit, int) {
  if (unit == "prepare") return {0, {}, R"({"ok":true,"result":{"sha256":"d","rows":569}})", false};
  if (unit == "evaluate") {
    return {0, {}, R"({"ok":true,"result":{"trial":0,"metrics":{"accuracy":0.97}}})", false};
  }
  if (unit == "publish") return {0, {}, R"({"ok":true,"result":{"digest":"sha-of-it"}})", false};
  return {0, {}, R"({"ok":true,"result":{"metrics":{"accuracy":0.96},"digest":"m"}})", false};
}

world::world(const oarlock_plugin& plugin, json::value pipeline, script how)
    : host_(plugin), pipeline_(std::move(pipeline)), script_(std::move(how)) {
  put("models.ml.oarlock.dev", a_model());
}

bool world::is_final() const {
  const auto p = phase();
  return p == "Succeeded" || p == "Failed" || p == "Rejected";
}

std::string world::status_text(std::string_view field) const {
  return text_at(status_, {field});
}

json::value* world::object(const std::string& resource, const std::string& name) {
  const auto found = objects_.find({resource, name});
  return found == objects_.end() ? nullptr : &found->second;
}

std::vector<std::string> world::names(const std::string& resource) const {
  std::vector<std::string> all;
  for (const auto& [id, there] : objects_) {
    if (id.first == resource) all.push_back(id.second);
  }
  return all;
}

void world::put(const std::string& resource, json::value object) {
  const std::string name = text_at(object, {"metadata", "name"});
  objects_[{resource, name}] = std::move(object);
}

void world::erase(const std::string& resource, const std::string& name) {
  objects_.erase({resource, name});
}

void world::edit(const json::value& patch) {
  kit::merge_patch(pipeline_, json::object({{"spec", patch}}));
  const auto* generation = find(pipeline_, {"metadata", "generation"});
  merge(pipeline_,
        R"({"metadata":{"generation":)" + std::to_string(std::stoi(generation->text()) + 1) + "}}");
}

bool world::run(int ticks) {
  for (int i = 0; i < ticks && !is_final(); ++i)
    tick();
  return is_final();
}

// True: it may happen, and has. False: the process is gone.
bool world::write() {
  if (writes_left == 0) {
    was_killed = true;
    return false;
  }
  if (writes_left > 0) --writes_left;
  ++writes;
  return true;
}

void world::tick() {
  now_ms_ += 1000;
  json::value primary = pipeline_;
  primary.set("status", status_);
  kit::given in;
  in.controller = "training-pipeline";
  in.primary = {"trainingpipelines.ml.oarlock.dev", primary.text()};
  in.ns = "lab";
  in.name = "cancer";
  in.now_unix_ms = now_ms_;
  in.observation = json::object({{"running", others_running}, {"ahead", others_ahead}}).text();
  for (const auto& [id, there] : objects_) {
    const bool is_owned =
        find(there, {"metadata", "ownerReferences"}) != nullptr && id.first != "pods";
    (is_owned ? in.owned : in.watched).push_back({id.first, there.text()});
  }
  const auto answer = host_.plan(in);
  ASSERT_EQ(answer.returned, OARLOCK_OK) << answer.fail_reason << ": " << answer.fail_message;
  was_killed = false;
  carry_out(answer);
  if (was_killed) writes_left = -1;  // the next process lives
  run_jobs();
  serve_model();
}

void world::carry_out(const kit::recorded& answer) {
  std::set<key> named;
  for (const auto& step : answer.steps) {
    const bool done = step.what == "create" ? create(step.json, named) : patch(step, named);
    if (!done) return;
  }
  if (!prune(named)) return;
  write_status(answer);
}

bool world::create(const std::string& text, std::set<key>& named) {
  json::value made = parsed(text);
  const key id{kit::detail::resource_of(made), text_at(made, {"metadata", "name"})};
  EXPECT_TRUE(named.insert(id).second) << "named twice: " << id.second;
  if (objects_.contains(id)) return true;
  if (!write()) return false;
  const std::string uid = "uid-" + std::to_string(++uids_);
  kit::merge_patch(made, parsed(R"({"metadata":{"namespace":"lab","uid":")" + uid +
                                R"(","ownerReferences":[{"uid":"0123456789ab"}]}})"));
  if (id.first == "jobs.batch") ++created[id.second];
  objects_[id] = std::move(made);
  return true;
}

bool world::patch(const kit::recorded_step& step, std::set<key>& named) {
  auto* there = object(step.resource, step.name);
  if (there == nullptr) {
    ADD_FAILURE() << "a patch of " << step.name << ", which is not there";
    return false;
  }
  named.insert({step.resource, step.name});
  const std::string version = text_at(*there, {"metadata", "resourceVersion"});
  if (!step.resource_version.empty() && step.resource_version != version) return false;
  if (!write()) return false;
  merge(*there, step.json);
  if (!version.empty()) {
    const std::string next = std::to_string(std::stoi(version) + 1);
    merge(*there, R"({"metadata":{"resourceVersion":")" + next + R"("}})");
  }
  return true;
}

bool world::prune(const std::set<key>& named) {
  std::vector<key> gone;
  for (const auto& [id, there] : objects_) {
    if (id.first == "pods" || id.first == "models.ml.oarlock.dev" || named.contains(id)) continue;
    if (find(there, {"metadata", "ownerReferences"}) == nullptr) continue;
    EXPECT_NE(id.first, "persistentvolumeclaims") << "the volume was pruned";
    gone.push_back(id);
  }
  for (const auto& id : gone) {
    if (!write()) return false;
    const std::string uid = text_at(objects_[id], {"metadata", "uid"});
    objects_.erase(id);
    std::erase_if(objects_, [&](const auto& one) {
      const auto* owners = find(one.second, {"metadata", "ownerReferences"});
      return one.first.first == "pods" && owners != nullptr &&
             owners->text().find('"' + uid + '"') != std::string::npos;
    });
  }
  return true;
}

void world::write_status(const kit::recorded& answer) {
  const json::value next = parsed(answer.status_json.value_or("{}"));
  if (!(next == status_)) {
    if (!write()) return;
    status_ = next;
  }
  for (const auto& event : answer.events)
    events.push_back(event.reason);
}

// Each Job goes one step: its pod runs, then it ends.
void world::run_jobs() {
  for (const auto& name : names("jobs.batch")) {
    auto& job = *object("jobs.batch", name);
    if (find(job, {"status", "conditions"}) != nullptr) continue;
    const auto* suspended = find(job, {"spec", "suspend"});
    if (suspended != nullptr && *suspended == json::value(true)) {
      objects_.erase({"pods", name + "-pod"});
    } else if (!objects_.contains({"pods", name + "-pod"})) {
      start_pod(job, name);
    } else {
      end_job(job, name);
    }
  }
}

void world::start_pod(const json::value& job, const std::string& name) {
  auto pod = parsed(R"({"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"lab",
    "creationTimestamp":"2026-03-01T12:00:00Z"},"status":{"phase":"Running",
    "containerStatuses":[{"name":"main","state":{"running":{}}}]}})");
  const std::string owner = text_at(job, {"metadata", "uid"});
  merge(pod, R"({"metadata":{"name":")" + name + R"(-pod","uid":"pod-of-)" + owner +
                 R"(","labels":{"batch.kubernetes.io/job-name":")" + name +
                 R"("},"ownerReferences":[{"uid":")" + owner + R"("}]}})");
  put("pods", std::move(pod));
}

void world::end_job(json::value& job, const std::string& name) {
  const std::size_t at = name.rfind("-a");
  const std::string unit = text_at(job, {"metadata", "labels", "ml.oarlock.dev/unit"});
  const job_end how = script_(unit, std::stoi(name.substr(at + 2)));
  const bool ok = how.exit_code == 0;
  merge(job, ok ? R"({"status":{"conditions":[{"type":"Complete","status":"True"}]}})"
                : R"({"status":{"conditions":[{"type":"Failed","status":"True",
                      "reason":"BackoffLimitExceeded"}]}})");
  if (how.pod_vanishes) {
    objects_.erase({"pods", name + "-pod"});
    return;
  }
  const json::value end =
      json::object({{"exitCode", how.exit_code}, {"reason", how.reason}, {"message", how.message}});
  auto& pod = *object("pods", name + "-pod");
  kit::merge_patch(
      pod,
      json::object(
          {{"status", json::object({{"containerStatuses",
                                     json::array({json::object(
                                         {{"name", "main"},
                                          {"state", json::object({{"terminated", end}})}})})}})}}));
}

// The Model's controller, in a line.
void world::serve_model() {
  auto* model = object("models.ml.oarlock.dev", "cancer");
  if (model == nullptr) return;
  const auto* aliases = find(*model, {"spec", "aliases"});
  if (aliases == nullptr || aliases->as_array() == nullptr || aliases->as_array()->empty()) return;
  const auto* version = aliases->as_array()->front().find("version");
  const char* field = model_answers ? "version" : "failed";
  json::value serving = json::object({{field, *version}});
  kit::merge_patch(*model, json::object({{"status", json::object({{"serving", serving}})}}));
}

std::string world::end_state() {
  json::value all = json::object({{"status", status_}});
  if (auto* model = object("models.ml.oarlock.dev", "cancer"))
    all.set("model", *model->find("spec"));
  json::items jobs;
  for (const auto& name : names("jobs.batch"))
    jobs.push_back(name);
  all.set("jobs", jobs);
  drop_times(all);
  return all.text();
}

}  // namespace ml::testing
