#include "core/daemon/plugin_set.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/log.hpp"
#include "core/plugin/errors.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/scripted_transport.hpp"

namespace oarlock::daemon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A plugin without code. Its life is written to `log`.
class fake_plugin final : public plugin::loaded_plugin {
 public:
  fake_plugin(std::string name, std::vector<std::string>& log, bool starts,
              const std::string& version = "1.0.0", std::string note = {})
      : log_(log), starts_(starts), note_(std::move(note)) {
    declared_.name = std::move(name);
    declared_.version = version;
  }
  ~fake_plugin() override { log_.push_back("destroy " + declared_.name); }
  [[nodiscard]] const plugin::manifest& declared() const override { return declared_; }
  [[nodiscard]] const std::string& fingerprint() const override { return declared_.version; }
  [[nodiscard]] controller::reconciler& reconciler_for(const std::string&) override {
    std::abort();
  }
  [[nodiscard]] result<> start() override {
    log_.push_back("start " + declared_.name);
    if (!starts_) return error{plugin::plugin_error::not_started, "start() failed: no"};
    return {};
  }
  void drain() override { log_.push_back("drain " + declared_.name); }
  void stop() override { log_.push_back("stop " + declared_.name); }
  [[nodiscard]] std::string note() const override { return note_; }

 private:
  plugin::manifest declared_;
  std::vector<std::string>& log_;
  bool starts_;
  std::string note_;
};

class plugin_set_test : public ::testing::Test {
 protected:
  void SetUp() override { log_configure(static_cast<log_level>(99), log_format::text); }
  void TearDown() override { log_configure(log_level::info, log_format::text); }

  // Paths that begin with "bad" do not load; the name is what stands behind the last '/'.
  plugin_set::loader loader() {
    return [this](const std::filesystem::path& path,
                  const std::string&) -> result<std::unique_ptr<plugin::loaded_plugin>> {
      const auto name = path.filename().string();
      if (name.starts_with("bad")) {
        return error{plugin::plugin_error::no_entry, path.string() + ": expected the entry symbol"};
      }
      return std::unique_ptr<plugin::loaded_plugin>(
          std::make_unique<fake_plugin>(name, log_, !name.starts_with("lame")));
    };
  }
  metrics::http_answer ready_after(const std::vector<std::string>& paths) {
    options o;
    o.plugins = paths;
    set_.load(o, loader());
    return answer_of("readyz", set_.checks());
  }

  std::vector<std::string> log_;
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  plugin_set set_{*metrics_};
};

TEST_F(plugin_set_test, a_bad_plugin_leaves_the_others_in_service) {
  const auto answer = ready_after({"p/good", "p/bad", "p/lame"});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body,
            "[+]plugin/good ok\n"
            "[-]plugin/bad failed: p/bad: expected the entry symbol\n"
            "[-]plugin/lame failed: start() failed: no\n"
            "readyz check passed\n");
  const auto text = metrics_->serialize();
  EXPECT_THAT(text, HasSubstr("oarlock_plugin_loaded{plugin=\"good\"} 1"));
  EXPECT_THAT(text, HasSubstr("oarlock_plugin_loaded{plugin=\"bad\"} 0"));
  EXPECT_THAT(text, HasSubstr("oarlock_plugin_info{plugin=\"good\",version=\"1.0.0\"} 1"));
  EXPECT_THAT(text, HasSubstr("oarlock_plugin_load_failures_total{reason="));
}

TEST_F(plugin_set_test, with_nothing_but_bad_plugins_it_is_not_ready) {
  EXPECT_EQ(ready_after({"p/bad"}).status, 503);
}

TEST_F(plugin_set_test, without_any_plugin_it_is_ready) {
  EXPECT_EQ(ready_after({}).status, 200);
}

TEST_F(plugin_set_test, a_name_is_taken_once) {
  const auto answer = ready_after({"a/one", "b/one"});
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("expected each plugin once, found a second one named one"));
}

TEST_F(plugin_set_test, unreadable_plugins_are_named_after_their_path) {
  const std::pair<const char*, const char*> cases[] = {
      {"build/plugins/bad", "plugin/bad "},
      {"build/plugins/bad/", "plugin/bad "},
      {"x/bad.so", "plugin/bad "},
  };
  for (const auto& [path, name] : cases) {
    plugin_set set(*metrics_);
    options o;
    o.plugins = {path};
    set.load(o,
             [](const std::filesystem::path&,
                const std::string&) -> result<std::unique_ptr<plugin::loaded_plugin>> {
               return error{plugin::plugin_error::missing, "gone"};
             });
    EXPECT_THAT(answer_of("readyz", set.checks()).body, HasSubstr(name)) << path;
  }
}

