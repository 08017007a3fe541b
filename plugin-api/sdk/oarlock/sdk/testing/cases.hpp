#pragma once
// Data-driven cases: tests/cases/*.yaml say "given these objects, expect this answer". For tests
// only (needs yaml-cpp). The format:
//
//   controller: myapp
//   config: {replicasMax: 5}        # what an administrator configured, defaults left out
//   objects:                        # templates, to be varied by `with` (RFC 7386 merge patch)
//     app: {apiVersion: ..., kind: ..., metadata: {...}, spec: {...}}
//   cases:
//     - name: one sentence
//       given:
//         primary: {from: app, with: {spec: {replicas: 2}}}
//         owned: [...]              # lists of objects, whole or {from, with}
//         watched: [...]
//         now: "2026-03-01T12:00:00Z"
//         last_failure: {step: ..., reason: ..., message: ...}
//         observation: {...}        # what observe() has found
//         config: {...}             # instead of the file's
//         inbound: {url: ..., ca: ..., audience: ...}   # how pods reach the daemon
//         notes:                    # what they have left there
//           - {name: progress, json: {...}, podName: ..., podUID: ..., serviceAccount: ...,
//              at: "2026-03-01T12:00:00Z"}
//       expect:                     # what is not mentioned is not looked at; left out: an error,
//                                   # until OARLOCK_UPDATE_CASES=1 has written it
//         match: subset             # default; exact: this is the whole answer, messages too, and
//                                   # what is not mentioned is empty
//         verdict: ok               # ok (default), error, terminal; then also reason, message
//         apply: [...]              # as many children, each with at least these fields
//         exact: true               # ... and no others
//         steps: [...]              # exactly these, each with at least these fields, in order:
//                                   # {apply: true}, {create: object}, {status: fields,
//                                   # resource_version: ...}, {patch: fields, kind: merge|apply,
//                                   # resource, name, uid, resource_version}, {delete: true,
//                                   # resource, name, uid, grace_seconds, propagation},
//                                   # {effect: payload or true, name}
//         status: {...}             # at least these fields; null: absent
//         conditions: {Ready: {status: "True", reason: ..., message: part of it}}
//         events: [{type: Warning, reason: ..., message: part of it}]   # exactly these
//         requeue_after_ms: 5000    # null: none
//         finished: true            # of a primary with metadata.deletionTimestamp
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <string>
#include <vector>

#include "oarlock/sdk/json_value.hpp"
#include "oarlock/sdk/testing/bench_host.hpp"

