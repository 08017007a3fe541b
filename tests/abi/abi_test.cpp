// Good plugins load; bad ones are refused before their code runs, in words that help.
#include <elf.h>
#include <gmock/gmock.h>

#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/plugin/checks.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/library.hpp"
#include "oarlock/abi.h"
#include "tests/abi/started.hpp"
#include "tests/abi/zoo.hpp"

namespace oarlock::abi {
namespace {

using plugin::plugin_error;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class Result>
std::string message(const Result& r) {
  return r ? "loaded" : r.error().message;
}

class loading : public ::testing::TestWithParam<home> {};
INSTANTIATE_TEST_SUITE_P(in, loading, ::testing::Values(home::core, home::child), home_name);

TEST_P(loading, the_zoo_can_load_at_all) {
  const folder here;
  auto good = load_bytes(here, read_whole(zoo_file("good")), GetParam());
  ASSERT_TRUE(good) << message(good);
  EXPECT_EQ((*good)->declared().name, "zoo");
  ASSERT_TRUE((*good)->start());
  (*good)->drain();
  (*good)->stop();
}

TEST_P(loading, two_instances_of_one_plugin) {
  const folder here;
  const std::string bytes = read_whole(zoo_file("good"));
  auto one = load_bytes(here, bytes, GetParam());
  ASSERT_TRUE(one);
  auto two = load_from(here.path(), GetParam());
  ASSERT_TRUE(two);
  ASSERT_TRUE((*one)->start());
  ASSERT_TRUE((*two)->start());
}

// Its files are overwritten in place, as a careless copy does it: what is mapped does not notice.
TEST_P(loading, two_versions_of_one_plugin) {
  const folder here;
  auto one = load_bytes(here, read_whole(zoo_file("contract-c")), GetParam());
  ASSERT_TRUE(one) << message(one);
  ASSERT_TRUE((*one)->start());
  EXPECT_EQ((*one)->fingerprint(), plugin::fingerprint_of(here.path()));
  auto manifest = zoo_manifest();
  manifest.replace(manifest.find("1.0.0"), 5, "9.9.9");
  auto two = load_bytes(here, read_whole(zoo_file("other_version")), GetParam(), manifest);
  ASSERT_TRUE(two) << message(two);
  ASSERT_TRUE((*two)->start());
  EXPECT_EQ((*one)->declared().version, "1.0.0");
  EXPECT_EQ((*two)->declared().version, "9.9.9");
  EXPECT_NE((*one)->fingerprint(), (*two)->fingerprint());
  EXPECT_EQ((*two)->fingerprint(), plugin::fingerprint_of(here.path()));

  controller::plan_input input;
  input.spec = &(*one)->declared().controllers.front();
  input.key = {"shop", "terminal"};
  input.primary = std::make_shared<const cache::object>(cache::object_meta{}, "{}");
  const auto verdict_of = [&](plugin::loaded_plugin& one_of_two) {
    return one_of_two.reconciler_for("zoo").plan(input).verdict;
  };
  EXPECT_EQ(verdict_of(**one), controller::plan_verdict::terminal);
  EXPECT_EQ(verdict_of(**two), controller::plan_verdict::done);
  input.spec = &(*two)->declared().controllers.front();
  const auto both = plugin::count_libraries();
  one->reset();
  EXPECT_EQ(verdict_of(**two), controller::plan_verdict::done);
  if (GetParam() == home::child) return;  // where nothing is mapped here
  EXPECT_EQ(plugin::count_libraries().mapped, both.mapped) << "the first stays mapped";
  EXPECT_EQ(plugin::count_libraries().unused, both.unused + 1);
}

TEST(libraries, the_same_bytes_are_mapped_once) {
  const folder here;
  const folder there;
  auto one = load_bytes(here, read_whole(zoo_file("good")), home::core);
  const auto mapped = plugin::count_libraries().mapped;
  auto two = load_bytes(there, read_whole(zoo_file("good")), home::core);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(plugin::count_libraries().mapped, mapped);
}

TEST_P(loading, a_fingerprint_tells_of_each_change) {
  const folder here;
  EXPECT_EQ(plugin::fingerprint_of(here.path()), "");
  write_whole(here.path() / "plugin.yaml", "not a manifest");
  const auto damaged = plugin::fingerprint_of(here.path());
  EXPECT_NE(damaged, "");
  write_whole(here.path() / "plugin.yaml", zoo_manifest());
  write_whole(here.path() / "libzoo.so", "not a library");
  const auto other = plugin::fingerprint_of(here.path());
  EXPECT_NE(other, damaged);
  write_whole(here.path() / "libzoo.so", "nor this one");
  EXPECT_NE(plugin::fingerprint_of(here.path()), other);
}

TEST_P(loading, folder_manifest_and_library_all_name_the_plugin) {
  const folder here;
  ASSERT_TRUE(load_bytes(here, read_whole(zoo_file("good")), GetParam()));
  EXPECT_TRUE(load_from(here.path() / "libzoo.so", GetParam()));
  EXPECT_TRUE(load_from(here.path() / "plugin.yaml", GetParam()));
}

TEST_P(loading, plugins_of_the_tree_export_one_symbol_and_need_none_of_the_host) {
  for (const std::string& path :
       {std::string(PLUGIN_DIR) + "/myapp", std::string(TEST_PLUGIN_DIR) + "/observer"}) {
    plugin::candidate found;
    const auto checked = plugin::check_plugin(path, found);
    ASSERT_TRUE(checked) << checked.error().message;
    ASSERT_EQ(found.library->exports.size(), 1U) << path;
    EXPECT_EQ(found.library->exports.front().name, OARLOCK_ENTRY_SYMBOL);
    for (const auto& name : found.library->imports) {
      EXPECT_EQ(name.find("oarlock"), std::string::npos) << path << " needs " << name;
    }
    for (const auto& library : found.library->needed) {
      EXPECT_EQ(library.find("oarlock"), std::string::npos) << path << " needs " << library;
    }
    const auto loaded = load_from(path, GetParam());
    EXPECT_TRUE(loaded) << message(loaded);
  }
}

struct bad_plugin {
  const char* name;
  plugin_error code;
  std::vector<std::string> words;
};

std::string abi(int major, int minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

TEST_P(loading, bad_libraries_are_refused) {
  const bad_plugin zoo[] = {
      {"no_entry",
       plugin_error::no_entry,
       {"libzoo.so", "oarlock_plugin_entry_v0", "1 other exported symbols", "OARLOCK_PLUGIN"}},
      {"null_descriptor", plugin_error::bad_descriptor, {"libzoo.so", "descriptor, found NULL"}},
      {"null_slot", plugin_error::bad_descriptor, {"slot plan", "found NULL"}},
      {"small_struct", plugin_error::bad_descriptor, {"struct_size >= 112, found 40", "build"}},
      {"tiny_struct", plugin_error::bad_descriptor, {"struct_size >= 112, found 4"}},
      {"newer_minor",
       plugin_error::wrong_abi,
       {"libzoo.so", "expected plugin ABI " + abi(0, OARLOCK_ABI_MINOR),
        "found " + abi(0, OARLOCK_ABI_MINOR + 1), "too new", "newer oarlockd"}},
      {"older_minor",
       plugin_error::wrong_abi,
       {"found " + abi(0, OARLOCK_ABI_MINOR - 1), "too old", "build the plugin again"}},
      {"newer_major", plugin_error::wrong_abi, {"found " + abi(1, OARLOCK_ABI_MINOR), "too new"}},
      {"other_name", plugin_error::bad_descriptor, {"expected name \"zoo\"", "found \"lion\""}},
      {"other_version", plugin_error::bad_descriptor, {"version \"1.0.0\"", "found \"9.9.9\""}},
      {"needs_extension", plugin_error::bad_descriptor, {"oarlock.log/1", "com.example.moon/3"}},
      {"create_fails", plugin_error::not_created, {"libzoo.so", "create()", "expected bananas"}},
      {"create_is_silent", plugin_error::not_created, {"without an instance"}},
  };
  for (const auto& bad : zoo) {
    SCOPED_TRACE(bad.name);
    const folder here;
    const auto loaded = load_bytes(here, read_whole(zoo_file(bad.name)), GetParam());
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, bad.code) << loaded.error().message;
    for (const auto& word : bad.words)
      EXPECT_THAT(loaded.error().message, HasSubstr(word));
  }
}

TEST_P(loading, a_start_that_fails_says_why) {
  const folder here;
  auto loaded = load_bytes(here, read_whole(zoo_file("start_fails")), GetParam());
  ASSERT_TRUE(loaded) << message(loaded);
  const auto started = (*loaded)->start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, plugin_error::not_started);
  EXPECT_THAT(started.error().message, HasSubstr("expected bananas, found none"));
}

template <class Field>
std::string patched(std::string bytes, std::size_t offset, Field value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
  return bytes;
}

TEST_P(loading, files_that_are_no_plugin_library_are_refused) {
  const std::string good = read_whole(zoo_file("good"));
  struct damaged_file {
    const char* name;
    std::string bytes;
    plugin_error code;
    const char* words;
  };
  const damaged_file zoo[] = {
      {"text", "#!/bin/sh\necho hello\n", plugin_error::not_a_library, "0x7f 'ELF'"},
      {"empty", "", plugin_error::not_a_library, "an empty file"},
      {"cut in the header", good.substr(0, 40), plugin_error::not_a_library, "truncated"},
      {"cut after the header", good.substr(0, 64), plugin_error::not_a_library, "truncated"},
      {"cut in half", good.substr(0, good.size() / 2), plugin_error::not_a_library, "truncated"},
      {"arm", patched<std::uint16_t>(good, offsetof(Elf64_Ehdr, e_machine), EM_AARCH64),
       plugin_error::wrong_machine, "expected machine x86_64 (62), found aarch64 (183)"},
      {"32 bit", patched<unsigned char>(good, EI_CLASS, ELFCLASS32), plugin_error::wrong_machine,
       "expected a 64-bit ELF file, found a 32-bit one"},
      {"big endian", patched<unsigned char>(good, EI_DATA, ELFDATA2MSB),
       plugin_error::wrong_machine, "expected a little-endian ELF file, found a big-endian one"},
      {"program", patched<std::uint16_t>(good, offsetof(Elf64_Ehdr, e_type), ET_EXEC),
       plugin_error::not_a_library, "found a program (ET_EXEC)"},
      {"object", patched<std::uint16_t>(good, offsetof(Elf64_Ehdr, e_type), ET_REL),
       plugin_error::not_a_library, "found an object file (ET_REL)"},
  };
  for (const auto& bad : zoo) {
    SCOPED_TRACE(bad.name);
    const folder here;
    const auto loaded = load_bytes(here, bad.bytes, GetParam());
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, bad.code);
    EXPECT_THAT(loaded.error().message, AllOf(HasSubstr("libzoo.so: "), HasSubstr(bad.words)));
  }
}