TEST_F(plugin_set_test, what_moves_to_a_child_is_told_and_stopped_with_the_rest) {
  ready_after({"p/good", "p/lost"});
  log_.clear();
  const auto load_child =
      [this](const std::filesystem::path& path,
             const std::string&) -> result<std::unique_ptr<plugin::loaded_plugin>> {
    if (path.filename() == "lost") return error{plugin::plugin_error::no_sandbox, "no walls"};
    return std::unique_ptr<plugin::loaded_plugin>(
        std::make_unique<fake_plugin>("child", log_, true, "1.0.0", "in a child"));
  };
  set_.move_to_children(load_child, [](const std::function<void()>& what) { what(); });
  EXPECT_EQ(answer_of("readyz", set_.checks()).body,
            "[+]plugin/child ok: in a child\n"
            "[+]plugin/lost ok\n"
            "readyz check passed\n");
  EXPECT_THAT(log_, ElementsAre("start child", "drain good"));
  log_.clear();
  set_.stop();
  EXPECT_THAT(log_, ElementsAre("stop child", "stop good", "stop lost", "destroy good",
                                "destroy child", "destroy lost"));
}

TEST_F(plugin_set_test, plugins_stop_after_they_were_told) {
  ready_after({"a", "b"});
  set_.announce_drain();
  set_.stop();
  set_.stop();
  EXPECT_THAT(log_, ElementsAre("start a", "start b", "drain a", "drain b", "stop a", "stop b",
                                "destroy a", "destroy b"));
}

// Plugins whose files change while they run; the fingerprint of one is its version.
class plugin_reload_test : public plugin_set_test {
 protected:
  plugin_reload_test() {
    to_.on_loop = [](const std::function<void()>& work) { work(); };
    to_.begin = [](task<>) { return std::future<void>(); };
    to_.pause = [this] { return !stopping_; };
    to_.clock_source = &world_.clock;
  }
  // A path is a key of `files_`, and loads as the plugin "name version".
  plugin_set::loader files() {
    return [this](const std::filesystem::path& path,
                  const std::string&) -> result<std::unique_ptr<plugin::loaded_plugin>> {
      const auto text = files_[path.string()];
      if (text.starts_with("damaged")) {
        return error{plugin::plugin_error::not_a_library, path.string() + ": damaged"};
      }
      const auto space = text.find(' ');
      const auto version = text.substr(space + 1);
      return std::unique_ptr<plugin::loaded_plugin>(std::make_unique<fake_plugin>(
          text.substr(0, space), log_, !version.starts_with("lame"), version));
    };
  }
  void load(const std::vector<std::string>& paths) {
    options_.plugins = paths;
    reloaded_.load(options_, files());
    controller::controller::parts shared{};
    shared.loop = world_.loop();
    const kube::client::parts api{world_.loop(),  &transport_,    nullptr, &world_.clock,
                                  &world_.timers, metrics_.get(), nullptr};
    reloaded_.start_controllers(options_, shared, {api, nullptr, "host"});
    log_.clear();
  }
  std::string reload(const std::vector<std::string>& paths) {
    options_.plugins = paths;
    reloaded_.reload(options_, files(), to_);
    return answer_of("readyz", reloaded_.checks()).body;
  }

  std::map<std::string, std::string> files_{{"a", "one 1"}, {"b", "two 1"}};
  bool stopping_ = false;
  test::test_loop world_;
  test::scripted_transport transport_{world_};
  plugin_set::reach to_;
  options options_;
  plugin_set reloaded_{*metrics_, [this](const std::string& path) {
                         const auto& text = files_[path];
                         return text.substr(text.find(' ') + 1);
                       }};
};

TEST_F(plugin_reload_test, what_did_not_change_is_left_alone) {
  load({"a", "b"});
  reload({"b", "a"});
  EXPECT_THAT(log_, ElementsAre());
}

