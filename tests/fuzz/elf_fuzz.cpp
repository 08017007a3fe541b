// ELF files, which are foreign bytes until the loader maps them.
#include <span>

#include "core/plugin/elf.hpp"
#include "core/plugin/errors.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oarlock;
  using fuzz::expect;
  const auto library = plugin::read_elf(std::as_bytes(std::span(data, size)));
  if (!library) {
    expect(library.error().code == plugin::plugin_error::not_a_library ||
               library.error().code == plugin::plugin_error::wrong_machine,
           "one of two errors", library.error().message);
    expect(!library.error().message.empty(), "an error says why");
    return 0;
  }
  expect(library->machine == plugin::own_machine(), "for this processor");
  std::size_t bytes = 0;
  for (const auto& symbol : library->exports) {
    expect(!symbol.is_function || library->exports_function(symbol.name), "found by its name");
    bytes = std::max(bytes, symbol.name.size());
  }
  for (const auto& names : {library->imports, library->needed}) {
    for (const auto& name : names)
      bytes = std::max(bytes, name.size());
  }
  expect(bytes < size, "names lie in the file");
  return 0;
}
