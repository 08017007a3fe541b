#include "core/cache/object_decoder.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "core/base/limits.hpp"
#include "core/json/parse.hpp"
#include "tests/support/fake_clock.hpp"

namespace oarlock::cache {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

const kube::resource deployments{"apps", "v1", "Deployment", "deployments", true};
const kube::resource nodes{"", "v1", "Node", "nodes", false};

TEST(object_decoder, reads_the_metadata) {
  object_decoder decoder(deployments);
  const auto got = decoder.decode(R"({"kind":"Deployment","apiVersion":"apps/v1","metadata":{
    "name":"web","namespace":"shop","uid":"u-1","resourceVersion":"42","generation":7,
    "creationTimestamp":null,"deletionTimestamp":"2026-01-01T00:00:00Z",
    "labels":{"app":"web","metadata":"x"},"annotations":{"a":"b",
      "kubectl.kubernetes.io/last-applied-configuration":"{}"},
    "ownerReferences":[{"apiVersion":"example.com/v1","kind":"MyApp","name":"web","uid":"o-1",
      "controller":true,"blockOwnerDeletion":true},{"apiVersion":"v1","kind":"Node","name":"n",
      "uid":"o-2"}],
    "finalizers":["x/y","z"],"name2":{"labels":{"no":"label"}}},
    "spec":{"metadata":{"name":"other","labels":{"no":"label"}},"kind":"No","uid":"no"}})");
  ASSERT_TRUE(got.has_value()) << got.error().message;
  const object_meta& meta = (*got)->meta();
  EXPECT_EQ(meta.key, (object_key{"shop", "web"}));
  EXPECT_EQ(meta.uid, "u-1");
  EXPECT_EQ(meta.resource_version, "42");
  EXPECT_EQ(meta.generation, 7);
  EXPECT_TRUE(meta.deleting);
  EXPECT_THAT(meta.labels, ElementsAre(Pair("app", "web"), Pair("metadata", "x")));
  EXPECT_THAT(meta.annotations, ElementsAre(Pair("a", "b")));
  EXPECT_THAT(meta.finalizers, ElementsAre("x/y", "z"));
  ASSERT_EQ(meta.owners.size(), 2U);
  EXPECT_EQ(meta.owners[0].kind, "MyApp");
  EXPECT_EQ(meta.owners[0].api_version, "example.com/v1");
  EXPECT_EQ(meta.owners[0].name, "web");
  ASSERT_NE(meta.controller(), nullptr);
  EXPECT_EQ(meta.controller()->uid, "o-1");
  EXPECT_EQ(meta.owners[1].uid, "o-2");
}

struct packing {
  std::string why, text, packed;
};
void PrintTo(const packing& r, std::ostream* out) {
  *out << r.why;
}

class packs : public testing::TestWithParam<packing> {};
TEST_P(packs, compactly_and_exactly) {
  object_decoder decoder(nodes);
  const auto got = decoder.decode(GetParam().text);
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ((*got)->json(), GetParam().packed);
}
INSTANTIATE_TEST_SUITE_P(
    table, packs,
    testing::Values(
        packing{"apiVersion and kind are filled in", R"({"metadata":{"name":"n"}})",
                R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"n"}})"},
        packing{"what is there stays",
                R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}})",
                R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}})"},
        packing{"only the missing one", R"({"metadata":{"name":"n"},"kind":"Node"})",
                R"({"apiVersion":"v1","metadata":{"name":"n"},"kind":"Node"})"},
        packing{
            "managedFields are left out",
            R"({"apiVersion":"v1","kind":"Node","metadata":{"managedFields":[{"a":[{}],"b":"}"}],
                  "name":"n","managedFields2":[1]},"managedFields":[2],
                  "spec":{"managedFields":{"keep":true}}})",
            R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n","managedFields2":[1]},)"
            R"("managedFields":[2],"spec":{"managedFields":{"keep":true}}})"},
        packing{"managedFields last, null",
                R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n","managedFields":null}})",
                R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}})"},
        packing{"numbers keep their text",
                R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n"},)"
                R"("a":[1.0, 9007199254740993, -0, 1e5, 1.50E+2, 123456789012345678901234567890]})",
                R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n"},)"
                R"("a":[1.0,9007199254740993,-0,1e5,1.50E+2,123456789012345678901234567890]})"},
        packing{"strings are unescaped where they can be",
                R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n"},)"
                R"("a":"\u003cb\u003e \u00e9 \ud83d\ude00 \" \\ \/ \u0000"})",
                "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"n\"},"
                "\"a\":\"<b> \xc3\xa9 \xf0\x9f\x98\x80 \\\" \\\\ / \\u0000\"}"},
        packing{"empty objects and lists",
                R"({ "apiVersion" : "v1" , "kind" : "Node", "metadata" : { "name" : "n" },)"
                R"( "a" : { } , "b" : [ ] , "c" : [ [ ] , { } , true , false , null ] })",
                R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n"},)"
                R"("a":{},"b":[],"c":[[],{},true,false,null]})"}));

