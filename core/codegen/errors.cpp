#include "core/codegen/errors.hpp"

#include <string>

namespace oarlock::codegen {

namespace {

class category final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "oarlock.codegen"; }
  [[nodiscard]] std::string message(int value) const override {
    return static_cast<codegen_error>(value) == codegen_error::bad_document ? "bad_document"
                                                                            : "not_written";
  }
};

}  // namespace

boost::system::error_code make_error_code(codegen_error e) {
  static const category c;
  return {static_cast<int>(e), c};
}

}  // namespace oarlock::codegen
