package kubeconfig

import (
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func TestRenderIsReadByClientGo(t *testing.T) {
	spec := Spec{
		Cluster: "dev: \"x\"", User: "system:serviceaccount:a:b", Server: "https://127.0.0.1:1",
		CA: Source{Data: []byte("ca")}, Cert: Source{Path: "/a b/c.crt"}, Key: Source{Path: "/k"},
	}
	config, err := clientcmd.Load(Render(spec))
	if err != nil {
		t.Fatal(err)
	}
	context := config.Contexts[config.CurrentContext]
	if context == nil || context.AuthInfo != spec.User || context.Cluster != spec.Cluster {
		t.Fatalf("current context: %+v", context)
	}
	cluster, user := config.Clusters[spec.Cluster], config.AuthInfos[spec.User]
	if cluster.Server != spec.Server || string(cluster.CertificateAuthorityData) != "ca" {
		t.Errorf("cluster: %+v", cluster)
	}
	if user.ClientCertificate != "/a b/c.crt" || user.ClientKey != "/k" {
		t.Errorf("user: %+v", user)
	}
}
