// What packing objects saves and costs, over Pods made from the recorded one as the stub makes
// them. See docs/decisions/0007-packed-objects.md.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <random>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "core/cache/object_decoder.hpp"
#include "core/cache/text_packer.hpp"

namespace oarlock {
namespace {

constexpr std::size_t pods = 2000;
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
    if (place == "NAME")
      out += fmt::format("web-{}-{}", hex(random, 8), number);
    else if (place == "NS")
      out += fmt::format("team-{}", number % 100);
    else if (place == "IP")
      out += fmt::format("10.64.{}.{}", number / 256 % 256, number % 256);
    else if (place == "TIME")
      out += fmt::format("{:02}:{:02}:00", number / 60 % 24, number % 60);
    else if (place == "RV" || place == "SENT" || place == "NODE")
      out += std::to_string(number);
    else if (place == "SHA")
      out += hex(random, 64);
    else if (place == "UID" || place == "OWNER")
      out += hex(random, 36);
    else
      out += hex(random, 8);
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
      const auto read = decoder.decode_watch_line(R"({"type":"ADDED","object":)" +
                                                  filled(text.str(), n, random) + "}");
      if (read && read->object) out.push_back(read->object);
    }
    return out;
  }();
  return all;
}

// Each text of a kind after those that the packer learns from: what is stored then and now.
void pack(benchmark::State& state) {
  if (objects().size() != pods) return state.SkipWithError("the recorded Pod could not be decoded");
  std::vector<std::string> texts;
  for (const auto& o : objects())
    texts.push_back(o->json());
  cache::text_packer packer;
  for (std::size_t n = 0; n < pods; ++n)
    (void)packer.pack(texts[n]);
  std::size_t next = 0, plain = 0, packed = 0;
  for (auto _ : state) {
    const auto& text = texts[next++ % pods];
    packed += packer.pack(text).bytes().size(), plain += text.size();
  }
  const auto each = [&](std::size_t sum) {
    return static_cast<double>(sum) / static_cast<double>(state.iterations());
  };
  state.counters["plain_bytes"] = each(plain);
  state.counters["packed_bytes"] = each(packed);
}
BENCHMARK(pack);

void read_packed(benchmark::State& state) {
  if (objects().size() != pods) return state.SkipWithError("the recorded Pod could not be decoded");
  cache::text_packer packer;
  std::vector<cache::packed_text> kept;
  for (std::size_t n = 0; n < 2 * pods; ++n)
    kept.push_back(packer.pack(objects()[n % pods]->json()));
  std::size_t next = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(kept[pods + next++ % pods].text());
}
BENCHMARK(read_packed);

// What both are beside: the decode of one event.
void decode_pod(benchmark::State& state, bool packs) {
  if (objects().size() != pods) return state.SkipWithError("the recorded Pod could not be decoded");
  std::vector<std::string> lines;
  for (const auto& o : objects())
    lines.push_back(R"({"type":"MODIFIED","object":)" + o->json() + "}");
  cache::object_decoder decoder({"", "v1", "Pod", "pods", true}, packs);
  std::size_t next = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(decoder.decode_watch_line(lines[next++ % pods]));
}
BENCHMARK_CAPTURE(decode_pod, plain, false);
BENCHMARK_CAPTURE(decode_pod, packed, true);

}  // namespace
}  // namespace oarlock
