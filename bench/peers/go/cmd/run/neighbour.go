package main

import (
	"fmt"
	"io"
)

const (
	neighbourObjects = 500
	neighbourRate    = 500  // events per second
	neighbourQuiet   = 3000 // events
	neighbourCold    = 1500 // events, fewer than a cold sync takes time for
)

// A neighbour row is one plugin's event to reconcile, alone and while another one's kind is synced
// for the first time. Milliseconds.
type neighbourRow struct {
	Version                    string
	Pods                       int
	QuietP50, QuietP99         float64
	ColdP50, ColdP99, ColdMax  float64
	SyncSeconds, EventsSeconds float64 // of the cold sync, and of the events beside it
	Failure                    string  `json:",omitempty"`
}

func (o *settings) measureNeighbour(ours, version string) neighbourRow {
	r := neighbourRow{Version: version, Pods: o.pods}
	if err := o.watchNeighbour(ours, &r); err != nil {
		r.Failure = err.Error()
	}
	return r
}

func (o *settings) watchNeighbour(ours string, r *neighbourRow) error {
	s, err := o.startStub(o.served("pods", "pod.json", o.pods),
		o.served("deployments", "deployment.json", neighbourObjects))
	if err != nil {
		return err
	}
	defer s.stop()
	p, err := start(o.subjectCore, []string{ours, s.kubeconfig})
	if err != nil {
		return err
	}
	defer p.stop()
	var synced struct {
		Seconds float64 `json:"synced_s"`
	}
	if err := p.answer(syncLimit, &synced); err != nil {
		return err
	}
	if err := s.events("deployments", neighbourRate, neighbourRate); err != nil {
		return err
	}
	if _, err := p.report(); err != nil {
		return err
	}
	if err := s.events("deployments", neighbourRate, neighbourQuiet); err != nil {
		return err
	}
	quiet, err := p.report()
	if err != nil {
		return err
	}
	fmt.Fprintln(p.in, "cold")
	if err := s.events("deployments", neighbourRate, neighbourCold); err != nil {
		return err
	}
	if err := p.answer(syncLimit, &synced); err != nil {
		return err
	}
	cold, err := p.report()
	if err != nil {
		return err
	}
	r.QuietP50, r.QuietP99 = quiet.P50/1000, quiet.P99/1000
	r.ColdP50, r.ColdP99, r.ColdMax = cold.P50/1000, cold.P99/1000, cold.Max/1000
	r.SyncSeconds, r.EventsSeconds = synced.Seconds, float64(neighbourCold)/neighbourRate
	return nil
}

func (r neighbourRow) print(out io.Writer) {
	if r.Failure != "" {
		fmt.Fprintf(out, "neighbour FAILED: %s\n", r.Failure)
		return
	}
	fmt.Fprintf(out, "neighbour: event to reconcile p50 / p99 ms: %.3f / %.3f quiet; %.3f / %.3f "+
		"(max %.1f) while %d Pods sync for the first time in %.1f s; p99 ratio %.2f\n", r.QuietP50,
		r.QuietP99, r.ColdP50, r.ColdP99, r.ColdMax, r.Pods, r.SyncSeconds, r.ColdP99/r.QuietP99)
	if r.SyncSeconds < r.EventsSeconds {
		fmt.Fprintf(out, "neighbour: the sync ended before its events did (%.1f s)\n",
			r.EventsSeconds)
	}
}
