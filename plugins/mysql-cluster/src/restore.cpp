#include "decider.hpp"

namespace mysql_cluster {

// A cluster that begins with a backup has one member until that is loaded, by the program that
// makes its data folder. That it is there goes on record; then the pod is made anew without the
// backup's volume, and is the primary. The others become copies of it, as those of any primary.
void decider::restore_first() {
  const member* first = v_.members.empty() ? nullptr : &v_.members.front();
  state(phase::restoring, "Restoring", "the backup " + v_.wanted.backup + " is loaded");
  if (!v_.known.restored) return load_backup(first);
  if (first == nullptr || !first->exists || first->terminating) {
    d_.message = "the backup " + v_.wanted.backup + " is loaded; waiting for the first member";
    return;
  }
  if (!first->restores.empty()) {
    // Only once Kubernetes knows the template without the backup.
    if (first->outdated && d_.steps.empty()) say(action::restart, *first);
    d_.message = first->name + " has the backup " + v_.wanted.backup + " and starts without it";
    return look_again(500);
  }
  if (!first->reachable) {
    d_.message = "waiting for " + first->name + ", which has the backup, to answer";
    if (!first->trouble.empty()) find("PodTrouble", "PodNotRunning", first->trouble);
    return;
  }
  if (!first->has_data()) {
    return block_restore("RestoreLost", first->name +
                                            " had the backup and is empty now; delete this cluster "
                                            "and its volumes, and make it anew");
  }
  record next = v_.known;
  next.primary = first->name;
  next.primary_uuid = first->server_uuid;
  next.replicas = v_.wanted.size - 1;
  next.acks = v_.wanted.acks();
  next.epoch = v_.known.epoch + 1;
  next.opened = true;  // what is in the backup may not be lost
  keep(next);
  event(false, "PrimaryChosen", next.primary + " is the first primary, with the backup");
}

void decider::load_backup(const member* first) {
  d_.restores = true;
  if (first == nullptr) return;
  if (!first->reachable) {
    if (!first->init_reason.empty()) {
      block_restore(first->init_reason, first->init_message);
    } else if (!first->trouble.empty()) {
      d_.message += "; " + first->trouble;
      find("PodTrouble", "PodNotRunning", first->name + ": " + first->trouble);
    }
    return;
  }
  if (first->restores != v_.wanted.backup) {
    // It was made when another backup was wanted, or none, and holds whatever came of that.
    return block_restore("VolumeInUse", first->name +
                                            " runs and was not made of this backup; delete this "
                                            "cluster and its volumes, and make it anew");
  }
  if (!first->has_data()) {
    return block_restore("RestoreEmpty", first->name + " has no transaction of the backup");
  }
  record next = v_.known;
  next.restored = true;
  keep(next);
  event(false, "Restored", first->name + " has the backup " + v_.wanted.backup);
}

void decider::block_restore(const std::string& reason, const std::string& message) {
  state(phase::blocked, reason, message);
  find("RestoreBlocked", reason, message);
}

}  // namespace mysql_cluster