TEST_P(loading, paths_that_hold_no_plugin_are_refused) {
  const folder here;
  const auto at = [&](const char* name) { return load_from(here.path() / name, GetParam()); };
  const auto nothing = at("nothing");
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, plugin_error::missing);
  EXPECT_THAT(nothing.error().message, AllOf(HasSubstr("/nothing: "), HasSubstr("found nothing")));

  fs::create_directories(here.path() / "empty");
  EXPECT_THAT(message(at("empty")), AllOf(HasSubstr("/empty: "), HasSubstr("plugin.yaml")));

  write_whole(here.path() / "alone/libzoo.so", read_whole(zoo_file("good")));
  EXPECT_THAT(message(at("alone/libzoo.so")), HasSubstr("plugin.yaml, found none"));
  write_whole(here.path() / "alone/text.so", "hello");
  EXPECT_THAT(message(at("alone/text.so")), HasSubstr("text.so: expected an ELF shared object"));

  write_whole(here.path() / "bare/plugin.yaml", zoo_manifest());
  EXPECT_THAT(message(at("bare")), AllOf(HasSubstr("libzoo.so: "), HasSubstr("found none")));

  write_whole(here.path() / "bad/plugin.yaml", "apiVersion: oarlock.dev/v1alpha1\nkinds: x\n");
  EXPECT_THAT(message(at("bad")), HasSubstr("plugin.yaml:2:1: unknown key \"kinds\""));

  write_whole(here.path() / "two/plugin.yaml", zoo_manifest());
  write_whole(here.path() / "two/libother.so", read_whole(zoo_file("good")));
  write_whole(here.path() / "two/libzoo.so", read_whole(zoo_file("good")));
  EXPECT_THAT(message(at("two/libother.so")), HasSubstr("expected spec.library to be libother.so"));
}

