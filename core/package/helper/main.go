// oarlock-fetch builds, pushes, signs, inspects and pulls plugin images. The daemon runs it,
// without a token, to pull; people reach the rest as `oarlock plugin build|push|sign|inspect`.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/google/go-containerregistry/pkg/logs"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/pull"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

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
		if len(arguments) != 1 {
			fmt.Fprint(os.Stderr, usageText())
			return exitUsage
		}
		return runPull(ctx, os.Stdin, os.Stdout)
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

// runPull always answers; the exit code says no more than the answer.
func runPull(ctx context.Context, in io.Reader, out io.Writer) int {
	request, err := protocol.ReadRequest(in)
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
