#include "core/plugin/load_request.hpp"

namespace oarlock::plugin::wire {

void put(writer& w, const load_request& request) {
  w.i32(request.parent);
  w.u32(static_cast<std::uint32_t>(request.mode));
  w.u32(request.child_user);
  w.u64(request.memory_bytes_max);
  w.u32(request.workers);
  w.i32(request.log_level);
  w.u64(request.metric_series_max);
  w.u8(request.has_lease ? 1 : 0);
  for (const auto* text : {&request.core_version, &request.plugin, &request.version,
                           &request.library_file, &request.manifest_file, &request.config_json}) {
    w.text(*text);
  }
  w.u64(request.controllers.size());
  for (const auto& name : request.controllers)
    w.text(name);
  w.u64(request.connect_ports.size());
  for (const auto port : request.connect_ports)
    w.u32(port);
}

load_request take_load_request(reader& r) {
  load_request out;
  out.parent = r.i32();
  out.mode = r.u32() == 0 ? sandbox_mode::required : sandbox_mode::best_effort;
  out.child_user = r.u32();
  out.memory_bytes_max = r.u64();
  out.workers = r.u32();
  out.log_level = r.i32();
  out.metric_series_max = r.u64();
  out.has_lease = r.u8() != 0;
  for (auto* text : {&out.core_version, &out.plugin, &out.version, &out.library_file,
                     &out.manifest_file, &out.config_json}) {
    *text = r.text();
  }
  constexpr std::uint64_t controllers_max = 1000;
  for (auto left = r.count(controllers_max, sizeof(std::uint64_t)); left > 0; --left)
    out.controllers.emplace_back(r.text());
  constexpr std::uint64_t ports_max = 1000;
  for (auto left = r.count(ports_max, sizeof(std::uint32_t)); left > 0; --left)
    out.connect_ports.push_back(static_cast<std::uint16_t>(r.u32()));
  if (out.workers == 0 || out.workers > workers_max) r.fail();
  return out;
}

void put(writer& w, const answer& a) {
  w.i32(a.status);
  w.i32(a.error_code);
  w.u64(a.image_begin);
  w.u64(a.image_end);
  w.text(a.why);
  w.text(a.gaps);
}

answer take_answer(reader& r) {
  constexpr std::size_t text_bytes_max = 8192;
  answer out;
  out.status = r.i32();
  out.error_code = r.i32();
  out.image_begin = r.u64();
  out.image_end = r.u64();
  out.why = r.text().substr(0, text_bytes_max);
  out.gaps = r.text().substr(0, text_bytes_max);
  return out;
}

}  // namespace oarlock::plugin::wire
