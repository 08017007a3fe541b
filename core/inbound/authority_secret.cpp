#include "core/inbound/authority_secret.hpp"

#include "core/base/log.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::inbound {

namespace {

const kube::resource secrets{"", "v1", "Secret", "secrets", true};
// Another replica may have been faster, and then has done it.
constexpr int tries_max = 3;

bool is_race(const error& e) {
  return e.code == kube::kube_error::conflict || e.code == kube::kube_error::already_exists ||
         e.code == kube::kube_error::not_found || e.code == kube::kube_error::unknown_outcome;
}

error with_remedy(error why) {
  if (why.code == kube::kube_error::forbidden) {
    why.message += "; apply deploy/inbound.yaml, which makes it and lets the daemon fill it";
  }
  return why;
}

}  // namespace

task<result<authority>> keep_authority(kube::client& client, std::string ns, std::string name,
                                       const clock& clock_source, std::stop_token stop) {
  error why;
  for (int i = 0; i < tries_max; ++i) {
    authority kept;
    auto found = co_await client.get(secrets, ns, name, stop);
    const bool is_missing = !found && found.error().code == kube::kube_error::not_found;
    if (!found && !is_missing) co_return with_remedy(found.error());
    if (found) {
      auto read = authority_in(*found);
      if (!read) co_return read.error().within("Secret " + ns + "/" + name);
      kept = std::move(*read);
    }
    const auto changed = kept.advance(name, clock_source);
    if (!changed) co_return changed.error().within("Secret " + ns + "/" + name);
    if (!*changed) co_return kept;
    const auto body = secret_of(kept, ns, name, found ? *found : std::string());
    if (!body) co_return body.error();
    result<kube::write_answer> written = why;
    if (found) {
      written = co_await client.update(secrets, ns, name, *body, stop);
    } else {
      written = co_await client.create(secrets, ns, *body, stop);
    }
    if (written) {
      log_info("the authority of the inbound listener is renewed",
               {{"secret", ns + "/" + name}, {"created", !found}});
      co_return kept;
    }
    why = written.error();
    if (!is_race(why)) break;
  }
  co_return with_remedy(why);
}

}  // namespace oarlock::inbound
