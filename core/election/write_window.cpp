#include "core/election/elector.hpp"
#include "core/election/errors.hpp"

namespace oarlock::election {

namespace {

class election_category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "oarlock.election"; }
  std::string message(int value) const override {
    switch (static_cast<election_error>(value)) {
      case election_error::not_leading:
        return "this process does not hold the lease";
      case election_error::bad_lease:
        return "not a coordination.k8s.io/v1 Lease";
    }
    return "unknown election error";
  }
};

constexpr std::int64_t closed = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t forever = std::numeric_limits<std::int64_t>::max();

std::int64_t in_ns(steady_time t) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
}

}  // namespace

boost::system::error_code make_error_code(election_error e) {
  static const election_category category;
  return {static_cast<int>(e), category};
}

write_window::write_window(const clock& clock_source, std::atomic<std::int64_t>* limit_ns)
    : clock_(clock_source), limit_ns_(limit_ns == nullptr ? own_ns_ : *limit_ns) {
  close();
}

result<> write_window::check() const {
  const auto limit = limit_ns_.load();
  if (limit == forever || in_ns(clock_.now()) < limit) return {};
  return error{election_error::not_leading,
               limit == closed
                   ? "expected to lead before a write, found that another process may: not sent"
                   : "the lease was not renewed in time, so another process may lead: not sent"};
}

steady_time write_window::limit() const {
  return steady_time(std::chrono::nanoseconds(limit_ns_.load()));
}

void write_window::open_until(steady_time limit) {
  limit_ns_ = in_ns(limit);
}
void write_window::close() {
  limit_ns_ = closed;
}
void write_window::open_forever() {
  limit_ns_ = forever;
}

}  // namespace oarlock::election
