// Live reads: what plugin.yaml allows, and how a read ends. The reader waits on a thread of its
// own.
#include "core/controller/live_read.hpp"

#include <future>

#include "core/controller/controller_world_test.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::HasSubstr;

class live_read_test : public controller_world {
 protected:
  live_read_test() {
    spec.reads = {{secrets, {"{name}-root"}, {"/spec/secretName"}}, {deployments}};
    cache::object_meta meta;
    meta.key = {"ns", "w"};
    primary =
        std::make_shared<const cache::object>(meta, R"({"spec":{"secretName":"by-reference"}})");
  }
  // Reads on another thread while the loop turns here.
  live_object read(const std::string& resource, const std::string& name, duration left = 5s) {
    key_reads reads({loop.loop(), &client, &loop.timers, &loop.clock, &spec, primary, nullptr},
                    loop.clock.now() + left);
    auto got = std::async(std::launch::async, [&] { return reads.get(resource, name); });
    // The clock moves only once the request is there: the other thread reads it before.
    while (got.wait_for(1ms) != std::future_status::ready) {
      loop.run_ready();
      if (is_silent && is_asked) loop.advance(left);
    }
    return got.get();
  }
  void answer_to_reads(int status, const std::string& body) {
    api.intercept = [=, this](const test::scripted_call_ptr& call) {
      if (call->path().find("/secrets/") == std::string::npos) return false;
      is_asked = true;
      if (!is_silent) call->reply(status, body);
      return true;
    };
  }
  cache::object_ptr primary;
  bool is_silent = false;
  bool is_asked = false;
};

TEST_F(live_read_test, are_of_declared_kinds_and_names) {
  api.put(secrets, R"({"metadata":{"namespace":"ns","name":"w-root"},"data":{"k":"v"}})");
  api.put(secrets, R"({"metadata":{"namespace":"ns","name":"by-reference"}})");
  api.put(secrets, R"({"metadata":{"namespace":"ns","name":"other-root"}})");
  api.put(deployments, R"({"metadata":{"namespace":"ns","name":"any"}})");
  const auto found = read("secrets", "w-root");
  ASSERT_TRUE(found.is_read);
  EXPECT_THAT(found.json.value_or(""), HasSubstr(R"("k":"v")"));
  EXPECT_TRUE(read("secrets", "by-reference").json);
  EXPECT_TRUE(read("deployments.apps", "any").json);
  for (const auto& [resource, name] :
       {std::pair{"secrets", "other-root"}, std::pair{"secrets", ""}, std::pair{"pods", "p"},
        std::pair{"deployments.apps", "../any"}, std::pair{"deployments.apps", "a/scale"}}) {
    SCOPED_TRACE(name);
    const auto refused = read(resource, name);
    EXPECT_FALSE(refused.is_read);
    EXPECT_FALSE(refused.may_work_later);
    EXPECT_EQ(refused.reason, "NotDeclared");
  }
}

TEST_F(live_read_test, say_that_there_is_none) {
  const auto none = read("secrets", "w-root");
  EXPECT_TRUE(none.is_read);
  EXPECT_FALSE(none.json);
}

TEST_F(live_read_test, that_are_forbidden_do_not_work_later) {
  answer_to_reads(403, R"({"kind":"Status","status":"Failure","message":"no","code":403})");
  const auto out = read("secrets", "w-root");
  EXPECT_FALSE(out.is_read);
  EXPECT_EQ(out.reason, "Forbidden");
  EXPECT_FALSE(out.may_work_later);
}

TEST_F(live_read_test, end_at_the_deadline_of_their_call) {
  is_silent = true;
  answer_to_reads(200, "{}");
  const auto out = read("secrets", "w-root", 3s);
  EXPECT_EQ(out.reason, "ReadTimeout");
  EXPECT_TRUE(out.may_work_later);
  EXPECT_EQ(read("secrets", "w-root", 0s).reason, "ReadTimeout") << "it is over";
}

TEST_F(live_read_test, that_are_too_large_are_refused) {
  answer_to_reads(200, "{" + std::string(live_object_bytes_max, ' ') + "}");
  const auto out = read("secrets", "w-root");
  EXPECT_EQ(out.reason, "TooLarge");
  EXPECT_FALSE(out.may_work_later);
}

}  // namespace
}  // namespace oarlock::controller
