#include "core/kube/service_account_identity.hpp"

#include <algorithm>

#include "core/base/joint_run.hpp"
#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/json/parse.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::kube {

namespace {

using namespace std::chrono_literals;

constexpr auto wanted_life = std::chrono::seconds(3600);
constexpr duration first_pause = 1s;
constexpr duration pause_max = 10s;
// A token that is refused although it was made just now will not get better by another.
constexpr duration age_min = 1s;

const resource accounts{"", "v1", "ServiceAccount", "serviceaccounts", true};

struct granted_token {
  std::string text;
  duration life;
};

std::string token_request() {
  return R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":)"
         R"({"expirationSeconds":)" +
         std::to_string(wanted_life.count()) + "}}";
}

// The life is what the server writes back into spec, a length of time: the timestamp in the status
// would need two clocks that agree.
result<granted_token> parse_token(const std::string& body) {
  const auto parsed = json::parse(body);
  if (!parsed) return parsed.error();
  const auto token = json::string_at(*parsed, "/status/token");
  const auto seconds = json::int_at(*parsed, "/spec/expirationSeconds").value_or(0);
  if (token.empty() || seconds <= 0) {
    return error{kube_error::bad_answer,
                 "expected a TokenRequest with status.token and spec.expirationSeconds, found one "
                 "without"};
  }
  return granted_token{std::string(token), std::chrono::seconds(std::min<std::int64_t>(
                                               seconds, std::chrono::seconds(24h).count()))};
}

class service_account_identity final
    : public credentials,
      public std::enable_shared_from_this<service_account_identity> {
 public:
  explicit service_account_identity(service_account_parts p) : parts_(std::move(p)) {}

  [[nodiscard]] task<result<>> prepare() override { return prepare(shared_from_this()); }
  [[nodiscard]] result<std::string> bearer_token() override { return token_; }
  [[nodiscard]] std::uint64_t revision() const override { return revision_; }
  void refused() override {
    if (now() < made_at_ + age_min) return;
    token_.clear();
    retry_at_ = now();
  }

 private:
  [[nodiscard]] steady_time now() const { return parts_.clock_source->now(); }
  [[nodiscard]] bool usable() const { return !token_.empty() && now() < good_until_; }

  static task<result<>> prepare(std::shared_ptr<service_account_identity> self) {
    const auto renewal = [self] {
      return joint_run::join(self->renewing_, self->parts_.loop, [self] { return renew(self); });
    };
    const bool may_ask = self->now() >= self->retry_at_;
    if (self->usable()) {
      const bool due = self->now() >= self->renew_at_ && !OARLOCK_MUTANT("token_never_renewed");
      if (due && may_ask) spawn(self->parts_.loop, renewal());
      co_return result<>();
    }
    if (!may_ask) co_return self->last_;
    co_await renewal();
    co_return self->last_;
  }

  static task<> renew(std::shared_ptr<service_account_identity> self) {
    const auto asked_at = self->now();
    const auto answer = co_await self->parts_.asks->create_for(
        accounts, self->parts_.ns, self->parts_.name, "token", token_request());
    auto token = answer ? parse_token(answer->body) : result<granted_token>(answer.error());
    if (!token) {
      self->last_ = token.error().within("token of ServiceAccount " + self->parts_.ns + "/" +
                                         self->parts_.name);
      self->pause_ = std::clamp(self->pause_ * 2, first_pause, pause_max);
      self->retry_at_ = self->now() + self->pause_;
      if (self->usable()) {
        log_warn("a token could not be renewed, the last one stays in use",
                 {{"account", self->parts_.name}, {"error", self->last_.error().message}});
      }
      co_return;
    }
    self->last_ = {};
    self->pause_ = {};
    self->token_ = std::move(token->text);
    self->made_at_ = self->now();
    self->good_until_ = asked_at + token->life;
    self->renew_at_ = asked_at + token->life * 4 / 5;
    ++self->revision_;
  }

  const service_account_parts parts_;
  std::string token_;
  std::uint64_t revision_ = 0;
  steady_time made_at_{};
  steady_time good_until_{};
  steady_time renew_at_{};
  steady_time retry_at_{};
  duration pause_{};
  result<> last_;
  const std::shared_ptr<joint_run> renewing_ = std::make_shared<joint_run>();
};

}  // namespace

std::shared_ptr<credentials> make_service_account_identity(service_account_parts parts) {
  return std::make_shared<service_account_identity>(std::move(parts));
}

}  // namespace oarlock::kube
