#include "core/election/lease.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "core/election/errors.hpp"
#include "core/json/parse.hpp"

namespace oarlock::election {

namespace {

result<rapidjson::Document> parse(std::string_view text) {
  auto doc = json::parse(text);
  if (!doc) return error{election_error::bad_lease, "expected a Lease: " + doc.error().message};
  if (!doc->IsObject()) {
    return error{election_error::bad_lease, "expected a Lease, found JSON that is not an object"};
  }
  return doc;
}

template <class Value, class Allocator>
void set_member(Value& object, const char* key, Value value, Allocator& allocator) {
  const auto at = object.FindMember(key);
  if (at != object.MemberEnd()) {
    at->value = std::move(value);
    return;
  }
  Value name;
  name.SetString(key, allocator);
  object.AddMember(std::move(name), std::move(value), allocator);
}

void set_record(rapidjson::Document& doc, const lease_record& record) {
  auto& allocator = doc.GetAllocator();
  if (const auto at = doc.FindMember("spec"); at == doc.MemberEnd() || !at->value.IsObject()) {
    set_member(static_cast<rapidjson::Value&>(doc), "spec",
               rapidjson::Value(rapidjson::kObjectType), allocator);
  }
  auto& spec = doc["spec"];
  const auto text = [&](const char* key, const std::string& value) {
    set_member(spec, key, rapidjson::Value(value, allocator), allocator);
  };
  text("holderIdentity", record.holder);
  text("acquireTime", record.acquire_time);
  text("renewTime", record.renew_time);
  set_member(spec, "leaseDurationSeconds", rapidjson::Value(record.duration_seconds), allocator);
  set_member(spec, "leaseTransitions", rapidjson::Value(record.transitions), allocator);
}

}  // namespace

const kube::resource& lease_resource() {
  static const kube::resource made{"coordination.k8s.io", "v1", "Lease", "leases", true};
  return made;
}

result<lease> parse_lease(std::string_view body) {
  auto doc = parse(body);
  if (!doc) return doc.error();
  // A Lease without a spec is one that nobody ever held.
  return lease{{.holder = std::string(json::string_at(*doc, "/spec/holderIdentity")),
                .duration_seconds = json::int_at(*doc, "/spec/leaseDurationSeconds").value_or(0),
                .acquire_time = std::string(json::string_at(*doc, "/spec/acquireTime")),
                .renew_time = std::string(json::string_at(*doc, "/spec/renewTime")),
                .transitions = json::int_at(*doc, "/spec/leaseTransitions").value_or(0)},
               std::string(body)};
}

std::string new_lease_json(const std::string& ns, const std::string& name,
                           const lease_record& record) {
  rapidjson::Document doc(rapidjson::kObjectType);
  auto& allocator = doc.GetAllocator();
  rapidjson::Value metadata(rapidjson::kObjectType);
  metadata.AddMember("name", rapidjson::Value(name, allocator), allocator);
  metadata.AddMember("namespace", rapidjson::Value(ns, allocator), allocator);
  doc.AddMember("apiVersion", "coordination.k8s.io/v1", allocator);
  doc.AddMember("kind", "Lease", allocator);
  doc.AddMember("metadata", metadata, allocator);
  set_record(doc, record);
  return json::write(doc);
}

result<std::string> with_record(const lease& found, const lease_record& record) {
  auto doc = parse(found.json);
  if (!doc) return doc.error();
  set_record(*doc, record);
  return json::write(*doc);
}

std::string micro_time(wall_time t) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(t);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(t - whole).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(whole)), micros);
}

}  // namespace oarlock::election
