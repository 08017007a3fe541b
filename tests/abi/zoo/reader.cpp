// A plugin that reads live: the object's name says what and where. Its answers never hold what a
// Secret holds, only how long it is.
#include <exception>
#include <string>
#include <thread>

#include "oarlock/sdk/plugin.hpp"

namespace {

namespace json = oarlock::sdk::json;
namespace sdk = oarlock::sdk;

class reader final : public sdk::reconciler {
 public:
  static constexpr std::string_view controller = "zoo";
  explicit reader(const sdk::setup& s) : reads_(s.reads), leadership_(s.leadership) {}

  // "<what>-<anything>": what is read of which kind.
  std::optional<json::value> observe(const sdk::plan_input& input,
                                     std::chrono::milliseconds) override {
    const auto asked = input.name().substr(0, input.name().find('-'));
    const std::string own = std::string(input.name()) + "-root";
    if (asked == "secret" || asked == "make") return seen("secrets", own);
    if (asked == "stranger") return seen("secrets", "stranger");
    if (asked == "config") return seen("configmaps", "config");
    if (asked == "undeclared") return seen("nodes", "n");
    if (asked == "leads") return json::object({{"leads", leadership_.lasts({})}});
    if (asked == "thread") return seen_elsewhere(own);
    return std::nullopt;
  }
  void plan(const sdk::plan_input& input, sdk::plan_output& output) override {
    const auto asked = input.name().substr(0, input.name().find('-'));
    if (asked == "plan") (void)reads_.get("secrets", std::string(input.name()) + "-root");
    if (asked == "effect") {
      output.effect("read");
      return;
    }
    if (asked == "make") make(input, output);
    output.status(json::object({{"saw", json::copy(input.observation())}}));
  }
  void effect(const sdk::effect_input& input, std::chrono::milliseconds) override {
    throw sdk::terminal_error("Saw", seen("secrets", std::string(input.name()) + "-root").text());
  }

 private:
  // Until it is there: Secrets are not watched, so nothing else calls for another plan.
  static void make(const sdk::plan_input& input, sdk::plan_output& output) {
    if (input.observation()["there"].boolean()) return;
    const std::string name = std::string(input.name()) + "-root";
    output.create_once(json::object({{"apiVersion", "v1"},
                                     {"kind", "Secret"},
                                     {"metadata", json::object({{"name", name}})},
                                     {"data", json::object({{"password", "czNjcmV0"}})}}));
    output.requeue_after(std::chrono::milliseconds(50));
  }
  [[nodiscard]] json::value seen(std::string_view resource, const std::string& name) const {
    const auto found = reads_.get(resource, name);
    if (!found) return json::object({{"there", false}});
    const json::node root(&*found);
    const auto size = static_cast<std::int64_t>(root["data"]["password"].text().size());
    return json::object({{"there", true}, {"password", size}});
  }
  // On a thread of its own, where nothing may be read.
  [[nodiscard]] json::value seen_elsewhere(const std::string& name) const {
    std::string what = "read";
    std::thread([&] {
      try {
        (void)reads_.get("secrets", name);
      } catch (const sdk::terminal_error& e) {
        what = e.reason();
      }
    }).join();
    return json::object({{"there", what}});
  }

  sdk::live_reader reads_;
  sdk::leadership leadership_;
};

}  // namespace

OARLOCK_PLUGIN("zoo", "1.0.0", reader)
