package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// family is a process and its children, and theirs.
func family(pid int) []int {
	all := []int{pid}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				all = append(all, family(child)...)
			}
		}
	}
	return all
}

// memoryOf is the PSS and the anonymous memory of processes and their children in MiB.
func memoryOf(pids ...int) (pss, anonymous float64) {
	for _, parent := range pids {
		for _, pid := range family(parent) {
			pssOfOne, anonymousOfOne := memoryOfOne(pid)
			pss, anonymous = pss+pssOfOne, anonymous+anonymousOfOne
		}
	}
	return pss, anonymous
}

func memoryOfOne(pid int) (pss, anonymous float64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(words[1], 64)
		switch words[0] {
		case "Pss:":
			pss = kib / 1024
		case "Anonymous:":
			anonymous = kib / 1024
		}
	}
	return pss, anonymous
}

// cpuSeconds is what all threads of processes and their children have used, in nanoseconds'
// precision. Threads that ended are left out; the subjects keep theirs.
func cpuSeconds(pids ...int) float64 {
	var tasks []string
	for _, parent := range pids {
		for _, pid := range family(parent) {
			some, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
			tasks = append(tasks, some...)
		}
	}
	total := 0.0
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if words := strings.Fields(string(text)); err == nil && len(words) > 0 {
			ran, _ := strconv.ParseFloat(words[0], 64)
			total += ran / 1e9
		}
	}
	return total
}

// A sampler keeps the highest memory that it has seen.
type sampler struct {
	end            chan struct{}
	done           sync.WaitGroup
	pss, anonymous float64
}

func newSampler(pids ...int) *sampler {
	s := &sampler{end: make(chan struct{})}
	s.done.Go(func() {
		for {
			select {
			case <-s.end:
				return
			case <-time.After(sampleEvery):
				pss, anonymous := memoryOf(pids...)
				s.pss, s.anonymous = max(s.pss, pss), max(s.anonymous, anonymous)
			}
		}
	})
	return s
}

func (s *sampler) stop() (pss, anonymous float64) {
	close(s.end)
	s.done.Wait()
	return s.pss, s.anonymous
}
