// Command fleet is up to three controllers that look at the same Deployments and Pods, written for
// controller-runtime: what bench/fleet is for Oarlock. With one name each it is three operators in
// processes of their own, with three it is one manager.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	deploymentLabel = "bench/deployment"
	deploymentIndex = "deployment"
)

// A check says what is wrong with a Deployment and its Pods; "" when nothing is.
type check func(*appsv1.Deployment, []corev1.Pod) (reason, message string)

var checks = map[string]check{"readiness": readiness, "images": images, "requests": requests}

func readiness(_ *appsv1.Deployment, pods []corev1.Pod) (string, string) {
	for i := range pods {
		ready := func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}
		if !slices.ContainsFunc(pods[i].Status.Conditions, ready) {
			return "PodNotReady", pods[i].Name + " is not ready"
		}
	}
	return "", ""
}

func images(deployment *appsv1.Deployment, pods []corev1.Pod) (string, string) {
	wanted := deployment.Spec.Template.Spec.Containers
	for i := range pods {
		for _, one := range pods[i].Spec.Containers {
			same := func(c corev1.Container) bool {
				return c.Name == one.Name && c.Image == one.Image
			}
			if !slices.ContainsFunc(wanted, same) {
				return "OtherImage", pods[i].Name + " runs another image"
			}
		}
	}
	return "", ""
}

func requests(deployment *appsv1.Deployment, pods []corev1.Pod) (string, string) {
	lacks := func(c corev1.Container) bool {
		_, cpu := c.Resources.Requests[corev1.ResourceCPU]
		_, memory := c.Resources.Requests[corev1.ResourceMemory]
		return !cpu || !memory
	}
	bad := slices.ContainsFunc(deployment.Spec.Template.Spec.Containers, lacks)
	for i := range pods {
		bad = bad || slices.ContainsFunc(pods[i].Spec.Containers, lacks)
	}
	if bad {
		return "NoRequests", "a container requests no CPU or no memory"
	}
	return "", ""
}

type reconciler struct {
	client.Client
	events events.EventRecorder
	check  check
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var deployment appsv1.Deployment
	if err := r.Get(ctx, request.NamespacedName, &deployment); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	var pods corev1.PodList
	if err := r.List(ctx, &pods, client.InNamespace(request.Namespace),
		client.MatchingFields{deploymentIndex: request.Name}); err != nil {
		return ctrl.Result{}, err
	}
	if reason, message := r.check(&deployment, pods.Items); reason != "" {
		r.events.Eventf(&deployment, nil, corev1.EventTypeWarning, reason, "Check", message)
	}
	return ctrl.Result{}, nil
}

func deploymentOf(_ context.Context, pod client.Object) []reconcile.Request {
	name := pod.GetLabels()[deploymentLabel]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{
		Namespace: pod.GetNamespace(), Name: name}}}
}

// The stub that these run against has no discovery.
func mapper(*rest.Config, *http.Client) (meta.RESTMapper, error) {
	m := meta.NewDefaultRESTMapper([]schema.GroupVersion{
		appsv1.SchemeGroupVersion, corev1.SchemeGroupVersion})
	m.Add(appsv1.SchemeGroupVersion.WithKind("Deployment"), meta.RESTScopeNamespace)
	m.Add(corev1.SchemeGroupVersion.WithKind("Pod"), meta.RESTScopeNamespace)
	return m, nil
}

func newManager(kubeconfig, metrics string) (ctrl.Manager, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return ctrl.NewManager(config, ctrl.Options{
		Scheme:         scheme,
		MapperProvider: mapper,
		Metrics:        metricsserver.Options{BindAddress: metrics},
		Cache:          cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
	})
}

func main() {
	kubeconfig := flag.String("config", "", "kubeconfig of the cluster")
	metrics := flag.String("metrics", "0", "address of the metrics")
	names := flag.String("controllers", "readiness,images,requests", "which of them")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	manager, err := newManager(*kubeconfig, *metrics)
	if err != nil {
		log.Fatal(err)
	}
	err = manager.GetFieldIndexer().IndexField(context.Background(), &corev1.Pod{}, deploymentIndex,
		func(pod client.Object) []string { return []string{pod.GetLabels()[deploymentLabel]} })
	if err != nil {
		log.Fatal(err)
	}
	for name := range strings.SplitSeq(*names, ",") {
		err := ctrl.NewControllerManagedBy(manager).Named(name).For(&appsv1.Deployment{}).
			Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(deploymentOf)).
			Complete(&reconciler{manager.GetClient(), manager.GetEventRecorder(name), checks[name]})
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := manager.Start(ctrl.SetupSignalHandler()); err != nil {
		log.Fatal(err)
	}
}
