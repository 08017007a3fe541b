// The contract plugin in C++ with the SDK; what it does is told in contract.c.
#include <cinttypes>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>

#include "oarlock/sdk/plugin.hpp"

namespace {

namespace json = oarlock::sdk::json;
namespace sdk = oarlock::sdk;

std::string digest(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text)
    hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211U;
  char line[64];
  std::snprintf(line, sizeof(line), "%zu-%016" PRIx64, text.size(), hash);
  return line;
}

json::value shown(const sdk::object& o) {
  return std::string(o.resource()) + " json " + digest(o.json_text());
}

json::value shown(const std::vector<sdk::object>& objects) {
  auto out = json::array({});
  for (const auto& o : objects)
    out.push(shown(o));
  return out;
}

std::string shown(const std::optional<sdk::failure>& last) {
  if (!last) return {};
  return digest(std::string(last->step) + "\n" + std::string(last->reason) + "\n" +
                std::string(last->message));
}

json::value child(const char* kind, const char* name) {
  return json::object(
      {{"apiVersion", "v1"}, {"kind", kind}, {"metadata", json::object({{"name", name}})}});
}

void steps(sdk::plan_output& output) {
  output.create_once(child("Secret", "once"));
  output.apply(child("ConfigMap", "a"));
  output.apply(child("ConfigMap", "b"), 7);
  output.patch_existing({"pods", "p", "u", "7"}, json::object({{"a", 1}}));
  output.remove({"secrets", "old"}, std::chrono::seconds(5), sdk::propagation::foreground);
  output.swap_status("12", json::object({{"epoch", 3}}));
}

void effects(sdk::plan_output& output) {
  output.effect("paint-1", json::object({{"color", "red"}}));
  output.apply(child("ConfigMap", "a"));
  output.effect("dry");
}

void say(sdk::plan_output& output) {
  output.condition("Ready", sdk::condition_status::yes, "AsAsked", "gr\xc3\xbc\xc3\x9f");
  output.condition("Warm", sdk::condition_status::unknown, "AsAsked", "gr\xc3\xbc\xc3\x9f");
  output.normal_event("Went", "as it should");
  output.warning_event("Smoked", "a little");
  output.requeue_after(std::chrono::seconds(3));
}

// Of a kind that plugin.yaml does not list; the SDK makes an exception of the refusal.
void refused(sdk::plan_output& output) {
  try {
    output.apply(child("Node", "n"));
  } catch (const sdk::terminal_error&) {
    return;
  }
  throw sdk::retry_error("NotRefused", "expected the host to refuse it, found that it took it");
}

// What pods have left, and how they reach the daemon.
void notes(const sdk::plan_input& input, sdk::plan_output& output) {
  auto list = json::array({});
  for (const auto& note : input.notes()) {
    std::string words;
    for (const auto word : {note.name(), note.service_account(), note.pod_name(), note.pod_uid()})
      words.append(word).append(" ");
    list.push(words + digest(note.json_text()) + " " + std::to_string(note.recorded_unix_ms()));
  }
  std::string reached;
  if (const auto inbound = input.inbound()) {
    reached.append(inbound->url).append(" ").append(inbound->audience).append(" ");
    reached += digest(inbound->ca_pem);
  }
  output.status(json::object({{"notes", std::move(list)}, {"inbound", reached}}));
}

class contract final : public sdk::reconciler {
 public:
  static constexpr std::string_view controller = "zoo";

  explicit contract(const sdk::setup& s)
      : log_(s.log),
        reads_(s.reads),
        threads_(s.threads),
        created_(here()),
        config_(digest(s.config_json)) {
    refuses_start_ = s.config["refuseStart"].exists();
    if (s.config["refuse"].exists()) {
      throw std::runtime_error("expected another configuration, found refuse");
    }
  }

  std::optional<json::value> observe(const sdk::plan_input& input,
                                     std::chrono::milliseconds time_left) override {
    const auto asked = input.name().substr(0, input.name().find('.'));
    if (asked == "observe-fails") {
      throw sdk::retry_error("ServerAway", "expected an answer, found none");
    }
    if (asked == "read") return read(std::string(input.name()) + "-root");
    if (asked != "observe" && asked != "effects") return std::nullopt;
    if (time_left.count() <= 0) throw sdk::retry_error("NoTime", "expected time, found none");
    return json::object({{"seen", digest(input.primary().json_text())}});
  }

