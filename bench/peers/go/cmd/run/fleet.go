package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	fleetRate      = 200 // events per second of each kind
	fleetEvents    = 4000
	fleetQuiet     = 3 * time.Second
	fleetIdle      = 20 * time.Second
	fleetLimit     = 4 * time.Minute
	fleetLabel     = "bench/deployment"
	reconcileTotal = "controller_runtime_reconcile_total{"
)

var fleetControllers = []string{"readiness", "images", "requests"}

// A fleetRow is what three controllers cost that look at the same objects, all processes together.
// Memory is MiB, CPU seconds.
type fleetRow struct {
	Fleet, Version          string
	Processes               int
	SyncSeconds, SyncCPU    float64 // until every controller has reconciled every Deployment
	PeakPSS                 float64
	PSS, Anonymous          float64
	IdleCPU                 float64 // % of a core
	Events, EventReconciles int
	CPUPerThousandEvents    float64
	Failure                 string `json:",omitempty"`
	Skipped                 string `json:",omitempty"`
	Deployments, Pods       int
}

// A fleet is a way to run the three controllers; commands get kubeconfig and a metrics address.
type fleet struct {
	name, peer string
	commands   []func(kubeconfig, metrics string) []string
}

func fleets(oarlockd, plugins, controllerRuntime string) []fleet {
	ours := func(kubeconfig, metrics string) []string {
		argv := []string{oarlockd, "--kubeconfig=" + kubeconfig, "--leader-elect=false",
			"--metrics-bind-address=" + metrics, "--metrics-secure=false",
			"--health-probe-bind-address=127.0.0.1:0", "--log-level=warn"}
		for _, name := range fleetControllers {
			argv = append(argv, "--plugin="+filepath.Join(plugins, name))
		}
		return argv
	}
	theirs := func(names string) func(string, string) []string {
		return func(kubeconfig, metrics string) []string {
			return []string{controllerRuntime, "--config", kubeconfig, "--metrics", metrics,
				"--controllers", names}
		}
	}
	apart := fleet{name: "three processes", peer: "controller-runtime"}
	for _, name := range fleetControllers {
		apart.commands = append(apart.commands, theirs(name))
	}
	type one = []func(string, string) []string
	return []fleet{
		{"three plugins", "oarlock", one{ours}},
		{"one manager", "controller-runtime", one{theirs(strings.Join(fleetControllers, ","))}},
		apart,
	}
}

func runFleet(argv []string) {
	flags := flag.NewFlagSet("fleet", flag.ExitOnError)
	var o settings
	objects := flags.Int("objects", 20000, "Deployments and Pods, half of each")
	flags.StringVar(&o.templates, "templates", "bench/peers", "folder of the recorded objects")
	flags.StringVar(&o.replay, "replay", "", "the stub API server")
	flags.StringVar(&o.stubCore, "stub-core", "0", "for taskset")
	flags.StringVar(&o.subjectCore, "subject-core", "1", "for taskset")
	oarlockd := flags.String("oarlockd", "build/bin/oarlockd", "program")
	plugins := flags.String("plugins", "", "folder of the three plugins")
	controllerRuntime := flags.String("controller-runtime", "", "program, or empty")
	peers := flags.String("peers", "oarlock,controller-runtime", "who is measured")
	versions := flags.String("versions", "", "NAME=VERSION,... for the table")
	skipped := flags.String("skipped", "", "file of NAME: REASON lines")
	out := flags.String("out", "build/bench/fleet.json", "result for machines")
	_ = flags.Parse(argv)
	var rows []fleetRow
	for _, who := range fleets(*oarlockd, *plugins, *controllerRuntime) {
		if !listed(*peers, who.peer) {
			continue
		}
		r := fleetRow{Fleet: who.peer + ", " + who.name, Version: versionOf(*versions, who.peer),
			Processes: len(who.commands), Deployments: *objects / 2, Pods: *objects / 2}
		if who.commands[0]("", "")[0] == "" {
			r.Skipped = reasonOf(*skipped, who.peer)
		} else if err := o.measureFleet(who, &r); err != nil {
			r.Failure = err.Error()
		}
		rows = append(rows, r)
	}
	printFleets(os.Stdout, rows)
	if err := writeJSON(*out, rows); err != nil {
		log.Fatal(err)
	}
	if slices.ContainsFunc(rows, func(r fleetRow) bool { return r.Failure != "" }) {
		os.Exit(1)
	}
}

// The processes of a fleet, and where their metrics are.
type running struct {
	programs []*program
	metrics  []string
}

func (f *running) pids() (all []int) {
	for _, p := range f.programs {
		all = append(all, p.pid())
	}
	return all
}

func (f *running) stop() {
	for _, p := range f.programs {
		p.stop()
	}
}

// reconciles is how many the metrics count, of all processes.
func (f *running) reconciles() int {
	total := 0.0
	for _, address := range f.metrics {
		answer, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			continue // not up yet
		}
		for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), reconcileTotal) {
				words := strings.Fields(lines.Text())
				value, _ := strconv.ParseFloat(words[len(words)-1], 64)
				total += value
			}
		}
		answer.Body.Close()
	}
	return int(total)
}

// settled waits for a number of reconciles and for the end of those that follow. It says how many
// there were, and when the last one was seen.
func (f *running) settled(atLeast int) (int, time.Time, error) {
	count, last := f.reconciles(), time.Now()
	for end := time.Now().Add(fleetLimit); time.Now().Before(end); time.Sleep(sampleEvery) {
		if now := f.reconciles(); now != count {
			count, last = now, time.Now()
		}
		if count >= atLeast && time.Since(last) > fleetQuiet {
			return count, last, nil
		}
	}
	return count, last, fmt.Errorf("expected %d reconciles within %s, found %d", atLeast,
		fleetLimit, count)
}

