#include "core/plugin/elf.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <functional>
#include <optional>
#include <type_traits>

#include "core/plugin/errors.hpp"

namespace oarlock::plugin {

namespace {

constexpr std::uint64_t symbols_max = 1U << 20U;
constexpr std::uint64_t dynamic_entries_max = 4096;
constexpr std::size_t name_bytes_max = 4096;
constexpr std::uint64_t versions_max = 65536;
constexpr std::uint64_t version_files_max = 4096;
constexpr std::uint64_t notes_max = 1024;

error bad(const std::string& message) {
  return {plugin_error::not_a_library, message};
}

error damaged(std::string_view what) {
  return bad(
      fmt::format("expected a whole ELF file, found a {} that is truncated or damaged; copy "
                  "or build it again",
                  what));
}

class elf_reader {
 public:
  explicit elf_reader(std::span<const std::byte> file) : file_(file) {}

  result<elf_library> read() {
    if (auto ok = check_header(); !ok) return ok.error();
    if (auto ok = read_segments(); !ok) return ok.error();
    if (auto ok = read_dynamic(); !ok) return ok.error();
    if (auto ok = read_needed(); !ok) return ok.error();
    if (auto ok = read_versions(); !ok) return ok.error();
    if (auto ok = read_symbols(); !ok) return ok.error();
    return std::move(library_);
  }

 private:
  // A copy of the T at `offset`; nothing when it is not wholly inside of the file.
  template <class T>
  std::optional<T> at(std::uint64_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (offset > file_.size() || file_.size() - offset < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, file_.data() + offset, sizeof(T));
    return value;
  }

  result<> check_header() {
    if (file_.empty()) return bad("expected an ELF shared object, found an empty file");
    const std::size_t compared = std::min<std::size_t>(file_.size(), SELFMAG);
    if (std::memcmp(file_.data(), ELFMAG, compared) != 0) {
      return bad(
          "expected an ELF shared object, found a file that does not start with 0x7f 'ELF'; "
          "check the path and build it with oarlock_add_plugin()");
    }
    if (file_.size() < EI_NIDENT) return damaged("header");
    return check_identity();
  }

  result<> check_identity() {
    const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(file_[i]); };
    const auto wrong = [](const std::string& message) {
      return error{plugin_error::wrong_machine, message + "; build the plugin for this machine"};
    };
    if (byte(EI_CLASS) != ELFCLASS64) {
      return wrong(fmt::format(
          "expected a 64-bit ELF file, found {}",
          byte(EI_CLASS) == ELFCLASS32 ? "a 32-bit one" : fmt::format("class {}", byte(EI_CLASS))));
    }
    const unsigned own = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
    if (byte(EI_DATA) != own) {
      return wrong(fmt::format("expected a {}-endian ELF file, found {}",
                               own == ELFDATA2LSB ? "little" : "big",
                               byte(EI_DATA) == ELFDATA2MSB   ? "a big-endian one"
                               : byte(EI_DATA) == ELFDATA2LSB ? "a little-endian one"
                                                              : "neither"));
    }
    const auto header = at<Elf64_Ehdr>(0);
    if (!header) return damaged("header");
    header_ = *header;
    library_.machine = header_.e_machine;
    if (header_.e_machine != own_machine()) {
      return wrong(fmt::format("expected machine {}, found {}", machine_name(own_machine()),
                               machine_name(header_.e_machine)));
    }
    if (byte(EI_VERSION) != EV_CURRENT || header_.e_version != EV_CURRENT) {
      return bad(fmt::format("expected ELF version 1, found {}", header_.e_version));
    }
    if (header_.e_type != ET_DYN) {
      return bad(fmt::format("expected an ELF shared object (ET_DYN), found {}",
                             header_.e_type == ET_REL    ? "an object file (ET_REL)"
                             : header_.e_type == ET_EXEC ? "a program (ET_EXEC)"
                                                         : fmt::format("type {}", header_.e_type)));
    }
    return {};
  }

  // The section headers do not matter here, but they are last in the file: they tell that it is
  // cut.
  [[nodiscard]] bool has_its_end() const {
    if (header_.e_shoff == 0) return true;
    const std::uint64_t size = std::uint64_t{header_.e_shnum} * header_.e_shentsize;
    return header_.e_shoff <= file_.size() && file_.size() - header_.e_shoff >= size;
  }

