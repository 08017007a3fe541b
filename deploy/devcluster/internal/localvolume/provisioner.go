//go:build !noaddons

package localvolume

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v11/controller"
)

// provisioner keeps the volumes of every node below one folder, <nodes>/<node>/volumes/<volume>,
// which this process and the nodes see under the same path.
type provisioner struct {
	nodes   string
	getNode func(ctx context.Context, name string) (*corev1.Node, error)
}

func (p *provisioner) path(node, volume string) string {
	return filepath.Join(p.nodes, node, "volumes", volume)
}

// Provision makes the folder of a claim whose pod has been given a node.
func (p *provisioner) Provision(_ context.Context, opts controller.ProvisionOptions) (
	*corev1.PersistentVolume, controller.ProvisioningState, error) {
	fail := func(err error) (*corev1.PersistentVolume, controller.ProvisioningState, error) {
		return nil, controller.ProvisioningFinished, err
	}
	if err := check(opts.PVC); err != nil {
		return fail(err)
	}
	if opts.SelectedNode == nil {
		return fail(errors.New("expected the node of the claim's first pod, found none; set " +
			"volumeBindingMode: WaitForFirstConsumer in the StorageClass"))
	}
	node := opts.SelectedNode
	path := p.path(node.Name, opts.PVName)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fail(err)
	}
	if err := os.Mkdir(path, 0); err != nil && !errors.Is(err, os.ErrExist) {
		return fail(err)
	}
	if err := os.Chmod(path, 0o777); err != nil { // for pods of any user, whatever the umask
		return fail(err)
	}
	mode := corev1.PersistentVolumeFilesystem
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: opts.PVName},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes: opts.PVC.Spec.AccessModes,
			Capacity: corev1.ResourceList{
				corev1.ResourceStorage: opts.PVC.Spec.Resources.Requests[corev1.ResourceStorage],
			},
			PersistentVolumeReclaimPolicy: *opts.StorageClass.ReclaimPolicy,
			VolumeMode:                    &mode,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				Local: &corev1.LocalVolumeSource{Path: path},
			},
			NodeAffinity: onlyOn(node.Labels[corev1.LabelHostname]),
		},
	}, controller.ProvisioningFinished, nil
}

// check refuses what a folder cannot be.
func check(claim *corev1.PersistentVolumeClaim) error {
	if mode := claim.Spec.VolumeMode; mode != nil && *mode != corev1.PersistentVolumeFilesystem {
		return fmt.Errorf("volumeMode: expected %s, found %s", corev1.PersistentVolumeFilesystem,
			*mode)
	}
	for _, mode := range claim.Spec.AccessModes {
		if mode != corev1.ReadWriteOnce && mode != corev1.ReadWriteOncePod {
			return fmt.Errorf("accessModes: expected %s or %s, as a volume is of one node, found "+
				"%s", corev1.ReadWriteOnce, corev1.ReadWriteOncePod, mode)
		}
	}
	if claim.Spec.DataSource != nil || claim.Spec.DataSourceRef != nil {
		return errors.New("dataSource: expected none, as folders are neither cloned nor restored")
	}
	if claim.Spec.Selector != nil {
		return errors.New("selector: expected none, as each claim gets a volume of its own")
	}
	return nil
}

func onlyOn(hostname string) *corev1.VolumeNodeAffinity {
	return &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{
				Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn,
				Values: []string{hostname},
			}},
		}},
	}}
}

// Delete removes the folder of a released volume. A node that is down keeps it until it is back, as
// a disk in it would.
func (p *provisioner) Delete(ctx context.Context, volume *corev1.PersistentVolume) error {
	if volume.Spec.Local == nil {
		return errors.New("expected a local volume, found another")
	}
	path := volume.Spec.Local.Path
	node := filepath.Base(filepath.Dir(filepath.Dir(path)))
	if path != p.path(node, volume.Name) {
		return fmt.Errorf("expected %s, found the path %s", p.path("NODE", volume.Name), path)
	}
	if err := p.checkReady(ctx, node); err != nil {
		return err
	}
	return os.RemoveAll(path)
}

// checkReady does not mind a node that was taken out of the cluster for ever.
func (p *provisioner) checkReady(ctx context.Context, name string) error {
	node, err := p.getNode(ctx, name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, cond := range node.Status.Conditions {
		if cond.Type == corev1.NodeReady && cond.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("node %s is not ready; the volume is removed when it is", name)
}