TEST_P(loading, the_manifests_abi_is_checked_before_the_library_is_mapped) {
  const folder here;
  const auto loaded = load_bytes(here, read_whole(zoo_file("good")), GetParam(),
                                 zoo_manifest("{major: 0, minor: 99}"));
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, plugin_error::wrong_abi);
  EXPECT_THAT(loaded.error().message,
              AllOf(HasSubstr("plugin.yaml: expected plugin ABI " + abi(0, OARLOCK_ABI_MINOR)),
                    HasSubstr("found 0.99")));
}

TEST_P(loading, a_library_that_the_system_cannot_map_says_what_is_missing) {
  // DT_NEEDED of libc.so.6 becomes a library that nobody has.
  std::string bytes = read_whole(zoo_file("good"));
  const std::size_t at = bytes.find("libc.so.6");
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, 9, "libq.so.6");
  const folder here;
  const auto loaded = load_bytes(here, bytes, GetParam());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, plugin_error::not_mapped);
  EXPECT_THAT(loaded.error().message, HasSubstr("libq.so.6"));
}

// The name of the version that libc.so.6 must have becomes one that no libc has yet.
TEST_P(loading, a_library_for_a_newer_libc_is_refused_in_one_sentence) {
  std::string bytes = read_whole(zoo_file("good"));
  const auto before = plugin::read_elf(std::as_bytes(std::span(bytes.data(), bytes.size())));
  ASSERT_TRUE(before);
  const std::string version = "GLIBC_" + before->highest_version("GLIBC_");
  ASSERT_GT(version.size(), 8U);
  bytes.replace(bytes.find(version), 9, "GLIBC_9.9");
  const folder here;
  const auto loaded = load_bytes(here, bytes, GetParam());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, plugin_error::old_libc);
  EXPECT_THAT(loaded.error().message,
              AllOf(HasSubstr("found one that needs glibc 9.9"), HasSubstr("oldest system")));
}

