// The Deployment and the Service that answer for the version which an alias names.
#include <algorithm>

#include "jobs.hpp"
#include "oarlock/k8s/apps/v1.hpp"
#include "plan.hpp"

namespace ml {

using oarlock::k8s::apps::v1::deployment;
using model_status = model::status_type;
using model_phase = ml_oarlock_dev::v1alpha1::model_types::status_phase;

namespace {

constexpr std::int32_t port = 8080;
const std::string version_annotation = "ml.oarlock.dev/version";

using version_entry = std::remove_cvref_t<decltype(model{}.spec->versions)>::value_type;

class model_plan {
 public:
  model_plan(const model_input& in, model_output& out)
      : in_(in), out_(out), spec_(*in.primary().spec), found_(in.owned<deployment>(title())) {}

  void go() {
    keep_claim();
    status_.latest_version = latest();
    const auto* wanted = wanted_version();
    const bool serves = wanted != nullptr && *spec_.serving->replicas > 0;
    if (wanted != nullptr) status_.serving->wanted = wanted->version;
    if (serves) {
      out_.apply(deployment_for(*wanted));
      out_.apply(service());
      status_.serving->url = "http://" + title() + "." + std::string(in_.ns()) + ".svc";
      judge(*wanted);
    } else {
      const bool is_empty = wanted == nullptr;
      status_.phase = is_empty ? model_phase::empty : model_phase::idle;
      out_.ready(is_empty ? "NoVersion" : "NotServed",
                 is_empty ? "no version has the alias " + *spec_.serving->alias
                          : "spec.serving.replicas is 0");
    }
    out_.status(status_);
  }

 private:
  [[nodiscard]] std::string title() const { return std::string(in_.name()) + "-serving"; }

  // The volume is never pruned.
  void keep_claim() {
    const std::string claim = own_model_claim_name(in_.name());
    const auto* there = in_.owned<core::persistent_volume_claim>(claim);
    if (there == nullptr && spec_.storage->claim_name) return;
    const auto size = there == nullptr ? quantity_of(spec_.storage->size, "1Gi")
                                       : there->spec->resources->requests.at("storage");
    out_.create_once(claim_for(claim, size, spec_.storage->class_name));
  }

  [[nodiscard]] std::int32_t latest() const {
    std::int32_t highest = 0;
    for (const auto& one : spec_.versions)
      highest = one.digest ? std::max(highest, one.version) : highest;
    return highest;
  }

  [[nodiscard]] const version_entry* wanted_version() const {
    for (const auto& alias : spec_.aliases) {
      if (alias.name != *spec_.serving->alias) continue;
      for (const auto& one : spec_.versions) {
        if (one.version == alias.version && one.digest) return &one;
      }
    }
    return nullptr;
  }

  [[nodiscard]] std::map<std::string, std::string> labels() const {
    return {{"app.kubernetes.io/managed-by", "oarlock"},
            {std::string(model_label), std::string(in_.name())}};
  }

  [[nodiscard]] deployment deployment_for(const version_entry& wanted) const {
    deployment made;
    made.metadata->name = title();
    made.metadata->labels = labels();
    auto& spec = *made.spec;
    spec.replicas = *spec_.serving->replicas;
    spec.selector->match_labels = {{std::string(model_label), std::string(in_.name())}};
    // The old version answers until the new one does.
    spec.strategy->type = "RollingUpdate";
    spec.strategy->rolling_update->max_unavailable = 0;
    spec.strategy->rolling_update->max_surge = 1;
    spec.progress_deadline_seconds = *spec_.serving->start_seconds;
    auto& pods = *spec.template_;
    pods.metadata->labels = labels();
    pods.metadata->annotations = {{version_annotation, std::to_string(wanted.version)}};
    auto& c = pods.spec->containers.emplace_back();
    c.name = "main";
    c.image = spec_.serving->image.value_or(wanted.image.value_or(std::string(default_image)));
    c.image_pull_policy = "IfNotPresent";
    c.args = {"serve"};
    add_environment(c, wanted);
    auto& open = c.ports.emplace_back();
    open.name = "http";
    open.container_port = port;
    add_probes(c);
    const auto memory = quantity_of(spec_.serving->memory, "512Mi");
    c.resources->limits = {{"cpu", quantity_of(spec_.serving->cpu, "1")}, {"memory", memory}};
    c.resources->requests = {{"cpu", "50m"}, {"memory", memory}};
    const std::string claim = spec_.storage->claim_name.value_or(own_model_claim_name(in_.name()));
    add_claim(*pods.spec, "models", claim);
    mount(c, "models", "/ml/models", "models/" + std::string(in_.name()), true);
    auto& scratch = pods.spec->volumes.emplace_back();
    scratch.name = "tmp";
    scratch.empty_dir->size_limit = "256Mi";
    mount(c, "tmp", "/tmp", "", false);
    restrict(*pods.spec, c);
    keep_together(pods, claim);
    return made;
  }

