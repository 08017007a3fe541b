// Lease objects: a record that is written is read back, and the rest of the object survives.
#include "core/election/errors.hpp"
#include "core/election/lease.hpp"
#include "core/json/parse.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oarlock;
  using fuzz::expect;
  const auto body = fuzz::text_of(data, size);
  const auto found = election::parse_lease(body);
  if (!found) {
    expect(found.error().code == election::election_error::bad_lease, "one kind of error", body);
    return 0;
  }
  auto record = found->record;
  record.transitions = record.duration_seconds;
  record.holder += "+";
  record.renew_time = record.acquire_time;
  const auto text = election::with_record(*found, record);
  expect(text.has_value(), "what was read can be written", body);
  const auto again = election::parse_lease(*text);
  expect(again && again->record == record, "the record reads back", *text);
  const auto before = json::parse(body);
  const auto after = json::parse(*text);
  expect(before && after, "both are JSON", *text);
  for (const auto& m : before->GetObject()) {
    const std::string_view name(m.name.GetString(), m.name.GetStringLength());
    const auto kept = after->FindMember(m.name);
    expect(kept != after->MemberEnd(), "members stay", name);
    expect(name == "spec" || kept->value == m.value, "and stay the same", name);
  }
  const auto made = election::parse_lease(election::new_lease_json("ns", "name", record));
  expect(made && made->record == record, "a new lease reads back", body);
  return 0;
}
