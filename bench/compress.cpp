// What compressing cold objects would save and cost: zstd with a dictionary per kind, over Pods
// made from the recorded one as the stub makes them. See docs/decisions/0007.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <zdict.h>
#include <zstd.h>

#include <fstream>
#include <memory>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "core/cache/object_decoder.hpp"

namespace oarlock {
namespace {

constexpr std::size_t pods = 2000;
constexpr std::size_t trained_on = 500;
constexpr std::size_t dictionary_bytes = 64U << 10U;
constexpr int level = 3;

std::string hex(std::mt19937_64& random, std::size_t digits) {
  std::string out;
  while (out.size() < digits)
    out += fmt::format("{:016x}", random());
  return out.substr(0, digits);
}

// Each place of the template gets a value of its own in each object, drawn from `random`.
std::string filled(const std::string& text, std::size_t number, std::mt19937_64& random) {
  static const std::regex places("@([A-Z]+)@");
  std::string out;
  auto rest = text.begin();
  for (std::sregex_iterator at(text.begin(), text.end(), places), end; at != end; ++at) {
    const std::string place = (*at)[1];
    out.append(rest, (*at)[0].first);
    rest = (*at)[0].second;
    if (place == "NAME") out += fmt::format("web-{}-{}", hex(random, 8), number);
    else if (place == "NS") out += fmt::format("team-{}", number % 100);
    else if (place == "IP") out += fmt::format("10.64.{}.{}", number / 256 % 256, number % 256);
    else if (place == "TIME") out += fmt::format("{:02}:{:02}:00", number / 60 % 24, number % 60);
    else if (place == "RV" || place == "SENT" || place == "NODE") out += std::to_string(number);
    else if (place == "SHA") out += hex(random, 64);
    else if (place == "UID" || place == "OWNER") out += hex(random, 36);
    else out += hex(random, 8);
  }
  return out.append(rest, text.end());
}

// Pods as the cache keeps them.
const std::vector<cache::object_ptr>& objects() {
  static const auto all = [] {
    std::ostringstream text;
    text << std::ifstream(POD_TEMPLATE).rdbuf();
    cache::object_decoder decoder({"", "v1", "Pod", "pods", true});
    std::mt19937_64 random(1);
    std::vector<cache::object_ptr> out;
    for (std::size_t n = 0; n < pods; ++n) {
      const auto read = decoder.decode_watch_line(
          R"({"type":"ADDED","object":)" + filled(text.str(), n, random) + "}");
      if (read && read->object) out.push_back(read->object);
    }
    return out;
  }();
  return all;
}

struct dictionary {
  std::unique_ptr<ZSTD_CDict, decltype(&ZSTD_freeCDict)> writes{nullptr, ZSTD_freeCDict};
  std::unique_ptr<ZSTD_DDict, decltype(&ZSTD_freeDDict)> reads{nullptr, ZSTD_freeDDict};
};

const dictionary& trained() {
  static const auto made = [] {
    std::string samples;
    std::vector<std::size_t> sizes;
    for (std::size_t n = 0; n < trained_on; ++n) {
      samples += objects()[n]->json();
      sizes.push_back(objects()[n]->json().size());
    }
    std::string bytes(dictionary_bytes, '\0');
    bytes.resize(ZDICT_trainFromBuffer(bytes.data(), bytes.size(), samples.data(), sizes.data(),
                                       static_cast<unsigned>(sizes.size())));
    dictionary out;
    out.writes.reset(ZSTD_createCDict(bytes.data(), bytes.size(), level));
    out.reads.reset(ZSTD_createDDict(bytes.data(), bytes.size()));
    return out;
  }();
  return made;
}

std::string packed(ZSTD_CCtx* with, std::string_view json) {
  std::string out(ZSTD_compressBound(json.size()), '\0');
  out.resize(ZSTD_compress_usingCDict(with, out.data(), out.size(), json.data(), json.size(),
                                      trained().writes.get()));
  return out;
}

// The store of the cold objects: what an object occupies now and would occupy.
void pack_cold(benchmark::State& state) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> with(ZSTD_createCCtx(),
                                                                   ZSTD_freeCCtx);
  if (objects().size() != pods) return state.SkipWithError("the recorded Pod could not be decoded");
  std::size_t next = 0, all = 0, json = 0, small = 0;
  for (auto _ : state) {
    const auto& o = objects()[next++ % pods];
    const auto bytes = packed(with.get(), o->json());
    all += o->bytes(), json += o->json().size(), small += bytes.size();
  }
  const auto each = [&](std::size_t sum) {
    return static_cast<double>(sum) / static_cast<double>(state.iterations());
  };
  state.counters["object_bytes"] = each(all);
  state.counters["json_bytes"] = each(json);
  state.counters["packed_bytes"] = each(small);
}
BENCHMARK(pack_cold);

// Each read of a cold object.
void read_cold(benchmark::State& state) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> with(ZSTD_createCCtx(),
                                                                   ZSTD_freeCCtx);
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> from(ZSTD_createDCtx(),
                                                                   ZSTD_freeDCtx);
  if (objects().size() != pods) return state.SkipWithError("the recorded Pod could not be decoded");
  std::vector<std::string> cold;
  for (const auto& o : objects())
    cold.push_back(packed(with.get(), o->json()));
  std::size_t next = 0;
  for (auto _ : state) {
    const auto n = next++ % pods;
    std::string json(objects()[n]->json().size(), '\0');
    const auto got = ZSTD_decompress_usingDDict(from.get(), json.data(), json.size(),
                                                cold[n].data(), cold[n].size(),
                                                trained().reads.get());
    if (got != json.size()) state.SkipWithError("an object did not come back");
    benchmark::DoNotOptimize(json);
  }
}
BENCHMARK(read_cold);

// What the read is beside: the decode of one event, which also pays the pack.
void decode_pod(benchmark::State& state) {
  if (objects().size() != pods) return state.SkipWithError("the recorded Pod could not be decoded");
  const std::string line =
      R"({"type":"MODIFIED","object":)" + std::string(objects()[0]->json()) + "}";
  cache::object_decoder decoder({"", "v1", "Pod", "pods", true});
  for (auto _ : state)
    benchmark::DoNotOptimize(decoder.decode_watch_line(line));
}
BENCHMARK(decode_pod);

}  // namespace
}  // namespace oarlock
