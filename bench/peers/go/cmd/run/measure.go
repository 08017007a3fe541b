package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	syncLimit   = 3 * time.Minute
	stubLimit   = 10 * time.Second
	settle      = 5 * time.Second
	sampleEvery = 100 * time.Millisecond
)

// A program that ends with the benchmark; pinned to one core unless `core` is empty.
type program struct {
	command *exec.Cmd
	in      io.WriteCloser
	lines   chan string
}

func start(core string, argv []string) (*program, error) {
	if core != "" {
		argv = append([]string{"taskset", "-c", core}, argv...)
	}
	command := exec.Command(argv[0], argv[1:]...)
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &program{command: command, in: in, lines: make(chan string, 16)}
	go func() {
		defer close(p.lines)
		for text := bufio.NewScanner(out); text.Scan(); {
			p.lines <- text.Text()
		}
	}()
	return p, nil
}

func (p *program) pid() int { return p.command.Process.Pid }

func (p *program) stop() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// answer is the next line that the subject prints, as JSON.
func (p *program) answer(limit time.Duration, into any) error {
	select {
	case line, ok := <-p.lines:
		if !ok {
			return fmt.Errorf("expected a line of JSON, found the end of the subject")
		}
		return json.Unmarshal([]byte(line), into)
	case <-time.After(limit):
		return fmt.Errorf("expected a line of JSON within %s, found nothing", limit)
	}
}

type stub struct {
	*program
	dir, kubeconfig, control string
}

// served says what a stub serves: the objects of a file of --templates.
func (o *settings) served(plural, template string, objects int) string {
	return fmt.Sprintf("--serve=%s=%s:%d", plural, filepath.Join(o.templates, template), objects)
}

func (o *settings) startStub(served ...string) (*stub, error) {
	dir, err := os.MkdirTemp("", "cache-bench-")
	if err != nil {
		return nil, err
	}
	p, err := start(o.stubCore, append([]string{o.replay, "--dir", dir}, served...))
	if err != nil {
		return nil, err
	}
	s := &stub{program: p, dir: dir, kubeconfig: filepath.Join(dir, "kubeconfig")}
	for end := time.Now().Add(stubLimit); time.Now().Before(end); time.Sleep(sampleEvery) {
		if _, err := os.Stat(s.kubeconfig); err == nil {
			control, err := os.ReadFile(filepath.Join(dir, "control"))
			s.control = string(control)
			return s, err
		}
	}
	s.stop()
	return nil, fmt.Errorf("expected the stub to listen within %s, found nothing", stubLimit)
}

func (s *stub) stop() {
	s.program.stop()
	_ = os.RemoveAll(s.dir)
}

// events asks for a phase of events and waits for its end.
func (s *stub) events(plural string, rate, count int) error {
	client := &http.Client{Timeout: time.Duration(count/rate+60) * time.Second}
	answer, err := client.Post(fmt.Sprintf("http://%s/bench/events?resource=%s&rate=%d&count=%d",
		s.control, plural, rate, count), "", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		return fmt.Errorf("expected events, found %s: %s", answer.Status, text)
	}
	return nil
}

func (o *settings) measure(who subject, sc scenario) row {
	r := row{Scenario: sc.name, Subject: who.name, Version: who.version, Objects: sc.objects}
	s, err := o.startStub(o.served("*", sc.template, sc.objects))
	if err != nil {
		r.Failure = err.Error()
		return r
	}
	defer s.stop()
	p, err := start(o.subjectCore, who.command(s.kubeconfig, sc))
	if err != nil {
		r.Failure = err.Error()
		return r
	}
	defer p.stop()
	if err := o.watchSync(p, &r); err == nil && sc.events > 0 {
		err = o.watchEvents(p, s, sc, &r)
		if err != nil {
			r.Failure = err.Error()
		}
	} else if err != nil {
		r.Failure = err.Error()
	}
	return r
}

// watchSync samples memory until the subject says that it has everything, and some seconds on.
func (o *settings) watchSync(p *program, r *row) error {
	peak := newSampler(p.pid())
	var synced struct {
		Seconds float64 `json:"synced_s"`
	}
	err := p.answer(syncLimit, &synced)
	if err == nil {
		r.SyncSeconds, r.SyncCPU = synced.Seconds, cpuSeconds(p.pid())
		time.Sleep(settle)
	}
	r.PeakPSS, r.PeakAnonymous = peak.stop()
	r.SteadyPSS, r.SteadyAnonymous = memoryOf(p.pid())
	return err
}

type seenEvents struct {
	Events int
	P50    float64 `json:"p50_us"`
	P99    float64 `json:"p99_us"`
	Max    float64 `json:"max_us"`
}

// report is what the subject saw since the last one. It gets a second to see what was sent.
func (p *program) report() (seenEvents, error) {
	var seen seenEvents
	time.Sleep(time.Second)
	fmt.Fprintln(p.in, "report")
	return seen, p.answer(stubLimit, &seen)
}

func (o *settings) watchEvents(p *program, s *stub, sc scenario, r *row) error {
	// A first second warms up connection, code and CPU clock and is not counted.
	if err := s.events(sc.plural, o.rate, o.rate); err != nil {
		return err
	}
	if _, err := p.report(); err != nil {
		return err
	}
	before := cpuSeconds(p.pid())
	if err := s.events(sc.plural, o.rate, sc.events); err != nil {
		return err
	}
	used := cpuSeconds(p.pid()) - before
	seen, err := p.report()
	if err != nil {
		return err
	}
	if seen.Events != sc.events {
		return fmt.Errorf("expected %d events, found %d at the subscriber", sc.events, seen.Events)
	}
	r.Events, r.CPUPerThousandEvents = seen.Events, used/float64(sc.events)*1000
	r.P50, r.P99, r.Max = seen.P50/1000, seen.P99/1000, seen.Max/1000
	r.AfterPSS, _ = memoryOf(p.pid())
	return nil
}

const idleObjects = 20 // per kind

// measureIdle is the CPU of watches that nothing happens on but bookmarks.
func (o *settings) measureIdle(ours, version string) row {
	r := row{Scenario: fmt.Sprintf("%d kinds", o.kinds), Subject: "oarlock", Version: version,
		Objects: o.kinds * idleObjects}
	s, err := o.startStub(o.served("*", "deployment.json", idleObjects))
	if err != nil {
		r.Failure = err.Error()
		return r
	}
	defer s.stop()
	p, err := start(o.subjectCore, []string{
		ours, s.kubeconfig, "apps/v1", "Kind", "kinds", fmt.Sprint(o.kinds)})
	if err != nil {
		r.Failure = err.Error()
		return r
	}
	defer p.stop()
	if err := o.watchSync(p, &r); err != nil {
		r.Failure = err.Error()
		return r
	}
	before := cpuSeconds(p.pid())
	time.Sleep(o.idle)
	r.IdleCPUPercent = (cpuSeconds(p.pid()) - before) / o.idle.Seconds() * 100
	return r
}