TEST_F(plugin_reload_test, a_new_version_is_started_before_the_old_one_is_stopped) {
  load({"a", "b"});
  files_["a"] = "one 2";
  EXPECT_THAT(reload({"a", "b"}), HasSubstr("readyz check passed"));
  EXPECT_THAT(log_, ElementsAre("start one", "drain one", "drain one", "stop one", "destroy one"));
  const auto text = metrics_->serialize();
  EXPECT_THAT(text, HasSubstr("oarlock_plugin_info{plugin=\"one\",version=\"1\"} 0"));
  EXPECT_THAT(text, HasSubstr("oarlock_plugin_info{plugin=\"one\",version=\"2\"} 1"));
  EXPECT_THAT(text,
              HasSubstr("oarlock_plugin_upgrades_total{plugin=\"one\",result=\"switched\"} 1"));
  EXPECT_THAT(text, HasSubstr("oarlock_plugin_libraries_unused 0"));
}

TEST_F(plugin_reload_test, another_quota_makes_the_plugin_begin_anew) {
  load({"a", "b"});
  ASSERT_TRUE(options_.plugin_quotas.add("one:cache-bytes=1Mi"));
  EXPECT_THAT(reload({"a", "b"}), HasSubstr("readyz check passed"));
  EXPECT_THAT(log_, ElementsAre("start one", "drain one", "drain one", "stop one", "destroy one"));
  log_.clear();
  reload({"a", "b"});
  EXPECT_THAT(log_, ElementsAre()) << "it has its quota now";
}

TEST_F(plugin_reload_test, a_version_that_cannot_run_leaves_the_old_one_in_service) {
  load({"a"});
  for (const char* bad : {"damaged 2", "one lame", "other 3"}) {
    SCOPED_TRACE(bad);
    log_.clear();
    files_["a"] = bad;
    const auto body = reload({"a"});
    EXPECT_THAT(body, HasSubstr("[+]plugin/one ok: version 1 goes on, not upgraded: "));
    EXPECT_THAT(body, HasSubstr("readyz check passed"));
    for (const auto& entry : log_)
      EXPECT_NE(entry, "stop one") << "unless it is the new one, which never ran";
    EXPECT_THAT(metrics_->serialize(),
                HasSubstr("oarlock_plugin_info{plugin=\"one\",version=\"1\"} 1"));
  }
  EXPECT_THAT(metrics_->serialize(),
              HasSubstr("oarlock_plugin_upgrades_total{plugin=\"one\",result=\"refused\"} 3"));
  files_["a"] = "one 1";
  EXPECT_THAT(reload({"a"}), HasSubstr("[+]plugin/one ok\n"));
}

TEST_F(plugin_reload_test, plugins_come_and_go_with_the_configuration) {
  load({"a"});
  EXPECT_THAT(reload({"b"}), HasSubstr("[+]plugin/two ok\n"));
  EXPECT_THAT(log_, ElementsAre("drain one", "drain one", "stop one", "destroy one", "start two"));
  EXPECT_THAT(metrics_->serialize(), HasSubstr("oarlock_plugin_loaded{plugin=\"one\"} 0"));
  files_["c"] = "damaged";
  EXPECT_THAT(reload({"b", "c"}), HasSubstr("[-]plugin/c failed: c: damaged\n"));
  files_["c"] = "three 1";
  EXPECT_THAT(reload({"b", "c"}), HasSubstr("[+]plugin/three ok\nreadyz check passed\n"));
}

TEST_F(plugin_reload_test, a_daemon_that_stops_takes_nothing_over_any_more) {
  load({"a", "b"});
  files_["a"] = files_["b"] = "one 2";
  stopping_ = true;
  reload({"a", "b"});
  EXPECT_EQ(std::count(log_.begin(), log_.end(), "start two"), 0);
}

TEST(lane_threads, few_and_never_none) {
  const struct {
    std::size_t concurrent;
    unsigned processors;
    std::size_t threads;
  } cases[] = {{16, 1, 2}, {16, 2, 2}, {16, 3, 3}, {16, 64, 4},
               {1, 64, 2}, {3, 64, 3}, {16, 0, 2}, {0, 4, 2}};
  for (const auto& c : cases) {
    EXPECT_EQ(plugin_set::lane_threads(c.concurrent, c.processors), c.threads)
        << c.concurrent << " " << c.processors;
  }
}

}  // namespace
}  // namespace oarlock::daemon
