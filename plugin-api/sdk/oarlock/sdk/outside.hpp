#pragma once
// A plan beside a class that reaches what is outside of Kubernetes:
//
//   class servers {
//    public:
//     explicit servers(const sdk::setup& s);
//     std::optional<sdk::json::value> observe(const sdk::input<my_app>& in, milliseconds
//     time_left); void effect(const sdk::effect<my_app>& what, milliseconds time_left);
//   };
//   OARLOCK_PLUGIN("myapp", "0.1.0", sdk::planner_with<"myapp", plan, servers>)
//
// The plan stays a pure function: it sees of the servers what observe() answers, and changes them
// by the effects that it records (out.effect("create-user", user)).
//
// With void inbound(const sdk::inbound_request&, sdk::inbound_response&) the class also takes
// HTTPS requests of pods; what it leaves by note() the plan finds in in.notes().
#include <type_traits>

#include "oarlock/sdk/planner.hpp"

namespace oarlock::sdk {

/// One effect whose turn has come. Valid during effect(), on its thread.
template <kubernetes_kind Primary>
class effect {
 public:
  /// Throws terminal_error InvalidSpec as input<Primary> does.
  explicit effect(const effect_input& untyped)
      : untyped_(&untyped), primary_(detail::read_primary<Primary>(untyped.primary(), source_)) {}
  effect(const effect&) = delete;
  effect& operator=(const effect&) = delete;

  /// What the plan said to effect().
  [[nodiscard]] std::string_view what() const { return untyped_->what(); }
  [[nodiscard]] std::string_view name() const { return untyped_->name(); }
  [[nodiscard]] std::string_view ns() const { return untyped_->ns(); }
  /// As the plan saw it, or as a step before left it.
  [[nodiscard]] const Primary& primary() const { return primary_; }
  /// Throws json::parse_error when the plan gave none, or of another type.
  template <described Payload>
  [[nodiscard]] Payload payload() const {
    const auto* given = untyped_->payload().raw();
    if (given == nullptr) {
      throw json::parse_error("expected a payload of the effect " + std::string(what()) +
                              ", found none");
    }
    return from_json<Payload>(*given);
  }
  /// Nowhere when the plan gave none.
  [[nodiscard]] json::node payload() const { return untyped_->payload(); }
  /// What the plan saw; nowhere when observe() did not answer.
  [[nodiscard]] json::node observation() const { return untyped_->observation(); }
  /// Until when no other process can be the leader, as of the call; max(): for ever.
  [[nodiscard]] std::chrono::steady_clock::time_point lease_valid_until() const {
    return untyped_->lease_valid_until();
  }
  [[nodiscard]] const effect_input& untyped() const { return *untyped_; }

 private:
  const effect_input* untyped_;
  schema::source source_;
  Primary primary_;
};

/// It looks at what is outside, before each plan. As reconciler::observe.
template <class Outside, class Primary>
concept observes_outside =
    requires(Outside& o, const input<Primary>& in, std::chrono::milliseconds time_left) {
      { o.observe(in, time_left) } -> std::convertible_to<std::optional<json::value>>;
    };
/// It does the effects that plans record. As reconciler::effect.
template <class Outside, class Primary>
concept acts_outside = requires(Outside& o, const effect<Primary>& what,
                                std::chrono::milliseconds time_left) { o.effect(what, time_left); };

/// It takes requests of pods. As reconciler::inbound.
template <class Outside>
concept takes_requests = requires(Outside& o, const inbound_request& request,
                                  inbound_response& response) { o.inbound(request, response); };

namespace detail {

template <auto Plan, class Outside>
class planned_with : public planned<Plan> {
 public:
  using typename planned<Plan>::primary;

  explicit planned_with(const setup& s) : planned<Plan>(s), outside_(made(s)) {}

  void start() override {
    if constexpr (requires { outside_.start(); }) outside_.start();
  }
  void drain() override {
    if constexpr (requires { outside_.drain(); }) outside_.drain();
  }
  void stop() override {
    if constexpr (requires { outside_.stop(); }) outside_.stop();
  }

 protected:
  Outside outside_;

 private:
  static Outside made(const setup& s) {
    if constexpr (std::constructible_from<Outside, const setup&>) {
      return Outside(s);
    } else {
      return Outside();
    }
  }
};

// What is not overridden, the host need not call: so each in a class of its own.
template <class Base>
class observing : public Base {
 public:
  using Base::Base;
  [[nodiscard]] std::optional<json::value> observe(const plan_input& untyped,
                                                   std::chrono::milliseconds time_left) override {
    const input<typename Base::primary> in(untyped);
    return with_typed_errors(
        [&]() -> std::optional<json::value> { return this->outside_.observe(in, time_left); });
  }
};
template <class Base>
class acting : public Base {
 public:
  using Base::Base;
  void effect(const effect_input& untyped, std::chrono::milliseconds time_left) override {
    const sdk::effect<typename Base::primary> what(untyped);
    with_typed_errors([&] { this->outside_.effect(what, time_left); });
  }
};

template <class Base>
class listening : public Base {
 public:
  using Base::Base;
  void inbound(const inbound_request& request, inbound_response& response) override {
    this->outside_.inbound(request, response);
  }
};

template <auto Plan, class Outside>
struct outside_of {
  using primary = typename plan_of<decltype(Plan)>::primary;
  using planned = planned_with<Plan, Outside>;
  using observed =
      std::conditional_t<observes_outside<Outside, primary>, observing<planned>, planned>;
  using acted = std::conditional_t<acts_outside<Outside, primary>, acting<observed>, observed>;
  using type = std::conditional_t<takes_requests<Outside>, listening<acted>, acted>;
};

}  // namespace detail

/// It has observe(), effect() or inbound(), with the types of the plan.
template <class Outside, auto Plan>
concept outside_for =
    observes_outside<Outside, typename detail::plan_of<decltype(Plan)>::primary> ||
    acts_outside<Outside, typename detail::plan_of<decltype(Plan)>::primary> ||
    takes_requests<Outside>;

/// As planner, with a class for what is outside of Kubernetes. One object of it for each instance
/// of the plugin, made of the setup (or of nothing); its observe() and effect() are called by
/// several threads at once, for different objects, inbound() also for one. start(), drain() and
/// stop() as of reconciler, if it has them.
template <detail::fixed_text Name, auto Plan, class Outside>
  requires plan_function<decltype(Plan)> && outside_for<Outside, Plan>
class planner_with final : public detail::outside_of<Plan, Outside>::type {
  using base = typename detail::outside_of<Plan, Outside>::type;

 public:
  static constexpr std::string_view controller = Name.view();
  using base::base;
};

}  // namespace oarlock::sdk
