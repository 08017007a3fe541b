package main

import (
	"fmt"
	"io"
)

// A figure is one line of the operators' table: lower is better.
type figure struct {
	name string
	of   func(operatorRow) float64
}

var operatorFigures = []figure{
	{"start to first create, ms", func(r operatorRow) float64 { return r.ColdMS }},
	{"idle, no objects: PSS, MiB", func(r operatorRow) float64 { return r.EmptyPSS }},
	{"  anonymous, MiB", func(r operatorRow) float64 { return r.EmptyAnonymous }},
	{"  CPU, % of a core", func(r operatorRow) float64 { return r.EmptyCPU }},
	{"bulk: until converged, s", func(r operatorRow) float64 { return r.BulkSeconds }},
	{"  CPU, s", func(r operatorRow) float64 { return r.BulkCPU }},
	{"  peak PSS, MiB", func(r operatorRow) float64 { return r.BulkPeakPSS }},
	{"  creates", func(r operatorRow) float64 { return float64(r.Writes.Creates) }},
	{"  status writes", func(r operatorRow) float64 { return float64(r.Writes.Status) }},
	{"  other writes", func(r operatorRow) float64 { return float64(r.Writes.Other) }},
	{"  events", func(r operatorRow) float64 { return float64(r.Writes.Events) }},
	{"  error answers", func(r operatorRow) float64 { return float64(r.Writes.Errors) }},
	{"idle, all objects: PSS, MiB", func(r operatorRow) float64 { return r.FullPSS }},
	{"  anonymous, MiB", func(r operatorRow) float64 { return r.FullAnonymous }},
	{"  CPU, % of a core", func(r operatorRow) float64 { return r.FullCPU }},
	{"spec change to child changed, p50 ms", func(r operatorRow) float64 { return r.ChangeP50 }},
	{"  p99 ms", func(r operatorRow) float64 { return r.ChangeP99 }},
	{"  CPU for 1,000 changes, s", func(r operatorRow) float64 { return r.ChangeCPU }},
	{"restart when converged: CPU, s", func(r operatorRow) float64 { return r.RestartCPU }},
	{"  PSS, MiB", func(r operatorRow) float64 { return r.RestartPSS }},
	{"  writes", func(r operatorRow) float64 {
		return float64(r.RestartWrites.Creates + r.RestartWrites.Status + r.RestartWrites.Other)
	}},
}

// printOperators prints a column per operator, and in brackets what Oarlock is of it.
func printOperators(out io.Writer, rows []operatorRow) {
	var measured []operatorRow
	var ours *operatorRow
	for i, r := range rows {
		switch {
		case r.Skipped != "":
			fmt.Fprintf(out, "%s SKIPPED: %s\n", r.Operator, r.Skipped)
		case r.Failure != "":
			fmt.Fprintf(out, "%s FAILED: %s\n", r.Operator, r.Failure)
		default:
			measured = append(measured, r)
			if r.Operator == "oarlock" {
				ours = &rows[i]
			}
		}
	}
	fmt.Fprintf(out, "%-38s", "(in brackets: oarlock / it)")
	for _, r := range measured {
		fmt.Fprintf(out, " %26s", r.Operator+" "+r.Version)
	}
	for _, f := range operatorFigures {
		fmt.Fprintf(out, "\n%-38s", f.name)
		for _, r := range measured {
			if ours == nil || r.Operator == "oarlock" || f.of(r) == 0 {
				fmt.Fprintf(out, " %26.2f", f.of(r))
				continue
			}
			fmt.Fprintf(out, " %19.2f (%s)", f.of(r), ratio(f.of(*ours), f.of(r)))
		}
	}
	fmt.Fprintln(out)
}
