package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"sync"

	"oarlock.dev/devcluster/internal/localvolume"
	"oarlock.dev/devcluster/internal/netplan"
)

// An addon is an object that `up` applies to every cluster of level node.
type addon struct{ path, yaml string }

// addons give CoreDNS and the provisioner their rights, the pods their name server and claims their
// default StorageClass. CoreDNS runs as a process of the node, so its Service has no selector but a
// hand-made endpoint.
func (c *Cluster) addons() []addon {
	const rbac = "/apis/rbac.authorization.k8s.io/v1/"
	return []addon{
		{rbac + "clusterroles/devcluster:coredns", `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "devcluster:coredns"}
rules:
- {apiGroups: [""], resources: [services, pods, namespaces, endpoints], verbs: [list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
`},
		{rbac + "clusterrolebindings/devcluster:coredns", fmt.Sprintf(
			`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "devcluster:coredns"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "devcluster:coredns"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %q}]
`, dnsUser)},
		{"/api/v1/namespaces/kube-system/services/kube-dns", fmt.Sprintf(`apiVersion: v1
kind: Service
metadata:
  name: kube-dns
  namespace: kube-system
  labels: {k8s-app: kube-dns, kubernetes.io/name: CoreDNS}
spec:
  clusterIP: %s
  ports:
  - {name: dns, protocol: UDP, port: 53, targetPort: %d}
  - {name: dns-tcp, protocol: TCP, port: 53, targetPort: %[2]d}
`, netplan.DNSIP, dnsPort)},
		{"/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns-node",
			fmt.Sprintf(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: kube-dns-node
  namespace: kube-system
  labels:
    kubernetes.io/service-name: kube-dns
    endpointslice.kubernetes.io/managed-by: devcluster
addressType: IPv4
endpoints: [{addresses: ["%s"], conditions: {ready: true}}]
ports:
- {name: dns, protocol: UDP, port: %d}
- {name: dns-tcp, protocol: TCP, port: %[2]d}
`, c.address(), dnsPort)},
		{rbac + "clusterroles/devcluster:provisioner", `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "devcluster:provisioner"}
rules:
- {apiGroups: [""], resources: [persistentvolumes],
   verbs: [get, list, watch, create, update, patch, delete]}
- {apiGroups: [""], resources: [persistentvolumeclaims], verbs: [get, list, watch, update, patch]}
- {apiGroups: [""], resources: [nodes], verbs: [get, list, watch]}
- {apiGroups: [storage.k8s.io], resources: [storageclasses], verbs: [get, list, watch]}
- {apiGroups: ["", events.k8s.io], resources: [events], verbs: [create, update, patch]}
`},
		{rbac + "clusterrolebindings/devcluster:provisioner", fmt.Sprintf(
			`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: "devcluster:provisioner"}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "devcluster:provisioner"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %q}]
`, provisionerUser)},
		{"/apis/storage.k8s.io/v1/storageclasses/local", fmt.Sprintf(`apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: local
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: %s
volumeBindingMode: WaitForFirstConsumer
reclaimPolicy: Delete
allowVolumeExpansion: false
`, localvolume.ProvisionerName)},
	}
}

func (c *Cluster) applyAddons() error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	addons := c.addons()
	errs := make([]error, len(addons))
	var all sync.WaitGroup
	for i, a := range addons {
		all.Go(func() {
			url := c.URL() + a.path + "?fieldManager=devcluster&force=true"
			const applyYAML = "application/apply-patch+yaml"
			_, errs[i] = roundTrip(client, http.MethodPatch, url, applyYAML, []byte(a.yaml))
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
