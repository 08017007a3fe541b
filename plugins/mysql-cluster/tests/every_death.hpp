#pragma once
// Stories in the model, with the operator killed before and after every step of them.
#include <gtest/gtest.h>

#include <functional>

#include "plugins/mysql-cluster/tests/model.hpp"

namespace mysql_cluster::testing {

/// Runs the story once, and then once for each step in it and each of the two ways to die there.
inline void with_every_death(int size, const std::function<void(model&)>& story,
                             const std::string& backup = {}) {
  model first(size, backup);
  ASSERT_NO_THROW(story(first));
  ASSERT_GT(first.steps_done, 0);
  for (int at = 0; at < first.steps_done; ++at) {
    for (const bool after : {false, true}) {
      model again(size, backup);
      again.steps_left = at;
      again.dies_after_step = after;
      try {
        story(again);
      } catch (const broken& e) {
        FAIL() << "the operator dies " << (after ? "after" : "before") << " step " << at << ": "
               << e.what();
      }
    }
  }
}

}  // namespace mysql_cluster::testing