  result<> read_segments() {
    if (!has_its_end()) return damaged("section header");
    if (header_.e_phentsize != sizeof(Elf64_Phdr)) return damaged("program header");
    for (std::uint64_t i = 0; i < header_.e_phnum; ++i) {
      // No overflow: e_phnum and the size are 16 bits, and at() checks the rest.
      if (header_.e_phoff > file_.size()) return damaged("program header");
      const auto segment = at<Elf64_Phdr>(header_.e_phoff + i * sizeof(Elf64_Phdr));
      if (!segment) return damaged("program header");
      if (segment->p_type == PT_GNU_STACK) {
        library_.has_executable_stack = (segment->p_flags & PF_X) != 0;
      }
      if (segment->p_type == PT_NOTE) read_notes(*segment);
      if (segment->p_type != PT_LOAD && segment->p_type != PT_DYNAMIC) continue;
      if (segment->p_offset > file_.size() ||
          file_.size() - segment->p_offset < segment->p_filesz) {
        return damaged("segment");
      }
      if (segment->p_type == PT_LOAD) loads_.push_back(*segment);
      if (segment->p_type == PT_DYNAMIC) dynamic_ = *segment;
    }
    if (!dynamic_ || loads_.empty()) {
      return bad("expected an ELF shared object with a dynamic section, found none");
    }
    return {};
  }

  // Where in the file the bytes for an address are; nothing when the file has none for it.
  [[nodiscard]] std::optional<std::uint64_t> offset_of(std::uint64_t address) const {
    for (const auto& load : loads_) {
      if (address < load.p_vaddr || address - load.p_vaddr >= load.p_filesz) continue;
      return load.p_offset + (address - load.p_vaddr);
    }
    return std::nullopt;
  }

  [[nodiscard]] bool is_code(std::uint64_t address) const {
    return std::any_of(loads_.begin(), loads_.end(), [&](const Elf64_Phdr& load) {
      return (load.p_flags & PF_X) != 0 && address >= load.p_vaddr &&
             address - load.p_vaddr < load.p_filesz;
    });
  }

  result<> read_dynamic() {
    const std::uint64_t count = dynamic_->p_filesz / sizeof(Elf64_Dyn);
    if (count > dynamic_entries_max) return damaged("dynamic section");
    std::optional<std::uint64_t> symbols, strings, hash, gnu_hash;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto entry = at<Elf64_Dyn>(dynamic_->p_offset + i * sizeof(Elf64_Dyn));
      if (!entry) return damaged("dynamic section");
      if (entry->d_tag == DT_NULL) break;
      switch (entry->d_tag) {
        case DT_SYMTAB:
          symbols = offset_of(entry->d_un.d_ptr);
          break;
        case DT_STRTAB:
          strings = offset_of(entry->d_un.d_ptr);
          break;
        case DT_HASH:
          hash = offset_of(entry->d_un.d_ptr);
          break;
        case DT_GNU_HASH:
          gnu_hash = offset_of(entry->d_un.d_ptr);
          break;
        case DT_STRSZ:
          strings_size_ = entry->d_un.d_val;
          break;
        case DT_NEEDED:
          needed_.push_back(entry->d_un.d_val);
          break;
        case DT_RPATH:
        case DT_RUNPATH:
          run_path_ = entry->d_un.d_val;
          break;
        case DT_VERNEED:
          versions_ = offset_of(entry->d_un.d_ptr);
          break;
        case DT_VERNEEDNUM:
          version_files_ = entry->d_un.d_val;
          break;
        case DT_FLAGS_1:
          library_.is_never_unmapped = (entry->d_un.d_val & DF_1_NODELETE) != 0;
          break;
        case DT_SYMENT:
          if (entry->d_un.d_val != sizeof(Elf64_Sym)) return damaged("symbol table");
          break;
        default:
          break;
      }
    }
    if (!symbols || !strings || (!hash && !gnu_hash)) return damaged("dynamic section");
    if (file_.size() - *strings < strings_size_) return damaged("string table");
    symbols_ = *symbols;
    strings_ = *strings;
    const auto counted = hash ? count_by_hash(*hash) : count_by_gnu_hash(*gnu_hash);
    if (!counted || *counted > symbols_max) return damaged("symbol table");
    symbol_count_ = *counted;
    return {};
  }