  static void add_environment(core::container& c, const version_entry& wanted) {
    const std::pair<const char*, std::string> all[] = {
        {"OARLOCK_VERSION", std::to_string(wanted.version)},
        {"OARLOCK_DIGEST", wanted.digest.value_or("")},
        {"OMP_NUM_THREADS", "1"}};
    for (const auto& [name, value] : all) {
      auto& made = c.env.emplace_back();
      made.name = name;
      made.value = value;
    }
  }

  // Ready: the model has answered a prediction, at its start and for each probe.
  static void add_probes(core::container& c) {
    c.readiness_probe->http_get->path = "/healthz";
    c.readiness_probe->http_get->port = port;
    c.readiness_probe->period_seconds = 2;
    c.readiness_probe->timeout_seconds = 2;
    c.liveness_probe->http_get->path = "/livez";
    c.liveness_probe->http_get->port = port;
    c.liveness_probe->period_seconds = 10;
    c.liveness_probe->timeout_seconds = 5;
    c.liveness_probe->failure_threshold = 6;
    c.startup_probe->http_get->path = "/livez";
    c.startup_probe->http_get->port = port;
    c.startup_probe->period_seconds = 1;
    c.startup_probe->failure_threshold = 120;
  }

  [[nodiscard]] core::service service() const {
    core::service made;
    made.metadata->name = title();
    made.metadata->labels = labels();
    made.spec->selector = {{std::string(model_label), std::string(in_.name())}};
    auto& open = made.spec->ports.emplace_back();
    open.name = "http";
    open.port = 80;
    open.target_port = port;
    return made;
  }

  [[nodiscard]] std::int32_t deployed_version() const {
    const auto& annotations = found_->spec->template_->metadata->annotations;
    const auto there = annotations.find(version_annotation);
    std::int32_t version = 0;
    if (there != annotations.end()) {
      std::from_chars(there->second.data(), there->second.data() + there->second.size(), version);
    }
    return version;
  }

  // What the pods of the new version wait for, in the kubelet's words.
  [[nodiscard]] std::string pod_trouble(std::int32_t version) const {
    for (const auto* p : in_.watched<core::pod>()) {
      const auto& annotations = p->metadata->annotations;
      const auto there = annotations.find(version_annotation);
      if (there == annotations.end() || there->second != std::to_string(version)) continue;
      for (const auto& container : p->status->container_statuses) {
        const auto& waiting = *container.state->waiting;
        const auto* last = container.last_state->terminated.get();
        std::string text = waiting.reason.value_or("");
        if (waiting.message) text += ": " + *waiting.message;
        if (last != nullptr && last->message) text += "; its last words: " + *last->message;
        if (!text.empty()) return *p->metadata->name + ": " + sdk::shorten(text, 512);
      }
    }
    return {};
  }

  void judge(const version_entry& wanted) {
    const std::string which = "version " + std::to_string(wanted.version);
    if (found_ == nullptr || deployed_version() != wanted.version) {
      status_.phase = model_phase::rolling;
      keep_answering_version();
      return out_.reconciling("Rolling", which + " is on its way");
    }
    const auto& s = *found_->status;
    const std::int32_t replicas = *spec_.serving->replicas;
    const bool is_observed =
        s.observed_generation.value_or(0) >= found_->metadata->generation.value_or(0);
    const std::int32_t ready = s.ready_replicas.value_or(0);
    const bool is_rolled_out = is_observed && s.updated_replicas.value_or(0) == replicas &&
                               s.replicas.value_or(0) == replicas;
    status_.serving->ready_replicas = ready;
    if (is_rolled_out && s.available_replicas.value_or(0) == replicas) {
      status_.phase = model_phase::serving;
      status_.serving->version = wanted.version;
      status_.serving->digest = wanted.digest;
      return out_.ready("Serving", which + " answers with " + std::to_string(ready) + " pods");
    }
    keep_answering_version();
    if (is_observed && sdk::is_condition(s.conditions, "Progressing", "False")) {
      status_.phase = model_phase::stalled;
      status_.serving->failed = wanted.version;
      return out_.stalled("NotAnswering",
                          which + " does not answer in time; " + pod_trouble(wanted.version));
    }
    const bool has_answered = in_.primary().status->serving->version == wanted.version;
    status_.phase = has_answered ? model_phase::degraded : model_phase::rolling;
    out_.reconciling(has_answered ? "Degraded" : "Rolling",
                     which + ": " + std::to_string(ready) + " of " + std::to_string(replicas) +
                         " pods answer" + suffix(pod_trouble(wanted.version)));
  }

  static std::string suffix(const std::string& trouble) {
    return trouble.empty() ? trouble : "; " + trouble;
  }

  // Until the new one answers, it is the old one that does.
  void keep_answering_version() {
    const auto& before = *in_.primary().status->serving;
    status_.serving->version = before.version;
    status_.serving->digest = before.digest;
  }

  const model_input& in_;
  model_output& out_;
  const ml_oarlock_dev::v1alpha1::model_types::spec& spec_;
  const deployment* found_;
  model_status status_;
};

}  // namespace

void plan_model(const model_input& in, model_output& out) {
  model_plan(in, out).go();
}

}  // namespace ml
