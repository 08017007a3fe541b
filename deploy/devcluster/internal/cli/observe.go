package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// A sight is what an informer's handler was told, or at the end an object of its store.
type sight struct {
	Type    string `json:"type"` // added, updated, deleted; stored
	Name    string `json:"name"`
	UID     string `json:"uid"`
	Version string `json:"version"`
}

func sightOf(what string, object any) sight {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	seen, ok := object.(*corev1.ConfigMap)
	if !ok {
		return sight{Type: what}
	}
	return sight{what, seen.Name, string(seen.UID), seen.ResourceVersion}
}

// observe is client-go's informer of the ConfigMaps of a namespace, for tests that compare another
// cache with it. It prints a line of JSON for each event, and at SIGTERM its store.
func observe(args []string) error {
	set, _ := flags("observe")
	kubeconfig := set.String("kubeconfig", "", "of the user that looks")
	namespace := set.String("namespace", "default", "of the ConfigMaps")
	selector := set.String("selector", "", "label selector")
	if _, err := parse(set, args, 0); err != nil {
		return err
	}
	if *kubeconfig == "" {
		return usageError{errors.New("observe: expected --kubeconfig, found nothing")}
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithNamespace(*namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = *selector }))
	informer := factory.Core().V1().ConfigMaps().Informer()

	var mutex sync.Mutex
	out := json.NewEncoder(os.Stdout)
	show := func(what string, object any) {
		mutex.Lock()
		defer mutex.Unlock()
		_ = out.Encode(sightOf(what, object))
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { show("added", o) },
		UpdateFunc: func(_, o any) { show("updated", o) },
		DeleteFunc: func(o any) { show("deleted", o) },
	}); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	factory.Start(ctx.Done())
	<-ctx.Done()
	for _, object := range informer.GetStore().List() {
		show("stored", object)
	}
	return nil
}