struct bad {
  std::string text, says;
};
void PrintTo(const bad& r, std::ostream* out) {
  *out << r.text;
}

class bad_objects : public testing::TestWithParam<bad> {};
TEST_P(bad_objects, are_refused_with_a_reason) {
  object_decoder decoder(deployments);
  const auto got = decoder.decode(GetParam().text);
  ASSERT_TRUE(got.has_error());
  EXPECT_THAT(got.error().message, HasSubstr(GetParam().says));
  const auto next = decoder.decode(R"({"metadata":{"name":"n","namespace":"s"}})");
  EXPECT_TRUE(next.has_value()) << "the next object is not affected";
}
INSTANTIATE_TEST_SUITE_P(
    table, bad_objects,
    testing::Values(
        bad{"7", "expected an object, found a number"},
        bad{"{\"metadata\":{\"name\":\"a name beyond the inline buffer\xf2", "at byte"},
        bad{"{\"metadata\":{\"name\":\"a name beyond the inline buffer\xf2}", "at byte"},
        bad{"[]", "expected an object, found a list"}, bad{"{}", "expected metadata.name"},
        bad{R"({"metadata":null})", "expected metadata.name"},
        bad{R"({"metadata":{"name":"n","namespace":"s"},"x":"\ude00"})", "surrogate"},
        bad{R"({"metadata":{"name":"n","namespace":"s"},"\ude00":1})", "surrogate"},
        bad{R"({"metadata":{"name":""}})", "expected metadata.name"},
        bad{R"({"metadata":{"name":"n"}})", "expected metadata.namespace"},
        bad{R"({"metadata":[]})", "expected metadata to be an object, found a list"},
        bad{R"({"metadata":{"name":7}})", "expected metadata.name to be a string, found a number"},
        bad{R"({"metadata":{"name":{"a":1}}})", "metadata.name to be a string, found an object"},
        bad{R"({"kind":null,"metadata":{"name":"n","namespace":"s"}})", "found null"},
        bad{R"({"kind":1,"metadata":{"name":"n","namespace":"s"}})",
            "expected kind to be a string"},
        bad{R"({"metadata":{"name":"n","namespace":"s","resourceVersion":5}})", "resourceVersion"},
        bad{R"({"metadata":{"name":"n","namespace":"s","generation":"5"}})", "generation"},
        bad{R"({"metadata":{"name":"n","namespace":"s","generation":1.5}})", "integer of 64 bits"},
        bad{R"({"metadata":{"name":"n","namespace":"s","labels":["a"]}})", "metadata.labels"},
        bad{R"({"metadata":{"name":"n","namespace":"s","labels":{"a":1}}})",
            "label a to be a string"},
        bad{R"({"metadata":{"name":"n","namespace":"s","annotations":{"a":{}}}})", "annotation a"},
        bad{R"({"metadata":{"name":"n","namespace":"s","finalizers":[1]}})", "finalizers[]"},
        bad{R"({"metadata":{"name":"n","namespace":"s","ownerReferences":["a"]}})",
            "ownerReferences[] to be an object"},
        bad{R"({"metadata":{"name":"n","namespace":"s","ownerReferences":[{"uid":1}]}})",
            "ownerReferences.uid"},
        bad{R"({"metadata":{"name":"n","namespace":"s"},"a":1,"a":2})", "found one twice"},
        bad{R"({"metadata":{"name":"n","namespace":"s"},"a":{"b":[{"c":1,"c":1}]}})", "twice"},
        bad{R"({"metadata":{"name":"n","namespace":"s"},"a":)" +
                std::string(limits::json_depth_max, '[') +
                std::string(limits::json_depth_max, ']') + "}",
            "at most 128 levels"},
        bad{"{\"metadata\":{\"name\":\"\xff\",\"namespace\":\"s\"}}", "encoding"},
        bad{R"({"metadata":{"name":"n","namespace":"s"}} {})", "expected JSON"},
        bad{R"({"metadata":{"name":"n","namespace":"s"}})" + std::string("\0x", 2),
            "more behind it"},
        bad{R"({"metadata":{"name":"n","namespace":"s"})", "expected JSON"},
        bad{"", "expected JSON"}));

