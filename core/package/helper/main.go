// oarlock-fetch builds, pushes, signs, inspects and pulls plugin images. The daemon runs it,
// without a token, to pull; people reach the rest as `oarlock plugin build|push|sign|inspect`.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/logs"

	"oarlock.dev/fetch/internal/confine"
	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/providers"
	"oarlock.dev/fetch/internal/pull"
	"oarlock.dev/fetch/internal/registry"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

const pruneRequestLimit = 8 << 20 // bytes

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logs.Warn.SetOutput(io.Discard) // an answer says what went wrong, once
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, arguments []string) int {
	if len(arguments) == 0 {
		fmt.Fprint(os.Stderr, usageText())
		return exitUsage
	}
	switch arguments[0] {
	case "pull":
		if len(arguments) == 1 {
			return runPull(ctx, os.Stdin, os.Stdout, confineTo)
		}
		return runPullFile(ctx, arguments[1:], os.Stdout, confineTo)
	case "credentials":
		return runCredentials(ctx, os.Stdin, os.Stdout)
	case "prune":
		return runPrune(os.Stdin, os.Stdout, confine.Process)
	case "help", "-h", "--help":
		fmt.Print(usageText())
		return exitDone
	}
	if _, known := commands[arguments[0]]; known {
		return runCommand(ctx, arguments[0], arguments[1:])
	}
	fmt.Fprintf(os.Stderr, "oarlock-fetch: unknown command %q\n%s", arguments[0], usageText())
	return exitUsage
}

// confineTo the folders of a request, for good.
func confineTo(request *protocol.Request) error {
	own := []string{filepath.Dir(request.OutputDir)}
	if request.Registry.StoreDir != "" {
		own = append(own, request.Registry.StoreDir)
	}
	for _, folder := range own[1:] {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	var readable []string
	for _, variable := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if path := os.Getenv(variable); path != "" {
			readable = append(readable, filepath.SplitList(path)...)
		}
	}
	return confine.Process(own, readable)
}

// runCredentials always answers. It runs the administrator's programs, and talks to no registry.
func runCredentials(ctx context.Context, in io.Reader, out io.Writer) int {
	request, err := providers.Read(in)
	answer := &protocol.CredentialsAnswer{Version: protocol.Version}
	if err != nil {
		answer.Error = &protocol.Error{Reason: protocol.InvalidRequest, Message: err.Error()}
	} else {
		answer = providers.Ask(ctx, request, time.Now())
	}
	if err := json.NewEncoder(out).Encode(answer); err != nil {
		fmt.Fprintf(os.Stderr, "oarlock-fetch: writing the answer: %v\n", err)
		return exitFailed
	}
	if answer.Error != nil {
		return exitFailed
	}
	return exitDone
}

// runPrune always answers.
func runPrune(in io.Reader, out io.Writer, walls func(own, readable []string) error) int {
	request := &protocol.PruneRequest{}
	err := json.NewDecoder(io.LimitReader(in, pruneRequestLimit)).Decode(request)
	if err == nil {
		err = request.Check()
	}
	answer := &protocol.PruneAnswer{Version: protocol.Version}
	if err != nil {
		answer.Error = &protocol.Error{Reason: protocol.InvalidRequest, Message: err.Error()}
	} else {
		err = errors.Join(os.MkdirAll(request.StoreDir, 0o755),
			walls([]string{request.StoreDir}, nil))
		if err == nil {
			answer, err = registry.Prune(request)
		}
		if err != nil {
			answer = &protocol.PruneAnswer{Version: protocol.Version, Error: protocol.AsError(err)}
		}
	}
	if err := json.NewEncoder(out).Encode(answer); err != nil || answer.Error != nil {
		return exitFailed
	}
	return exitDone
}

// runPull always answers; the exit code says no more than the answer. Nothing is asked of a
// registry before `walls` stand.
func runPull(ctx context.Context, in io.Reader, out io.Writer,
	walls func(*protocol.Request) error) int {
	request, err := protocol.ReadRequest(in)
	return answerPull(ctx, request, err, out, walls)
}

// runPullFile is for a container that starts before the daemon's: no shell is there to redirect
// files, and the plugin that a start before this one has left in outputDir is replaced.
func runPullFile(ctx context.Context, words []string, out io.Writer,
	walls func(*protocol.Request) error) int {
	var requestFile, dockerConfig string
	flags := flag.NewFlagSet("pull", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&requestFile, "request", "", "")
	flags.StringVar(&dockerConfig, "docker-config", "", "")
	err := flags.Parse(words)
	if err != nil || flags.NArg() != 0 || requestFile == "" {
		fmt.Fprint(os.Stderr, usageText())
		return exitUsage
	}
	request, err := readRequestFile(requestFile, dockerConfig)
	if err == nil && isPluginFolder(request.OutputDir) {
		err = os.RemoveAll(request.OutputDir)
	}
	return answerPull(ctx, request, err, out, walls)
}

func isPluginFolder(path string) bool {
	_, err := os.Stat(filepath.Join(path, "plugin.json"))
	return err == nil
}

func readRequestFile(file, dockerConfig string) (*protocol.Request, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, protocol.Errorf(protocol.InvalidRequest, "--request: %v", err)
	}
	defer in.Close() //nolint:errcheck // it was only read
	request, err := protocol.ReadRequest(in)
	if err != nil || dockerConfig == "" {
		return request, err
	}
	request.Registry.DockerConfig, err = os.ReadFile(dockerConfig)
	if err != nil {
		return nil, protocol.Errorf(protocol.InvalidRequest, "--docker-config: %v", err)
	}
	return request, nil
}

func answerPull(ctx context.Context, request *protocol.Request, err error, out io.Writer,
	walls func(*protocol.Request) error) int {
	if err == nil {
		err = walls(request)
	}
	var answer *protocol.Answer
	if err != nil {
		answer = &protocol.Answer{Version: protocol.Version, Error: protocol.AsError(err)}
	} else {
		answer = pull.Run(ctx, request)
	}
	if err := json.NewEncoder(out).Encode(answer); err != nil {
		fmt.Fprintf(os.Stderr, "oarlock-fetch: writing the answer: %v\n", err)
		return exitFailed
	}
	if answer.Error != nil {
		return exitFailed
	}
	return exitDone
}