TEST(unload_hazards, are_told_with_their_remedy) {
  plugin::elf_library library;
  EXPECT_TRUE(plugin::unload_hazards(library).empty());
  library.unique_symbols = 3;
  library.is_never_unmapped = library.has_go_runtime = true;
  library.imports = {"__cxa_thread_atexit_impl", "pthread_create"};
  EXPECT_THAT(
      plugin::unload_hazards(library),
      ElementsAre(HasSubstr("3 unique symbols"), HasSubstr("nodelete"), HasSubstr("Go runtime"),
                  HasSubstr("thread-local"), HasSubstr("start threads")));
}

TEST_P(loading, two_plugins_that_export_one_symbol_each_call_their_own) {
  const folder here;
  const folder there;
  auto settings = zoo_settings();
  settings.exports = plugin::export_rule::warn;
  const auto load = [&](const folder& where, const char* name) {
    return load_bytes(where, read_whole(zoo_file(name)), GetParam(), zoo_manifest(), "{}",
                      settings);
  };
  auto one = load(here, "twin_one");
  auto two = load(there, "twin_two");
  ASSERT_TRUE(one && two);
  controller::plan_input input;
  input.spec = &(*one)->declared().controllers.front();
  input.key = {"shop", "leo"};
  input.primary = std::make_shared<const cache::object>(cache::object_meta{}, "{}");
  for (const auto& [plugin, own] : {std::pair{&*one, "one"}, std::pair{&*two, "two"}}) {
    ASSERT_TRUE((*plugin)->start());
    EXPECT_EQ((*plugin)->reconciler_for("zoo").plan(input).fail_message, own);
  }
}

TEST_P(loading, what_a_plugin_changes_of_the_process_is_put_back_and_told) {
  const folder here;
  const auto before = fs::current_path();
  const std::string locale = std::setlocale(LC_ALL, nullptr);
  ::testing::internal::CaptureStderr();
  auto loaded = load_bytes(here, read_whole(zoo_file("mannerless")), GetParam());
  ASSERT_TRUE(loaded) << message(loaded);
  ASSERT_TRUE((*loaded)->start());
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(fs::current_path(), before);
  EXPECT_EQ(std::setlocale(LC_ALL, nullptr), locale);
  const auto mask = ::umask(077);
  ::umask(mask);
  EXPECT_NE(mask, 0U);
  struct sigaction term{};
  ::sigaction(SIGTERM, nullptr, &term);
  EXPECT_EQ(term.sa_handler, SIG_DFL);
  if (GetParam() == home::child) {  // a process of its own
    EXPECT_EQ(std::getenv("OARLOCK_ZOO"), nullptr);
    return;
  }
  EXPECT_THAT(log,
              AllOf(HasSubstr("plugin=zoo call=create changed=\"the working directory, the file "
                              "mode mask, the locale, the environment\""),
                    HasSubstr("plugin=zoo call=start changed=\"SIGSEGV, SIGTERM\"")));
  ::unsetenv("OARLOCK_ZOO");
}

TEST_P(loading, a_create_or_start_that_does_not_say_why_is_counted) {
  const auto before = metric("oarlock_plugin_unexplained_failures_total");
  const folder here;
  const auto refused = load_bytes(here, read_whole(zoo_file("create_fails_silently")), GetParam());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("create() failed (status 1): it did not say why"));
  EXPECT_EQ(metric("oarlock_plugin_unexplained_failures_total") - before, 1);

  const folder there;
  const auto loaded = load_bytes(there, read_whole(zoo_file("start_fails_silently")), GetParam());
  ASSERT_TRUE(loaded) << message(loaded);
  EXPECT_THAT((*loaded)->start().error().message, HasSubstr("it did not say why"));
  EXPECT_EQ(metric("oarlock_plugin_unexplained_failures_total") - before, 2);
}

