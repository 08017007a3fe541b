// Command run measures caches against each other: for each subject it starts a stub API server on
// one core and the subject on another, one pair after the other, and prints one table. `run
// operators` does so with operators of one contract on a real API server, `run fleet` with three
// controllers that share their objects. It asserts nothing.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A figure set of one subject in one scenario. Memory is MiB, CPU seconds, latency milliseconds.
type row struct {
	Scenario, Subject, Version string
	Objects                    int
	SyncSeconds                float64
	SyncCPU                    float64
	PeakPSS, PeakAnonymous     float64
	SteadyPSS, SteadyAnonymous float64
	Events                     int
	CPUPerThousandEvents       float64
	P50, P99, Max              float64
	AfterPSS                   float64
	IdleCPUPercent             float64 `json:",omitempty"`
	Failure                    string  `json:",omitempty"`
	Skipped                    string  `json:",omitempty"` // why it was not measured
}

type settings struct {
	templates, replay, out string
	devcluster, crds       string
	pods, deployments      int
	rate, events           int
	stubCore, subjectCore  string
	idle                   time.Duration
	kinds                  int
}

// A subject is a program that speaks the protocol of README.md; command gets the kubeconfig.
type subject struct {
	name, version string
	command       func(kubeconfig string, s scenario) []string
}

type scenario struct {
	name, template, apiVersion, kind, plural string
	objects, events                          int
	typed                                    bool // for frameworks that know Go types
}

func subjects(ours, controllerRuntime, kubeRS, kubeRSForm string) []subject {
	return []subject{
		{"oarlock", "", func(kubeconfig string, s scenario) []string {
			return []string{ours, kubeconfig, s.apiVersion, s.kind, s.plural}
		}},
		{"controller-runtime", "", func(kubeconfig string, s scenario) []string {
			return []string{controllerRuntime, "--kubeconfig", kubeconfig, "--api-version",
				s.apiVersion, "--kind", s.kind, fmt.Sprintf("--typed=%t", s.typed)}
		}},
		{"kube-rs", "", func(kubeconfig string, s scenario) []string {
			return []string{kubeRS, kubeconfig, s.apiVersion, s.kind, kubeRSForm}
		}},
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("cache bench: ")
	if len(os.Args) > 1 && os.Args[1] == "operators" {
		runOperators(os.Args[2:])
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "fleet" {
		runFleet(os.Args[2:])
		return
	}
	var o settings
	flag.StringVar(&o.templates, "templates", "bench/peers", "folder of the recorded objects")
	flag.StringVar(&o.replay, "replay", "", "the stub API server")
	flag.StringVar(&o.devcluster, "devcluster", "", "starts a real API server; none without it")
	flag.StringVar(&o.crds, "crds", "plugins/myapp/crds", "folder of CRDs for that server")
	flag.StringVar(&o.out, "out", "build/bench/cache.json", "result for machines")
	flag.IntVar(&o.pods, "pods", 100000, "Pods in cache")
	flag.IntVar(&o.deployments, "deployments", 5000, "Deployments in cache")
	flag.IntVar(&o.rate, "rate", 2000, "events per second")
	flag.IntVar(&o.events, "events", 20000, "events")
	flag.IntVar(&o.kinds, "kinds", 50, "idle kinds that ours watches")
	flag.StringVar(&o.stubCore, "stub-core", "0", "for taskset")
	flag.StringVar(&o.subjectCore, "subject-core", "1", "for taskset")
	flag.DurationVar(&o.idle, "idle", 70*time.Second, "how long idle CPU is watched")
	peers := flag.String("peers", "oarlock,controller-runtime,kube-rs", "who is measured")
	ours := flag.String("oarlock", "", "program")
	neighbour := flag.String("neighbour", "", "our program with a controller beside a cold sync")
	controllerRuntime := flag.String("controller-runtime", "", "program, or empty")
	kubeRS := flag.String("kube-rs", "", "program, or empty")
	kubeRSForm := flag.String("kube-rs-form", "partial", "partial: spec and status as JSON "+
		"values; typed: k8s-openapi's types")
	skipped := flag.String("skipped", "", "file: NAME: REASON lines, of those that have no program")
	versions := flag.String("versions", "", "NAME=VERSION,... for the table")
	flag.Parse()

	var rows []row
	pods := scenario{"pods", "pod.json", "v1", "Pod", "pods", o.pods, o.events, false}
	deployments := scenario{"deployments", "deployment.json", "apps/v1", "Deployment",
		"deployments", o.deployments, 0, true}
	none := deployments
	none.name, none.objects = "none", 0
	known := subjects(*ours, *controllerRuntime, *kubeRS, *kubeRSForm)
	known = slices.DeleteFunc(known, func(s subject) bool { return !listed(*peers, s.name) })
	for i := range known {
		known[i].version = versionOf(*versions, known[i].name)
	}
	for _, sc := range []scenario{pods, none, deployments} {
		wanted := sc.objects > 0 || (sc.name == none.name && o.deployments > 0)
		for _, who := range known {
			if !wanted {
				continue
			}
			if who.command("", sc)[0] == "" {
				rows = append(rows, row{Scenario: sc.name, Subject: who.name,
					Skipped: reasonOf(*skipped, who.name)})
				continue
			}
			rows = append(rows, o.measure(who, sc))
		}
	}
	if o.kinds > 0 && *ours != "" && listed(*peers, "oarlock") {
		rows = append(rows, o.measureIdle(*ours, versionOf(*versions, "oarlock")))
	}
	printTable(os.Stdout, rows)
	all := map[string]any{"rows": rows}
	failed := slices.ContainsFunc(rows, func(r row) bool { return r.Failure != "" })
	if *neighbour != "" && o.pods > 0 {
		beside := o.measureNeighbour(*neighbour, versionOf(*versions, "oarlock"))
		beside.print(os.Stdout)
		all["neighbour"] = beside
		failed = failed || beside.Failure != ""
	}
	if o.devcluster != "" {
		real := o.measureReal(known, *skipped)
		printReal(os.Stdout, real)
		all["real"] = real
		for _, r := range real {
			failed = failed || r.Failure != ""
		}
	}
	if err := writeJSON(o.out, all); err != nil {
		log.Fatal(err)
	}
	if failed {
		os.Exit(1)
	}
}

func writeJSON(file string, value any) error {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

func listed(list, name string) bool {
	return strings.Contains(","+list+",", ","+name+",")
}

func versionOf(list, name string) string {
	for pair := range strings.SplitSeq(list, ",") {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// reasonOf finds why a subject has no program.
func reasonOf(file, name string) string {
	text, err := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if reason, ok := strings.CutPrefix(line, name+": "); ok && err == nil {
			return strings.TrimSpace(reason)
		}
	}
	return "no program was given"
}
