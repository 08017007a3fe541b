package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

const (
	namespaceCount = 10
	createWorkers  = 8
	changeLimit    = 20 * time.Second
)

func namespaceOf(number int) string { return fmt.Sprintf("bench-%d", number%namespaceCount) }
func nameOf(number int) string      { return fmt.Sprintf("app-%04d", number) }

func (b *operatorBench) makeNamespaces() error {
	for n := range namespaceCount {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Namespace",
			"metadata": map[string]any{"name": namespaceOf(n)},
		}}
		_, err := b.client.Resource(namespaces).Create(context.Background(), object,
			metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

func (b *operatorBench) create(number int) error {
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1alpha1", "kind": "MyApp",
		"metadata": map[string]any{"name": nameOf(number)},
		"spec":     map[string]any{"replicas": int64(1), "image": "myapp:latest"},
	}}
	_, err := b.client.Resource(myapps).Namespace(namespaceOf(number)).Create(context.Background(),
		object, metav1.CreateOptions{})
	return err
}

func (b *operatorBench) createAll() error {
	var workers sync.WaitGroup
	failures := make(chan error, createWorkers)
	for worker := range createWorkers {
		workers.Go(func() {
			for number := worker; number < b.objects; number += createWorkers {
				if err := b.create(number); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	workers.Wait()
	close(failures)
	return <-failures
}

func (b *operatorBench) removeAll() error {
	for n := range namespaceCount {
		for _, what := range []struct{ err error }{
			{b.client.Resource(myapps).Namespace(namespaceOf(n)).DeleteCollection(
				context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{})},
			{b.client.Resource(deployments).Namespace(namespaceOf(n)).DeleteCollection(
				context.Background(), metav1.DeleteOptions{}, metav1.ListOptions{})},
		} {
			if what.err != nil {
				return what.err
			}
		}
	}
	return nil
}

// A wait is for one child to have a number of replicas.
type pending struct {
	mutex    sync.Mutex
	wanted   map[string]int64
	sent     map[string]time.Time
	answered chan float64
}

func (p *pending) seen(object *unstructured.Unstructured, at time.Time) {
	replicas, _, _ := unstructured.NestedInt64(object.Object, "spec", "replicas")
	key := object.GetNamespace() + "/" + object.GetName()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if wanted, waits := p.wanted[key]; waits && wanted == replicas {
		delete(p.wanted, key)
		p.answered <- float64(at.Sub(p.sent[key]).Microseconds()) / 1000
	}
}

// change sets replicas of one MyApp after the other at an even rate, and says for each how many
// milliseconds later a watch of this program showed its child changed.
func (b *operatorBench) change(count int, gap time.Duration) ([]float64, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	list, err := b.client.Resource(deployments).List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, err
	}
	watch, err := b.client.Resource(deployments).Watch(ctx, metav1.ListOptions{
		ResourceVersion: list.GetResourceVersion()})
	if err != nil {
		return nil, err
	}
	defer watch.Stop()
	p := &pending{wanted: map[string]int64{}, sent: map[string]time.Time{},
		answered: make(chan float64, count)}
	go func() {
		for event := range watch.ResultChan() {
			if object, ok := event.Object.(*unstructured.Unstructured); ok {
				p.seen(object, time.Now())
			}
		}
	}()
	due := time.Now()
	for i := range count {
		time.Sleep(time.Until(due))
		due = due.Add(gap)
		number := i * 7 % b.objects
		if err := b.patch(ctx, p, number, int64(i+2)); err != nil {
			return nil, err
		}
	}
	var all []float64
	for limit := time.After(changeLimit); len(all) < count; {
		select {
		case took := <-p.answered:
			all = append(all, took)
		case <-limit:
			return nil, fmt.Errorf("expected %d children to change, found %d", count, len(all))
		}
	}
	return all, nil
}

func (b *operatorBench) patch(ctx context.Context, p *pending, number int, replicas int64) error {
	key := namespaceOf(number) + "/" + nameOf(number)
	p.mutex.Lock()
	p.wanted[key], p.sent[key] = replicas, time.Now()
	p.mutex.Unlock()
	body := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := b.client.Resource(myapps).Namespace(namespaceOf(number)).Patch(ctx, nameOf(number),
		types.MergePatchType, body, metav1.PatchOptions{})
	return err
}
