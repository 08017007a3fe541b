package main

import (
	"fmt"
	"io"
)

func printTable(out io.Writer, rows []row) {
	fmt.Fprintf(out, "%-12s %-26s %7s %7s %15s %15s %15s %8s %8s %8s %6s\n", "scenario", "subject",
		"sync s", "CPU s", "peak PSS/anon", "steady PSS/anon", "after events", "CPU ms /",
		"p50 ms", "p99 ms", "idle")
	fmt.Fprintf(out, "%-12s %-26s %7s %7s %15s %15s %15s %8s %8s %8s %6s\n", "", "", "", "", "MiB",
		"MiB", "PSS MiB", "1000 ev", "", "", "CPU %")
	for _, r := range rows {
		switch {
		case r.Skipped != "":
			fmt.Fprintf(out, "%-12s %-26s SKIPPED: %s\n", r.Scenario, r.Subject, r.Skipped)
		case r.Failure != "":
			fmt.Fprintf(out, "%-12s %-26s FAILED: %s\n", r.Scenario, r.Subject, r.Failure)
		default:
			fmt.Fprintf(out, "%-12s %-26s %7.2f %7.2f %7.1f/%7.1f %7.1f/%7.1f %15s %8s %8s %8s"+
				" %6s\n", r.Scenario, r.Subject+" "+r.Version, r.SyncSeconds, r.SyncCPU, r.PeakPSS,
				r.PeakAnonymous, r.SteadyPSS, r.SteadyAnonymous, shown("%.1f", r.AfterPSS),
				shown("%.1f", r.CPUPerThousandEvents*1000), shown("%.3f", r.P50),
				shown("%.3f", r.P99), shown("%.3f", r.IdleCPUPercent))
		}
	}
	printRatios(out, rows)
}

// shown leaves out what a scenario does not measure.
func shown(format string, value float64) string {
	if value == 0 {
		return "-"
	}
	return fmt.Sprintf(format, value)
}

type scenarioOf struct{ scenario, subject string }

func printRatios(out io.Writer, rows []row) {
	of := map[scenarioOf]row{}
	for _, r := range rows {
		if r.Failure == "" && r.Skipped == "" {
			of[scenarioOf{r.Scenario, r.Subject}] = r
		}
	}
	for _, r := range rows {
		ours, have := of[scenarioOf{r.Scenario, "oarlock"}]
		_, measured := of[scenarioOf{r.Scenario, r.Subject}]
		if have && r.Subject == "oarlock" {
			fmt.Fprintf(out, "oarlock, %s: peak / steady PSS %.2f\n", r.Scenario,
				ours.PeakPSS/ours.SteadyPSS)
		}
		empty, ok := of[scenarioOf{"none", r.Subject}]
		if ok && measured && r.Scenario == "deployments" {
			fmt.Fprintf(out, "%s: %d deployments cost %.1f MiB of anonymous memory\n",
				r.Subject, r.Objects, r.SteadyAnonymous-empty.SteadyAnonymous)
		}
		if have && measured && r.Subject != "oarlock" {
			fmt.Fprintf(out, "oarlock / %s, %s: steady PSS %s, peak PSS %s, sync %s, CPU per "+
				"event %s, p50 %s, p99 %s\n", r.Subject, r.Scenario,
				ratio(ours.SteadyPSS, r.SteadyPSS), ratio(ours.PeakPSS, r.PeakPSS),
				ratio(ours.SyncSeconds, r.SyncSeconds),
				ratio(ours.CPUPerThousandEvents, r.CPUPerThousandEvents),
				ratio(ours.P50, r.P50), ratio(ours.P99, r.P99))
		}
	}
}

func ratio(a, b float64) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", a/b)
}
