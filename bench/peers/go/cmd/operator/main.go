// Command operator is the MyApp contract written for controller-runtime: a Deployment per MyApp,
// created or updated when it differs, and a status, written when it differs.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const workers = 16

type reconciler struct {
	client.Client
	scheme *runtime.Scheme
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	app := &MyApp{}
	if err := r.Get(ctx, request.NamespacedName, app); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	child, err := r.ensureChild(ctx, app)
	if err != nil {
		return ctrl.Result{}, err
	}
	before := app.Status.DeepCopy()
	tellStatus(app, child)
	if equality.Semantic.DeepEqual(*before, app.Status) {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, r.Status().Update(ctx, app)
}

func (r *reconciler) ensureChild(ctx context.Context, app *MyApp) (*appsv1.Deployment, error) {
	child := &appsv1.Deployment{}
	err := r.Get(ctx, client.ObjectKeyFromObject(app), child)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	exists := err == nil
	before := child.DeepCopy()
	r.wish(app, child)
	if err := controllerutil.SetControllerReference(app, child, r.scheme); err != nil {
		return nil, err
	}
	if !exists {
		return child, r.Create(ctx, child)
	}
	if equality.Semantic.DeepEqual(before, child) {
		return child, nil
	}
	return child, r.Update(ctx, child)
}

func (r *reconciler) wish(app *MyApp, child *appsv1.Deployment) {
	labels := map[string]string{"app": app.Name}
	child.Name, child.Namespace = app.Name, app.Namespace
	child.Labels = labels
	child.Spec.Replicas = &app.Spec.Replicas
	child.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	child.Spec.Template.Labels = labels
	if len(child.Spec.Template.Spec.Containers) != 1 {
		child.Spec.Template.Spec.Containers = make([]corev1.Container, 1)
	}
	child.Spec.Template.Spec.Containers[0].Name = "app"
	child.Spec.Template.Spec.Containers[0].Image = app.Spec.Image
}

func tellStatus(app *MyApp, child *appsv1.Deployment) {
	ready := metav1.Condition{
		Type: "Ready", Status: metav1.ConditionFalse, Reason: "ReplicasUnavailable",
		ObservedGeneration: app.Generation, Message: fmt.Sprintf("%d of %d replicas are ready",
			child.Status.ReadyReplicas, app.Spec.Replicas),
	}
	app.Status.Phase = "Progressing"
	if child.Status.ReadyReplicas == app.Spec.Replicas {
		app.Status.Phase = "Ready"
		ready.Status, ready.Reason = metav1.ConditionTrue, "AllReplicasReady"
	}
	app.Status.ObservedGeneration = app.Generation
	app.Status.Replicas = child.Status.Replicas
	app.Status.ReadyReplicas = child.Status.ReadyReplicas
	app.Status.UpdatedReplicas = child.Status.UpdatedReplicas
	app.Status.Selector = "app=" + app.Name
	meta.SetStatusCondition(&app.Status.Conditions, ready)
}

func main() {
	kubeconfig := flag.String("config", "", "kubeconfig of the cluster")
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	config.QPS = -1 // no limit on this side
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		log.Fatal(err)
	}
	addToScheme(scheme)
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:  scheme,
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:   cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
	})
	if err != nil {
		log.Fatal(err)
	}
	err = ctrl.NewControllerManagedBy(manager).For(&MyApp{}).Owns(&appsv1.Deployment{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).
		Complete(&reconciler{manager.GetClient(), scheme})
	if err != nil {
		log.Fatal(err)
	}
	if err := manager.Start(ctrl.SetupSignalHandler()); err != nil {
		log.Fatal(err)
	}
}
