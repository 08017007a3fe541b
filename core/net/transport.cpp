#include "core/net/transport.hpp"

#include "core/net/message.hpp"

namespace oarlock::net {

namespace {

class net_category final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "oarlock.net"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<net_error>(value)) {
      case net_error::not_sent:
        return "the request was not sent";
      case net_error::no_answer:
        return "the request was sent, but no answer came";
      case net_error::broken_body:
        return "the answer broke off";
      case net_error::bad_answer:
        return "the answer is not legal HTTP or over a limit";
      case net_error::cancelled:
        return "cancelled by the caller";
      case net_error::untrusted:
        return "the server's certificate is not trusted";
    }
    return "unknown transport error " + std::to_string(value);
  }
};

}  // namespace

boost::system::error_code make_error_code(net_error e) {
  static const net_category category;
  return {static_cast<int>(e), category};
}

std::string_view http_head::find(std::string_view name) const {
  for (const auto& h : headers) {
    if (same_name(h.name, name)) return h.value;
  }
  return {};
}

}  // namespace oarlock::net
