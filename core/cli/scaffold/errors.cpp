#include "core/cli/scaffold/errors.hpp"

namespace oarlock::cli {

namespace {

class scaffold_category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "oarlock.scaffold"; }
  std::string message(int) const override { return "nothing was scaffolded"; }
};

}  // namespace

boost::system::error_code make_error_code(scaffold_error e) {
  static const scaffold_category category;
  return {static_cast<int>(e), category};
}

}  // namespace oarlock::cli