TEST(watch_line, has_a_type_and_an_object_in_any_order) {
  object_decoder decoder(nodes);
  const std::string object = R"({"metadata":{"name":"n","resourceVersion":"5"}})";
  for (const auto& [text, type] : {std::pair{"ADDED", watch_event_type::added},
                                   {"MODIFIED", watch_event_type::modified},
                                   {"DELETED", watch_event_type::deleted}}) {
    for (const auto& line : {R"({"type":")" + std::string(text) + R"(","object":)" + object + "}",
                             R"({ "object" : )" + object + R"( , "type" : ")" + text + "\" }",
                             R"({"a":1,"type":")" + std::string(text) + R"(","object":)" + object +
                                 R"(,"b":[{"object":2}] } )"}) {
      const auto event = decoder.decode_watch_line(line);
      ASSERT_TRUE(event.has_value()) << event.error().message;
      EXPECT_EQ(event->type, type);
      EXPECT_EQ(event->resource_version, "5");
      ASSERT_NE(event->object, nullptr);
      EXPECT_EQ(
          event->object->json(),
          R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"n","resourceVersion":"5"}})");
    }
  }
}

TEST(watch_line, may_be_a_bookmark) {
  object_decoder decoder(nodes);
  auto event = decoder.decode_watch_line(
      R"({"type":"BOOKMARK","object":{"kind":"Node","apiVersion":"v1","metadata":)"
      R"({"resourceVersion":"9","creationTimestamp":null}}})");
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->type, watch_event_type::bookmark);
  EXPECT_EQ(event->resource_version, "9");
  EXPECT_FALSE(event->initial_events_end);
  event = decoder.decode_watch_line(
      R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","annotations":)"
      R"({"k8s.io/initial-events-end":"true"}}}})");
  ASSERT_TRUE(event.has_value());
  EXPECT_TRUE(event->initial_events_end);
  EXPECT_TRUE(decoder.decode_watch_line(R"({"type":"BOOKMARK","object":{}})").has_error());
}

TEST(watch_line, may_be_an_error) {
  object_decoder decoder(nodes);
  auto event = decoder.decode_watch_line(
      R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}})");
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->type, watch_event_type::error);
  EXPECT_EQ(event->status_code, 410);
  EXPECT_THAT(event->status, HasSubstr("Expired"));
  // 4294967706 is 410 in 32 bits.
  for (const char* code : {"", ",\"code\":4294967706", ",\"code\":-1"}) {
    event = decoder.decode_watch_line(R"({"type":"ERROR","object":{"kind":"Status")" +
                                      std::string(code) + "}}");
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->status_code, 500) << code;
  }
}

TEST(watch_line, of_unknown_type_is_no_failure) {
  object_decoder decoder(nodes);
  const auto event = decoder.decode_watch_line(R"({"type":"NEWER","object":{"x":1}})");
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->type, watch_event_type::unknown);
}

