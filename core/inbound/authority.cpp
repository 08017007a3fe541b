#include "core/inbound/authority.hpp"

#include <array>
#include <utility>

#include "core/base/base64.hpp"
#include "core/base/mutant.hpp"
#include "core/json/parse.hpp"
#include "core/metrics/errors.hpp"

namespace oarlock::inbound {

namespace {

// The first two as in a Secret for TLS, so that tools can show the certificate that signs.
using part = std::pair<const char*, std::string*>;
std::array<part, 5> parts_of(authority& a) {
  return {{{"tls.crt", &a.signer.certificate_pem},
           {"tls.key", &a.signer.key_pem},
           {"next.crt", &a.next.certificate_pem},
           {"next.key", &a.next.key_pem},
           {"before.crt", &a.before_certificate}}};
}

result<bool> is_over(const std::string& certificate_pem, wall_time at) {
  const auto end = metrics::end_of(certificate_pem);
  if (!end) return end.error();
  return *end <= at;
}

}  // namespace

std::string authority::trusted_pem() const {
  return signer.certificate_pem + next.certificate_pem + before_certificate;
}

result<bool> authority::advance(const std::string& name, const clock& clock_source) {
  const auto now = clock_source.wall_now();
  const auto make = [&] { return metrics::make_authority(name, lifetime, clock_source); };
  bool is_changed = false;
  if (!before_certificate.empty()) {
    const auto over = is_over(before_certificate, now);
    if (!over) return over.error();
    if (*over) before_certificate.clear();
    is_changed = *over;
  }
  const bool has_signer = !signer.certificate_pem.empty();
  const auto signs_until = has_signer ? metrics::end_of(signer.certificate_pem) : now;
  if (!signs_until) return signs_until.error();
  const bool is_ended = *signs_until <= now;
  const bool has_next = !next.certificate_pem.empty();
  const bool is_turn = *signs_until <= now + next_signs;
  if (has_signer && has_next && is_turn) {
    before_certificate = is_ended ? std::string() : signer.certificate_pem;
    signer = std::exchange(next, {});
    return true;
  }
  // Nobody was here in time: what trusts the old one is refused until it starts again.
  if (!has_signer || is_ended) {
    auto made = make();
    if (!made) return made.error();
    signer = std::move(*made);
    next = {};
    return true;
  }
  if (!has_next && *signs_until <= now + next_known && !OARLOCK_MUTANT("authority_not_renewed")) {
    auto made = make();
    if (!made) return made.error();
    next = std::move(*made);
    return true;
  }
  return is_changed;
}

result<std::string> secret_of(const authority& a, const std::string& ns, const std::string& name,
                              const std::string& there) {
  const std::string fresh =
      R"({"apiVersion":"v1","kind":"Secret","type":"Opaque","metadata":{"name":")" + name +
      R"(","namespace":")" + ns + R"("}})";
  auto doc = json::parse(there.empty() ? fresh : there);
  if (!doc) return doc.error();
  auto& memory = doc->GetAllocator();
  rapidjson::Value data(rapidjson::kObjectType);
  auto copy = a;
  for (const auto& [key, value] : parts_of(copy)) {
    if (value->empty()) continue;
    data.AddMember(rapidjson::StringRef(key), rapidjson::Value(base64_encode(*value), memory),
                   memory);
  }
  doc->RemoveMember("data");
  doc->AddMember("data", data, memory);
  return json::write(*doc);
}

result<authority> authority_in(const std::string& secret_json) {
  auto doc = json::parse(secret_json);
  if (!doc) return doc.error();
  authority out;
  for (const auto& [key, value] : parts_of(out)) {
    auto bytes = base64_decode(json::string_at(*doc, std::string("/data/") + key));
    if (!bytes) {
      return error{metrics::metrics_error::bad_certificate,
                   std::string("expected base64 in the Secret's entry ") + key};
    }
    *value = std::move(*bytes);
  }
  return out;
}

}  // namespace oarlock::inbound
