// Command subject is controller-runtime's cache doing the work that the benchmark asks for:
// unstructured or (of Deployments) typed, managedFields stripped, one event handler that reads the
// clock.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// latencies are those of the events since the last report, in nanoseconds.
type latencies struct {
	mutex sync.Mutex
	all   []int64
}

func monotonic() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		log.Fatal(err)
	}
	return now.Nano()
}

func (l *latencies) take(object any) {
	if o, ok := object.(metav1.Object); ok {
		sent, err := strconv.ParseInt(o.GetAnnotations()["bench/sent-ns"], 10, 64)
		if err != nil || sent == 0 {
			return
		}
		took := monotonic() - sent
		l.mutex.Lock()
		l.all = append(l.all, took)
		l.mutex.Unlock()
	}
}

func (l *latencies) report() {
	l.mutex.Lock()
	all := l.all
	l.all = nil
	l.mutex.Unlock()
	slices.Sort(all)
	at := func(share float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return float64(all[int(share*float64(len(all)-1))]) / 1000
	}
	fmt.Printf("{\"events\":%d,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
		len(all), at(0.50), at(0.99), at(1))
}

// watched is what the informer is asked for.
func watched(gvk schema.GroupVersionKind, typed bool) client.Object {
	deployment := appsv1.SchemeGroupVersion.WithKind("Deployment")
	if typed && gvk != deployment {
		log.Fatalf("expected %s as typed kind, found %s", deployment, gvk)
	}
	if typed {
		return &appsv1.Deployment{}
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(gvk)
	return object
}

func watchKind(ctx context.Context, kubeconfig string, gvk schema.GroupVersionKind, typed bool,
	l *latencies) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{gvk.GroupVersion()})
	mapper.Add(gvk, meta.RESTScopeNamespace)
	c, err := cache.New(config, cache.Options{
		Mapper: mapper, DefaultTransform: cache.TransformStripManagedFields(),
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := c.Start(ctx); err != nil {
			log.Fatal(err)
		}
	}()
	informer, err := c.GetInformer(ctx, watched(gvk, typed))
	if err != nil {
		log.Fatal(err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    l.take,
		UpdateFunc: func(_, next any) { l.take(next) },
	})
	if err != nil {
		log.Fatal(err)
	}
	toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced)
}

func main() {
	began := time.Now()
	kubeconfig := flag.String("kubeconfig", "", "where the stub is")
	apiVersion := flag.String("api-version", "v1", "of the watched kind")
	kind := flag.String("kind", "Pod", "the watched kind")
	typed := flag.Bool("typed", false, "decode into the Go type")
	flag.Parse()
	ctrllog.SetLogger(logr.Discard())
	l := &latencies{}
	gvk := schema.FromAPIVersionAndKind(*apiVersion, *kind)
	watchKind(context.Background(), *kubeconfig, gvk, *typed, l)
	fmt.Printf("{\"synced_s\":%.4f}\n", time.Since(began).Seconds())
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		l.report()
	}
}
