// Command devcluster is a real Kubernetes for tests and demos in one binary.
package main

import (
	"os"
	"path/filepath"

	"oarlock.dev/devcluster/internal/cli"
	"oarlock.dev/devcluster/internal/component"
)

func main() {
	args := os.Args[1:]
	if name := filepath.Base(os.Args[0]); component.Has(name) || name == "registry" {
		args = append([]string{name}, args...) // called through a link, or by the supervisor
	}
	if len(args) > 0 && component.Has(args[0]) && !ownCommand(args) {
		os.Exit(component.Run(args[0], args[1:]))
	}
	os.Exit(cli.Run(args))
}

// ownCommand tells `devcluster kubectl --dir DIR -- ARGS` from plain kubectl, which has no --dir.
func ownCommand(args []string) bool {
	if args[0] != "kubectl" || len(args) < 2 {
		return false
	}
	switch first := args[1]; {
	case first == "--dir", first == "-dir":
		return true
	default:
		return len(first) > 6 && (first[:6] == "--dir=" || first[:5] == "-dir=")
	}
}
