#pragma once
// Whether a CRD of the cluster is what a plugin brings. The daemon only reads CRDs: people apply
// them. Pure.
#include <rapidjson/document.h>

#include <string>

namespace oarlock::package {

/// What `live` lacks of `wanted`, in words: a version that is served, or a field of its schema.
/// Empty: nothing; it may have more. Both are CustomResourceDefinitions; what is no such thing
/// lacks everything.
[[nodiscard]] std::string crd_gap(const rapidjson::Value& wanted, const rapidjson::Value& live);

}  // namespace oarlock::package
