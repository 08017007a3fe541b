#include "core/cli/install_cluster.hpp"

#include "core/kube/kubeconfig.hpp"

namespace oarlock::cli {

result<std::unique_ptr<install_cluster>> install_cluster::open(const std::string& kubeconfig) {
  const auto config = kube::load_cluster_config(kube::config_sources::from_environment(kubeconfig));
  if (!config) return config.error();
  auto made = std::make_unique<install_cluster>();
  auto api = kube::connect(made->io_.get_executor(), made->clock_, made->timers_, *config);
  if (!api) return api.error();
  made->api_ = std::move(*api);
  made->client_ = std::make_unique<kube::client>(kube::client::parts{
      made->io_.get_executor(), made->api_.transport.get(), made->api_.identity.get(),
      &made->clock_, &made->timers_, made->metrics_.get(), nullptr});
  return made;
}

void install_cluster::pause(std::chrono::milliseconds how_long) {
  (void)call(timers_.sleep_for(how_long, {}));
}

}  // namespace oarlock::cli
