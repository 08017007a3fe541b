// Package localvolume provisions volumes that are folders of one node.
//
// A claim waits for its first pod; then the folder is made on the pod's node, and the volume can be
// used there only. Deleting the claim removes the folder. Sizes are not enforced.
package localvolume

// ProvisionerName is what a StorageClass calls the provisioner.
const ProvisionerName = "devcluster.oarlock.dev/local"