// templatesOf writes the recorded objects so that each Pod names its Deployment.
func (o *settings) templatesOf(dir string) error {
	for _, file := range []string{"deployment.json", "pod.json"} {
		text, err := os.ReadFile(filepath.Join(o.templates, file))
		if err != nil {
			return err
		}
		var object struct {
			APIVersion string         `json:"apiVersion"`
			Kind       string         `json:"kind"`
			Metadata   map[string]any `json:"metadata"`
			Spec       any            `json:"spec"`
			Status     any            `json:"status"`
		}
		if err := json.Unmarshal(text, &object); err != nil {
			return err
		}
		object.Metadata["labels"].(map[string]any)[fleetLabel] = "@NAME@"
		if err := writeJSON(filepath.Join(dir, file), object); err != nil {
			return err
		}
	}
	return nil
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

func (o *settings) startFleet(who fleet, kubeconfig string) (*running, error) {
	f := &running{}
	for _, command := range who.commands {
		address, err := freeAddress()
		if err != nil {
			return f, err
		}
		p, err := start(o.subjectCore, command(kubeconfig, address))
		if err != nil {
			return f, err
		}
		f.programs, f.metrics = append(f.programs, p), append(f.metrics, address)
	}
	return f, nil
}

func (o *settings) measureFleet(who fleet, r *fleetRow) error {
	dir, err := os.MkdirTemp("", "fleet-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := o.templatesOf(dir); err != nil {
		return err
	}
	made := *o
	made.templates = dir
	s, err := o.startStub(made.served("deployments", "deployment.json", r.Deployments),
		made.served("pods", "pod.json", r.Pods))
	if err != nil {
		return err
	}
	defer s.stop()
	began := time.Now()
	f, err := o.startFleet(who, s.kubeconfig)
	defer f.stop()
	if err != nil {
		return err
	}
	peak := newSampler(f.pids()...)
	count, last, err := f.settled(len(fleetControllers) * r.Deployments)
	r.SyncSeconds, r.SyncCPU = last.Sub(began).Seconds(), cpuSeconds(f.pids()...)
	time.Sleep(settle)
	r.PeakPSS, _ = peak.stop()
	if err != nil {
		return err
	}
	r.PSS, r.Anonymous = memoryOf(f.pids()...)
	before := cpuSeconds(f.pids()...)
	time.Sleep(fleetIdle)
	r.IdleCPU = (cpuSeconds(f.pids()...) - before) / fleetIdle.Seconds() * 100
	return o.fleetEvents(f, s, count, r)
}

// fleetEvents has each process told of the same number of events: a phase goes to one watch.
func (o *settings) fleetEvents(f *running, s *stub, reconciled int, r *fleetRow) error {
	before := cpuSeconds(f.pids()...)
	failures := make(chan error)
	kinds := []string{"deployments", "pods"}
	for _, plural := range kinds {
		for range f.programs {
			go func() { failures <- s.events(plural, fleetRate, fleetEvents) }()
		}
	}
	var failure error
	for range len(kinds) * len(f.programs) {
		if err := <-failures; err != nil {
			failure = err
		}
	}
	if failure != nil {
		return failure
	}
	count, _, err := f.settled(reconciled + 1)
	if err != nil {
		return err
	}
	r.Events, r.EventReconciles = len(kinds)*fleetEvents, count-reconciled
	r.CPUPerThousandEvents = (cpuSeconds(f.pids()...) - before) / float64(r.Events) * 1000
	return nil
}

var fleetFigures = []struct {
	name string
	of   func(fleetRow) float64
}{
	{"processes", func(r fleetRow) float64 { return float64(r.Processes) }},
	{"start to all reconciled, s", func(r fleetRow) float64 { return r.SyncSeconds }},
	{"  CPU, s", func(r fleetRow) float64 { return r.SyncCPU }},
	{"  peak PSS, MiB", func(r fleetRow) float64 { return r.PeakPSS }},
	{"then: PSS, MiB", func(r fleetRow) float64 { return r.PSS }},
	{"  anonymous, MiB", func(r fleetRow) float64 { return r.Anonymous }},
	{"  CPU, % of a core", func(r fleetRow) float64 { return r.IdleCPU }},
	{"CPU for 1,000 events, s", func(r fleetRow) float64 { return r.CPUPerThousandEvents }},
	{"  reconciles", func(r fleetRow) float64 { return float64(r.EventReconciles) }},
}

// printFleets prints a column per fleet.
func printFleets(out io.Writer, rows []fleetRow) {
	var measured []fleetRow
	for _, r := range rows {
		switch {
		case r.Skipped != "":
			fmt.Fprintf(out, "%s SKIPPED: %s\n", r.Fleet, r.Skipped)
		case r.Failure != "":
			fmt.Fprintf(out, "%s FAILED: %s\n", r.Fleet, r.Failure)
		default:
			measured = append(measured, r)
		}
	}
	if len(measured) == 0 {
		return
	}
	fmt.Fprintf(out, "%d Deployments, %d Pods, three controllers\n%-28s", measured[0].Deployments,
		measured[0].Pods, "")
	for _, r := range measured {
		fmt.Fprintf(out, " %42s", r.Fleet+" ("+r.Version+")")
	}
	for _, f := range fleetFigures {
		fmt.Fprintf(out, "\n%-28s", f.name)
		for _, r := range measured {
			fmt.Fprintf(out, " %42.2f", f.of(r))
		}
	}
	fmt.Fprintln(out)
}