namespace oarlock::sdk::testing {

struct plan_case {
  std::string file;
  std::string name;
  given inputs;
  json::value expect;  ///< null: it has none yet
  std::string config = "{}";
};

/// YAML as JSON: quoted scalars are text, plain ones null, boolean, integer, number or text.
[[nodiscard]] inline json::value from_yaml(const YAML::Node& node) {
  if (node.IsSequence()) {
    json::items list;
    for (const auto& item : node)
      list.push_back(from_yaml(item));
    return list;
  }
  if (node.IsMap()) {
    json::members fields;
    for (const auto& field : node) {
      fields.push_back({field.first.as<std::string>(), from_yaml(field.second)});
    }
    return fields;
  }
  if (!node.IsScalar()) return {};
  if (node.Tag() == "!") return node.Scalar();
  if (bool b = false; YAML::convert<bool>::decode(node, b)) return b;
  if (std::int64_t i = 0; YAML::convert<std::int64_t>::decode(node, i)) return i;
  if (double d = 0; YAML::convert<double>::decode(node, d)) return d;
  return node.Scalar();
}

/// RFC 7386: fields of `patch` replace those of `target`, null removes.
inline void merge_patch(json::value& target, const json::value& patch) {
  const auto* fields = patch.as_object();
  if (fields == nullptr) {
    target = patch;
    return;
  }
  if (target.as_object() == nullptr) target = json::object({});
  for (const auto& field : *fields) {
    if (field.value.is_null()) {
      target.erase(field.key);
      continue;
    }
    const json::value* there = target.find(field.key);
    json::value merged = there != nullptr ? *there : json::value{};
    merge_patch(merged, field.value);
    target.set(field.key, std::move(merged));
  }
}

namespace detail {

[[noreturn]] inline void bad_case(const std::string& where, const std::string& what) {
  throw std::runtime_error(where + ": " + what);
}

inline std::string text_at(const json::value& in, std::initializer_list<std::string_view> path) {
  const json::value* at = &in;
  for (const auto key : path) {
    at = at->find(key);
    if (at == nullptr) return {};
  }
  return at->as_text() != nullptr ? *at->as_text() : std::string{};
}

// As the API server forms them: deployments, policies, ingresses; endpoints is one already.
inline std::string plural_of(const std::string& kind) {
  const auto ends = [&kind](std::string_view with) { return kind.ends_with(with); };
  if (kind == "endpoints") return kind;
  if (ends("s") || ends("x") || ends("z") || ends("ch") || ends("sh")) return kind + "es";
  const bool vowel =
      kind.size() > 1 && std::string("aeiou").find(kind[kind.size() - 2]) != std::string::npos;
  if (ends("y") && kind.size() > 1 && !vowel) return kind.substr(0, kind.size() - 1) + "ies";
  return kind + "s";
}

// "Deployment" of "apps/v1" -> "deployments.apps".
inline std::string resource_of(const json::value& object) {
  std::string kind = text_at(object, {"kind"});
  std::transform(kind.begin(), kind.end(), kind.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const std::string api = text_at(object, {"apiVersion"});
  const std::size_t slash = api.find('/');
  return plural_of(kind) + (slash == std::string::npos ? "" : "." + api.substr(0, slash));
}

class case_reader {
 public:
  case_reader(std::string file, json::value whole)
      : file_(std::move(file)), whole_(std::move(whole)) {}

  std::vector<plan_case> read() {
    const auto* cases = whole_.find("cases");
    if (cases == nullptr || cases->as_array() == nullptr) bad_case(file_, "expected a list: cases");
    std::vector<plan_case> all;
    for (const auto& one : *cases->as_array())
      all.push_back(read_case(one));
    return all;
  }

 private:
  plan_case read_case(const json::value& one) {
    plan_case made{file_, text_at(one, {"name"}), {}, {}, "{}"};
    where_ = file_ + ": " + made.name;
    check_keys(one, {"name", "given", "expect"});
    const auto* in = one.find("given");
    const auto* out = one.find("expect");
    if (made.name.empty() || in == nullptr) bad_case(where_, "expected name, given and expect");
    check_keys(*in, {"primary", "owned", "watched", "now", "last_failure", "observation", "config",
                     "inbound", "notes"});
    const auto* own_config = in->find("config");
    const auto* config = own_config != nullptr ? own_config : whole_.find("config");
    if (config != nullptr) made.config = config->text();
    if (out != nullptr && !out->is_null()) check_expect(*out);
    const auto* primary = in->find("primary");
    if (primary == nullptr) bad_case(where_, "expected given.primary");
    const json::value whole_primary = resolve(*primary);
    made.inputs.controller = text_at(whole_, {"controller"});
    made.inputs.primary = {resource_of(whole_primary), whole_primary.text()};
    made.inputs.deleting = !text_at(whole_primary, {"metadata", "deletionTimestamp"}).empty();
    made.inputs.ns = text_at(whole_primary, {"metadata", "namespace"});
    made.inputs.name = text_at(whole_primary, {"metadata", "name"});
    made.inputs.owned = resolve_all(in->find("owned"));
    made.inputs.watched = resolve_all(in->find("watched"));
    if (const std::string now = text_at(*in, {"now"}); !now.empty()) {
      const auto ms = to_unix_ms(now);
      if (!ms) bad_case(where_, "expected now as 2026-03-01T12:00:00Z, found " + now);
      made.inputs.now_unix_ms = *ms;
    }
    if (const auto* seen = in->find("observation")) made.inputs.observation = seen->text();
    read_inbound(*in, made.inputs);
    if (const auto* last = in->find("last_failure")) {
      made.inputs.last_failure = {text_at(*last, {"step"}), text_at(*last, {"reason"}),
                                  text_at(*last, {"message"})};
    }
    if (out != nullptr) made.expect = *out;
    return made;
  }

  void read_inbound(const json::value& in, given& into) const {
    if (const auto* there = in.find("inbound")) {
      check_keys(*there, {"url", "ca", "audience"});
      into.inbound = {text_at(*there, {"url"}), text_at(*there, {"ca"}),
                      text_at(*there, {"audience"})};
    }
    const auto* notes = in.find("notes");
    if (notes == nullptr) return;
    if (notes->as_array() == nullptr) bad_case(where_, "expected a list: notes");
    for (const auto& one : *notes->as_array()) {
      check_keys(one, {"name", "json", "podName", "podUID", "serviceAccount", "at"});
      const auto* value = one.find("json");
      given_note note{text_at(one, {"name"}),           value == nullptr ? "null" : value->text(),
                      text_at(one, {"serviceAccount"}), text_at(one, {"podName"}),
                      text_at(one, {"podUID"}),         into.now_unix_ms};
      if (const std::string at = text_at(one, {"at"}); !at.empty()) {
        const auto ms = to_unix_ms(at);
        if (!ms) bad_case(where_, "expected at as 2026-03-01T12:00:00Z, found " + at);
        note.recorded_unix_ms = *ms;
      }
      into.notes.push_back(std::move(note));
    }
  }

  void check_expect(const json::value& out) const {
    check_keys(out, {"match", "verdict", "reason", "message", "apply", "exact", "status",
                     "conditions", "events", "requeue_after_ms", "finished", "steps"});
    const std::string match = text_at(out, {"match"});
    if (out.find("match") != nullptr && match != "exact" && match != "subset") {
      bad_case(where_, "expected match: exact or match: subset");
    }
  }

  // A misspelt key would be an expectation that nobody checks.
  void check_keys(const json::value& in, std::initializer_list<std::string_view> known) const {
    if (in.as_object() == nullptr) bad_case(where_, "expected a map, found " + in.text());
    for (const auto& field : *in.as_object()) {
      if (std::find(known.begin(), known.end(), field.key) == known.end()) {
        bad_case(where_, "unknown key " + field.key);
      }
    }
  }

  json::value resolve(const json::value& object) const {
    if (object.find("from") == nullptr) return object;
    const std::string from = text_at(object, {"from"});
    check_keys(object, {"from", "with"});
    const auto* templates = whole_.find("objects");
    const auto* found = templates != nullptr ? templates->find(from) : nullptr;
    if (found == nullptr) bad_case(where_, "no object named " + from);
    json::value made = *found;
    if (const auto* with = object.find("with")) merge_patch(made, *with);
    return made;
  }

  std::vector<given_object> resolve_all(const json::value* list) const {
    std::vector<given_object> all;
    if (list == nullptr || list->as_array() == nullptr) return all;
    for (const auto& item : *list->as_array()) {
      const json::value whole = resolve(item);
      all.push_back({resource_of(whole), whole.text()});
    }
    return all;
  }

  std::string file_;
  json::value whole_;
  std::string where_;
};

}  // namespace detail

/// Reads one file of cases. Throws on a malformed one, naming file and case.
[[nodiscard]] inline std::vector<plan_case> read_cases(const std::filesystem::path& file) {
  return detail::case_reader(file.filename().string(), from_yaml(YAML::LoadFile(file.string())))
      .read();
}

/// Every case of every *.yaml in `folder`, in the order of the file names.
[[nodiscard]] inline std::vector<plan_case> read_all_cases(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<plan_case> all;
  for (const auto& file : files) {
    for (auto& one : read_cases(file))
      all.push_back(std::move(one));
  }
  return all;
}

}  // namespace oarlock::sdk::testing
