#pragma once
// Keeps a plugin's child alive and has plans made in it. A thread of its own starts, watches and
// restarts the child; plans talk to the child's workers from the threads of the plugin's lane.
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/base/token_bucket.hpp"
#include "core/plugin/ask_frames.hpp"
#include "core/plugin/child_run.hpp"
#include "core/plugin/inbound_call.hpp"
#include "core/plugin/review_call.hpp"

namespace oarlock::plugin {

class child_home {
 public:
  child_home(wire::load_request request, wire::descriptor library, child_settings settings,
             const clock& clock_source, metric_registry& metrics);
  /// Ends the child and the thread.
  ~child_home();
  child_home(const child_home&) = delete;
  child_home& operator=(const child_home&) = delete;

  /// Starts the first child; its failure is final. Once, before the rest.
  [[nodiscard]] result<> load();
  /// That its child waits to be started again, and why; usually empty. Thread: any.
  [[nodiscard]] std::string held_back() const;
  [[nodiscard]] std::shared_ptr<event_inbox> enqueued() const { return host_.inbox(); }
  [[nodiscard]] result<> start();
  void drain();
  /// Stops the plugin, or the child when it does not answer.
  void stop();

  /// Thread: any. Waits for a child while one is being restarted; a plan that another key's crash
  /// has ended is made again in the next child.
  [[nodiscard]] controller::plan_output plan(const std::string& controller,
                                             const controller::plan_input& input);
  /// Thread: any. Never done twice: when the child ends meanwhile, whoever ended it, the outcome is
  /// unknown and the effect has failed.
  [[nodiscard]] controller::effect_output effect(const std::string& controller,
                                                 const controller::effect_input& input);
  /// Thread: any. Asked once: a pod whose request ended the child asks again, or not.
  [[nodiscard]] inbound_answer inbound(const inbound_request& request);
  /// Thread: any. Asked once, too.
  [[nodiscard]] review_answer review(const review_request& request);

 private:
  struct worker {
    bool busy = false;  // under mutex_
    std::string request;
    std::string reply;
  };
  // A child that was started, and at its end how it died.
  struct life {
    life(child_run::parts p, std::uint32_t count) : run(p), workers(count) {}
    child_run run;
    std::vector<worker> workers;
    std::vector<std::size_t> blamed;   // under mutex_, once dead
    std::optional<child_death> death;  // under mutex_
  };
  struct lease {
    std::shared_ptr<life> in;
    std::size_t index = 0;
  };
  struct crash_count {
    int crashes = 0;
    std::string version;  // of the object that crashed
    std::string how;
  };
  struct command {
    wire::frame what{};
    plugin_error code{};
    const char* name = "";
    std::optional<result<>> done;
  };

  // The supervising thread.
  void supervise();
  [[nodiscard]] result<> bring_up(const std::shared_ptr<life>& one);
  void serve(const std::shared_ptr<life>& one);
  void run_command(child_run& run);
  /// Says how it died.
  std::string bury(const std::shared_ptr<life>& one, bool was_up);
  /// Waits until the child may be started again. False: it is being stopped.
  bool await_turn(token_bucket& turns, const std::string& how);
  bool wait_out(duration rest);
  result<> ask(wire::frame what, plugin_error code, const char* name);
  void wake() const;

  // Plans.
  [[nodiscard]] std::optional<lease> take_worker(duration most);
  void give_back(const lease& used);
  /// `call` on the worker, which is given back when it answers. nullopt: the child is ending.
  template <class Call>
  auto finish_call(const lease& on, const std::string& id, Call call) -> decltype(call());
  [[nodiscard]] std::optional<controller::plan_output> plan_once(const lease& on,
                                                                 const std::string& controller,
                                                                 const controller::plan_input& in);
  [[nodiscard]] std::optional<controller::effect_output> effect_once(
      const lease& on, const std::string& controller, const controller::effect_input& in);
  [[nodiscard]] std::optional<inbound_answer> inbound_once(const lease& on,
                                                           const inbound_request& request);
  [[nodiscard]] std::optional<review_answer> review_once(const lease& on,
                                                         const review_request& request);
  /// Sends the worker's request and reads its reply; meanwhile answers what it wants to read.
  /// False: the child is ending.
  [[nodiscard]] bool exchange(const lease& on, wire::frame ask, wire::frame answer, duration limit,
                              const wire::call_reads& reads);
  /// The reply is what a call under way wants to read: it is read and sent. Else false.
  [[nodiscard]] static bool answer_ask(worker& mine, int fd, const wire::call_reads& reads,
                                       const wire::deadline& until);
  /// How the child of `on` died; whether this call is to blame.
  [[nodiscard]] std::pair<child_death, bool> await_death(const lease& on);
  /// Says of calls of `what`, "a plan" or "an effect", that they are not made any more.
  [[nodiscard]] std::optional<controller::effect_output> quarantined(const std::string& id,
                                                                     const std::string& version,
                                                                     const char* what);
  [[nodiscard]] controller::effect_output note_crash(const std::string& id,
                                                     const std::string& version, const char* what,
                                                     const child_death& death);
  [[nodiscard]] std::string why_down();
  void note_success(const std::string& id);

  const child_settings settings_;
  const clock* clock_;
  metric_registry* metrics_;
  const wire::load_request request_;
  const wire::descriptor library_;
  host_table host_;
  plan_sinks sinks_;
  gauge& up_;
  gauge& quarantined_keys_;
  counter& restarts_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<life> current_;
  std::optional<result<>> first_;  // how the first start went
  std::optional<command> command_;
  bool is_started_ = false;
  bool is_stopping_ = false;
  std::string why_down_ = "it is being started";
  std::string held_back_;

  guarded<std::map<std::string, crash_count>> crashes_;
  std::atomic<std::size_t> crashed_keys_{0};
  wire::descriptor wake_;
  std::thread supervisor_;
};

}  // namespace oarlock::plugin
