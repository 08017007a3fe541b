#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/log.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/random.hpp"
#include "core/base/result.hpp"
#include "core/base/sha256.hpp"
#include "core/base/uuid.hpp"

namespace oarlock {
namespace {

using ::testing::HasSubstr;

TEST(Sha256, MatchesTheStandardsExample) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Result, ErrorsGainContext) {
  const error inner{{}, "expected x, found y"};
  EXPECT_EQ(inner.within("read f").message, "read f: expected x, found y");
}

std::string logged(log_format format, std::string_view message,
                   std::initializer_list<log_field> fields) {
  log_configure(log_level::info, format);
  ::testing::internal::CaptureStderr();
  log(log_level::info, message, fields);
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, JsonEscapesWhatCouldBreakALine) {
  const auto line = logged(log_format::json, "a \"quoted\"\nmessage",
                           {{"bad", std::string_view("\xff\x1b[31m", 6)}, {"n", 7}, {"ok", true}});
  EXPECT_THAT(line, HasSubstr(R"("msg":"a \"quoted\"\u000amessage")"));
  EXPECT_THAT(line, HasSubstr(R"("bad":"\u00ff\u001b[31m")"));
  EXPECT_THAT(line, HasSubstr(R"("n":7,"ok":true)"));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST(Log, TextQuotesValuesWithSpaces) {
  const auto line = logged(log_format::text, "hello", {{"a", "b c"}, {"d", "e"}});
  EXPECT_THAT(line, HasSubstr("hello a=\"b c\" d=e"));
}

TEST(Log, KeepsValidUtf8AndDropsLowerLevels) {
  EXPECT_THAT(logged(log_format::json, "grün €😀", {}), HasSubstr("grün €😀"));
  ::testing::internal::CaptureStderr();
  log_debug("not this");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

class two_fields final : public log_context {
 public:
  explicit two_fields(std::string id) : id_(std::move(id)) {}
  void add_to(std::vector<log_field>& fields) const override {
    fields.emplace_back("name", "x y");
    fields.emplace_back("reconcileID", id_);
  }

 private:
  std::string id_;
};

TEST(Log, RecordsInAScopeCarryItsContext) {
  const log_scope outer(std::make_shared<two_fields>("1"));
  EXPECT_THAT(logged(log_format::json, "hello", {{"a", 1}}),
              HasSubstr(R"("msg":"hello","a":1,"name":"x y","reconcileID":"1"})"));
  EXPECT_THAT(logged(log_format::text, "hello", {}), HasSubstr("hello name=\"x y\" reconcileID=1"));
  {
    const log_scope inner(std::make_shared<two_fields>("2"));
    EXPECT_THAT(logged(log_format::text, "hello", {{"name", "own"}}),
                HasSubstr("hello name=own reconcileID=2\n"));
    const log_scope none(nullptr);
    EXPECT_THAT(logged(log_format::text, "hello", {}), HasSubstr("hello\n"));
  }
  EXPECT_THAT(logged(log_format::text, "hello", {}), HasSubstr("reconcileID=1\n"));
}

TEST(MetricRegistry, SameNameAndLabelsGiveTheSameMetric) {
  const auto registry = make_prometheus_registry();
  registry->make_counter("x_total", "help", {{"plugin", "a"}}).add();
  registry->make_counter("x_total", "help", {{"plugin", "a"}}).add(2);
  registry->make_counter("x_total", "help", {{"plugin", "b"}}).add();
  const auto text = registry->serialize();
  EXPECT_THAT(text, HasSubstr("x_total{plugin=\"a\"} 3"));
  EXPECT_THAT(text, HasSubstr("x_total{plugin=\"b\"} 1"));
}

TEST(MetricRegistry, WhatIsRemovedAsOftenAsItWasMadeIsGone) {
  const auto registry = make_prometheus_registry();
  auto& one = registry->make_counter("x_total", "help", {{"plugin", "a"}});
  auto& same = registry->make_counter("x_total", "help", {{"plugin", "a"}});
  registry->make_counter("y_total", "help", {});
  EXPECT_THROW(registry->make_gauge("x_total", "help", {}), std::invalid_argument);
  registry->remove(one);
  same.add(3);
  EXPECT_THAT(registry->serialize(), HasSubstr("x_total{plugin=\"a\"} 3"));
  registry->remove(same);
  const auto text = registry->serialize();
  EXPECT_THAT(text, Not(HasSubstr("x_total")));
  EXPECT_THAT(text, HasSubstr("y_total"));
  auto& other = registry->make_histogram("x_total", "now of another type", {}, {1, 2});
  other.observe_many({1, 0, 4}, 20);
  EXPECT_THAT(registry->serialize(), HasSubstr("x_total_sum 20\nx_total_bucket{le=\"1\"} 1\n"));
  registry->remove(other);
}

TEST(MetricRegistry, RefreshesBeforeAScrape) {
  const auto registry = make_prometheus_registry();
  auto& g = registry->make_gauge("g", "help", {});
  double value = 1;
  registry->before_scrape([&] { g.set(value); });
  EXPECT_THAT(registry->serialize(), HasSubstr("g 1"));
  value = 2;
  EXPECT_THAT(registry->serialize(), HasSubstr("g 2"));
}

class fixed_random final : public random_source {
 public:
  std::uint64_t value = 0;
  std::uint64_t next() override { return value; }
};

TEST(Uuid, IsOfVersion4) {
  fixed_random random;
  EXPECT_EQ(uuid(random).text(), "00000000-0000-4000-8000-000000000000");
  random.value = ~std::uint64_t{0};
  EXPECT_EQ(uuid(random).text(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

TEST(Random, JitterStaysInItsBand) {
  using namespace std::chrono_literals;
  fixed_random low;
  EXPECT_EQ(low.jitter(100ms, 1.0), 100ms);
  fixed_random high;
  high.value = ~std::uint64_t{0};
  EXPECT_GT(high.jitter(100ms, 1.0), 199ms);
  EXPECT_LT(high.jitter(100ms, 1.0), 200ms);
}

}  // namespace
}  // namespace oarlock
