// The model gives the answers that the real API server gave (tests/integration/model_test.cpp holds
// it to them).
#include <gtest/gtest.h>

#include "tests/sim/model_target.hpp"

namespace oarlock::sim {
namespace {

class on_the_model : public ::testing::TestWithParam<script> {};

TEST_P(on_the_model, answers_as_the_real_server) {
  model_target target;
  const auto found = replay(GetParam(), target, "sim-script");
  const auto& wanted = GetParam().content.at("expect").as_array();
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(pretty(found[i]), pretty(wanted[i]))
        << "step " << i << ": " << pretty(GetParam().content.at("steps").as_array()[i]);
  }
}

std::vector<script> scripts() {
  return load_scripts(std::string(OARLOCK_SOURCE_DIR) + "/tests/sim/scripts");
}
INSTANTIATE_TEST_SUITE_P(scripts, on_the_model, ::testing::ValuesIn(scripts()),
                         [](const auto& s) { return s.param.name; });

TEST(scripts, there_are_enough) {
  EXPECT_GE(scripts().size(), 25U);
}

}  // namespace

void PrintTo(const script& s, std::ostream* out) {
  *out << s.name;
}

}  // namespace oarlock::sim
