#include "tests/integration/zoo_plugin.hpp"

#include <fstream>

#include "oarlock/abi.h"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {

namespace fs = std::filesystem;

std::string animals_crd() {
  return R"(apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: animals.zoo.example.com}
spec:
  group: zoo.example.com
  scope: Namespaced
  names: {kind: Animal, plural: animals, singular: animal, listKind: AnimalList}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
)";
}

std::string animal(const std::string& name) {
  return "---\n{apiVersion: zoo.example.com/v1, kind: Animal, metadata: {name: " + name + "}}\n";
}

void make_zoo(const fs::path& folder, const std::string& library,
              const std::string& config_schema) {
  fs::copy_file(
      test_plugin("observer").parent_path().parent_path() / "zoo" / ("lib" + library + ".so"),
      folder / "libzoo.so", fs::copy_options::overwrite_existing);
  std::ofstream(folder / "plugin.yaml")
      << "apiVersion: oarlock.dev/v1alpha1\n"
         "kind: PluginManifest\n"
         "metadata: {name: zoo}\n"
         "spec:\n"
         "  version: 1.0.0\n"
         "  library: libzoo.so\n"
         "  abi: {major: "
      << OARLOCK_ABI_MAJOR << ", minor: " << OARLOCK_ABI_MINOR << "}\n"
      << (config_schema.empty() ? "" : "  configSchema: " + config_schema + "\n")
      << "  controllers:\n"
         "    - name: zoo\n"
         "      primary: {apiVersion: zoo.example.com/v1, kind: Animal, plural: animals}\n";
}

}  // namespace oarlock::testing
