#include "core/metrics/errors.hpp"

namespace oarlock::metrics {

namespace {

class metrics_category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "oarlock.metrics"; }
  std::string message(int value) const override {
    switch (static_cast<metrics_error>(value)) {
      case metrics_error::bad_address:
        return "not a bind address";
      case metrics_error::cannot_listen:
        return "cannot listen";
      case metrics_error::bad_certificate:
        return "not a usable certificate and key";
    }
    return "unknown metrics error";
  }
};

}  // namespace

boost::system::error_code make_error_code(metrics_error e) {
  static const metrics_category category;
  return {static_cast<int>(e), category};
}

}  // namespace oarlock::metrics
