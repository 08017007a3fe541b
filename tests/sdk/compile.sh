#!/usr/bin/env bash
# The SDK with GCC 12, the oldest compiler that plugins may be built with, and without coroutines:
# it and the typed plugin myapp compile without a warning, misuse does not compile and says why.
#
#   tests/sdk/compile.sh BUILD     a build folder whose plugins are built, as build/dev
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$(cd "$1" && pwd -P)
readonly build
command -v g++-12 >/dev/null || {
  echo "no g++-12 on this machine"
  exit 77
}
work=$(mktemp -d)
readonly work
trap 'rm -rf "$work"' EXIT

readonly flags=(-std=c++20 -fno-coroutines -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow
  -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror -fmax-errors=5
  -DRAPIDJSON_HAS_STDSTRING=1 -Iplugin-api/include -Iplugin-api/sdk "-I$build/plugin-api/types"
  "-I$build/plugin-objects/myapp/plugin_myapp-types")

echo "== myapp, and every header of the SDK"
{
  for source in plugins/myapp/src/*.cpp; do echo "#include \"$PWD/$source\""; done
  find plugin-api/sdk/oarlock -name '*.hpp' -not -path '*/testing/*' |
    sed "s|.*|#include \"$PWD/&\"|"
} >"$work/myapp.cpp"
g++-12 "${flags[@]}" "$work/myapp.cpp"

echo "== the same for the oldest minor"
oldest=$(sed -n 's/^#define OARLOCK_OLDEST_MINOR //p' plugin-api/include/oarlock/abi.h)
g++-12 "${flags[@]}" "-DOARLOCK_TARGET_MINOR=$oldest" "$work/myapp.cpp"

echo "== kinds whose names meet"
types=$build/core/codegen/codegen_test-types
find "$types" -name '*.hpp' -printf '#include "%p"\n' >"$work/names.cpp"
[[ -s $work/names.cpp ]]
g++-12 "${flags[@]}" "$work/names.cpp"

compile() { # TEXT-OF-A-FUNCTION
  {
    printf '#include "oarlock/sdk/outside.hpp"\n#include "oarlock/k8s/coordination/v1.hpp"\n'
    printf '#include "example.com/v1alpha1/my_app.hpp"\n'
    printf 'namespace sdk = oarlock::sdk;\nusing oarlock::k8s::coordination::v1::lease;\n'
    printf 'using example_com::v1alpha1::my_app;\n%s\n' "$1"
  } >"$work/test.cpp"
  g++-12 "${flags[@]}" "$work/test.cpp" 2>"$work/log"
}

accepted() { # NAME TEXT
  echo "== $1"
  compile "$2" || {
    cat "$work/log" >&2
    exit 1
  }
}

refused() { # NAME MESSAGE TEXT
  echo "== $1"
  if compile "$3"; then
    echo "error: expected it not to compile" >&2
    exit 1
  fi
  grep -qF -- "$2" "$work/log" || {
    echo "error: expected the message '$2', found:" >&2
    head -c 4000 "$work/log" >&2
    exit 1
  }
}

# What the misuse below is one step away from.
accepted "a plan" 'void plan(const sdk::input<my_app>& in, sdk::output<my_app>& out) {
    lease child; child.metadata->name = in.name(); out.apply(child);
    out.status(my_app::status_type{}); if (in.owned<lease>("a")) out.finished(); }
  OARLOCK_PLUGIN("a", "1", sdk::planner<"a", plan>)'
accepted "a plan beside what is outside" '
  void plan(const sdk::input<my_app>&, sdk::output<my_app>&) {}
  struct servers { void effect(const sdk::effect<my_app>&, std::chrono::milliseconds) {} };
  OARLOCK_PLUGIN("a", "1", sdk::planner_with<"a", plan, servers>)'
accepted "a plan that is configured, and what a class may ask for" '
  using settings = oarlock::k8s::coordination::v1::lease_spec;
  void plan(const sdk::input<my_app>& in, const settings& set, sdk::output<my_app>&) {
    in.log().info("planned", {{"holder", set.holder_identity.value_or("")}, {"n", 3}}); }
  struct servers {
    explicit servers(const sdk::setup& s) : with(s), set(s.config_as<settings>()) {}
    std::optional<sdk::json::value> observe(const sdk::input<my_app>&, std::chrono::milliseconds) {
      std::size_t found = with.reads.get<lease>("a") ? 1 : 0;
      for (const lease& one : with.cache.find<lease>({.labels = "a=b"}))
        found += one.metadata->labels.size();
      const auto account = with.reads.secret("a");
      return account ? account->at("password").size() : found; }
    sdk::setup with; settings set; };
  OARLOCK_PLUGIN("a", "1", sdk::planner_with<"a", plan, servers>)'
refused "a configuration that is no struct of a schema" "plan_function" \
  'void plan(const sdk::input<my_app>&, const int&, sdk::output<my_app>&) {}
  OARLOCK_PLUGIN("a", "1", sdk::planner<"a", plan>)'
refused "a read of what is no whole object" "kubernetes_kind" \
  'auto read(const sdk::setup& s) {
    return s.reads.get<example_com::v1alpha1::my_app_types::spec>("a"); }'
refused "a class that reaches nothing outside" "outside_for" \
  'void plan(const sdk::input<my_app>&, sdk::output<my_app>&) {}
  struct servers { void effect(const sdk::effect<lease>&, std::chrono::milliseconds) {} };
  OARLOCK_PLUGIN("a", "1", sdk::planner_with<"a", plan, servers>)'
refused "a patch into another kind" "patch_existing" \
  'void plan(const sdk::input<my_app>& in, sdk::output<my_app>& out) {
    out.patch_existing(in.primary(), lease()); }'
refused "a child that is no whole object" "kubernetes_kind" \
  'void plan(const sdk::input<my_app>&, sdk::output<my_app>& out) { out.apply(my_app().spec); }'
refused "a status of another kind" "my_app_types::status" \
  'void plan(const sdk::input<my_app>&, sdk::output<my_app>& out) { out.status(my_app()); }'
refused "a status where the schema has none" "has_status" \
  'void plan(const sdk::input<lease>&, sdk::output<lease>& out) { out.status({}); }'
refused "a plan with other parameters" "plan_function" 'void plan(sdk::input<my_app>&) {}
  OARLOCK_PLUGIN("a", "1", sdk::planner<"a", plan>)'
refused "a change of what is" "discards qualifiers" \
  'void plan(const sdk::input<my_app>& in, sdk::output<my_app>&) {
    in.primary().spec->image = "x"; }'
refused "a value that the schema does not name" "is not a member of" \
  'auto wrong = example_com::v1alpha1::my_app_types::status_phase::finished;'
