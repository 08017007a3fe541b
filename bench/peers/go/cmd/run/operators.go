package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"time"
)

const (
	coldRounds    = 3
	convergeLimit = 2 * time.Minute
	silence       = 3 * time.Second
	idleWatched   = 8 * time.Second
	changes       = 200
	changesGap    = time.Second / 20
)

// An operatorRow is what one operator costs. Memory is MiB, CPU seconds, latency milliseconds.
type operatorRow struct {
	Operator, Version                  string
	ColdMS                             float64 // start to first create, median
	EmptyPSS, EmptyAnonymous, EmptyCPU float64 // idle without objects; CPU in % of a core
	BulkSeconds, BulkCPU, BulkPeakPSS  float64
	Writes                             writeCounts // of the bulk
	FullPSS, FullAnonymous, FullCPU    float64     // idle with all of them
	ChangeP50, ChangeP99               float64
	ChangeCPU                          float64 // for 1,000 changes
	RestartCPU, RestartPSS             float64
	RestartWrites                      writeCounts
	Failure                            string `json:",omitempty"`
	Skipped                            string `json:",omitempty"`
}

type writeCounts struct{ Creates, Status, Other, Events, Errors int }

func (c *writeCounts) add(all []answer) {
	for _, one := range all {
		switch {
		case one.Status.Code >= 400:
			c.Errors++
		case !one.isWrite():
		case one.ObjectRef.Resource == "events":
			c.Events++
		case one.creates():
			c.Creates++
		case one.writesStatus():
			c.Status++
		default:
			c.Other++
		}
	}
}

type operator struct {
	name    string
	command func(kubeconfig string) []string
}

type operatorBench struct {
	*apiServer
	objects int
}

func runOperators(argv []string) {
	flags := flag.NewFlagSet("operators", flag.ExitOnError)
	objects := flags.Int("objects", 1000, "MyApps")
	tool := flags.String("devcluster", "build/bin/devcluster", "starts the API server")
	crds := flags.String("crds", "plugins/myapp/crds", "folder of the MyApp CRD")
	oarlockd := flags.String("oarlockd", "build/bin/oarlockd", "program")
	plugin := flags.String("plugin", "build/plugins/myapp", "folder of the plugin")
	controllerRuntime := flags.String("controller-runtime", "", "program, or empty")
	kubeRS := flags.String("kube-rs", "", "program, or empty")
	events := flags.String("oarlock-events", "none", "all or none: the peers record none")
	peers := flags.String("peers", "oarlock,controller-runtime,kube-rs", "who is measured")
	versions := flags.String("versions", "", "NAME=VERSION,... for the table")
	skipped := flags.String("skipped", "", "file of NAME: REASON lines")
	out := flags.String("out", "build/bench/operators.json", "result for machines")
	_ = flags.Parse(argv)
	known := []operator{
		{"oarlock", func(kubeconfig string) []string {
			return []string{*oarlockd, "--kubeconfig=" + kubeconfig, "--plugin=" + *plugin,
				"--leader-elect=false", "--metrics-bind-address=127.0.0.1:0",
				"--metrics-secure=false", "--health-probe-bind-address=127.0.0.1:0",
				"--log-level=warn", "--events=" + *events}
		}},
		{"controller-runtime", func(kubeconfig string) []string {
			return []string{*controllerRuntime, "--config", kubeconfig}
		}},
		{"kube-rs", func(kubeconfig string) []string { return []string{*kubeRS, kubeconfig} }},
	}
	server, err := startAPIServer(*tool, *crds)
	if err != nil {
		log.Fatal(err)
	}
	b := &operatorBench{server, *objects}
	var rows []operatorRow
	for _, who := range known {
		if !listed(*peers, who.name) {
			continue
		}
		r := operatorRow{Operator: who.name, Version: versionOf(*versions, who.name)}
		if who.command("")[0] == "" {
			r.Skipped = reasonOf(*skipped, who.name)
		} else if err := b.measure(who, &r); err != nil {
			r.Failure = err.Error()
		}
		rows = append(rows, r)
	}
	server.stop()
	printOperators(os.Stdout, rows)
	if err := writeJSON(*out, rows); err != nil {
		log.Fatal(err)
	}
	if slices.ContainsFunc(rows, func(r operatorRow) bool { return r.Failure != "" }) {
		os.Exit(1)
	}
}

func (b *operatorBench) measure(who operator, r *operatorRow) error {
	kubeconfig, err := b.kubeconfig(who.name)
	if err != nil {
		return err
	}
	argv := who.command(kubeconfig)
	if err := b.makeNamespaces(); err != nil {
		return err
	}
	if r.ColdMS, err = b.cold(who.name, argv); err != nil {
		return err
	}
	if err := b.bulkAndChanges(who.name, argv, r); err != nil {
		return err
	}
	if err := b.restart(who.name, argv, r); err != nil {
		return err
	}
	return b.removeAll()
}

