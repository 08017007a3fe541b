#include "publish.hpp"

#include <algorithm>
#include <set>

#include "results.hpp"

namespace ml {

namespace {

using version_entry = std::remove_cvref_t<decltype(model{}.spec->versions)>::value_type;
using alias_entry = std::remove_cvref_t<decltype(model{}.spec->aliases)>::value_type;

const version_entry* find_version(const model& m, std::int32_t version) {
  const auto found = std::ranges::find(m.spec->versions, version, &version_entry::version);
  return found == m.spec->versions.end() ? nullptr : &*found;
}
const alias_entry* find_alias(const model& m, std::string_view alias) {
  const auto found = std::ranges::find(m.spec->aliases, alias, &alias_entry::name);
  return found == m.spec->aliases.end() ? nullptr : &*found;
}

void reserve(unit_desk& desk, const model& m) {
  std::int32_t highest = 0;
  for (const auto& one : m.spec->versions)
    highest = std::max(highest, one.version);
  model changed = m;
  auto& made = changed.spec->versions.emplace_back();
  made.version = highest + 1;
  made.pipeline = std::string(desk.in.name());
  made.run_id = desk.run.run_id;
  desk.out.patch_existing(m, changed, true);
}

// Those that have to go: more than `keep` old ones, never one with an alias or the one before it,
// never one that is newer than ours.
void drop_old(model& m, std::int32_t ours, std::int32_t keep) {
  std::set<std::int32_t> needed;
  for (const auto& alias : m.spec->aliases) {
    needed.insert(alias.version);
    if (alias.previous) needed.insert(*alias.previous);
  }
  std::vector<std::int32_t> older;
  for (const auto& one : m.spec->versions) {
    if (one.version < ours) older.push_back(one.version);
  }
  std::ranges::sort(older, std::greater<>{});
  const auto kept = static_cast<std::size_t>(std::max(keep - 1, 0));
  const std::size_t from = std::min(older.size(), kept);
  const std::set<std::int32_t> old(older.begin() + static_cast<std::ptrdiff_t>(from), older.end());
  auto& all = m.spec->versions.items();
  std::erase_if(all, [&](const version_entry& one) {
    return old.contains(one.version) && !needed.contains(one.version);
  });
}

void move_alias(model& m, const std::string& alias, std::int32_t version) {
  for (auto& one : m.spec->aliases) {
    if (one.name != alias) continue;
    one.previous = one.version;
    one.version = version;
    return;
  }
  auto& made = m.spec->aliases.emplace_back();
  made.name = alias;
  made.version = version;
}

std::string metrics_text(const record& status) {
  json::value all = json::object({});
  for (const auto& [name, value] : status.evaluation->metrics)
    all.set(name, value);
  return all.text();
}

// Digest, lineage and alias in one write: nobody sees the one without the other.
void commit(unit_desk& desk, const model& m, std::int32_t version, const std::string& digest) {
  const auto& wanted = *desk.run.spec.publish;
  model changed = m;
  for (auto& one : changed.spec->versions) {
    if (one.version != version) continue;
    one.digest = digest;
    one.image = desk.run.image;
    one.metrics = metrics_text(desk.status);
    one.published_at = sdk::timestamp::of_unix_ms(desk.in.now_unix_ms()).text();
    const auto data = desk.status.dataset ? desk.status.dataset.value() : json::value{};
    if (const auto* sha = data.find("sha256"); sha != nullptr && sha->as_text() != nullptr) {
      one.dataset_sha256 = *sha->as_text();
    }
  }
  move_alias(changed, wanted.alias, version);
  if (wanted.serve) {
    changed.spec->serving->alias = *wanted.alias;
    changed.spec->serving->replicas = *wanted.serve->replicas;
  }
  drop_old(changed, version, wanted.keep);
  desk.out.patch_existing(m, changed, true);
  desk.out.normal_event("Published", *m.metadata->name + " version " + std::to_string(version) +
                                         " has the alias " + *wanted.alias);
}

void enter_model(unit_desk& desk, const model& m, std::int32_t version) {
  auto& entered = *desk.status.model;
  const auto* there = find_version(m, version);
  const auto* alias = find_alias(m, *desk.run.spec.publish->alias);
  entered.name = m.metadata->name;
  entered.version = version;
  entered.alias = *desk.run.spec.publish->alias;
  if (there != nullptr) entered.digest = there->digest;
  if (alias != nullptr && alias->version == version) entered.previous = alias->previous;
  entered.text = *m.metadata->name + " v" + std::to_string(version);
  if (!entered.committed_at) {
    entered.committed_at = sdk::timestamp::of_unix_ms(desk.in.now_unix_ms());
  }
  entered.serving_url = m.status->serving->url;
}

// The version does not answer: the one before it gets the alias again.
publication roll_back(unit_desk& desk, const model& m, std::int32_t version) {
  const std::string alias = desk.run.spec.publish->alias;
  const auto* now = find_alias(m, alias);
  auto& failure = *desk.status.failure;
  failure.class_ = "Model";
  failure.unit = "serve";
  failure.message =
      *m.metadata->name + " version " + std::to_string(version) + " does not answer predictions";
  // Failed is for good: only once the alias has moved.
  if (now == nullptr || now->version != version) return publication::failed;
  model changed = m;
  auto& aliases = changed.spec->aliases.items();
  for (auto& one : aliases) {
    if (one.name != alias) continue;
    if (!one.previous) {
      std::erase_if(aliases, [&](const alias_entry& a) { return a.name == alias; });
    } else {
      one.version = *one.previous;
      one.previous.reset();
    }
    break;
  }
  desk.out.patch_existing(m, changed, true);
  desk.out.warning_event("RolledBack",
                         failure.message.value_or("") + ": the alias " + alias + " goes back");
  return publication::under_way;
}

publication wait_for_serving(unit_desk& desk, const model& m, std::int32_t version) {
  if (desk.status.failure->unit == "serve") return roll_back(desk, m, version);
  const auto& serving = *m.spec->serving;
  const bool is_served =
      serving.alias.value() == desk.run.spec.publish->alias.value() && serving.replicas.value() > 0;
  if (!is_served || aliased(m, serving.alias.value()) != version) return publication::done;
  const auto& seen = *m.status->serving;
  if (seen.failed == version) return roll_back(desk, m, version);
  return seen.version == version ? publication::done : publication::under_way;
}

}  // namespace

const model* find_model(const input& in, const std::optional<std::string>& name) {
  for (const auto* m : in.watched<model>()) {
    if (name && m->metadata->name == *name && !m->metadata->deletion_timestamp) return m;
  }
  return nullptr;
}

std::string claim_of(const model& m) {
  return m.spec->storage->claim_name.value_or(own_model_claim_name(m.metadata->name.value_or("")));
}

std::int32_t aliased(const model& m, std::string_view alias) {
  const auto* found = find_alias(m, alias);
  return found == nullptr ? 0 : found->version;
}

std::int32_t reserved(const model& m, std::string_view pipeline, std::string_view run_id) {
  for (const auto& one : m.spec->versions) {
    if (one.pipeline == pipeline && one.run_id == run_id) return one.version;
  }
  return 0;
}

std::string versions_of(const model& m) {
  std::string text;
  for (const auto& one : m.spec->versions)
    text += (text.empty() ? "" : ",") + std::to_string(one.version);
  return text;
}

publication publish(unit_desk& desk, const model& m) {
  const std::int32_t version = reserved(m, desk.in.name(), desk.run.run_id);
  if (version == 0) {
    reserve(desk, m);
    return publication::under_way;
  }
  const auto* there = find_version(m, version);
  unit& entry = entry_of(desk.status, "publish");
  if (there->digest) {
    // Committed, perhaps by a process that died before it could say so here.
    if (!is_final(entry)) settle(desk, entry, json::object({{"digest", *there->digest}}));
    enter_model(desk, m, version);
    return wait_for_serving(desk, m, version);
  }
  desk.frame.version = version;
  if (!is_final(entry)) advance(desk, entry);
  if (entry.state == unit_state::failed) return publication::failed;
  if (entry.state != unit_state::succeeded) return publication::under_way;
  json::value memory;
  const auto* digest = result_field(entry, "digest", memory);
  if (digest == nullptr || digest->as_text() == nullptr) {
    desk.status.failure->class_ = "NoResult";
    desk.status.failure->message = "the publication gave no digest";
    return publication::failed;
  }
  commit(desk, m, version, *digest->as_text());
  return publication::under_way;
}

}  // namespace ml
