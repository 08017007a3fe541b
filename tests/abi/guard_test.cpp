// The guards of the C ABI: asserts on its layout, a snapshot of its declarations, and abidiff. Each
// is shown to be green on the headers as they are, and red for the breaks that it is there for.
#include <dlfcn.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <regex>
#include <set>

#include "core/plugin/checks.hpp"
#include "oarlock/plugin.h"
#include "tests/abi/header_text.hpp"
#include "tests/abi/zoo.hpp"
#include "tests/support/process.hpp"

namespace oarlock::abi {
namespace {

using oarlock::testing::finished;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const fs::path source_dir = OARLOCK_SOURCE_DIR;
const fs::path include_dir = source_dir / "plugin-api/include";

std::string this_version() {
  return fmt::format("{}.{}", OARLOCK_ABI_MAJOR, OARLOCK_ABI_MINOR);
}

fs::path accepted_dir(const std::string& version = this_version()) {
  return source_dir / "tests/abi/accepted" / version;
}

constexpr const char* remedy =
    "\nThe plugin ABI differs from what was accepted. If that is meant: raise "
    "OARLOCK_NEWEST_MINOR, "
    "build and run abi_accept, and review its changes in tests/abi/accepted.\n";

struct version {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  [[nodiscard]] std::string text() const { return fmt::format("{}.{}", major, minor); }
};

std::vector<version> accepted_versions() {
  std::vector<version> out;
  for (const auto& entry : fs::directory_iterator(source_dir / "tests/abi/accepted")) {
    if (!entry.is_directory()) continue;
    const auto name = entry.path().filename().string();
    const auto dot = name.find('.');
    out.push_back({static_cast<std::uint32_t>(std::stoul(name.substr(0, dot))),
                   static_cast<std::uint32_t>(std::stoul(name.substr(dot + 1)))});
  }
  return out;
}

// Of a compiler that has to share the machine.
constexpr std::chrono::seconds tool_limit{200};

finished run(const std::vector<std::string>& argv) {
  return oarlock::testing::run(argv, {}, tool_limit);
}

// --- the guards: empty when green, else what is wrong ---

std::string layout_guard(const fs::path& headers) {
  const auto done = run({C_COMPILER, "-std=c11", "-fsyntax-only", "-I", headers.string(), "-I",
                         source_dir.string(), (accepted_dir() / "layout.c").string()});
  return done.exit_code == 0 ? "" : done.err + remedy;
}

std::string snapshot_guard(const fs::path& headers) {
  const auto accepted = read_whole(accepted_dir() / "include/oarlock/oarlock.h");
  return declarations(headers) == accepted ? "" : remedy;
}

std::string target(std::uint32_t minor) {
  return fmt::format("-DOARLOCK_TARGET_MINOR={}", minor);
}

// What is left of all headers for a plugin of that minor, in one line.
std::string preprocessed(const fs::path& include, std::uint32_t minor) {
  const auto header = (include / "oarlock/oarlock.h").string();
  const auto done =
      run({C_COMPILER, "-std=c11", "-E", "-P", target(minor), "-I", include.string(), header});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  static const std::regex spaces("\\s+");
  return std::regex_replace(done.out, spaces, " ");
}

// A plugin for an accepted minor sees what that minor had, to the letter.
std::string target_guard(const fs::path& headers) {
  std::string out;
  for (const auto& v : accepted_versions()) {
    const auto then = preprocessed(accepted_dir(v.text()) / "include", v.minor);
    if (preprocessed(headers, v.minor) == then) continue;
    out += fmt::format(
        "expected what ABI {} declares for {}, found other declarations; hide what "
        "is new behind #if OARLOCK_ABI_MINOR >= {}\n",
        v.text(), target(v.minor), OARLOCK_NEWEST_MINOR);
  }
  return out;
}

// The probe, built against `include`, as `file`.
std::string built_probe(const fs::path& include, const fs::path& file) {
  const auto source = (source_dir / "tests/abi/probe.cpp").string();
  const auto done = run({CXX_COMPILER, "-std=c++17", "-g", "-shared", "-fPIC", "-I",
                         include.string(), source, "-o", file.string()});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  return file.string();
}

// The report of abidiff.
std::string abidiff_guard(const fs::path& headers) {
  static const folder kept;
  static const auto accepted = built_probe(accepted_dir() / "include", kept.path() / "probe.so");
  const folder here;
  const auto now = built_probe(headers, here.path() / "probe.so");
  const auto done = run({ABIDIFF, accepted, now});
  return done.exit_code == 0 ? "" : done.out + done.err + remedy;
}

bool has_abidiff() {
  return ::access(ABIDIFF, X_OK) == 0;
}
constexpr const char* no_abidiff = "no abidiff in PATH (make deps installs abigail-tools)";

// --- green ---

TEST(abi_guard, the_layout_is_the_accepted_one) {
  EXPECT_THAT(layout_guard(include_dir), IsEmpty());
}

TEST(abi_guard, the_declarations_are_the_accepted_ones) {
  ASSERT_TRUE(fs::exists(accepted_dir())) << accepted_dir() << remedy;
  EXPECT_THAT(snapshot_guard(include_dir), IsEmpty());
}

TEST(abi_guard, a_target_sees_what_its_minor_had) {
  EXPECT_THAT(target_guard(include_dir), IsEmpty());
  std::set<std::uint32_t> minors;
  for (const auto& v : accepted_versions())
    minors.insert(v.minor);
  for (std::uint32_t minor = OARLOCK_OLDEST_MINOR; minor <= OARLOCK_NEWEST_MINOR; ++minor)
    EXPECT_TRUE(minors.contains(minor)) << minor << " can be targeted and was never accepted";
}

TEST(abi_guard, a_target_that_these_headers_cannot_be_is_refused) {
  for (const std::uint32_t minor : {OARLOCK_OLDEST_MINOR - 1, OARLOCK_NEWEST_MINOR + 1}) {
    const auto done = run({C_COMPILER, "-fsyntax-only", target(minor), "-I", include_dir.string(),
                           (include_dir / "oarlock/abi.h").string()});
    EXPECT_NE(done.exit_code, 0);
    EXPECT_THAT(done.err, HasSubstr("expected OARLOCK_TARGET_MINOR between"));
  }
}

TEST(abi_guard, abidiff_finds_no_difference) {
  if (!has_abidiff()) GTEST_SKIP() << no_abidiff;
  EXPECT_THAT(abidiff_guard(include_dir), IsEmpty());
}

// The asserts cover every size, offset, type and value, and the probe every enum.
TEST(abi_guard, nothing_is_left_out) {
  const auto layout = read_whole(accepted_dir() / "layout.c");
  const auto items = items_of(declarations(include_dir));
  EXPECT_GE(items.structs.size(), 14U);
  for (const auto& name : items.structs)
    EXPECT_THAT(layout, HasSubstr("\nSIZE(" + name + ", "));
  EXPECT_GE(items.members.size(), 80U);
  for (const auto& m : items.members)
    EXPECT_THAT(layout, HasSubstr(fmt::format("\nFIELD({}, {}, ", m.owner, m.name)));
  EXPECT_GE(items.values.size(), 20U);
  for (const auto& v : items.values)
    EXPECT_THAT(layout, HasSubstr("\nVALUE(" + v.name + ", "));
}

TEST(abi_guard, the_probe_reaches_all_types) {
  if (!has_abidiff()) GTEST_SKIP() << no_abidiff;
  const folder here;
  const auto file = built_probe(include_dir, here.path() / "probe.so");
  const auto seen = run({ABIDW, file}).out;
  const auto items = items_of(declarations(include_dir));
  for (const auto& name : items.structs)
    EXPECT_THAT(seen, HasSubstr("'" + name + "'"));
  for (const auto& v : items.values)
    EXPECT_THAT(seen, HasSubstr("'" + v.name + "'"));
}

// --- red ---

struct change {
  const char* name;
  const char* header;
  const char* from;
  const char* to;
  const char* layout;   // what the asserts say; null: they cannot see it
  const char* abidiff;  // what abidiff says; null: it calls it no difference
};

std::ostream& operator<<(std::ostream& out, const change& c) {
  return out << c.name;
}

class abi_break : public ::testing::TestWithParam<change> {};

INSTANTIATE_TEST_SUITE_P(
    of, abi_break,
    ::testing::Values(
        change{"slot_inserted", "plan.h", "  oarlock_status (*status)(",
               "  oarlock_status (*surprise)(oarlock_plan_ctx* ctx);\n  oarlock_status (*status)(",
               "oarlock_plan_out.status moved from 24", "surprise"},
        change{"slot_appended", "plugin.h", "} oarlock_plugin;",
               "  void (*surprise)(oarlock_instance* self);\n} oarlock_plugin;",
               "oarlock_plugin has another size than the accepted 136", "surprise"},
        change{"slot_renamed", "plugin.h", "void (*drain)(", "void (*halt)(",
               "no member named 'drain'", nullptr},
        change{"signature_changed", "plan.h",
               "(*requeue_after)(oarlock_plan_ctx* ctx, int64_t delay_ms)",
               "(*requeue_after)(oarlock_plan_ctx* ctx, uint32_t delay_ms)",
               "oarlock_plan_out.requeue_after is no longer of type", "requeue_after"},
        change{"return_changed", "plugin.h", "void (*destroy)(oarlock_instance* self);",
               "oarlock_status (*destroy)(oarlock_instance* self);",
               "oarlock_plugin.destroy is no longer of type", "destroy"},
        change{"enum_renumbered", "abi.h", "OARLOCK_TERMINAL = 2", "OARLOCK_TERMINAL = 5",
               "OARLOCK_TERMINAL is no longer 2", "from value '2' to '5'"},
        change{"enum_grown", "abi.h", "OARLOCK_LIMIT = 4", "OARLOCK_LIMIT = 4, OARLOCK_X = 5",
               nullptr, nullptr},
        change{"struct_grown_in_the_middle", "plan.h",
               "  oarlock_str_view name;             /* metadata.name */",
               "  oarlock_str_view kind;\n  oarlock_str_view name;",
               "oarlock_target_view.name moved from 24", "kind"},
        change{"field_of_another_type", "host.h", "uint32_t abi_minor;", "int32_t abi_minor;",
               "oarlock_host.abi_minor is no longer of type uint32_t", "abi_minor"},
        change{"pointer_to_another_type", "plan.h", "const oarlock_failure_view* last_failure;",
               "const oarlock_plan_view* last_failure;",
               "oarlock_plan_view.last_failure is no longer of type", "last_failure"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_P(abi_break, turns_its_guards_red) {
  const auto& broken = GetParam();
  const folder here;
  fs::copy(include_dir, here.path(), fs::copy_options::recursive);
  const auto header = here.path() / "oarlock" / broken.header;
  auto text = read_whole(header);
  auto at = text.find(broken.from);
  ASSERT_NE(at, std::string::npos) << "no such text in " << broken.header;
  text.replace(at, std::string(broken.from).size(), broken.to);
  write_whole(header, text);

  EXPECT_THAT(snapshot_guard(here.path()), HasSubstr("raise OARLOCK_NEWEST_MINOR"));
  EXPECT_THAT(target_guard(here.path()), HasSubstr("hide what is new behind"));
  const auto layout = layout_guard(here.path());
  if (broken.layout != nullptr) {
    EXPECT_THAT(layout, HasSubstr(broken.layout));
  } else {
    EXPECT_THAT(layout, IsEmpty());
  }
  if (!has_abidiff()) return;
  const auto difference = abidiff_guard(here.path());
  if (broken.abidiff != nullptr) {
    EXPECT_THAT(difference, HasSubstr(broken.abidiff));
  } else {
    EXPECT_THAT(difference, IsEmpty());
  }
}

TEST(abi_guard, a_raised_minor_asks_for_a_new_snapshot) {
  const folder here;
  fs::copy(include_dir, here.path(), fs::copy_options::recursive);
  auto text = read_whole(here.path() / "oarlock/abi.h");
  const std::string line = fmt::format("OARLOCK_NEWEST_MINOR {}", OARLOCK_NEWEST_MINOR);
  text.replace(text.find(line), line.size(), line + "0");
  write_whole(here.path() / "oarlock/abi.h", text);
  EXPECT_THAT(layout_guard(here.path()), HasSubstr("expected ABI " + this_version()));
}

// --- plugins built with the header of an accepted version, on today's core ---

class accepted_plugin : public ::testing::TestWithParam<home> {};
INSTANTIATE_TEST_SUITE_P(in, accepted_plugin, ::testing::Values(home::core, home::child),
                         home_name);

TEST_P(accepted_plugin, loads_when_its_version_is_offered) {
  bool is_there = false;
  for (const auto& v : accepted_versions()) {
    SCOPED_TRACE(v.text());
    is_there = is_there || v.text() == this_version();
    const folder here;
    auto loaded =
        load_bytes(here, read_whole(zoo_file("accepted-" + v.text())), GetParam(),
                   zoo_manifest(fmt::format("{{major: {}, minor: {}}}", v.major, v.minor)));
    const bool fits = plugin::check_abi("", {v.major, v.minor}).has_value();
    ASSERT_EQ(loaded.has_value(), fits);
    if (!fits) continue;
    ASSERT_TRUE((*loaded)->start());
    (*loaded)->drain();
    (*loaded)->stop();
  }
  EXPECT_TRUE(is_there) << remedy;
}

// --- plugins built with today's headers for an older minor ---

// The library stays mapped.
const oarlock_plugin* descriptor_of(const std::string& name) {
  void* const library = ::dlopen(zoo_file(name).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nullptr;
  return reinterpret_cast<oarlock_plugin_entry>(::dlsym(library, OARLOCK_ENTRY_SYMBOL))();
}

TEST(abi_target, makes_a_plugin_of_that_minor) {
  for (const auto& v : accepted_versions()) {
    SCOPED_TRACE(v.text());
    const auto* const now = descriptor_of("target-" + v.text());
    const auto* const then = descriptor_of("accepted-" + v.text());
    ASSERT_TRUE(now != nullptr && then != nullptr);
    EXPECT_EQ(now->struct_size, then->struct_size);
    EXPECT_EQ(now->abi_minor, v.minor);
    const plugin::abi_version needed{now->abi_major, now->abi_minor};
    EXPECT_TRUE(plugin::check_abi("", needed, {v.major, v.minor})) << "the host of then takes it";
    EXPECT_FALSE(plugin::check_abi("", needed, {v.major, v.minor - 1}));
    // Before version 1 a newer host takes no older plugin, however it was built.
    const bool later = plugin::check_abi("", needed, {v.major, v.minor + 1}).has_value();
    EXPECT_EQ(later, v.major > 0);
  }
}

}  // namespace
}  // namespace oarlock::abi
