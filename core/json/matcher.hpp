#pragma once
// Does the live object already say what we want? Decides whether a child is written again, so it
// must neither overlook drift nor see drift in what the API server merely spelt or filled in.
#include <rapidjson/document.h>

namespace oarlock::json {

/// True when every value of `desired` is in `live` after normalising:
///  - objects: as a subset, member by member; what `live` has besides is not our business
///  - lists whose elements have a well-known merge key (containers by name, ports by number and
///    protocol, ...): as a subset by that key; finalizers: as a subset; other lists: elementwise,
///    same length
///  - null asks for nothing; {}, [], "", 0, false and objects of nothing else equal absent when
///  `live`
///    lacks the member or has null
///  - numbers by value (1 == 1.0), an integer and its decimal text (80 == "80")
///  - quantities (1000m == 1), where built-in types hold them: below resources, limits, requests,
///    capacity, hard, storage and their like. Elsewhere text is text: "1k" of an env value is not
///    1000
/// Deeper than limits::json_depth_max it answers false. Thread: any.
[[nodiscard]] bool contains(const rapidjson::Value& live, const rapidjson::Value& desired);

}  // namespace oarlock::json
