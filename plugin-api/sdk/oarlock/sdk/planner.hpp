#pragma once
// A plan as a function of typed objects, and one line that makes a plugin of it:
//
//   void plan(const sdk::input<my_app>& in, sdk::output<my_app>& out) {
//     apps::deployment wanted;
//     wanted.metadata->name = in.name();
//     wanted.spec->replicas = in.primary().spec->replicas;
//     out.apply(wanted);
//   }
//   OARLOCK_PLUGIN("myapp", "0.1.0", sdk::planner<"myapp", plan>)
//
// my_app comes from the plugin's CRD, apps::deployment from oarlock/k8s/apps/v1.hpp. A plan that
// depends on what the administrator has configured takes that too; myapp::config comes from
// configSchema of plugin.yaml:
//
//   void plan(const sdk::input<my_app>& in, const myapp::config& set, sdk::output<my_app>& out);
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <string_view>

#include "oarlock/sdk/plugin.hpp"
#include "oarlock/sdk/typed_plan.hpp"

namespace oarlock::sdk {

/// The entry with this type in a list of conditions, or null.
template <class Conditions>
[[nodiscard]] auto find_condition(const Conditions& all, std::string_view type)
    -> decltype(&*all.begin()) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.type == type; });
  return found == all.end() ? nullptr : &*found;
}
/// There is such a condition, and its status is "True" (or another one).
template <class Conditions>
[[nodiscard]] bool is_condition(const Conditions& all, std::string_view type,
                                std::string_view status = "True") {
  const auto* found = find_condition(all, type);
  if (found == nullptr) return false;
  if constexpr (requires { found->status.text(); }) {
    return found->status.text() == status;
  } else {
    return found->status == status;
  }
}

namespace detail {

template <std::size_t Size>
struct fixed_text {
  char chars[Size]{};
  consteval fixed_text(const char (&text)[Size]) { std::copy_n(text, Size, chars); }
  [[nodiscard]] constexpr std::string_view view() const { return {chars, Size - 1}; }
};

/// Objects that are looked at late are converted late.
template <class Work>
auto with_typed_errors(Work work) {
  try {
    return work();
  } catch (const json::parse_error& e) {
    throw terminal_error("InvalidObject", e.what());
  }
}

struct no_config {};

template <class Function>
struct plan_of {};
template <class Primary>
struct plan_of<void (*)(const input<Primary>&, output<Primary>&)> {
  using primary = Primary;
  using config = no_config;
};
template <class Primary, described Config>
struct plan_of<void (*)(const input<Primary>&, const Config&, output<Primary>&)> {
  using primary = Primary;
  using config = Config;
};

// Calls a plan with what it takes.
template <auto Plan>
class planned : public reconciler {
 public:
  explicit planned(const setup& s) : log_(s.log) {
    if constexpr (!std::same_as<config, no_config>) config_ = s.config_as<config>();
  }

  void plan(const plan_input& untyped_input, plan_output& untyped_output) override {
    const input<primary> in(untyped_input, log_);
    output<primary> out(untyped_output);
    with_typed_errors([&] {
      if constexpr (std::same_as<config, no_config>) {
        Plan(in, out);
      } else {
        Plan(in, config_, out);
      }
    });
  }

 protected:
  using primary = typename plan_of<decltype(Plan)>::primary;
  using config = typename plan_of<decltype(Plan)>::config;

 private:
  logger log_;
  config config_{};
};

}  // namespace detail

/// A function void(const input<Primary>&, output<Primary>&), or with the configuration's struct
/// between the two.
template <class Function>
concept plan_function = requires { typename detail::plan_of<Function>::primary; };

/// The reconciler of the controller `Name` (as in plugin.yaml) whose plan is the pure function
/// `Plan`.
template <detail::fixed_text Name, auto Plan>
  requires plan_function<decltype(Plan)>
class planner final : public detail::planned<Plan> {
 public:
  static constexpr std::string_view controller = Name.view();
  using detail::planned<Plan>::planned;
};

}  // namespace oarlock::sdk
