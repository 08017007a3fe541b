// Package cli is the command line of devcluster's own commands.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"oarlock.dev/devcluster/internal/cluster"
	"oarlock.dev/devcluster/internal/component"
	"oarlock.dev/devcluster/internal/supervisor"
)

// A command parses its own arguments.
type command struct {
	name, args, help string
	run              func(args []string) error
}

func commands() []command {
	return []command{
		{"up", "--dir DIR [--level control-plane|node] [--kubeconfig FILE] [--name NAME]\n" +
			"        [--nodes N] [--with controller-manager,scheduler] [--timeout 3m]",
			"start a cluster, or what of it does not run, and wait until it is ready", up},
		{"down", "--dir DIR [--purge]", "stop a cluster; --purge removes its data too", down},
		{"status", "--dir DIR [-o json]", "show components; exit code 0 only if ready", status},
		{"stop", "--dir DIR COMPONENT", "SIGTERM, then SIGKILL after 10 s", fault(stop)},
		{"kill", "--dir DIR COMPONENT", "SIGKILL at once", fault(kill)},
		{"start", "--dir DIR COMPONENT", "start again: same ports, same data", fault(start)},
		{"pause", "--dir DIR COMPONENT", "SIGSTOP", fault(pause)},
		{"resume", "--dir DIR COMPONENT", "SIGCONT", fault(resume)},
		{"node", "--dir DIR stop|kill|freeze|start NODE",
			"a whole further node with its pods: shut down, cut off, held, run again", node},
		{"trust-registry", "--dir DIR HOST:PORT",
			"pull HOST:PORT/... from that plain-HTTP registry of this machine", trustRegistry},
		{"kubeconfig", "--dir DIR --user NAME [--group G ...] [--key-type ecdsa|rsa] [--files]",
			"print a kubeconfig with a new client certificate", mintKubeconfig},
		{"kubectl", "--dir DIR -- ARGS...", "run kubectl as the cluster's admin", kubectl},
		{"build-image", "--binary PATH --name REF --out FILE.tar [--entrypoint ARG ...]\n" +
			"        [--env K=V ...] [--label K=V ...] [--user 65532]",
			"pack a static binary as an image", buildImage},
		{"load-image", "--dir DIR FILE.tar [REF]", "push an image into the cluster's registry",
			loadImage},
		{"registry", "--addr HOST:PORT --dir DIR", "serve an image registry from a folder",
			serveRegistry},
		{"observe", "--kubeconfig FILE [--namespace NS] [--selector L]",
			"print what client-go's informer of ConfigMaps sees as JSON, at SIGTERM its store",
			observe},
	}
}

// Run executes a command and returns the exit code.
func Run(args []string) int {
	if len(args) == 0 {
		usage(os.Stderr)
		return 2
	}
	switch args[0] {
	case "help", "-h", "--help":
		usage(os.Stdout)
		return 0
	case supervisor.Command:
		return exitCode(supervise(args[1:]))
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return exitCode(c.run(args[1:]))
		}
	}
	fmt.Fprintf(os.Stderr, "devcluster: expected a command, found %q\n\n", args[0])
	usage(os.Stderr)
	return 2
}

// usageError asks for exit code 2.
type usageError struct{ error }

func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(os.Stderr, "devcluster: %v\n", err)
		return 2
	}
	fmt.Fprintf(os.Stderr, "devcluster: %v\n", err)
	return 1
}

func usage(w io.Writer) {
	fmt.Fprint(w, "devcluster is a real Kubernetes in one binary, for tests and demos.\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  devcluster %s %s\n        %s\n", c.name, c.args, c.help)
	}
	fmt.Fprintf(w, "\nThe programs inside run as `devcluster NAME ARGS...`, or through a link of "+
		"that name:\n  %s\n", strings.Join(component.Names(), " "))
}

// flags makes a flag set whose errors are returned instead of printed twice.
func flags(name string) (*flag.FlagSet, *string) {
	set := flag.NewFlagSet("devcluster "+name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	return set, set.String("dir", "", "folder of the cluster")
}

// parse accepts flags also behind positional arguments, as users of kubectl expect.
func parse(set *flag.FlagSet, args []string, most int) ([]string, error) {
	var rest []string
	for {
		if err := set.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				set.SetOutput(os.Stdout)
				set.Usage()
				return nil, err
			}
			return nil, usageError{fmt.Errorf("%w; `devcluster help` shows the flags", err)}
		}
		args = set.Args()
		if len(args) == 0 {
			break
		}
		rest, args = append(rest, args[0]), args[1:]
	}
	if len(rest) > most {
		return nil, usageError{fmt.Errorf("%s: expected at most %d arguments, found %d (%s)",
			set.Name(), most, len(rest), strings.Join(rest, " "))}
	}
	return rest, nil
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

var began = time.Now()

// progress goes to stderr; stdout is for results.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "devcluster: [%5.1f s] %s\n", time.Since(began).Seconds(),
		fmt.Sprintf(format, args...))
}

func open(dir string) (*cluster.Cluster, error) {
	if dir == "" {
		return nil, usageError{errors.New("--dir: expected the cluster's folder, found nothing")}
	}
	return cluster.Open(dir, progress)
}