TEST(watch_line, tells_a_bad_object_from_a_broken_stream) {
  object_decoder decoder(nodes);
  for (const char* line :
       {R"({"type":"ADDED","object":{"metadata":{}}})", R"({"type":"ADDED","object":7})",
        R"({"type":"ADDED","object":{"a":1,"a":1}})"}) {
    const auto event = decoder.decode_watch_line(line);
    ASSERT_TRUE(event.has_error()) << line;
    EXPECT_EQ(event.error().code, json::json_error::wrong_shape) << line;
  }
  for (const char* line :
       {"", "not found", "404 page not found", "{", R"({"type":"ADDED"})", R"({"object":{}})",
        R"({"kind":"Status","code":500})", R"({"type":"ADDED","object":{"metadata":{"name":"n"})",
        R"({"type":"ADDED","object":{}} x)", R"({"type":"ERROR","object":{"a")",
        R"({"type":"ADDED","object":{},"object":{}})"}) {
    const auto event = decoder.decode_watch_line(line);
    ASSERT_TRUE(event.has_error()) << line;
    EXPECT_NE(event.error().code, json::json_error::wrong_shape) << line;
  }
}

struct page {
  std::vector<std::string> objects;
  std::vector<std::string> bad;
  std::string version, token, failure;
  std::optional<std::int64_t> remaining;
};

page read_page(std::string body) {
  object_decoder decoder(nodes);
  list_decoder list(decoder, std::move(body));
  page out;
  while (true) {
    auto item = list.next();
    if (!item) {
      out.failure = item.error().message;
      return out;
    }
    if (!item->has_value()) break;
    if ((*item)->object)
      out.objects.emplace_back((*item)->object->json());
    else
      out.bad.push_back((*item)->bad.message);
  }
  out.version = list.resource_version();
  out.token = list.continue_token();
  out.remaining = list.remaining();
  return out;
}

TEST(list_page, is_decoded_item_by_item) {
  const auto got = read_page(R"({"kind":"NodeList","apiVersion":"v1","metadata":
    {"resourceVersion":"77","continue":"t/==","remainingItemCount":3},"items":[
      {"metadata":{"name":"a"}}, {"metadata":{"name":"b"},"kind":"Node","apiVersion":"v1"} ]})"
                             "\n");
  EXPECT_EQ(got.failure, "");
  EXPECT_THAT(got.objects,
              ElementsAre(R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"a"}})",
                          R"({"metadata":{"name":"b"},"kind":"Node","apiVersion":"v1"})"));
  EXPECT_EQ(got.version, "77");
  EXPECT_EQ(got.token, "t/==");
  EXPECT_EQ(got.remaining, 3);
}

// What a real API server sends of a ConfigMap: an item of its list has neither kind nor apiVersion.
TEST(list_page, has_the_bytes_of_a_watch_for_the_same_version) {
  const std::string rest = R"("metadata":{"name":"n","resourceVersion":"5"},"spec":{"a":"b"}})";
  object_decoder decoder(nodes);
  const auto event = decoder.decode_watch_line(
      R"({"type":"ADDED","object":{"kind":"Node","apiVersion":"v1",)" + rest + "}");
  ASSERT_TRUE(event.has_value()) << event.error().message;
  const auto listed = read_page(
      R"({"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[{)" +
      rest + "]}");
  EXPECT_THAT(listed.objects, ElementsAre(event->object->json()));
}

TEST(list_page, may_be_empty_and_in_any_order) {
  for (const char* items : {"[]", "null"}) {
    const auto got = read_page(R"({"items":)" + std::string(items) +
                               R"(,"metadata":{"resourceVersion":"1"},"kind":"NodeList"})");
    EXPECT_EQ(got.failure, "");
    EXPECT_EQ(got.version, "1");
    EXPECT_TRUE(got.objects.empty());
  }
}

TEST(list_page, skips_bad_objects_and_goes_on) {
  const auto got = read_page(R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":[
      7, {"metadata":{"name":"a"}}, {"metadata":{}}, {"metadata":{"name":"b","labels":{"x":1}}},
      null, {"metadata":{"name":"c"},"x":tru}, {"metadata":{"name":"d"}}]})");
  EXPECT_EQ(got.failure, "");
  EXPECT_EQ(got.objects.size(), 2U);
  ASSERT_EQ(got.bad.size(), 5U);
  EXPECT_THAT(got.bad[0], HasSubstr("items[0]"));
  EXPECT_THAT(got.bad[2], HasSubstr("items[3]: Node b: expected label x"));
}