// cold is the time from the start of the process to its first create, the median of some rounds.
func (b *operatorBench) cold(name string, argv []string) (float64, error) {
	var all []float64
	for range coldRounds {
		if err := b.create(0); err != nil {
			return 0, err
		}
		tail, began := b.tail(name), time.Now()
		p, err := start("", argv)
		if err != nil {
			return 0, err
		}
		_, err = waitFor(tail, func(seen []answer) bool {
			at := slices.IndexFunc(seen, answer.creates)
			if at >= 0 {
				all = append(all, float64(seen[at].Received.Sub(began).Microseconds())/1000)
			}
			return at >= 0
		})
		p.stop()
		if err != nil {
			return 0, err
		}
		if err := b.removeAll(); err != nil {
			return 0, err
		}
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

func (b *operatorBench) bulkAndChanges(name string, argv []string, r *operatorRow) error {
	p, err := start("", argv)
	if err != nil {
		return err
	}
	defer p.stop()
	time.Sleep(silence)
	r.EmptyCPU = idleCPU(p)
	r.EmptyPSS, r.EmptyAnonymous = memoryOf(p.pid())

	tail, before, began := b.tail(name), cpuSeconds(p.pid()), time.Now()
	peak := newSampler(p.pid())
	if err := b.createAll(); err != nil {
		return err
	}
	seen, err := waitFor(tail, b.converged)
	if err != nil {
		return err
	}
	r.BulkSeconds = slices.MaxFunc(seen, byDone).Done.Sub(began).Seconds()
	late, err := untilSilent(tail)
	if err != nil {
		return err
	}
	r.BulkCPU = cpuSeconds(p.pid()) - before
	r.BulkPeakPSS, _ = peak.stop()
	r.Writes.add(append(seen, late...))
	r.FullCPU = idleCPU(p)
	r.FullPSS, r.FullAnonymous = memoryOf(p.pid())

	before = cpuSeconds(p.pid())
	latencies, err := b.change(changes, changesGap)
	if err != nil {
		return err
	}
	r.ChangeCPU = (cpuSeconds(p.pid()) - before) / changes * 1000
	slices.Sort(latencies)
	r.ChangeP50 = latencies[len(latencies)/2]
	r.ChangeP99 = latencies[len(latencies)*99/100]
	_, err = untilSilent(tail)
	return err
}

func (b *operatorBench) restart(name string, argv []string, r *operatorRow) error {
	tail := b.tail(name)
	p, err := start("", argv)
	if err != nil {
		return err
	}
	defer p.stop()
	time.Sleep(idleWatched)
	seen, err := tail.next()
	r.RestartWrites.add(seen)
	r.RestartCPU = cpuSeconds(p.pid())
	r.RestartPSS, _ = memoryOf(p.pid())
	return err
}

func idleCPU(p *program) float64 {
	before := cpuSeconds(p.pid())
	time.Sleep(idleWatched)
	return (cpuSeconds(p.pid()) - before) / idleWatched.Seconds() * 100
}

func byDone(a, b answer) int { return a.Done.Compare(b.Done) }

// waitFor reads the audit log until `done` likes all that was seen.
func waitFor(tail *auditTail, done func([]answer) bool) ([]answer, error) {
	var seen []answer
	for end := time.Now().Add(convergeLimit); time.Now().Before(end); time.Sleep(sampleEvery) {
		more, err := tail.next()
		if err != nil {
			return nil, err
		}
		if seen = append(seen, more...); len(more) > 0 && done(seen) {
			return seen, nil
		}
	}
	return nil, fmt.Errorf("expected the operator to be done within %s, found %d requests",
		convergeLimit, len(seen))
}

// untilSilent collects what is still written until nothing is for a while.
func untilSilent(tail *auditTail) ([]answer, error) {
	var seen []answer
	for quiet := time.Now(); time.Since(quiet) < silence; time.Sleep(sampleEvery) {
		more, err := tail.next()
		if err != nil {
			return nil, err
		}
		if seen = append(seen, more...); slices.ContainsFunc(more, answer.isWrite) {
			quiet = time.Now()
		}
	}
	return seen, nil
}

// converged: each MyApp has its child and a status.
func (b *operatorBench) converged(seen []answer) bool {
	children, statuses := map[string]bool{}, map[string]bool{}
	for _, one := range seen {
		key := one.ObjectRef.Namespace + "/" + one.ObjectRef.Name
		if one.creates() {
			children[key] = true
		}
		if one.writesStatus() && one.Status.Code < 300 {
			statuses[key] = true
		}
	}
	return len(children) >= b.objects && len(statuses) >= b.objects
}
