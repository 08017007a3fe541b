#include "core/plugin/elf.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/plugin/errors.hpp"
#include "core/plugin/file.hpp"

namespace oarlock::plugin {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

result<elf_library> read(const std::string& bytes) {
  return read_elf(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

// A real library of this system that has both tables and imports: libm, wherever it is.
const std::string& real_library() {
  static const std::string bytes = [] {
    Dl_info info{};
    double (*const function)(double, double) = &std::fmod;
    void* address = nullptr;
    static_assert(sizeof(address) == sizeof(function));
    std::memcpy(&address, &function, sizeof(address));
    void* libm = ::dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
    if (libm != nullptr) address = ::dlsym(libm, "fmod");
    EXPECT_NE(::dladdr(address, &info), 0);
    auto read = read_file(info.dli_fname, 64U << 20U);
    EXPECT_TRUE(read) << info.dli_fname;
    return read ? *read : std::string{};
  }();
  return bytes;
}

template <class T>
std::string with(std::size_t offset, T value) {
  std::string bytes = real_library();
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
  return bytes;
}

TEST(elf, reads_a_real_library) {
  const auto library = read(real_library());
  ASSERT_TRUE(library) << library.error().message;
  EXPECT_EQ(library->machine, own_machine());
  EXPECT_TRUE(library->exports_function("fmod"));
  EXPECT_FALSE(library->exports_function("oarlock_plugin_entry_v0"));
  EXPECT_THAT(library->needed, Contains("libc.so.6"));
  EXPECT_FALSE(library->imports.empty());
}

TEST(elf, versions_are_compared_by_their_numbers) {
  EXPECT_LT(compare_versions("2.9", "2.36"), 0);
  EXPECT_GT(compare_versions("3.4.30", "3.4.9"), 0);
  EXPECT_EQ(compare_versions("2.36", "2.36"), 0);
  EXPECT_GT(compare_versions("2.36.1", "2.36"), 0);
  EXPECT_GT(compare_versions("2", ""), 0);
  EXPECT_NE(compare_versions("a", "b"), 0);
}

TEST(elf, reads_the_versions_that_a_library_needs) {
  const auto library = read(real_library());
  ASSERT_TRUE(library);
  const auto libc = library->highest_version("GLIBC_");
  ASSERT_FALSE(libc.empty());
  EXPECT_EQ(libc.find_first_not_of("0123456789."), std::string::npos) << libc;
  for (const auto& version : library->versions) {
    EXPECT_THAT(library->needed, Contains(version.library));
    EXPECT_FALSE(version.name.empty());
  }
  EXPECT_EQ(library->highest_version("OTHER_"), "");
  EXPECT_FALSE(library->has_go_runtime);
  EXPECT_FALSE(library->has_executable_stack);
}

// A note as the Go linker writes it, in the place of libm's first one.
TEST(elf, knows_a_go_runtime_by_its_note) {
  std::string bytes = real_library();
  Elf64_Ehdr header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  bool is_changed = false;
  for (std::size_t i = 0; i < header.e_phnum && !is_changed; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof(segment), sizeof(segment));
    if (segment.p_type != PT_NOTE) continue;
    std::memcpy(bytes.data() + segment.p_offset + sizeof(Elf64_Nhdr), "Go\0\0", 4);
    is_changed = true;
  }
  ASSERT_TRUE(is_changed);
  const auto library = read(bytes);
  ASSERT_TRUE(library);
  EXPECT_TRUE(library->has_go_runtime);
}

TEST(elf, says_what_is_wrong) {
  EXPECT_THAT(read("").error().message, HasSubstr("empty file"));
  EXPECT_THAT(read("\x7f"
                   "ELX")
                  .error()
                  .message,
              HasSubstr("does not start with"));
  EXPECT_THAT(read("\x7f"
                   "ELF")
                  .error()
                  .message,
              HasSubstr("truncated"));
  EXPECT_THAT(read(with<unsigned char>(EI_CLASS, 9)).error().message, HasSubstr("class 9"));
  EXPECT_EQ(read(with<std::uint16_t>(offsetof(Elf64_Ehdr, e_machine), 40)).error().message,
            "expected machine " + machine_name(own_machine()) +
                ", found arm (40); build the plugin for this machine");
  EXPECT_THAT(read(with<std::uint32_t>(offsetof(Elf64_Ehdr, e_version), 3)).error().message,
              HasSubstr("ELF version 1, found 3"));
  EXPECT_THAT(read(with<std::uint16_t>(offsetof(Elf64_Ehdr, e_phnum), 0)).error().message,
              HasSubstr("dynamic section, found none"));
}

TEST(elf, every_truncation_is_an_error) {
  const std::string& whole = real_library();
  for (std::size_t size = 0; size < whole.size(); size += std::max<std::size_t>(1, size / 64)) {
    const auto library = read(whole.substr(0, size));
    ASSERT_FALSE(library) << size;
    EXPECT_EQ(library.error().code, plugin_error::not_a_library) << size;
  }
  EXPECT_THAT(read(whole.substr(0, whole.size() - 1)).error().message, HasSubstr("truncated"));
}

// Wild values in the places that hold offsets, sizes and counts. Run with AddressSanitizer this
// proves that none of them is trusted; without it, that none of them crashes.
TEST(elf, survives_wild_values_in_its_tables) {
  const std::string& whole = real_library();
  Elf64_Ehdr header;
  std::memcpy(&header, whole.data(), sizeof(header));
  std::vector<std::pair<std::size_t, std::size_t>> regions = {{0, sizeof(header)}};
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    const std::size_t at = header.e_phoff + i * sizeof(segment);
    std::memcpy(&segment, whole.data() + at, sizeof(segment));
    regions.emplace_back(at, sizeof(segment));
    if (segment.p_type == PT_DYNAMIC) regions.emplace_back(segment.p_offset, segment.p_filesz);
  }
  constexpr std::uint64_t wild[] = {0,
                                    1,
                                    0x7f,
                                    0xffff,
                                    0x7fffffff,
                                    0xffffffff,
                                    0xfffffffffffffff0,
                                    0x7fffffffffffffff,
                                    0xffffffffffffffff};
  std::string bytes = whole;
  for (const auto& [start, size] : regions) {
    for (std::size_t at = start; at + 8 <= start + size; at += 4) {
      for (const std::uint64_t value : wild) {
        std::memcpy(bytes.data() + at, &value, sizeof(value));
        (void)read(bytes);
        std::memcpy(bytes.data() + at, whole.data() + at, sizeof(value));
      }
    }
  }
}

TEST(elf, survives_random_damage) {
  const std::string& whole = real_library();
  std::uint64_t state = 20260301;  // a fixed seed: the same damage each time
  const auto random = [&] {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return state >> 33U;
  };
  const std::size_t head = std::min<std::size_t>(whole.size(), 0x4000);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = whole;
    for (int i = 0; i < 16; ++i) {
      const std::size_t range = round % 2 == 0 ? head : bytes.size();
      bytes[random() % range] = static_cast<char>(random());
    }
    (void)read(bytes);
  }
}

}  // namespace
}  // namespace oarlock::plugin
