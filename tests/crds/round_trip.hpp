#pragma once
// Objects in, the same objects out: the main function of the programs that run.sh makes.
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "oarlock/sdk/typed/object_meta.hpp"

namespace oarlock::crds {

struct kind {
  std::string_view api_version, name;
  std::string (*round_trip)(const rapidjson::Value&);
};

template <sdk::described T>
kind of() {
  return {T::api_version, T::kind,
          [](const rapidjson::Value& given) { return sdk::to_json(sdk::from_json<T>(given)); }};
}

// Each argument is a file with one object in JSON. Prints how many came back as they were.
template <std::size_t Size>
int run(const kind (&kinds)[Size], int argc, char** argv) {
  int same = 0, other_kinds = 0, failed = 0;
  for (int i = 1; i < argc; ++i) {
    std::ifstream in(argv[i]);
    std::ostringstream text;
    text << in.rdbuf();
    const auto given = sdk::json::parse(text.view());
    const sdk::json::node root(&given);
    const kind* found = nullptr;
    for (const auto& one : kinds) {
      if (root["apiVersion"].text() == one.api_version && root["kind"].text() == one.name) {
        found = &one;
      }
    }
    if (found == nullptr) {
      ++other_kinds;
      continue;
    }
    try {
      const std::string back = found->round_trip(given);
      if (sdk::json::parse(back) == given) {
        ++same;
        continue;
      }
      std::printf("%s: came back as %s\n", argv[i], back.c_str());
    } catch (const sdk::json::parse_error& e) {
      std::printf("%s: %s\n", argv[i], e.what());
    }
    ++failed;
  }
  std::printf("%zu kinds, %d objects came back as they were, %d did not; %d of other kinds\n", Size,
              same, failed, other_kinds);
  return failed == 0 && (same > 0 || argc == 1) ? 0 : 1;
}

}  // namespace oarlock::crds
