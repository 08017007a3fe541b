#include "core/json/matcher.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/json/parse.hpp"

namespace oarlock::json {
namespace {

struct row {
  std::string why;
  std::string live;
  std::string desired;
  bool same;
};

void PrintTo(const row& r, std::ostream* out) {
  *out << r.why;
}

class matcher : public testing::TestWithParam<row> {};

TEST_P(matcher, decides) {
  const auto live = parse(GetParam().live);
  const auto desired = parse(GetParam().desired);
  ASSERT_TRUE(live && desired) << GetParam().why;
  EXPECT_EQ(contains(*live, *desired), GetParam().same) << GetParam().why;
}

INSTANTIATE_TEST_SUITE_P(
    objects, matcher,
    testing::Values(row{"equal", R"({"a":1})", R"({"a":1})", true},
                    row{"live has more", R"({"a":1,"b":2})", R"({"a":1})", true},
                    row{"live lacks a value", R"({"b":2})", R"({"a":1})", false},
                    row{"another value", R"({"a":2})", R"({"a":1})", false},
                    row{"nested subset", R"({"a":{"b":1,"c":2}})", R"({"a":{"b":1}})", true},
                    row{"nested difference", R"({"a":{"b":2}})", R"({"a":{"b":1}})", false},
                    row{"label changed", R"({"labels":{"app":"x"}})", R"({"labels":{"app":"y"}})",
                        false},
                    row{"object against scalar", R"({"a":"x"})", R"({"a":{"b":1}})", false},
                    row{"scalar against object", R"({"a":{"b":1}})", R"({"a":"x"})", false},
                    row{"bool against string", R"({"a":"true"})", R"({"a":true})", false},
                    row{"bool against bool", R"({"a":false})", R"({"a":true})", false},
                    row{"same bool", R"({"a":true})", R"({"a":true})", true}));

INSTANTIATE_TEST_SUITE_P(
    empty_and_absent, matcher,
    testing::Values(
        row{"null for absent", R"({})", R"({"a":null})", true},
        row{"null asks for nothing", R"({"a":5})", R"({"a":null})", true},
        row{"empty object for absent", R"({})", R"({"a":{}})", true},
        row{"empty object for null", R"({"a":null})", R"({"a":{}})", true},
        row{"empty object is a subset", R"({"a":{"b":1}})", R"({"a":{}})", true},
        row{"empty object against scalar", R"({"a":1})", R"({"a":{}})", false},
        row{"empty list for absent", R"({})", R"({"a":[]})", true},
        row{"empty list, live has elements", R"({"args":["x"]})", R"({"args":[]})", false},
        row{"empty merged list, live has elements", R"({"env":[{"name":"A"}]})", R"({"env":[]})",
            true},
        row{"empty string for absent", R"({})", R"({"a":""})", true},
        row{"zero for absent", R"({})", R"({"a":0})", true},
        row{"false for absent", R"({})", R"({"a":false})", true},
        row{"true is not absent", R"({})", R"({"a":true})", false},
        row{"zero, live has another", R"({"replicas":3})", R"({"replicas":0})", false},
        row{"empty string, live has another", R"({"a":"x"})", R"({"a":""})", false},
        row{"false, live has true", R"({"a":true})", R"({"a":false})", false},
        row{"object of empty members for absent", R"({})", R"({"a":{"b":"","c":{"d":0}}})", true},
        row{"object with one value is not absent", R"({})", R"({"a":{"b":"","c":1}})", false},
        row{"list of one empty object is not absent", R"({})", R"({"a":[{}]})", false}));

INSTANTIATE_TEST_SUITE_P(
    numbers, matcher,
    testing::Values(row{"integer and double", R"({"a":1.0})", R"({"a":1})", true},
                    row{"doubles", R"({"a":0.5})", R"({"a":5e-1})", true},
                    row{"2^53 and 2^53+1 differ", R"({"a":9007199254740992})",
                        R"({"a":9007199254740993})", false},
                    row{"negative and huge", R"({"a":-1})", R"({"a":18446744073709551615})", false},
                    row{"int or string", R"({"port":80})", R"({"port":"80"})", true},
                    row{"string or int", R"({"port":"80"})", R"({"port":80})", true},
                    row{"another number as text", R"({"port":"81"})", R"({"port":80})", false},
                    row{"padded text is no integer", R"({"port":"080"})", R"({"port":80})", false},
                    row{"named port", R"({"port":"http"})", R"({"port":80})", false},
                    row{"percentage", R"({"maxSurge":"25%"})", R"({"maxSurge":25})", false}));

INSTANTIATE_TEST_SUITE_P(
    quantities, matcher,
    testing::Values(
        row{"cpu", R"({"resources":{"limits":{"cpu":"1"}}})",
            R"({"resources":{"limits":{"cpu":"1000m"}}})", true},
        row{"memory", R"({"requests":{"memory":"1Gi"}})", R"({"requests":{"memory":"1024Mi"}})",
            true},
        row{"number for quantity", R"({"limits":{"cpu":"500m"}})", R"({"limits":{"cpu":0.5}})",
            true},
        row{"another amount", R"({"limits":{"cpu":"1"}})", R"({"limits":{"cpu":"1001m"}})", false},
        row{"capacity", R"({"capacity":{"storage":"1073741824"}})",
            R"({"capacity":{"storage":"1Gi"}})", true},
        row{"quota", R"({"hard":{"pods":"10"}})", R"({"hard":{"pods":10}})", true},
        row{"size limit", R"({"sizeLimit":"1Gi"})", R"({"sizeLimit":"1024Mi"})", true},
        row{"no quantity at all", R"({"limits":{"cpu":"x"}})", R"({"limits":{"cpu":"y"}})", false},
        row{"elsewhere text is text", R"({"env":[{"name":"A","value":"1000"}]})",
            R"({"env":[{"name":"A","value":"1k"}]})", false},
        row{"annotation", R"({"annotations":{"a":"1"}})", R"({"annotations":{"a":"1000m"}})",
            false},
        row{"RBAC rules also say resources", R"({"rules":[{"resources":["pods"]}]})",
            R"({"rules":[{"resources":["pods"]}]})", true}));

INSTANTIATE_TEST_SUITE_P(
    lists, matcher,
    testing::Values(
        row{"plain, equal", R"({"args":["a","b"]})", R"({"args":["a","b"]})", true},
        row{"plain, order counts", R"({"args":["b","a"]})", R"({"args":["a","b"]})", false},
        row{"plain, live longer", R"({"args":["a","b"]})", R"({"args":["a"]})", false},
        row{"plain, live shorter", R"({"args":["a"]})", R"({"args":["a","b"]})", false},
        row{"plain, elements as subsets", R"({"rules":[{"host":"x","extra":1}]})",
            R"({"rules":[{"host":"x"}]})", true},
        row{"containers with defaults",
            R"({"containers":[{"name":"a","image":"i","imagePullPolicy":"Always"}]})",
            R"({"containers":[{"name":"a","image":"i"}]})", true},
        row{"containers by name, sidecar injected",
            R"({"containers":[{"name":"s","image":"j"},{"name":"a","image":"i"}]})",
            R"({"containers":[{"name":"a","image":"i"}]})", true},
        row{"container image changed", R"({"containers":[{"name":"a","image":"j"}]})",
            R"({"containers":[{"name":"a","image":"i"}]})", false},
        row{"container missing", R"({"containers":[{"name":"b","image":"i"}]})",
            R"({"containers":[{"name":"a","image":"i"}]})", false},
        row{"no live containers", R"({"containers":[]})", R"({"containers":[{"name":"a"}]})",
            false},
        row{"two in another order", R"({"env":[{"name":"B"},{"name":"C"},{"name":"A"}]})",
            R"({"env":[{"name":"A"},{"name":"B"}]})", true},
        row{"one key twice", R"({"env":[{"name":"A","value":"1"},{"name":"A","value":"2"}]})",
            R"({"env":[{"name":"A","value":"1"},{"name":"A","value":"2"}]})", true},
        row{"one key twice, the second changed",
            R"({"env":[{"name":"A","value":"1"},{"name":"A","value":"3"}]})",
            R"({"env":[{"name":"A","value":"1"},{"name":"A","value":"2"}]})", false},
        row{"one key twice, live once", R"({"env":[{"name":"A","value":"1"}]})",
            R"({"env":[{"name":"A","value":"1"},{"name":"A","value":"2"}]})", false},
        row{"env value changed", R"({"env":[{"name":"A","value":"2"}]})",
            R"({"env":[{"name":"A","value":"1"}]})", false},
        row{"container ports, protocol defaulted",
            R"({"ports":[{"containerPort":80,"protocol":"TCP"}]})",
            R"({"ports":[{"containerPort":80}]})", true},
        row{"container ports, other protocol",
            R"({"ports":[{"containerPort":80,"protocol":"UDP"}]})",
            R"({"ports":[{"containerPort":80}]})", false},
        row{"service ports", R"({"ports":[{"port":80,"protocol":"TCP","nodePort":30000}]})",
            R"({"ports":[{"port":80,"targetPort":0}]})", true},
        row{"volume mounts by path",
            R"({"volumeMounts":[{"mountPath":"/t","name":"t"},{"mountPath":"/d","name":"d"}]})",
            R"({"volumeMounts":[{"mountPath":"/d","name":"d"}]})", true},
        row{"volume devices", R"({"volumeDevices":[{"devicePath":"/a","name":"x"}]})",
            R"({"volumeDevices":[{"devicePath":"/a","name":"y"}]})", false},
        row{"host aliases by ip", R"({"hostAliases":[{"ip":"1.1.1.1","hostnames":["a"]}]})",
            R"({"hostAliases":[{"ip":"1.1.1.1","hostnames":["a"]}]})", true},
        row{"owners by uid", R"({"ownerReferences":[{"uid":"1"},{"uid":"2","kind":"K"}]})",
            R"({"ownerReferences":[{"uid":"2","kind":"K"}]})", true},
        row{"owner missing", R"({"ownerReferences":[{"uid":"1"}]})",
            R"({"ownerReferences":[{"uid":"2"}]})", false},
        row{"conditions by type",
            R"({"conditions":[{"type":"A","status":"True"},{"type":"B","status":"True"}]})",
            R"({"conditions":[{"type":"B","status":"True"}]})", true},
        row{"finalizers are a set", R"({"finalizers":["x","y"]})", R"({"finalizers":["y"]})", true},
        row{"finalizer missing", R"({"finalizers":["x"]})", R"({"finalizers":["y"]})", false},
        row{"tolerations are atomic", R"({"tolerations":[{"key":"a"},{"key":"b"}]})",
            R"({"tolerations":[{"key":"a"}]})", false},
        row{"elements without the key are compared in place", R"({"containers":[{"image":"i"}]})",
            R"({"containers":[{"image":"i"}]})", true},
        row{"list against object", R"({"a":{}})", R"({"a":[1]})", false}));

TEST(matcher, gives_up_on_values_nested_too_deep) {
  rapidjson::Document deep;
  deep.SetInt(1);
  for (int i = 0; i < 1000; ++i) {
    rapidjson::Value outer(rapidjson::kArrayType);
    outer.PushBack(static_cast<rapidjson::Value&>(deep).Move(), deep.GetAllocator());
    static_cast<rapidjson::Value&>(deep) = outer;
  }
  EXPECT_FALSE(contains(deep, deep));
}

}  // namespace
}  // namespace oarlock::json