TEST_P(loading, extra_exports_are_refused_and_told_in_development) {
  const auto bytes = read_whole(zoo_file("extra_exports"));
  const folder here;
  const auto refused = load_bytes(here, bytes, GetParam());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, plugin_error::extra_exports);
  const auto is_told =
      AllOf(HasSubstr("expected no exported symbol beside oarlock_plugin_entry_v0, found helper"),
            HasSubstr("link with plugin.map, as oarlock_add_plugin() does"));
  EXPECT_THAT(refused.error().message, is_told);

  const folder there;
  auto settings = zoo_settings();
  settings.exports = plugin::export_rule::warn;
  ::testing::internal::CaptureStderr();
  const auto loaded = load_bytes(there, bytes, GetParam(), zoo_manifest(), "{}", settings);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(loaded) << message(loaded);
  EXPECT_THAT(log, AllOf(HasSubstr("plugin=zoo"), is_told));
}

TEST(exports, of_go_are_excused) {
  plugin::candidate found;
  found.declared.emplace();
  found.library.emplace();
  found.library->exports = {{.name = OARLOCK_ENTRY_SYMBOL}, {.name = "goPlan"}};
  EXPECT_FALSE(plugin::check_exports(found, plugin::export_rule::refuse));
  found.library->has_go_runtime = true;
  EXPECT_TRUE(plugin::check_exports(found, plugin::export_rule::refuse));
}

TEST_P(loading, a_wrong_configuration_is_refused_before_any_code_runs) {
  // Its create() ends the process that it runs in.
  const char* const config = R"({"do":"create-segv","crew":0})";
  auto manifest = zoo_manifest();
  const std::string any = "{type: object, x-kubernetes-preserve-unknown-fields: true}";
  manifest.replace(manifest.find(any), any.size(),
                   "{type: object, properties: {do: {type: string},\n"
                   "    crew: {type: integer, minimum: 1}}}");
  const folder here;
  const auto refused =
      load_bytes(here, read_whole(zoo_file("hostile")), GetParam(), manifest, config);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, plugin_error::bad_config);
  EXPECT_EQ(refused.error().message,
            "configuration of plugin zoo: expected crew to be an integer of at least 1, found 0");
}

TEST_P(loading, a_configuration_comes_from_its_file_with_defaults) {
  auto manifest = zoo_manifest();
  const std::string any = "{type: object, x-kubernetes-preserve-unknown-fields: true}";
  manifest.replace(manifest.find(any), any.size(),
                   "{type: object, properties: {color: {type: string},\n"
                   "    crew: {type: integer, default: 3}}}");
  const folder here;
  write_whole(here.path() / "zoo.conf", "color: blue # or not\n");
  plugin::config_table table;
  ASSERT_TRUE(table.add("zoo=" + (here.path() / "zoo.conf").string()));
  auto settings = zoo_settings();
  settings.configs = &table;
  started zoo("contract-c", GetParam(), "{}", settings, manifest);
  ASSERT_TRUE(zoo.is_there());
  EXPECT_EQ(zoo.plugin().config_text(), "color: blue # or not\n");
  // It says what it was given as its length and a digest.
  const std::string given = R"({"color":"blue","crew":3})";
  EXPECT_THAT(zoo.plan("echo").status_json.value_or(""),
              HasSubstr("\"config\":\"" + std::to_string(given.size()) + "-"));
}

TEST_P(loading, a_create_that_throws_is_a_refusal) {
  for (const char* name : {"throwing", "raw_throwing"}) {
    const folder here;
    const auto loaded = load_bytes(here, read_whole(zoo_file(name)), GetParam(), zoo_manifest(),
                                   R"({"explode":true})");
    ASSERT_FALSE(loaded) << name;
    EXPECT_EQ(loaded.error().code, plugin_error::not_created);
  }
}

TEST_P(loading, a_stop_that_throws_is_survived) {
  const folder here;
  auto loaded = load_bytes(here, read_whole(zoo_file("raw_throwing")), GetParam());
  ASSERT_TRUE(loaded) << message(loaded);
  ASSERT_TRUE((*loaded)->start());
  ::testing::internal::CaptureStderr();
  (*loaded)->drain();
  (*loaded)->stop();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("call=stop"));
}

}  // namespace
}  // namespace oarlock::abi
