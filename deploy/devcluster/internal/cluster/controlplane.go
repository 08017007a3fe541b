package cluster

import (
	"fmt"
	"path/filepath"

	"oarlock.dev/devcluster/internal/files"
	"oarlock.dev/devcluster/internal/kubeconfig"
	"oarlock.dev/devcluster/internal/netplan"
	"oarlock.dev/devcluster/internal/pki"
	"oarlock.dev/devcluster/internal/supervisor"
)

// auditPolicy logs every write, and what callers other than Kubernetes itself and the admin read.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
  userGroups: [system:masters, system:nodes, system:serviceaccounts:kube-system]
- level: None
  verbs: [get, list, watch]
  users:
  - system:apiserver
  - system:anonymous
  - system:kube-controller-manager
  - system:kube-scheduler
  - system:kube-proxy
  - devcluster:coredns
  - devcluster:provisioner
- level: Metadata
`

// clients are the identities of the components; each gets a kubeconfig of its own.
var clients = []struct {
	file, user string
	groups     []string
}{
	{"admin", "admin", []string{"system:masters"}},
	{controllerManager, "system:kube-controller-manager", nil},
	{scheduler, "system:kube-scheduler", nil},
}

// prepareControlPlane writes certificates and files; what is good already stays as it is.
func (c *Cluster) prepareControlPlane() error {
	ca, err := c.pki.EnsureCA("ca", c.State.Name+"-ca")
	if err != nil {
		return err
	}
	hosts := []string{"127.0.0.1", "localhost", netplan.ClusterIP, "kubernetes",
		"kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	if c.State.Level == Node {
		hosts = append(hosts, c.address())
	}
	leaves := []struct {
		name string
		leaf pki.Leaf
	}{
		{"etcd", pki.Leaf{CommonName: "etcd", Hosts: []string{"127.0.0.1", "localhost"}}},
		{"apiserver-etcd-client", pki.Leaf{CommonName: "kube-apiserver"}},
		{"apiserver", pki.Leaf{CommonName: "kube-apiserver", Hosts: hosts}},
		{"components", pki.Leaf{CommonName: "components", Hosts: hosts}},
		{"apiserver-kubelet-client", pki.Leaf{CommonName: "kube-apiserver-kubelet-client",
			Organizations: []string{"system:masters"}}},
		{"service-account", pki.Leaf{CommonName: "service-account"}},
	}
	for _, l := range leaves {
		if _, err := c.pki.Ensure(ca, l.name, l.leaf); err != nil {
			return err
		}
	}
	// The aggregation layer has an authority of its own: its client may speak for any user.
	proxyCA, err := c.pki.EnsureCA("front-proxy-ca", c.State.Name+"-front-proxy-ca")
	if err != nil {
		return err
	}
	frontProxy := pki.Leaf{CommonName: "front-proxy-client"}
	if _, err := c.pki.Ensure(proxyCA, "front-proxy-client", frontProxy); err != nil {
		return err
	}
	if err := files.WriteAtomic(filepath.Join(c.Dir, "audit-policy.yaml"),
		[]byte(auditPolicy), 0o644); err != nil {
		return err
	}
	for _, client := range clients {
		leaf := pki.Leaf{CommonName: client.user, Organizations: client.groups}
		if err := c.writeClientConfig(ca, client.file, leaf); err != nil {
			return err
		}
	}
	return c.copyAdminConfig()
}

// clientConfigPath is the kubeconfig of a component.
func (c *Cluster) clientConfigPath(name string) string {
	return filepath.Join(c.Dir, "kubeconfigs", name)
}

func (c *Cluster) writeClientConfig(ca *pki.Pair, file string, leaf pki.Leaf) error {
	pair, err := c.pki.Ensure(ca, "client-"+file, leaf)
	if err != nil {
		return err
	}
	data := kubeconfig.Render(kubeconfig.Spec{
		Cluster: c.State.Name, User: leaf.CommonName, Server: c.URL(),
		CA:   kubeconfig.Source{Data: ca.CertPEM},
		Cert: kubeconfig.Source{Data: pair.CertPEM}, Key: kubeconfig.Source{Data: pair.KeyPEM},
	})
	return files.WriteAtomic(c.clientConfigPath(file), data, 0o600)
}

// own makes the spec of a program that this binary contains.
func (c *Cluster) own(name string, args ...string) supervisor.Spec {
	return supervisor.Spec{Name: name, Args: args, Log: c.inside("logs", name+".log")}
}

func (c *Cluster) cert(flag, name string) []string {
	return []string{
		"--" + flag + "cert-file=" + c.inside("pki", name+".crt"),
		"--" + flag + "private-key-file=" + c.inside("pki", name+".key"),
	}
}

func (c *Cluster) etcdSpec() supervisor.Spec {
	client := fmt.Sprintf("https://127.0.0.1:%d", c.State.Ports.Etcd)
	peer := fmt.Sprintf("https://127.0.0.1:%d", c.State.Ports.EtcdPeer)
	cert, key := c.inside("pki", "etcd.crt"), c.inside("pki", "etcd.key")
	ca := c.inside("pki", "ca.crt")
	return c.own(etcd,
		"--name=default", "--data-dir="+c.inside("etcd"),
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer,
		"--initial-cluster=default="+peer,
		"--cert-file="+cert, "--key-file="+key, "--trusted-ca-file="+ca, "--client-cert-auth",
		"--peer-cert-file="+cert, "--peer-key-file="+key, "--peer-trusted-ca-file="+ca,
		"--peer-client-cert-auth",
		"--quota-backend-bytes=8589934592", "--log-level=warn",
		"--unsafe-no-fsync") // a test cluster need not survive a power cut
}

func (c *Cluster) apiServerSpec() supervisor.Spec {
	spec := c.own(apiServer,
		fmt.Sprintf("--etcd-servers=https://127.0.0.1:%d", c.State.Ports.Etcd),
		"--etcd-cafile="+c.inside("pki", "ca.crt"),
		"--etcd-certfile="+c.inside("pki", "apiserver-etcd-client.crt"),
		"--etcd-keyfile="+c.inside("pki", "apiserver-etcd-client.key"),
		fmt.Sprintf("--secure-port=%d", c.State.Ports.APIServer),
		"--client-ca-file="+c.inside("pki", "ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--service-cluster-ip-range="+netplan.ServiceCIDR,
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+c.inside("pki", "service-account.crt"),
		"--service-account-signing-key-file="+c.inside("pki", "service-account.key"),
		"--kubelet-client-certificate="+c.inside("pki", "apiserver-kubelet-client.crt"),
		"--kubelet-client-key="+c.inside("pki", "apiserver-kubelet-client.key"),
		"--kubelet-certificate-authority="+c.inside("pki", "ca.crt"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file="+c.inside("pki", "front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+c.inside("pki", "front-proxy-client.crt"),
		"--proxy-client-key-file="+c.inside("pki", "front-proxy-client.key"),
		"--audit-log-path="+c.inside("audit.log"),
		"--audit-policy-file="+c.inside("audit-policy.yaml"),
		"--profiling=false")
	spec.Args = append(spec.Args, c.cert("tls-", "apiserver")...)
	if c.State.Level == Node {
		spec.Args = append(spec.Args, "--bind-address=0.0.0.0",
			"--advertise-address="+c.address(), "--endpoint-reconciler-type=lease")
		return spec
	}
	// A loopback address is no valid endpoint of the Service "kubernetes", and without a
	// controller-manager nobody makes the service accounts that the admission plugin asks for.
	spec.Args = append(spec.Args, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none", "--disable-admission-plugins=ServiceAccount")
	return spec
}

func (c *Cluster) bindAddress() string {
	if c.State.Level == Node {
		return "0.0.0.0"
	}
	return "127.0.0.1"
}

// watcherArgs are common to controller-manager and scheduler. There is one of each, so an election
// would only make them exit when the API server is away for a while.
func (c *Cluster) watcherArgs(name string, port int) []string {
	config := c.inside("kubeconfigs", name)
	return append(c.cert("tls-", "components"),
		"--kubeconfig="+config, "--authentication-kubeconfig="+config,
		"--authorization-kubeconfig="+config, "--leader-elect=false", "--profiling=false",
		"--bind-address="+c.bindAddress(), fmt.Sprintf("--secure-port=%d", port))
}

func (c *Cluster) controllerManagerSpec() supervisor.Spec {
	return c.own(controllerManager, append(
		c.watcherArgs(controllerManager, c.State.Ports.ControllerManager),
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+c.inside("pki", "service-account.key"),
		"--root-ca-file="+c.inside("pki", "ca.crt"),
		"--cluster-signing-cert-file="+c.inside("pki", "ca.crt"),
		"--cluster-signing-key-file="+c.inside("pki", "ca.key"),
		"--flex-volume-plugin-dir="+c.inside("run", "volume-plugins"), // or it makes one in /usr
		"--controllers=*,-node-ipam-controller",
		// The default of 20 requests per second makes tests with many objects wait for minutes.
		"--kube-api-qps=500", "--kube-api-burst=1000")...)
}

func (c *Cluster) schedulerSpec() supervisor.Spec {
	return c.own(scheduler, c.watcherArgs(scheduler, c.State.Ports.Scheduler)...)
}
