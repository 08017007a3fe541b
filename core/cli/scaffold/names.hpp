#pragma once
// The names of a project and of its APIs: what people type, checked and completed.
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace oarlock::cli {

/// What `oarlock init` fixes; the file PROJECT keeps it.
struct project_names {
  std::string domain;   ///< example.com
  std::string repo;     ///< github.com/example/myapp-operator
  std::string project;  ///< myapp-operator
  std::string plugin;   ///< myapp: what plugin.yaml and the library are called
};

/// One kind.
struct api_names {
  std::string group;    ///< example.com
  std::string version;  ///< v1alpha1
  std::string kind;     ///< MyApp
  std::string lower;    ///< myapp
  std::string plural;   ///< myapps
  std::string notice;   ///< what a person should know about the group; may be empty
};

/// `project` empty: the last part of `repo`; that empty too: `folder`, and the repository is
/// <domain>/<project>.
[[nodiscard]] result<project_names> name_project(const std::string& domain, const std::string& repo,
                                                 const std::string& project,
                                                 const std::string& folder);

/// `group` is completed by the domain: "apps" of example.com is apps.example.com. One that repeats
/// the domain's first label, or none, is the domain itself. `plural` empty: made of the kind.
[[nodiscard]] result<api_names> name_api(const std::string& domain, const std::string& group,
                                         const std::string& version, const std::string& kind,
                                         const std::string& plural);

/// The English plural that Kubernetes would take: myapps, policies, ingresses.
[[nodiscard]] std::string plural_of(std::string_view lower_kind);

/// How the struct of a kind is called in the kind's plan: as the types made of its CRD call it,
/// with
/// "_" behind a name that the plan has for something else.
[[nodiscard]] std::string type_of_kind(std::string_view kind);

/// A name of C++ for what belongs to a kind: its lower-case name, with "_" behind a keyword.
[[nodiscard]] std::string namespace_of(std::string_view lower_kind);

}  // namespace oarlock::cli
