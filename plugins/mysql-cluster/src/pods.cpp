#include "pods.hpp"

namespace mysql_cluster {

namespace core = oarlock::k8s::core::v1;

namespace {

constexpr std::int64_t mysql_uid = 999;  // of the user mysql in the image

}  // namespace

void secure(core::pod_spec& pod) {
  pod.automount_service_account_token = false;
  pod.enable_service_links = false;
  auto& security = *pod.security_context;
  security.run_as_non_root = true;
  security.run_as_user = mysql_uid;
  security.run_as_group = mysql_uid;
  security.fs_group = mysql_uid;
  security.fs_group_change_policy = "OnRootMismatch";
  security.seccomp_profile->type = "RuntimeDefault";
}

void secure(core::container& container) {
  auto& security = *container.security_context;
  security.allow_privilege_escalation = false;
  security.read_only_root_filesystem = true;
  security.capabilities->drop = {"ALL"};
}

core::volume_mount mount(const char* volume, const char* path, bool read_only) {
  core::volume_mount made;
  made.name = volume;
  made.mount_path = path;
  if (read_only) made.read_only = true;
  return made;
}

core::volume volume_of(const char* name) {
  core::volume made;
  made.name = name;
  return made;
}

core::volume secret_volume(const char* name, std::string secret, const char* key) {
  core::volume made = volume_of(name);
  made.secret->secret_name = std::move(secret);
  made.secret->default_mode = 0440;
  if (key == nullptr) return made;
  auto& item = made.secret->items.emplace_back();
  item.key = key;
  item.path = key;
  return made;
}

core::volume claim_volume(const char* name, std::string claim, bool read_only) {
  core::volume made = volume_of(name);
  made.persistent_volume_claim->claim_name = std::move(claim);
  if (read_only) made.persistent_volume_claim->read_only = true;
  return made;
}

void set_env(core::container& container, const char* name, std::string value) {
  auto& made = container.env.emplace_back();
  made.name = name;
  made.value = std::move(value);
}

}  // namespace mysql_cluster
