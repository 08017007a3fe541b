// Volumes that grow. The StatefulSet keeps the size that it was made with in its template, which
// cannot be changed; each claim is told by itself.
#include "volumes.hpp"

#include <algorithm>

#include "oarlock/k8s/core/v1.hpp"

namespace mysql_cluster {

namespace sdk = oarlock::sdk;
using oarlock::k8s::core::v1::persistent_volume_claim;

namespace {

constexpr std::int64_t retry_ms = 60'000;
constexpr const char* key = "storage";

std::int64_t bytes_in(const std::map<std::string, sdk::quantity>& of) {
  const auto found = of.find(key);
  return found == of.end() ? 0 : found->second.value().value_or(0);
}

std::string text_in(const std::map<std::string, sdk::quantity>& of) {
  const auto found = of.find(key);
  return found == of.end() ? "nothing" : found->second.text();
}

std::vector<const persistent_volume_claim*> claims_of(const input& in, const view& v) {
  auto all = in.watched<persistent_volume_claim>();
  std::erase_if(all, [&](const persistent_volume_claim* one) {
    return std::ranges::none_of(v.members, [&](const member& m) {
      return m.exists && one->metadata->name == "data-" + m.name;
    });
  });
  return all;
}

// What there is of what was asked for, and what Kubernetes says about the rest.
std::string progress_of(const persistent_volume_claim& one, const std::string& wanted) {
  std::string made =
      one.metadata->name.value_or("") + " has " + text_in(one.status->capacity) + " of " + wanted;
  for (const auto& c : one.status->conditions) {
    if (c.status == "True") made += " (" + c.type + ": " + c.message.value_or("") + ")";
  }
  return made;
}

// The largest that a volume has been given, and therefore keeps. A volume that was larger from the
// beginning than was asked for does not count.
void tell_size(const std::vector<const persistent_volume_claim*>& claims,
               my_sql_cluster::status_type& status) {
  std::int64_t most = 0;
  for (const auto* one : claims) {
    const auto& asked = one->spec->resources->requests;
    const auto& given =
        bytes_in(asked) <= bytes_in(one->status->capacity) ? asked : one->status->capacity;
    if (bytes_in(given) <= most) continue;
    most = bytes_in(given);
    status.volume_size = text_in(given);
  }
}

}  // namespace

void tend_volumes(const input& in, const view& v, my_sql_cluster::status_type& status,
                  output& out) {
  const auto claims = claims_of(in, v);
  const sdk::quantity wanted(in.primary().spec->storage->size);
  const std::int64_t bytes = wanted.value().value_or(0);
  tell_size(claims, status);
  if (claims.empty()) status.volume_size = in.primary().status->volume_size;
  auto refusal = *in.primary().status->volume_refusal;
  if (const auto failed = in.last_failure();
      failed && failed->step.starts_with("patch PersistentVolumeClaim ")) {
    refusal.size = wanted.text();
    refusal.message = sdk::shorten(std::string(failed->message), 512);
    refusal.at = sdk::timestamp::of_unix_ms(v.now_unix_ms);
  }
  const bool is_refused = refusal.size == wanted.text();
  const bool waits = is_refused && v.now_unix_ms - refusal.at.unix_ms().value_or(0) < retry_ms;
  std::string progress;
  for (const auto* one : claims) {
    const auto asked = bytes_in(one->spec->resources->requests);
    const auto have = bytes_in(one->status->capacity);
    // One that asks for more than it got can be told to be content with less, not with less than
    // it has.
    if (asked != bytes && bytes >= std::min(asked, have) && !waits) {
      persistent_volume_claim changed = *one;
      changed.spec->resources->requests[key] = wanted;
      out.patch_existing(*one, changed);
    }
    if (have >= bytes && asked == bytes) continue;
    progress += (progress.empty() ? "" : "; ") + progress_of(*one, wanted.text());
  }
  if (progress.empty()) return;
  if (!is_refused) {
    return out.condition("VolumesGrowing", true, "Growing", progress);
  }
  *status.volume_refusal = refusal;
  out.condition("VolumesGrowing", true, "Refused",
                progress + "; Kubernetes refuses it: " + *refusal.message +
                    "; take spec.storage.size back, or have a StorageClass that can grow volumes");
}

}  // namespace mysql_cluster
