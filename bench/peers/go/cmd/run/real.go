package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

const (
	realObjects = 500
	realWriters = 4
	realWarmUp  = 200 // writes
	realWrites  = 2000
)

// A realRow is a cache behind a real API server that writes as fast as it can. An object carries
// the time when its write was sent, so the latency has the write in it; Answer is that of the
// write alone, as its writer sees it. Milliseconds.
type realRow struct {
	Subject, Version     string
	WritesPerSecond      float64
	AnswerP50, AnswerP99 float64
	SeenP50, SeenP99     float64 // by the subscriber
	CPUPerThousandEvents float64
	Failure              string `json:",omitempty"`
	Skipped              string `json:",omitempty"`
}

type realBench struct {
	*operatorBench
	*settings
}

func (o *settings) measureReal(who []subject, skipped string) []realRow {
	server, err := startAPIServer(o.devcluster, o.crds)
	if err != nil {
		return []realRow{{Failure: err.Error()}}
	}
	defer server.stop()
	b := realBench{&operatorBench{server, realObjects}, o}
	sc := scenario{name: "real", template: "deployment.json", apiVersion: "apps/v1",
		kind: "Deployment", plural: "deployments", objects: realObjects, typed: true}
	if err := b.fill(sc.template); err != nil {
		return []realRow{{Failure: err.Error()}}
	}
	var rows []realRow
	for _, one := range who {
		r := realRow{Subject: one.name, Version: one.version}
		if one.command("", sc)[0] == "" {
			r.Skipped = reasonOf(skipped, one.name)
		} else if err := b.watchWrites(one, sc, &r); err != nil {
			r.Failure = err.Error()
		}
		rows = append(rows, r)
	}
	return rows
}

// fill creates the objects with the recorded one's spec.
func (b realBench) fill(template string) error {
	text, err := os.ReadFile(filepath.Join(b.templates, template))
	if err != nil {
		return err
	}
	var recorded map[string]any
	if err := json.Unmarshal(text, &recorded); err != nil {
		return err
	}
	if err := b.makeNamespaces(); err != nil {
		return err
	}
	for number := range realObjects {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment",
			"metadata": map[string]any{"name": nameOf(number)},
			"spec":     recorded["spec"],
		}}
		_, err := b.client.Resource(deployments).Namespace(namespaceOf(number)).Create(
			context.Background(), object, metav1.CreateOptions{})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b realBench) watchWrites(who subject, sc scenario, r *realRow) error {
	kubeconfig, err := b.kubeconfig(who.name)
	if err != nil {
		return err
	}
	p, err := start(b.subjectCore, who.command(kubeconfig, sc))
	if err != nil {
		return err
	}
	defer p.stop()
	var synced struct{}
	if err := p.answer(syncLimit, &synced); err != nil {
		return err
	}
	if _, err := b.stampAll(realWarmUp); err != nil {
		return err
	}
	if _, err := p.report(); err != nil {
		return err
	}
	before, began := cpuSeconds(p.pid()), time.Now()
	answers, err := b.stampAll(realWrites)
	if err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	used := cpuSeconds(p.pid()) - before
	seen, err := p.report()
	if err != nil {
		return err
	}
	if seen.Events != realWrites {
		return fmt.Errorf("expected %d events, found %d at the subscriber", realWrites, seen.Events)
	}
	r.WritesPerSecond = realWrites / took
	r.AnswerP50, r.AnswerP99 = answers[len(answers)/2], answers[len(answers)*99/100]
	r.SeenP50, r.SeenP99 = seen.P50/1000, seen.P99/1000
	r.CPUPerThousandEvents = used / realWrites * 1000
	return nil
}

// stampAll writes the time into one object after the other, by some writers at once, and says how
// many milliseconds each answer took, sorted.
func (b realBench) stampAll(count int) ([]float64, error) {
	var writers sync.WaitGroup
	var mutex sync.Mutex
	var all []float64
	failures := make(chan error, realWriters)
	for writer := range realWriters {
		writers.Go(func() {
			for n := writer; n < count; n += realWriters {
				began := time.Now()
				if err := b.stamp(n % realObjects); err != nil {
					failures <- err
					return
				}
				took := float64(time.Since(began).Microseconds()) / 1000
				mutex.Lock()
				all = append(all, took)
				mutex.Unlock()
			}
		})
	}
	writers.Wait()
	close(failures)
	slices.Sort(all)
	return all, <-failures
}

func (b realBench) stamp(number int) error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	body := fmt.Appendf(nil, `{"metadata":{"annotations":{"bench/sent-ns":"%d"}}}`, now.Nano())
	_, err := b.client.Resource(deployments).Namespace(namespaceOf(number)).Patch(
		context.Background(), nameOf(number), types.MergePatchType, body, metav1.PatchOptions{})
	return err
}

func printReal(out io.Writer, rows []realRow) {
	fmt.Fprintf(out, "real API server, %d Deployments, %d writers: from a write's start, ms\n",
		realObjects, realWriters)
	fmt.Fprintf(out, "%-26s %8s %17s %17s %12s\n", "subject", "writes/s", "answer p50/p99",
		"subscriber p50/p99", "CPU ms/1000")
	for _, r := range rows {
		switch {
		case r.Skipped != "":
			fmt.Fprintf(out, "%-26s SKIPPED: %s\n", r.Subject, r.Skipped)
		case r.Failure != "":
			fmt.Fprintf(out, "%-26s FAILED: %s\n", r.Subject, r.Failure)
		default:
			fmt.Fprintf(out, "%-26s %8.0f %8.2f/%8.2f %8.2f/%8.2f %12.1f\n",
				r.Subject+" "+r.Version, r.WritesPerSecond, r.AnswerP50, r.AnswerP99,
				r.SeenP50, r.SeenP99, r.CPUPerThousandEvents*1000)
		}
	}
}
