// The way of an image to a plugin that runs.
#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <tuple>

#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "core/package/controller_state.hpp"
#include "core/plugin/file.hpp"
#include "core/plugin/programs.hpp"

namespace oarlock::package {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr int pulls_max = 4;
constexpr duration slot_poll = 20ms;
constexpr std::size_t crds_max = 64;

const kube::resource secrets{"", "v1", "Secret", "secrets", true};

error refused(package_error code, std::string message) {
  return {code, std::move(message)};
}

// What lies in the folder, checked, if these are the files that were verified. Blocks.
result<revision> look_at(const fetched_image& image, const fs::path& folder,
                         const std::string& name) {
  plugin::candidate found;
  if (auto ok = plugin::check_plugin(folder, found); !ok) {
    return refused(package_error::not_loaded, ok.error().message);
  }
  const auto sha_of = [&](const fs::path& file) {
    const auto it = image.files.find(file.lexically_relative(folder).generic_string());
    return it == image.files.end() ? std::string() : it->second;
  };
  const auto verified = sha_of(found.manifest_file) + sha_of(found.library_file);
  if (auto ok = plugin::check_fingerprint(found, verified); !ok || verified.empty()) {
    return refused(
        package_error::digest_mismatch,
        ok ? "expected the hashes of all files of the image, found none" : ok.error().message);
  }
  if (found.declared->name != name) {
    return refused(package_error::name_mismatch,
                   fmt::format("expected the image of a plugin called {}, found {}; give the "
                               "Plugin that name",
                               name, found.declared->name));
  }
  revision out;
  out.image = image;
  out.folder = folder;
  out.declared = std::move(*found.declared);
  out.fingerprint = verified;
  for (const auto& [file, sha] : image.files) {
    if (!file.starts_with("crds/") || out.crds.size() == crds_max) continue;
    auto text = plugin::read_file(folder / file, limits::yaml_file_bytes_max);
    if (!text) return refused(package_error::not_loaded, text.error().message);
    out.crds.push_back(std::move(*text));
  }
  return out;
}

}  // namespace

bool is_running(const tracked_plugin& t, const std::string& ref) {
  return t.running && t.running->ref == ref && t.running->settings == settings_of(t.want);
}

void plugin_controller::state::discard(std::optional<revision>& gone) {
  if (!gone) return;
  boost::asio::post(p.worker, [folder = gone->folder] {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  });
  gone.reset();
}

// First come, first served, and what another Plugin is known to have had is that one's: after a
// restart all come at once.
result<> plugin_controller::state::claim(const tracked_plugin& t,
                                         const plugin::manifest& declared) {
  const auto taken = [&](const std::string& kind, const std::string& by) {
    return refused(package_error::kind_claimed,
                   fmt::format("expected {} to be managed by no other plugin, found plugin {}; "
                               "two would undo each other's work",
                               kind, by));
  };
  std::vector<plugin_object> elders;
  if (plugins) {
    for (const auto& object : plugins->view().list()) {
      auto other = parse_plugin(object->json());
      if (other && other->name != t.name && !other->status.kinds.empty() &&
          std::tie(other->created, other->name) < std::tie(t.want.created, t.want.name)) {
        elders.push_back(std::move(*other));
      }
    }
  }
  for (const auto& c : declared.controllers) {
    const auto kind = c.primary.name();
    for (const auto& one : p.runner->claims()) {
      if (one.kind == kind && one.plugin != t.name) return taken(kind, one.plugin);
    }
    if (const auto held = claims.find(kind); held != claims.end() && held->second != t.name) {
      return taken(kind, held->second);
    }
    for (const auto& elder : elders) {
      const auto& kinds = elder.status.kinds;
      if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end())
        return taken(kind, elder.name);
    }
  }
  for (const auto& c : declared.controllers)
    claims[c.primary.name()] = t.name;
  return {};
}

void plugin_controller::state::settle_claims(const tracked_plugin& t) {
  std::erase_if(claims, [&](const auto& one) { return one.second == t.name; });
  if (!t.running) return;
  for (const auto& c : t.running->declared.controllers)
    claims[c.primary.name()] = t.name;
}

// Those of all Secrets and of the administrator's providers; of two for one registry the first
// counts.
task<result<pull_credentials>> plugin_controller::state::credentials_for(self_ptr self,
                                                                         tracked_ptr t,
                                                                         std::string image,
                                                                         image_policy admin) {
  docker_configs all;
  auto names = t->want.pull_secrets;
  names.insert(names.end(), admin.pull_secrets.begin(), admin.pull_secrets.end());
  for (const auto& name : names) {
    const auto secret =
        co_await self->daemon.get(secrets, self->p.ns, name, self->stopping.get_token());
    if (!secret) {
      co_return refused(package_error::pull_secret,
                        fmt::format("Secret {}/{} of Plugin {}: {}", self->p.ns, name, t->name,
                                    secret.error().message));
    }
    if (auto ok = all.add(self->p.ns + "/" + name, *secret); !ok) co_return ok.error();
  }
  if (admin.providers.empty()) co_return pull_credentials{all.json(), {}};
  const auto program = plugin::own_program("oarlock-fetch");
  if (!program) co_return refused(package_error::helper_failed, program.error().message);
  auto provided = co_await ask_providers(self->p.programs, program->string(), std::move(image),
                                         std::move(admin), self->credential_cache);
  if (!provided) co_return provided.error();
  self->credential_cache = std::move(provided->cache);
  all.add_config(provided->docker_config);
  if (!provided->problems.empty()) {
    log_warn("a credential provider failed; the image is pulled without it",
             {{"plugin", t->name}, {"error", provided->problems}});
  }
  co_return pull_credentials{all.json(), std::move(provided->problems)};
}

