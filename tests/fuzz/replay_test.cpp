// Every target on every input of its corpus, in the ordinary builds: what fuzzing found once stays
// found. An input that breaks a property ends the program; its name is the last line.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

#include "tests/fuzz/fuzz.hpp"

#define F(name) extern "C" int fuzz_##name(const std::uint8_t* data, std::size_t size);
OARLOCK_FUZZ_TARGETS
#undef F

namespace oarlock::fuzz {
namespace {

void replay(const char* target, int (*run)(const std::uint8_t*, std::size_t)) {
  namespace fs = std::filesystem;
  const auto folder = fs::path(OARLOCK_SOURCE_DIR) / "tests/fuzz/corpus" / target;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    files.push_back(entry.path());
  ASSERT_FALSE(files.empty()) << "expected inputs in " << folder;
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    EXPECT_LE(bytes.size(), 4096U) << file << ": expected a small input; minimise it";
    std::cout << file.filename().string() << std::endl;
    run(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
}

#define F(name)                  \
  TEST(fuzz_replay, name) {      \
    replay(#name, &fuzz_##name); \
  }
OARLOCK_FUZZ_TARGETS
#undef F

}  // namespace
}  // namespace oarlock::fuzz