  // Tells through the failure all that it was lent.
  void effect(const sdk::effect_input& input, std::chrono::milliseconds time_left) override {
    if (input.what() == "terminal") throw sdk::terminal_error("Never", "cannot be");
    if (input.what() == "throw") throw std::runtime_error("as asked");
    if (input.what() == "log") log_.warn("the contract speaks", {{"color", "blue"}});
    if (input.what() == "threads" && here() != 2) throw sdk::retry_error("NoWorker", "it is none");
    if (input.what() != "tell") return;
    const auto text = [](json::node n) { return n.exists() ? json::copy(n).text() : ""; };
    std::string seen(input.controller());
    seen.append(" ").append(input.ns()).append("/").append(input.name());
    seen += " \"" + *shown(input.primary()).as_text() + "\" ";
    seen += text(input.payload()) + " " + text(input.observation()) + " ";
    seen += std::to_string(
        std::chrono::nanoseconds(input.lease_valid_until().time_since_epoch()).count());
    throw sdk::retry_error("Told", seen + (time_left.count() > 0 ? " in time" : " late"));
  }

  void start() override {
    begun_ = here();
    if (refuses_start_) throw sdk::retry_error("NotNow", "expected to start, found refuseStart");
  }

  void plan(const sdk::plan_input& input, sdk::plan_output& output) override {
    const auto asked = input.name().substr(0, input.name().find('.'));
    if (asked == "echo") echo(input, output);
    if (asked == "observe" || asked == "read") output.status(json::copy(input.observation()));
    if (asked == "steps") steps(output);
    if (asked == "effects") effects(output);
    if (asked == "say") say(output);
    if (asked == "finish") output.finished();
    if (asked == "retry") throw sdk::retry_error("Later", "not yet");
    if (asked == "terminal") throw sdk::terminal_error("Never", "cannot be");
    if (asked == "throw") throw std::runtime_error("as asked");
    if (asked == "refused") refused(output);
    if (asked == "notes") notes(input, output);
    if (asked == "log") log_.warn("the contract speaks", {{"color", "blue"}});
    if (asked == "threads") threads(output);
  }

  void inbound(const sdk::inbound_request& request, sdk::inbound_response& response) override {
    const auto rest = request.rest();
    if (rest == "tell") {
      std::string told;
      for (const auto word : {request.method(), request.ns(), request.name(), rest, request.query(),
                              request.content_type(), request.service_account(), request.pod_name(),
                              request.pod_uid()}) {
        told.append(word).append(" ");
      }
      told += digest(request.body()) + " " + std::to_string(request.now_unix_ms()) + " in time";
      response.answer(200, told, "text/x-told");
    }
    if (rest == "note" || rest == "note-fails") {
      const auto body = request.json_body();
      response.note("progress", json::copy(json::node{&body}));
      response.note("seen", json::object({{"n", 1}}));
    }
    if (rest == "note-fails") throw sdk::retry_error("Later", "not now");
    if (rest == "no-status") response.answer(99, "");
    if (rest == "throw") throw std::runtime_error("as asked");
    if (rest == "log") log_.warn("the contract speaks", {{"color", "blue"}});
  }

 private:
  [[nodiscard]] int here() const {
    const auto kind = threads_.current();
    return kind ? static_cast<int>(*kind) : -1;
  }

  void threads(sdk::plan_output& output) const {
    int own = -1;
    std::thread([&] { own = here(); }).join();
    output.status(
        json::object({{"create", created_}, {"start", begun_}, {"plan", here()}, {"own", own}}));
  }

  [[nodiscard]] json::value read(const std::string& secret) const {
    const auto found = reads_.get("secrets", secret);
    const json::value none = "none";
    return json::object({{"read", found ? digest(json::copy(json::node{&*found}).text()) : none}});
  }

  void echo(const sdk::plan_input& input, sdk::plan_output& output) const {
    output.status(json::object({{"controller", input.controller()},
                                {"key", std::string(input.ns()) + "/" + std::string(input.name())},
                                {"now", input.now_unix_ms()},
                                {"deleting", input.deleting() ? 1 : 0},
                                {"primary", shown(input.primary())},
                                {"owned", shown(input.owned())},
                                {"watched", shown(input.watched())},
                                {"lastFailure", shown(input.last_failure())},
                                {"config", config_},
                                {"observed", json::copy(input.observation()).is_null() ? 0 : 1}}));
  }

  sdk::logger log_;
  sdk::live_reader reads_;
  sdk::threads threads_;
  int created_ = -1;
  int begun_ = -1;
  std::string config_;
  bool refuses_start_ = false;
};

}  // namespace

OARLOCK_PLUGIN("zoo", "1.0.0", contract)