TEST(list_page, is_refused_as_a_whole_when_it_is_no_list) {
  const std::string good = R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":[]})";
  EXPECT_EQ(read_page(good).failure, "");
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(read_page(good.substr(0, size)).failure, "") << "cut after " << size;
  }
  for (const char* text :
       {"{}", "[]", "null", "404 page not found", R"({"kind":"NodeList","items":[]})",
        R"({"kind":"NodeList","metadata":{"resourceVersion":"1"}})",
        R"({"kind":"NodeList","metadata":{"resourceVersion":1},"items":[]})",
        R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":{}})",
        R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":[],"items":[]})",
        R"({"kind":"Status","metadata":{"resourceVersion":"1"},"items":[]})",
        R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":[]}x)",
        R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":[{},]})",
        R"({"kind":"NodeList","metadata":{"resourceVersion":"1"},"items":[{} {}]})"}) {
    EXPECT_NE(read_page(text).failure, "") << text;
  }
}

// The decoder against the DOM parser: they must accept the same texts and mean the same by them.
void compare_with_dom(const std::string& text) {
  object_decoder decoder(nodes);
  const auto decoded = decoder.decode(text);
  auto dom = json::parse(text);
  if (!dom) {
    EXPECT_TRUE(decoded.has_error()) << text;
    return;
  }
  if (!decoded) {
    EXPECT_EQ(decoded.error().code, json::json_error::wrong_shape)
        << text << ": " << decoded.error().message;
    return;
  }
  if (auto* metadata = const_cast<rapidjson::Value*>(json::find(*dom, "/metadata"));
      metadata != nullptr && metadata->IsObject()) {
    metadata->EraseMember("managedFields");
  }
  auto packed = json::parse((*decoded)->json());
  ASSERT_TRUE(packed.has_value()) << text;
  for (const char* filled_in : {"apiVersion", "kind"}) {
    if (!dom->HasMember(filled_in)) packed->EraseMember(filled_in);
  }
  EXPECT_TRUE(*dom == *packed) << text << "\n" << (*decoded)->json();
}

TEST(object_decoder, agrees_with_the_dom_parser_on_damaged_texts) {
  const std::string sound =
      R"({"kind":"Node","metadata":{"name":"n","managedFields":[{"a":{"b":["}"]}}],"labels":)"
      R"({"x":"\u00e9\n"},"ownerReferences":[{"uid":"u","controller":true}],"finalizers":["f"]},)"
      R"("spec":{"a":[1,-2.5e3,true,null,{}],"b":"\"\\ )"
      "\xc3\xa9\"}}";
  compare_with_dom(sound);
  static constexpr char characters[] = "{}[]\",:\\0123-.eEtrufalsn \n\0\x80\xc3\xa9\"\"";
  constexpr std::string_view alphabet(characters, sizeof(characters) - 1);
  test::seeded_random random(7);
  int accepted = 0;
  for (int round = 0; round < 20000 && !testing::Test::HasFailure(); ++round) {
    std::string text = sound;
    for (auto edits = 1 + random.below(3); edits > 0; --edits) {
      const std::size_t at = random.below(text.size());
      switch (random.below(4)) {
        case 0:
          text[at] = alphabet[random.below(alphabet.size())];
          break;
        case 1:
          text.erase(at, 1 + random.below(6));
          break;
        case 2:
          text.insert(at, 1, alphabet[random.below(alphabet.size())]);
          break;
        default:
          text.insert(at, text.substr(random.below(text.size()), random.below(20)));
      }
      if (text.empty()) text = "x";
    }
    compare_with_dom(text);
    accepted += json::parse(text).has_value() ? 1 : 0;
    object_decoder decoder(nodes);
    static_cast<void>(decoder.decode_watch_line(R"({"type":"ADDED","object":)" + text + "}"));
    static_cast<void>(read_page(R"({"metadata":{"resourceVersion":"1"},"items":[)" + text + "]}"));
  }
  EXPECT_GT(accepted, 500) << "damage that leaves JSON must be tried too";
}

}  // namespace
}  // namespace oarlock::cache
