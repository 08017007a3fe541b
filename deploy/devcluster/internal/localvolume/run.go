//go:build !noaddons

package localvolume

import (
	"context"
	"errors"
	"flag"
	"os/signal"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v11/controller"
)

// Run is the provisioner's program. It needs no election: there is one in each cluster.
func Run(args []string) error {
	set := flag.NewFlagSet(ProvisionerName, flag.ContinueOnError)
	kubeconfig := set.String("kubeconfig", "", "of the provisioner's own user")
	nodes := set.String("nodes", "", "folder with one folder for each node")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *kubeconfig == "" || *nodes == "" {
		return errors.New("expected --kubeconfig and --nodes")
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	getNode := func(ctx context.Context, name string) (*corev1.Node, error) {
		return client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	const firstRetry, lastRetry = 200 * time.Millisecond, 10 * time.Second
	controller.NewProvisionController(ctx, client, ProvisionerName,
		&provisioner{*nodes, getNode},
		controller.LeaderElection(false),
		controller.RateLimiter(workqueue.NewTypedItemExponentialFailureRateLimiter[any](
			firstRetry, lastRetry)),
		// A node may be away for long; its volumes are removed when it is back.
		controller.FailedProvisionThreshold(0), controller.FailedDeleteThreshold(0),
	).Run(ctx)
	return nil
}
