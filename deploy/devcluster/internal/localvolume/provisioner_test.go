//go:build !noaddons

package localvolume

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v11/controller"
)

func node(ready corev1.ConditionStatus) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: "node-2", Labels: map[string]string{corev1.LabelHostname: "node-2"},
		},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
			{Type: corev1.NodeReady, Status: ready},
		}},
	}
}

// has is a cluster of those nodes.
func has(nodes ...*corev1.Node) func(context.Context, string) (*corev1.Node, error) {
	return func(_ context.Context, name string) (*corev1.Node, error) {
		for _, n := range nodes {
			if n.Name == name {
				return n, nil
			}
		}
		return nil, apierrors.NewNotFound(corev1.Resource("nodes"), name)
	}
}

func options() controller.ProvisionOptions {
	policy := corev1.PersistentVolumeReclaimDelete
	return controller.ProvisionOptions{
		StorageClass: &storagev1.StorageClass{ReclaimPolicy: &policy},
		PVName:       "pvc-1",
		PVC: &corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceStorage: resource.MustParse("1Gi"),
			}},
		}},
		SelectedNode: node(corev1.ConditionTrue),
	}
}

func TestAVolumeIsAFolderOfOneNodeUntilItIsDeleted(t *testing.T) {
	ctx := context.Background()
	p := &provisioner{t.TempDir(), has(node(corev1.ConditionTrue))}
	volume, _, err := p.Provision(ctx, options())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.nodes, "node-2", "volumes", "pvc-1")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o777 || volume.Spec.Local.Path != path {
		t.Fatalf("expected a folder for everybody at %s, found %+v, %v", path, volume.Spec, err)
	}
	terms := volume.Spec.NodeAffinity.Required.NodeSelectorTerms
	if got := terms[0].MatchExpressions[0].Values; len(got) != 1 || got[0] != "node-2" {
		t.Errorf("node affinity: %v", terms)
	}
	if size := volume.Spec.Capacity[corev1.ResourceStorage]; size.String() != "1Gi" {
		t.Errorf("capacity: %v", size)
	}
	if err := os.WriteFile(filepath.Join(path, "row"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Provision(ctx, options()); err != nil {
		t.Error("a repetition after a lost answer must succeed: ", err)
	}
	if _, err := os.Stat(filepath.Join(path, "row")); err != nil {
		t.Error("a repetition must keep the data: ", err)
	}
	for range 2 {
		if err := p.Delete(ctx, volume); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Error("the folder is still there: ", err)
		}
	}
}

func TestANodeThatIsDownKeepsItsVolumes(t *testing.T) {
	ctx := context.Background()
	p := &provisioner{t.TempDir(), has(node(corev1.ConditionUnknown))}
	volume, _, err := p.Provision(ctx, options())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Delete(ctx, volume); err == nil || !strings.Contains(err.Error(), "not ready") {
		t.Errorf("expected a reason, found %v", err)
	}
	if _, err := os.Stat(volume.Spec.Local.Path); err != nil {
		t.Error("the folder is gone: ", err)
	}
	p.getNode = has() // the node was removed from the cluster
	if err := p.Delete(ctx, volume); err != nil {
		t.Error(err)
	}
}

func TestForeignPathsAreNeverRemoved(t *testing.T) {
	p := &provisioner{t.TempDir(), has()}
	foreign := t.TempDir()
	for _, path := range []string{
		foreign, p.nodes, filepath.Join(p.nodes, "node-2", "volumes"),
		p.nodes + "/node-2/volumes/../../..", filepath.Join(p.nodes, "node-2", "volumes", "pvc-2"),
	} {
		volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pvc-1"}}
		volume.Spec.Local = &corev1.LocalVolumeSource{Path: path}
		if err := p.Delete(context.Background(), volume); err == nil {
			t.Errorf("%s: expected a refusal", path)
		}
	}
	if err := p.Delete(context.Background(), &corev1.PersistentVolume{}); err == nil {
		t.Error("a volume of another kind: expected a refusal")
	}
}

func TestClaimsThatAFolderCannotServeAreRefused(t *testing.T) {
	block := corev1.PersistentVolumeBlock
	for want, change := range map[string]func(*controller.ProvisionOptions){
		"volumeMode": func(o *controller.ProvisionOptions) { o.PVC.Spec.VolumeMode = &block },
		"accessModes": func(o *controller.ProvisionOptions) {
			o.PVC.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
		},
		"dataSource": func(o *controller.ProvisionOptions) {
			o.PVC.Spec.DataSource = &corev1.TypedLocalObjectReference{Kind: "VolumeSnapshot"}
		},
		"selector": func(o *controller.ProvisionOptions) {
			o.PVC.Spec.Selector = &metav1.LabelSelector{}
		},
		"WaitForFirstConsumer": func(o *controller.ProvisionOptions) { o.SelectedNode = nil },
	} {
		p := &provisioner{t.TempDir(), has()}
		opts := options()
		change(&opts)
		_, state, err := p.Provision(context.Background(), opts)
		if err == nil || !strings.Contains(err.Error(), want) ||
			state != controller.ProvisioningFinished {
			t.Errorf("%s: found %v, %v", want, state, err)
		}
		if entries, _ := os.ReadDir(p.nodes); len(entries) != 0 {
			t.Errorf("%s: left %v", want, entries)
		}
	}
}