task<result<>> plugin_controller::state::pull(self_ptr self, tracked_ptr t, std::string ref) {
  self->discard(t->next);
  t->is_granted = false;
  const auto stop = self->stopping.get_token();
  while (self->pulls >= pulls_max) {
    if (!co_await self->p.daemon.timer_source->sleep_for(slot_poll, stop)) {
      co_return refused(package_error::helper_failed, "the daemon stops");
    }
  }
  const under_way_mark slot(self->pulls);
  fetch_request request;
  const auto policy = self->p.image_policy;
  auto admin = co_await call_on(self->p.worker, [policy] { return read_image_policy(policy); });
  if (!admin) co_return admin.error();
  request.admin = std::move(*admin);
  auto credentials = co_await credentials_for(self, t, ref, request.admin);
  if (!credentials) co_return credentials.error();
  const auto program = plugin::own_program("oarlock-fetch");
  if (!program) co_return refused(package_error::helper_failed, program.error().message);
  request.image = ref;
  request.docker_config = std::move(credentials->docker_config);
  request.store = self->p.store;
  request.output = self->p.work / fmt::format("{}-{}", t->name, ++self->next_folder);
  const auto folder = request.output;
  auto image = co_await fetch(self->p.programs, program->string(), std::move(request));
  if (!image) {
    auto why = image.error();
    const bool may_be_due_to_it =
        why.code == package_error::unauthorized || why.code == package_error::image_not_found;
    if (may_be_due_to_it && !credentials->problems.empty())
      why.message += "; " + credentials->problems;
    co_return why;
  }
  const auto name = t->name;
  auto looked = co_await call_on(
      self->p.worker, [fetched = *image, folder, name] { return look_at(fetched, folder, name); });
  const auto by_digest = repository_of(ref) + "@" + image->digest;
  // Also of what is refused: its digest is what was looked at.
  if (ref == t->want.image) {
    t->resolved_from = ref;
    t->resolved_image = by_digest;
  }
  if (!looked) {
    std::optional<revision> none;
    none.emplace().folder = folder;
    self->discard(none);
    co_return looked.error();
  }
  t->next = std::move(*looked);
  t->next->ref = by_digest;
  log_info("plugin image pulled", {{"plugin", t->name},
                                   {"image", by_digest},
                                   {"rule", image->rule},
                                   {"policy", image->mode},
                                   {"signer", image->signer}});
  co_return result<>();
}

// The last of several that are installed at once does it for all.
task<> plugin_controller::state::prune_store(self_ptr self) {
  const auto program = plugin::own_program("oarlock-fetch");
  if (self->is_pruning || self->pulls > 0 || !program) co_return;
  std::vector<std::string> keep;
  for (const auto& [name, t] : self->tracked) {
    for (const auto& ref :
         {t->running ? t->running->ref : std::string(), t->next ? t->next->ref : std::string(),
          t->previous, t->want.status.running_image}) {
      if (!ref.empty()) keep.push_back(ref);
    }
  }
  self->is_pruning = true;
  const auto removed =
      co_await prune(self->p.programs, program->string(), self->p.store, std::move(keep));
  self->is_pruning = false;
  if (!removed) {
    log_warn("the store of plugin images could not be pruned",
             {{"error", removed.error().message}});
  } else if (*removed > 0) {
    log_info("pruned the store of plugin images", {{"bytes", *removed}});
  }
}

task<result<>> plugin_controller::state::bring(self_ptr self, tracked_ptr t, std::string ref) {
  const auto settings = settings_of(t->want);
  if (!is_running(*t, ref) && (!t->next || t->next->ref != ref)) {
    if (auto pulled = co_await pull(self, t, ref); !pulled) co_return pulled;
    ref = t->next->ref;
  }
  if (is_running(*t, ref)) {
    self->discard(t->next);
    co_return result<>();
  }
  t->next->settings = settings;
  if (auto ok = self->claim(*t, t->next->declared); !ok) co_return ok;
  t->is_granted = false;
  if (auto granted = co_await await_grants(self, t); !granted) co_return granted;
  t->is_granted = true;
  if (auto ok = self->may_run(*t); !ok) co_return ok;
  if (t->next->has_finalizers()) {
    if (auto done = co_await set_finalizer(self, t, true); !done) co_return done;
  }
  auto done = co_await self->p.runner->run({.name = t->name,
                                            .image = ref,
                                            .folder = t->next->folder,
                                            .fingerprint = t->next->fingerprint,
                                            .config = t->want.config,
                                            .in_core = t->want.in_core,
                                            .quotas = t->want.quotas});
  if (done) {
    if (t->running && t->running->ref != ref) t->previous = t->running->ref;
    std::swap(t->running, t->next);
    t->has_left = false;
    self->discard(t->next);
    spawn(self->p.loop, prune_store(self));
  }
  self->settle_claims(*t);
  if (!done) co_return refused(package_error::not_loaded, done.error().message);
  co_return result<>();
}

}  // namespace oarlock::package
