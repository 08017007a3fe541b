package cluster

import (
	"fmt"

	"oarlock.dev/devcluster/internal/netplan"
	"oarlock.dev/devcluster/internal/supervisor"
)

const (
	pauseImage = "devcluster-pause:1"
	dnsUser    = "devcluster:coredns"
	dnsPort    = 1053 // of CoreDNS on the first node; the Service maps 53 to it

	provisionerUser = "devcluster:provisioner"
)

// insideNode is the path of a node's file as its components see it.
func (c *Cluster) insideNode(node NodeRef, name string) string {
	return c.inside("nodes", node.Name, name)
}

// nodeFiles are the configuration files of a node by name.
func (c *Cluster) nodeFiles(node NodeRef) map[string]string {
	own := mirror(c.RegistryURL())
	out := map[string]string{
		"containerd.toml":              c.containerdConfig(node),
		"certs.d/_default/hosts.toml":  own,
		"certs.d/docker.io/hosts.toml": own,
		"cni/10-devcluster.conflist":   cniConfig(node),
		"kubelet.yaml":                 c.kubeletConfig(node),
		"resolv.conf":                  "nameserver " + netplan.DNSIP + "\n",
		"Corefile":                     c.corefile(node),
	}
	for _, name := range c.State.Registries {
		out["certs.d/"+name+"/hosts.toml"] = mirror(c.registryEndpoint(name))
	}
	return out
}

// containerdConfig avoids everything that would reach out of the node's namespaces (AppArmor
// profiles are the host's) or fail without CAP_SYS_RESOURCE (lowering oom_score_adj).
func (c *Cluster) containerdConfig(node NodeRef) string {
	return fmt.Sprintf(`version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/%s"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  stream_server_address = "127.0.0.1"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "%s"
  conf_dir = "%s"

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "%s"
`, pauseImage, cniFolder, c.insideNode(node, "cni"), c.insideNode(node, "certs.d"))
}

// mirror sends every pull to one registry, whatever registry an image names. By default that is the
// cluster's own: the nodes have no way to any other.
func mirror(url string) string {
	return fmt.Sprintf("server = %q\n\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n",
		url, url)
}

// cniConfig routes each pod through a link of its own instead of a bridge: then traffic between
// pods of one node passes kube-proxy's rules without the kernel module br_netfilter.
func cniConfig(node NodeRef) string {
	return fmt.Sprintf(`{
  "cniVersion": "0.4.0",
  "name": "devcluster",
  "plugins": [
    {
      "type": "ptp",
      "ipam": {
        "type": "host-local",
        "dataDir": "/run/cni-addresses",
        "ranges": [[{"subnet": %q}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`, netplan.PodSubnet(node.Index))
}

func (c *Cluster) kubeletConfig(node NodeRef) string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %[1]s}
authorization: {mode: Webhook}
tlsCertFile: %[2]s
tlsPrivateKeyFile: %[3]s
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDNS: [%[4]s]
clusterDomain: cluster.local
resolvConf: %[5]s
volumePluginDir: /var/lib/kubelet/volume-plugins
cgroupDriver: cgroupfs
cgroupRoot: /%[6]s
failCgroupV1: false
enforceNodeAllocatable: []
failSwapOn: false
localStorageCapacityIsolation: false
serializeImagePulls: false
eventRecordQPS: 0
imageGCHighThresholdPercent: 100
evictionHard:
  memory.available: 50Mi
  nodefs.available: 1%%
  nodefs.inodesFree: 1%%
  imagefs.available: 1%%
  imagefs.inodesFree: 1%%
`, c.inside("pki", "ca.crt"), c.inside("pki", node.component(kubelet)+".crt"),
		c.inside("pki", node.component(kubelet)+".key"),
		netplan.DNSIP, c.insideNode(node, "resolv.conf"), node.CgroupRoot)
}

// corefile answers for the cluster's names; all others do not exist, said at once rather than
// after the time-outs of a forwarder without a network.
func (c *Cluster) corefile(node NodeRef) string {
	return fmt.Sprintf(`cluster.local:%[1]d in-addr.arpa:%[1]d ip6.arpa:%[1]d {
    bind %[2]s
    errors
    ready %[2]s:8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig %[3]s
        pods insecure
        ttl 5
    }
    cache 5
    loadbalance
}
.:%[1]d {
    bind %[2]s
    template ANY ANY {
        rcode NXDOMAIN
    }
}
`, dnsPort, node.Link.Node, c.inside("kubeconfigs", coreDNS))
}

// nodeSpec says how to run a component of a node.
func (c *Cluster) nodeSpec(name string) (supervisor.Spec, error) {
	node := c.nodeOf(name)
	config := "--kubeconfig=" + c.inside("kubeconfigs", name)
	switch node.local(name) {
	case registry:
		return c.own(name, "--addr", fmt.Sprintf("0.0.0.0:%d", registryPort),
			"--dir", c.inside("registry")), nil
	case containerd:
		path, err := lookPath("containerd")
		spec := c.own(name, "--config", c.insideNode(node, "containerd.toml"))
		spec.Path = path
		return spec, err
	case kubelet:
		return c.own(name, config, "--config="+c.insideNode(node, "kubelet.yaml"),
			"--hostname-override="+node.Name, "--node-ip="+node.address()), nil
	case kubeProxy:
		return c.own(name, config, "--hostname-override="+node.Name, "--proxy-mode=iptables",
			"--cluster-cidr="+netplan.PodCIDR, "--conntrack-max-per-core=0",
			"--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
			"--iptables-min-sync-period=200ms"), nil
	case coreDNS:
		return c.own(name, "-conf", c.insideNode(node, "Corefile"), "-quiet"), nil
	case provisioner:
		return c.own(name, config, "--nodes="+c.inside("nodes")), nil
	}
	return supervisor.Spec{}, c.unknownComponent(name)
}
