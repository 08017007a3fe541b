#pragma once
// The inside of plugin_controller, shared by its sources.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/package/errors.hpp"
#include "core/package/fetch.hpp"
#include "core/package/handover.hpp"
#include "core/package/plugin_controller.hpp"
#include "core/package/plugin_object.hpp"
#include "core/plugin/checks.hpp"

namespace oarlock::package {

/// An image that was pulled and looked at.
struct revision {
  std::string ref;  ///< by digest, as the Plugin's repository calls it
  fetched_image image;
  std::filesystem::path folder;
  plugin::manifest declared;
  std::string fingerprint;
  std::vector<std::string> crds;  ///< JSON
  std::string settings;           ///< what of the Plugin besides the image it runs with

  [[nodiscard]] bool has_finalizers() const;
};

/// What is known of one Plugin.
struct tracked_plugin {
  explicit tracked_plugin(std::string n) : name(std::move(n)) {}
  const std::string name;
  plugin_object want;
  std::string resolved_from;
  std::string resolved_image;
  std::optional<revision> running;
  std::optional<revision> next;  ///< pulled, and not running yet
  std::string previous;          ///< image that ran before `running`, by digest; may be empty
  std::optional<error> failure;  ///< why not what is wanted runs
  std::string missing;           ///< YAML that would help
  bool is_under_way = false;     ///< work on what is wanted is going on
  bool is_granted = false;       ///< `next` has its rights and CRDs
  bool went_back = false;        ///< what ran before was brought up again, or could not be
  int failures = 0;              ///< in a row, of this generation
  int looks = 0;                 ///< in a row at one that is not well yet
  std::int64_t generation = 0;   ///< that `failures` are about
  handover turns;                ///< while another runtime may still run it
  bool has_said_it_waits = false;
  std::string names;        ///< status.running.runtime as it is to be
  bool is_leaving = false;  ///< another runtime is to run it
  bool is_at_work = false;  ///< a step is under way
  bool has_left = false;    ///< `running` was ended beside that
  plugin_status told;       ///< what was written last
  std::string written;      ///< the same as it was sent; empty: nothing yet
  bool is_dirty = false;    ///< changed while it was worked on
  bool takes_over = false;  ///< the next step takes what the last leader wrote
  bool is_over = false;
  std::stop_source nap;
};
using tracked_ptr = std::shared_ptr<tracked_plugin>;

/// What one says of runtimes: spec.runtime and status.running.runtime.
struct object_runtimes {
  std::string wanted;
  std::string named;
};
[[nodiscard]] object_runtimes runtimes_of(const cache::object& o);

/// Counts what is under way.
class under_way_mark {
 public:
  explicit under_way_mark(int& count) : count_(count) { ++count_; }
  ~under_way_mark() { --count_; }
  under_way_mark(const under_way_mark&) = delete;
  under_way_mark& operator=(const under_way_mark&) = delete;

 private:
  int& count_;
};

/// What a pull is told, and what is missing from it.
struct pull_credentials {
  std::string docker_config;  ///< JSON; empty: none
  std::string problems;       ///< of providers that gave no answer
};

/// `ref` runs, with what is wanted besides.
[[nodiscard]] bool is_running(const tracked_plugin& t, const std::string& ref);

struct plugin_controller::state : std::enable_shared_from_this<state> {
  explicit state(parts given) : p(std::move(given)), daemon(p.daemon), asks(ungated(p.daemon)) {}
  using self_ptr = std::shared_ptr<state>;

  const parts p;
  kube::client daemon;
  kube::client asks;  ///< reviews and tokens, which a follower needs too: they change nothing
  std::unique_ptr<cache::subscription> plugins;
  std::map<std::string, tracked_ptr> tracked;
  std::map<std::string, std::string> claims;  ///< kind to plugin, of what runs or is about to
  std::stop_source stopping;
  bool leads = false;
  int pulls = 0;   ///< under way
  int writes = 0;  ///< under way
  bool is_pruning = false;
  int next_folder = 0;
  std::string credential_cache;  ///< of the last answer of the providers; secret

  [[nodiscard]] static kube::client::parts ungated(kube::client::parts of) {
    of.gate = nullptr;
    return of;
  }

  [[nodiscard]] bool may_write() const { return leads && !stopping.stop_requested(); }

  // plugin_controller.cpp
  void track(const cache::change& change);
  void wake_all();
  /// How long until it is tried again, which failed with `why`.
  [[nodiscard]] duration rest_of(tracked_plugin& t, const error& why) const;
  static task<> drive(self_ptr self, tracked_ptr t);
  static task<duration> step(self_ptr self, tracked_ptr t);
  static task<duration> depart(self_ptr self, tracked_ptr t);
  static task<result<>> work(self_ptr self, tracked_ptr t, bool is_new);
  /// False: the daemon stops.
  static task<bool> end(self_ptr self, tracked_ptr t);
  static task<result<>> set_finalizer(self_ptr self, tracked_ptr t, bool is_there);

  // plugin_handover.cpp
  /// Whether this process may write the status now.
  [[nodiscard]] bool is_writer(const tracked_plugin& t) const;
  /// False: what was to be done first has failed.
  static task<bool> take_on(self_ptr self, tracked_ptr t);
  [[nodiscard]] result<> may_run(const tracked_plugin& t) const;
  static task<duration> hand_over(self_ptr self, tracked_ptr t);
  static task<> leave(self_ptr self, tracked_ptr t);
  void announce(const tracked_plugin& t, bool warning, std::string reason, const std::string& note);

  // plugin_install.cpp
  /// Makes `ref` the revision that runs; nothing to do if it is. After an error what ran goes on.
  static task<result<>> bring(self_ptr self, tracked_ptr t, std::string ref);
  static task<result<>> pull(self_ptr self, tracked_ptr t, std::string ref);
  static task<result<pull_credentials>> credentials_for(self_ptr self, tracked_ptr t,
                                                        std::string image, image_policy admin);
  [[nodiscard]] result<> claim(const tracked_plugin& t, const plugin::manifest& declared);
  /// Keeps in the store what Plugins run, are about to run and ran before.
  static task<> prune_store(self_ptr self);
  /// What it runs is claimed by it, and nothing else.
  void settle_claims(const tracked_plugin& t);
  void discard(std::optional<revision>& gone);

  // plugin_grants.cpp
  /// Whether CRDs and rights of `t->next` are there; else `t->missing` is what to apply.
  static task<result<>> await_grants(self_ptr self, tracked_ptr t);
  static task<result<std::string>> crd_missing(self_ptr self, std::string wanted,
                                               std::stop_token stop);
  static task<std::string> right_missing(self_ptr self, plugin::manifest declared,
                                         std::stop_token stop);

  // plugin_report.cpp
  [[nodiscard]] plugin_status status_of(const tracked_plugin& t) const;
  static task<> report(self_ptr self, tracked_ptr t);
  void tell(const tracked_plugin& t, const plugin_status& before, const plugin_status& now);
  void count(const tracked_plugin& t, const plugin_status& now);
};

/// What of a Plugin besides its image decides how it runs.
[[nodiscard]] std::string settings_of(const plugin_object& want);

}  // namespace oarlock::package
