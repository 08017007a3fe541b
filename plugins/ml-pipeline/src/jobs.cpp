#include "jobs.hpp"

#include <algorithm>

namespace ml {

namespace {

constexpr std::int64_t user_id = 65532;
constexpr std::int64_t grace_seconds = 30;   // for a checkpoint
constexpr std::int64_t token_seconds = 600;  // the least that Kubernetes takes; the kubelet renews

void set_env(core::container& container, const char* name, std::string value) {
  auto& made = container.env.emplace_back();
  made.name = name;
  made.value = std::move(value);
}

// A whole number of threads, so that a run with one core is the same each time.
std::int64_t threads_of(const types::spec& spec) {
  const auto milli = quantity_of(spec.resources->cpu, "1").milli_value().value_or(1000);
  return std::max<std::int64_t>(1, milli / 1000);
}

sdk::quantity memory_of(const types::spec& spec, std::int32_t doublings) {
  const auto asked = quantity_of(spec.resources->memory, "512Mi");
  const auto bytes = asked.value();
  if (doublings <= 0 || !bytes) return asked;
  return sdk::quantity(*bytes << std::min(doublings, 5));
}

bool is_trial(std::string_view unit_name) {
  return unit_name.starts_with("trial-");
}

void add_dataset(core::pod_spec& pod, core::container& container, const types::spec& spec) {
  const auto& data = *spec.dataset;
  if (data.source == types::spec_dataset_source::pvc) {
    add_claim(pod, "input", data.claim_name.value_or("")).persistent_volume_claim->read_only = true;
    mount(container, "input", "/ml/input", "", true);
  } else if (data.source == types::spec_dataset_source::config_map) {
    auto& volume = pod.volumes.emplace_back();
    volume.name = "input";
    volume.config_map->name = data.name.value_or("");
    volume.config_map->optional = true;  // the program says what is missing; the kubelet would wait
    mount(container, "input", "/ml/input", "", true);
  }
}

// Who sees what: a trial never sees the rows that are held out, the evaluation changes no trial.
void add_mounts(core::container& c, const job_frame& frame, const run_config& run,
                std::string_view unit_name) {
  const std::string root = "runs/" + run.run_id + "/";
  mount(c, "config", "/ml/config", "", true);
  mount(c, "tmp", "/tmp", "", false);
  if (unit_name == "prepare") {
    mount(c, "runs", "/ml/data", root + "data", false);
    mount(c, "runs", "/ml/heldout", root + "heldout", false);
  } else if (is_trial(unit_name)) {
    mount(c, "runs", "/ml/data", root + "data", true);
    mount(c, "runs", "/ml/trial", root + std::string(unit_name), false);
  } else {
    mount(c, "runs", "/ml/run", "runs/" + run.run_id, true);
    mount(c, "runs", "/ml/evaluation", root + "evaluation", unit_name != "evaluate");
    if (unit_name == "publish") mount(c, "runs", "/ml/publish", root + "publish", false);
    if (!frame.model_claim.empty()) {
      mount(c, frame.model_claim == frame.claim ? "runs" : "models", "/ml/models",
            "models/" + frame.model_name, unit_name != "publish");
    }
  }
}

void add_environment(core::container& c, const job_frame& frame, const run_config& run,
                     std::string_view unit_name, std::int32_t attempt) {
  set_env(c, "OARLOCK_UNIT", std::string(unit_name));
  set_env(c, "OARLOCK_ATTEMPT", std::to_string(attempt));
  set_env(c, "OARLOCK_PIPELINE", frame.pipeline);
  set_env(c, "OMP_NUM_THREADS", std::to_string(threads_of(run.spec)));
  if (frame.version > 0) set_env(c, "OARLOCK_VERSION", std::to_string(frame.version));
  if (frame.champion > 0) set_env(c, "OARLOCK_CHAMPION", std::to_string(frame.champion));
  if (!frame.versions_kept.empty()) set_env(c, "OARLOCK_VERSIONS_KEPT", frame.versions_kept);
}

// How a trial reports: the daemon's address, the certificates to trust, a token for nothing else.
void add_reports(core::pod_spec& pod, core::container& c, const job_frame& frame) {
  if (frame.report_url.empty()) return;
  set_env(c, "OARLOCK_INBOUND_URL", frame.report_url);
  set_env(c, "OARLOCK_INBOUND_CA", "/ml/inbound/ca.crt");
  set_env(c, "OARLOCK_INBOUND_TOKEN", "/ml/inbound/token");
  // Its default, said here too: a token needs it, and not every API server fills it in.
  pod.service_account_name = "default";
  auto& volume = pod.volumes.emplace_back();
  volume.name = "inbound";
  auto& sources = volume.projected->sources;
  auto& token = *sources.emplace_back().service_account_token;
  token.audience = frame.audience;
  token.expiration_seconds = token_seconds;
  token.path = "token";
  auto& trusted = *sources.emplace_back().config_map;
  trusted.name = trust_name(frame.pipeline);
  trusted.optional = true;  // the training does not wait for it
  mount(c, "inbound", "/ml/inbound", "", true);
}

bool needs_model(const job_frame& frame, std::string_view unit_name) {
  return !frame.model_claim.empty() &&
         (unit_name == "publish" || (unit_name == "evaluate" && frame.champion > 0));
}

void add_volumes(core::pod_spec& pod, const job_frame& frame) {
  add_claim(pod, "runs", frame.claim);
  if (!frame.model_claim.empty() && frame.model_claim != frame.claim) {
    add_claim(pod, "models", frame.model_claim);
  }
  auto& config = pod.volumes.emplace_back();
  config.name = "config";
  config.config_map->name = config_name(frame.pipeline, frame.run);
  auto& scratch = pod.volumes.emplace_back();
  scratch.name = "tmp";
  scratch.empty_dir->size_limit = "1Gi";
}

void add_policies(job& made, const types::spec& spec) {
  made.spec->backoff_limit = 0;  // retries are the plan's, one Job each, by what went wrong
  made.spec->active_deadline_seconds = *spec.timeouts->active;
  made.spec->pod_replacement_policy = "Failed";  // never two pods of one attempt
  auto& evicted = made.spec->pod_failure_policy->rules.emplace_back();
  evicted.action = "Ignore";
  auto& disrupted = evicted.on_pod_conditions.emplace_back();
  disrupted.type = "DisruptionTarget";
  disrupted.status = "True";
}

}  // namespace

std::string config_name(std::string_view pipeline, std::int32_t run) {
  return std::string(pipeline) + "-" + std::to_string(run);
}

std::string job_name(const job_frame& frame, std::string_view unit_name, std::int32_t attempt) {
  return config_name(frame.pipeline, frame.run) + "-" + std::string(unit_name) + "-a" +
         std::to_string(attempt);
}

std::string trust_name(std::string_view pipeline) {
  return std::string(pipeline) + "-oarlock-inbound";
}

std::string own_claim_name(std::string_view pipeline) {
  return std::string(pipeline) + "-runs";
}
std::string own_model_claim_name(std::string_view model_name) {
  return std::string(model_name) + "-versions";
}

std::string claim_label(const std::string& claim) {
  return "claim.ml.oarlock.dev/" + hash_of(claim);
}

core::volume& add_claim(core::pod_spec& pod, const std::string& volume, const std::string& claim) {
  auto& made = pod.volumes.emplace_back();
  made.name = volume;
  made.persistent_volume_claim->claim_name = claim;
  return made;
}

void mount(core::container& container, const std::string& volume, const std::string& path,
           const std::string& sub_path, bool read_only) {
  auto& made = container.volume_mounts.emplace_back();
  made.name = volume;
  made.mount_path = path;
  if (!sub_path.empty()) made.sub_path = sub_path;
  if (read_only) made.read_only = true;
}

void restrict(core::pod_spec& pod, core::container& container) {
  pod.automount_service_account_token = false;
  pod.enable_service_links = false;
  auto& all = *pod.security_context;
  all.run_as_non_root = true;
  all.run_as_user = user_id;
  all.run_as_group = user_id;
  all.fs_group = user_id;
  all.fs_group_change_policy = "OnRootMismatch";
  all.seccomp_profile->type = "RuntimeDefault";
  auto& own = *container.security_context;
  own.allow_privilege_escalation = false;
  own.read_only_root_filesystem = true;
  own.capabilities->drop = {"ALL"};
}

void keep_together(core::pod_template_spec& pods, const std::string& claim) {
  pods.metadata->labels[claim_label(claim)] = "";
  auto& term = pods.spec->affinity->pod_affinity
                   ->required_during_scheduling_ignored_during_execution.emplace_back();
  term.topology_key = "kubernetes.io/hostname";
  term.label_selector->match_labels[claim_label(claim)] = "";
}

core::persistent_volume_claim claim_for(const std::string& name, const sdk::quantity& size,
                                        const std::optional<std::string>& class_name) {
  core::persistent_volume_claim made;
  made.metadata->name = name;
  made.spec->access_modes = {"ReadWriteOnce"};
  made.spec->resources->requests["storage"] = size;
  made.spec->storage_class_name = class_name;
  return made;
}

job job_for(const job_frame& frame, const run_config& run, std::string_view unit_name,
            std::int32_t attempt, std::int32_t memory_doublings) {
  job made;
  made.metadata->name = job_name(frame, unit_name, attempt);
  const std::map<std::string, std::string> labels = {
      {"app.kubernetes.io/managed-by", "oarlock"},
      {std::string(pipeline_label), frame.pipeline},
      {std::string(unit_label), std::string(unit_name)}};
  made.metadata->labels = labels;
  add_policies(made, run.spec);
  auto& pods = *made.spec->template_;
  pods.metadata->labels = labels;
  auto& pod = *pods.spec;
  pod.restart_policy = "Never";
  pod.termination_grace_period_seconds = grace_seconds;
  auto& c = pod.containers.emplace_back();
  c.name = "main";
  c.image = run.image;
  c.image_pull_policy = "IfNotPresent";
  if (is_trial(unit_name) && !run.command.empty()) {
    c.command = run.command;
  } else {
    c.args = {is_trial(unit_name) ? "train" : std::string(unit_name)};
  }
  c.termination_message_policy = "FallbackToLogsOnError";
  job_frame seen = frame;
  if (!needs_model(frame, unit_name)) seen.model_claim.clear();
  add_environment(c, seen, run, unit_name, attempt);
  add_volumes(pod, seen);
  add_mounts(c, seen, run, unit_name);
  if (unit_name == "prepare") add_dataset(pod, c, run.spec);
  if (is_trial(unit_name)) add_reports(pod, c, seen);
  const auto memory = memory_of(run.spec, memory_doublings);
  const auto cpu = quantity_of(run.spec.resources->cpu, "1");
  c.resources->requests = {{"cpu", cpu}, {"memory", memory}};
  c.resources->limits = c.resources->requests;
  restrict(pod, c);
  if (!seen.model_claim.empty() && seen.model_claim != seen.claim &&
      seen.model_claim_is_of_one_node) {
    keep_together(pods, seen.model_claim);  // the run's other pods have ended by then
  } else if (seen.claim_is_of_one_node) {
    keep_together(pods, seen.claim);
  }
  return made;
}

}  // namespace ml