  [[nodiscard]] std::optional<std::uint64_t> count_by_hash(std::uint64_t table) const {
    return at<std::uint32_t>(table + sizeof(std::uint32_t));  // nchain: one per symbol
  }

  // The GNU table has no count: the last symbol is the end of the chain that starts highest.
  [[nodiscard]] std::optional<std::uint64_t> count_by_gnu_hash(std::uint64_t table) const {
    struct gnu_header {
      std::uint32_t buckets, first_symbol, bloom_words, bloom_shift;
    };
    const auto header = at<gnu_header>(table);
    if (!header || header->buckets > symbols_max) return std::nullopt;
    const std::uint64_t buckets = table + sizeof(gnu_header) + header->bloom_words * 8ULL;
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < header->buckets; ++i) {
      const auto start = at<std::uint32_t>(buckets + i * sizeof(std::uint32_t));
      if (!start) return std::nullopt;
      last = std::max<std::uint64_t>(last, *start);
    }
    if (last < header->first_symbol) return header->first_symbol;
    const std::uint64_t chains = buckets + header->buckets * 4ULL;
    for (; last < symbols_max; ++last) {
      const auto link = at<std::uint32_t>(chains + (last - header->first_symbol) * 4);
      if (!link) return std::nullopt;
      if ((*link & 1U) != 0) return last + 1;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<std::string> string_at(std::uint64_t offset) const {
    if (offset >= strings_size_) return std::nullopt;
    const auto* text = reinterpret_cast<const char*>(file_.data() + strings_ + offset);
    const std::size_t room =
        static_cast<std::size_t>(std::min<std::uint64_t>(strings_size_ - offset, name_bytes_max));
    const void* end = std::memchr(text, '\0', room);
    if (end == nullptr) return std::nullopt;
    return std::string(text, static_cast<const char*>(end));
  }

  result<> read_needed() {
    for (const std::uint64_t offset : needed_) {
      auto name = string_at(offset);
      if (!name) return damaged("string table");
      library_.needed.push_back(std::move(*name));
    }
    if (run_path_) {
      auto path = string_at(*run_path_);
      if (!path) return damaged("string table");
      library_.run_path = std::move(*path);
    }
    return {};
  }

  // Two lists in one: libraries, and for each the versions of its symbols. Links are distances from
  // the entry that has them.
  result<> read_versions() {
    if (!versions_) return {};
    if (version_files_ > version_files_max) return damaged("table of versions");
    std::uint64_t file_at = *versions_;
    std::uint64_t left = versions_max;
    for (std::uint64_t i = 0; i < version_files_; ++i) {
      const auto file = at<Elf64_Verneed>(file_at);
      const auto library = file ? string_at(file->vn_file) : std::nullopt;
      if (!library) return damaged("table of versions");
      std::uint64_t version_at = file_at + file->vn_aux;
      for (std::uint64_t j = 0; j < file->vn_cnt; ++j) {
        const auto version = at<Elf64_Vernaux>(version_at);
        auto name = version ? string_at(version->vna_name) : std::nullopt;
        if (!name || left-- == 0) return damaged("table of versions");
        library_.versions.push_back({*library, std::move(*name)});
        version_at += version->vna_next;
      }
      if (file->vn_next == 0) break;
      file_at += file->vn_next;
    }
    return {};
  }

  // Notes say nothing that loading relies on: damaged ones are left alone.
  void read_notes(const Elf64_Phdr& segment) {
    std::uint64_t from = segment.p_offset;
    std::uint64_t left = std::min<std::uint64_t>(segment.p_filesz, file_.size());
    for (std::uint64_t i = 0; i < notes_max; ++i) {
      const auto note = at<Elf64_Nhdr>(from);
      if (!note) return;
      const auto padded = [](std::uint64_t size) { return (size + 3) & ~std::uint64_t{3}; };
      const auto name = at<std::array<char, 4>>(from + sizeof(*note));
      if (note->n_namesz == 4 && name == std::array<char, 4>{'G', 'o', '\0', '\0'}) {
        library_.has_go_runtime = true;
      }
      const auto size = sizeof(*note) + padded(note->n_namesz) + padded(note->n_descsz);
      if (size >= left) return;
      from += size;
      left -= size;
    }
  }

  result<> read_symbols() {
    for (std::uint64_t i = 1; i < symbol_count_; ++i) {
      const auto symbol = at<Elf64_Sym>(symbols_ + i * sizeof(Elf64_Sym));
      if (!symbol) return damaged("symbol table");
      const unsigned binding = ELF64_ST_BIND(symbol->st_info);
      if (binding != STB_GLOBAL && binding != STB_WEAK && binding != STB_GNU_UNIQUE) continue;
      auto name = string_at(symbol->st_name);
      if (!name) return damaged("string table");
      if (symbol->st_shndx == SHN_UNDEF) {
        library_.imports.push_back(std::move(*name));
        continue;
      }
      const unsigned visibility = ELF64_ST_VISIBILITY(symbol->st_other);
      if (visibility != STV_DEFAULT && visibility != STV_PROTECTED) continue;
      if (binding == STB_GNU_UNIQUE) ++library_.unique_symbols;
      const bool is_function =
          ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && is_code(symbol->st_value);
      library_.exports.push_back({std::move(*name), is_function});
    }
    const auto by_name = [](const elf_symbol& a, const elf_symbol& b) { return a.name < b.name; };
    std::sort(library_.exports.begin(), library_.exports.end(), by_name);
    std::sort(library_.imports.begin(), library_.imports.end());
    return {};
  }

  std::span<const std::byte> file_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> loads_;
  std::optional<Elf64_Phdr> dynamic_;
  std::vector<std::uint64_t> needed_;
  std::optional<std::uint64_t> run_path_;
  std::optional<std::uint64_t> versions_;
  std::uint64_t version_files_ = 0;
  std::uint64_t strings_ = 0;
  std::uint64_t strings_size_ = 0;
  std::uint64_t symbols_ = 0;
  std::uint64_t symbol_count_ = 0;
  elf_library library_;
};

}  // namespace

