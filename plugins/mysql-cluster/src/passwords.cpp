// New passwords for all accounts, while everybody works on. Servers accept two for an account: the
// old ones go when everything that connects has had time to read the new ones.
#include <algorithm>

#include "decider.hpp"

namespace mysql_cluster {

// Each step is made of what is seen: the Secrets say which passwords there are, servers which ones
// they accept, the record how far the rest is.
void decider::change_passwords(const member& p) {
  const auto& change = v_.passwords;
  if (!change.is_drawn) {
    begin_passwords();
    if (v_.wanted.passwords.empty() || v_.wanted.passwords == v_.known.passwords_done) return;
    if (d_.now != phase::ready || !v_.has_app) {
      return tell_passwords("WaitingForCluster", "they are made when the cluster is Ready");
    }
    event(false, "PasswordsDrawn", "new passwords for the request " + v_.wanted.passwords);
    say(action::draw_passwords, p);
    return look_again(100);
  }
  if (change.request == v_.known.passwords_done) {
    say(action::forget_passwords, p);
    return look_again(100);
  }
  // Not at once again: what fails must not keep anything else from being done.
  if (!change.failure.empty()) return tell_passwords("StatementFailed", change.failure);
  if (!p.has_new_passwords) {
    tell_passwords("Changing", p.name + " is told the new ones");
    // A statement that nobody acknowledges would wait, and keep a lock.
    if (attached(p) < v_.known.acks) return;
    say(action::renew_passwords, p);
    return look_again(100);
  }
  if (auto who = waits_for_member(p); !who.empty()) {
    return tell_passwords("WaitingForMember", std::move(who));
  }
  if (!change.is_published) {
    tell_passwords("Changing", "the new ones get into the Secrets");
    say(action::publish_passwords, p);
    return look_again(100);
  }
  if (!pass_on_passwords()) return;
  if (!p.only_new_passwords) {
    tell_passwords("Changing", "the old ones are not accepted any more");
    say(action::discard_passwords, p);
    return look_again(100);
  }
  d_.next.passwords_done = change.request;
  ++d_.next.password_changes;
  begin_passwords();
  event(false, "PasswordsChanged", "the old ones are not accepted any more");
  look_again(100);
}

// A replica that lost its connection would be refused with an old one; one at a time, as a commit
// may wait for it. True when nobody needs the old ones any more.
bool decider::pass_on_passwords() {
  auto& since = d_.next.passwords_published_unix_ms;
  if (!since) since = v_.now_unix_ms;
  auto& told = d_.next.passwords_told;
  for (const auto& m : v_.members) {
    if (!is_replica(m) || !is_on_record(m) || std::ranges::binary_search(told, m.name)) continue;
    tell_passwords("Changing", m.name + " connects anew with the new one");
    say(action::tell_password, m);
    told.insert(std::ranges::upper_bound(told, m.name), m.name);
    look_again(500);
    return false;
  }
  if (v_.now_unix_ms >= *since + v_.wanted.keep_old_passwords_ms) return true;
  tell_passwords("BothAccepted",
                 "the new ones are in the Secrets; the old ones are accepted for "
                 "spec.passwords.keepOldSeconds from status.passwords.publishedAt on");
  return false;
}

// Nothing goes on without a member that would be left behind with what nobody knows any more.
std::string decider::waits_for_member(const member& p) const {
  for (const auto& m : v_.members) {
    if (!is_on_record(m) || (m.has_new_passwords && (!is_replica(m) || follows(p, m)))) continue;
    return m.name + " has not the new ones yet; the old ones are accepted meanwhile";
  }
  return {};
}

void decider::begin_passwords() {
  d_.next.passwords_published_unix_ms.reset();
  d_.next.passwords_told.clear();
}

void decider::tell_passwords(std::string reason, std::string message) {
  find("PasswordsChanging", std::move(reason), std::move(message));
}

}  // namespace mysql_cluster
