#include "core/kube/rest_mapper.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

#include "core/base/joint_run.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::kube {

struct rest_mapper::state {
  explicit state(parts given) : p(std::move(given)) {}

  const parts p;
  const std::shared_ptr<joint_run> reading = std::make_shared<joint_run>();
  std::optional<api_surface> known;
  steady_time known_since{};
  std::optional<error> failed;
};

namespace {

constexpr duration reload_min = std::chrono::seconds(5);
constexpr std::size_t names_max = 10;

using matcher = std::function<bool(const api_kind&)>;

const api_kind* find(const api_surface& in, const matcher& matches) {
  const auto found = std::find_if(in.kinds.begin(), in.kinds.end(), matches);
  return found == in.kinds.end() ? nullptr : &*found;
}

bool is_called(const api_kind& k, std::string_view name) {
  return k.what.plural == name || k.singular == name ||
         std::find(k.short_names.begin(), k.short_names.end(), name) != k.short_names.end();
}

// "name", "name.group" or "name.version.group".
bool is_called_in_full(const api_kind& k, const std::string& name) {
  const auto dot = name.find('.');
  if (!is_called(k, name.substr(0, dot))) return false;
  if (dot == std::string::npos) return true;
  const auto rest = name.substr(dot + 1);
  return rest == k.what.group || rest == k.what.version + "." + k.what.group;
}

// What there is instead: the kinds of the group that was asked for, or the groups.
std::string alternatives(const api_surface& in, const std::optional<std::string>& group) {
  std::set<std::string> names;
  for (const auto& k : in.kinds) {
    if (group && k.what.group == *group) names.insert(k.what.kind);
  }
  const bool has_group = !names.empty();
  if (!has_group) {
    for (const auto& k : in.kinds)
      names.insert(k.what.group.empty() ? "core" : k.what.group);
  }
  std::string out = has_group ? "kinds of that group: " : "groups: ";
  std::size_t listed = 0;
  for (const auto& name : names) {
    if (listed++ == names_max) return out + ", ...";
    out += (listed == 1 ? "" : ", ") + name;
  }
  return out;
}

}  // namespace

rest_mapper::rest_mapper(parts p) : state_(std::make_shared<state>(std::move(p))) {}
rest_mapper::~rest_mapper() = default;

void rest_mapper::invalidate() {
  state_->known.reset();
}

namespace {

template <class State>
task<> read(std::shared_ptr<State> s) {
  auto found = co_await discover(s->p.from, {});
  s->failed.reset();
  if (!found) {
    s->failed = found.error();
    co_return;
  }
  s->known = std::move(*found);
  s->known_since = s->p.clock_source->now();
}

template <class State>
task<result<resource>> look_up(std::shared_ptr<State> s, matcher matches, std::string what,
                               std::optional<std::string> group) {
  const auto answer = [&s, &matches]() -> const api_kind* {
    return s->known ? find(*s->known, matches) : nullptr;
  };
  if (const auto* found = answer()) co_return found->what;
  const bool fresh = s->known && s->p.clock_source->now() - s->known_since < reload_min;
  if (!fresh) {
    co_await joint_run::join(s->reading, s->p.loop, [s] { return read(s); });
    if (s->failed) co_return *s->failed;
    if (const auto* found = answer()) co_return found->what;
  }
  const std::string there = s->known ? alternatives(*s->known, group) : "nothing";
  co_return error{kube_error::not_found, "expected the API server to serve " + what + ", found " +
                                             there + ": is its CRD installed, and the name right?"};
}

}  // namespace

task<result<resource>> rest_mapper::by_kind(std::string group, std::string kind,
                                            std::string version) {
  auto what =
      kind + (group.empty() ? "" : "." + group) + (version.empty() ? "" : " in version " + version);
  matcher matches = [group, kind, version](const api_kind& k) {
    return k.what.group == group && k.what.kind == kind &&
           (version.empty() || k.what.version == version);
  };
  return look_up(state_, std::move(matches), std::move(what), std::move(group));
}

task<result<resource>> rest_mapper::by_name(std::string name) {
  const auto dot = name.find('.');
  auto group = dot == std::string::npos ? std::nullopt : std::optional(name.substr(dot + 1));
  matcher matches = [name](const api_kind& k) { return is_called_in_full(k, name); };
  return look_up(state_, std::move(matches), "'" + name + "'", std::move(group));
}

}  // namespace oarlock::kube