bool elf_library::exports_function(std::string_view name) const {
  return std::any_of(exports.begin(), exports.end(),
                     [&](const auto& s) { return s.is_function && s.name == name; });
}

bool elf_library::imports_symbol(std::string_view name) const {
  return std::binary_search(imports.begin(), imports.end(), name, std::less<>());
}

std::string elf_library::highest_version(std::string_view prefix) const {
  std::string_view highest;
  for (const auto& version : versions) {
    std::string_view name = version.name;
    if (!name.starts_with(prefix)) continue;
    name.remove_prefix(prefix.size());
    const bool is_number = !name.empty() && name.front() >= '0' && name.front() <= '9';
    if (is_number && compare_versions(name, highest) > 0) highest = name;
  }
  return std::string(highest);
}

int compare_versions(std::string_view a, std::string_view b) {
  const auto take = [](std::string_view& text) {
    long number = -1;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failed != std::errc{}) number = -1;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with('.')) text.remove_prefix(1);
    return number;
  };
  while (!a.empty() || !b.empty()) {
    const std::size_t before = a.size() + b.size();
    const long x = take(a);
    const long y = take(b);
    if (x != y) return x < y ? -1 : 1;
    if (a.size() + b.size() == before) return a.compare(b);  // no numbers: as text
  }
  return 0;
}

std::string machine_name(std::uint16_t machine) {
  const char* name = "an unknown machine";
  switch (machine) {
    case EM_386:
      name = "i386";
      break;
    case EM_ARM:
      name = "arm";
      break;
    case EM_X86_64:
      name = "x86_64";
      break;
    case EM_AARCH64:
      name = "aarch64";
      break;
    case EM_PPC64:
      name = "ppc64";
      break;
    case EM_S390:
      name = "s390x";
      break;
    case EM_RISCV:
      name = "riscv";
      break;
    default:
      break;
  }
  return fmt::format("{} ({})", name, machine);
}

std::uint16_t own_machine() {
#if defined(__x86_64__)
  return EM_X86_64;
#elif defined(__aarch64__)
  return EM_AARCH64;
#elif defined(__riscv)
  return EM_RISCV;
#elif defined(__powerpc64__)
  return EM_PPC64;
#elif defined(__s390x__)
  return EM_S390;
#else
#error "name the e_machine of this processor here"
#endif
}

result<elf_library> read_elf(std::span<const std::byte> file) {
  return elf_reader(file).read();
}

}  // namespace oarlock::plugin
