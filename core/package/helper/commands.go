package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/term"

	"oarlock.dev/fetch/internal/inspect"
	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/publish"
	"oarlock.dev/fetch/internal/registry"
)

// command is one that people call: it prints to stdout and returns what went wrong.
type command struct {
	usage string
	run   func(ctx context.Context, c *call) error
}

// call is the flags and arguments of one command.
type call struct {
	flags     *flag.FlagSet
	arguments []string

	output       string
	key          string
	passwordFile string
	sigTag       bool
	plainHTTP    bool
	caFile       string
	timeout      time.Duration
	architecture string
	quiet        bool
}

var commands = map[string]command{
	"build":  {"build DIR -o FILE.tar", runBuild},
	"push":   {"push FILE.tar REF", runPush},
	"sign":   {"sign REF --key FILE [--password-file FILE] [--sig-tag]", runSign},
	"keygen": {"keygen PREFIX [--password-file FILE]", runKeygen},
	"inspect": {"inspect REF|FILE.tar [--key PUBLIC] [--architecture NAME] [-o DIR] [--quiet]",
		runInspect},
}

const registryFlags = "With a registry also: --plain-http, --ca-file FILE, --timeout 5m\n"

var errUsage = errors.New("usage")

func newCall(name string) *call {
	c := &call{flags: flag.NewFlagSet(name, flag.ContinueOnError)}
	c.flags.SetOutput(io.Discard)
	c.flags.StringVar(&c.output, "o", "", "")
	c.flags.StringVar(&c.output, "output", "", "")
	c.flags.StringVar(&c.key, "key", "", "")
	c.flags.StringVar(&c.passwordFile, "password-file", "", "")
	c.flags.BoolVar(&c.sigTag, "sig-tag", false, "")
	c.flags.BoolVar(&c.plainHTTP, "plain-http", false, "")
	c.flags.StringVar(&c.caFile, "ca-file", "", "")
	c.flags.DurationVar(&c.timeout, "timeout", 5*time.Minute, "")
	c.flags.StringVar(&c.architecture, "architecture", "", "")
	c.flags.BoolVar(&c.quiet, "quiet", false, "")
	return c
}

// parse takes flags before, between and behind the arguments.
func (c *call) parse(words []string) error {
	for {
		if err := c.flags.Parse(words); err != nil {
			return err
		}
		words = c.flags.Args()
		if len(words) == 0 {
			return nil
		}
		c.arguments = append(c.arguments, words[0])
		words = words[1:]
	}
}

func (c *call) expect(count int) error {
	if len(c.arguments) != count {
		return fmt.Errorf("expected %d arguments, found %d: %w", count, len(c.arguments), errUsage)
	}
	return nil
}

func runCommand(ctx context.Context, name string, words []string) int {
	cmd := commands[name]
	c := newCall(name)
	err := c.parse(words)
	if err != nil {
		err = fmt.Errorf("%w: %w", err, errUsage)
	} else {
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		err = cmd.run(ctx, c)
	}
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, flag.ErrHelp):
		fmt.Printf("usage: oarlock-fetch %s\n%s", cmd.usage, registryFlags)
		return exitDone
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "oarlock-fetch %s: %v\nusage: oarlock-fetch %s\n", name, err,
			cmd.usage)
		return exitUsage
	}
	fmt.Fprintf(os.Stderr, "oarlock-fetch %s: %v\n", name, err)
	return exitFailed
}

// registryFor says how the registry of an image is reached.
func (c *call) registryFor(image string) (protocol.Registry, error) {
	var out protocol.Registry
	if c.plainHTTP {
		reference, err := name.ParseReference(image)
		if err != nil {
			return out, err
		}
		out.Insecure = []string{reference.Context().RegistryStr()}
	}
	if c.caFile != "" {
		data, err := os.ReadFile(c.caFile)
		if err != nil {
			return out, err
		}
		out.CAPEM = string(data)
	}
	return out, nil
}

// connect uses the credentials that the person has logged in with (docker login, crane auth login).
func (c *call) connect(ctx context.Context, image string) (*registry.Client, name.Reference,
	error) {
	how, err := c.registryFor(image)
	if err != nil {
		return nil, nil, err
	}
	reference, err := registry.Parse(image, how.Insecure)
	if err != nil {
		return nil, nil, err
	}
	client, err := registry.New(ctx, how, protocol.Limits{}.WithDefaults(),
		authn.DefaultKeychain)
	return client, reference, err
}

func runBuild(_ context.Context, c *call) error {
	if err := c.expect(1); err != nil {
		return err
	}
	if c.output == "" {
		return fmt.Errorf("expected -o FILE.tar: %w", errUsage)
	}
	digest, err := publish.Build(c.arguments[0], c.output)
	if err != nil {
		return err
	}
	fmt.Println(digest)
	return nil
}

func runPush(ctx context.Context, c *call) error {
	if err := c.expect(2); err != nil {
		return err
	}
	client, reference, err := c.connect(ctx, c.arguments[1])
	if err != nil {
		return err
	}
	digest, err := publish.Push(client, c.arguments[0], reference)
	if err != nil {
		return err
	}
	fmt.Println(digest.Name())
	return nil
}

func runSign(ctx context.Context, c *call) error {
	if err := c.expect(1); err != nil {
		return err
	}
	if c.key == "" {
		return fmt.Errorf("expected --key FILE: %w", errUsage)
	}
	key, err := publish.LoadKey(c.key, func() ([]byte, error) {
		return c.password("of "+c.key,
			false)
	})
	if err != nil {
		return err
	}
	client, reference, err := c.connect(ctx, c.arguments[0])
	if err != nil {
		return err
	}
	digest, err := publish.Sign(client, reference, key, c.sigTag)
	if err != nil {
		return err
	}
	fmt.Println(digest.Name())
	return nil
}

func runKeygen(_ context.Context, c *call) error {
	if err := c.expect(1); err != nil {
		return err
	}
	password, err := c.password("for the new key", true)
	if err != nil {
		return err
	}
	return publish.GenerateKey(c.arguments[0], password)
}

// password of a key: a file or the terminal. Neither arguments nor environment, which others can
// see.
func (c *call) password(what string, twice bool) ([]byte, error) {
	if c.passwordFile != "" {
		data, err := os.ReadFile(c.passwordFile)
		line, _, _ := bytes.Cut(data, []byte("\n"))
		return bytes.TrimSuffix(line, []byte("\r")), err
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil, errors.New("the key needs a password: expected --password-file FILE or a " +
			"terminal")
	}
	ask := func(again string) ([]byte, error) {
		fmt.Fprintf(os.Stderr, "Password %s%s: ", what, again)
		defer fmt.Fprintln(os.Stderr)
		return term.ReadPassword(int(os.Stdin.Fd()))
	}
	first, err := ask("")
	if err != nil || !twice {
		return first, err
	}
	second, err := ask(" again")
	if err == nil && !bytes.Equal(first, second) {
		err = errors.New("expected the same password twice")
	}
	return first, err
}

func runInspect(ctx context.Context, c *call) error {
	if err := c.expect(1); err != nil {
		return err
	}
	target := c.arguments[0]
	view := inspect.View{Output: c.output, Architecture: c.architecture}
	if c.key != "" {
		data, err := os.ReadFile(c.key)
		if err != nil {
			return err
		}
		view.Key = string(data)
	}
	out := bufio.NewWriter(os.Stdout)
	if c.quiet { // for -o
		out = bufio.NewWriter(io.Discard)
	}
	if info, err := os.Stat(target); err == nil && info.Mode().IsRegular() {
		if c.key != "" {
			return fmt.Errorf("%s is a file: expected --key with an image in a registry only",
				target)
		}
		return errors.Join(inspect.File(out, target, view), out.Flush())
	}
	how, err := c.registryFor(target)
	if err != nil {
		return err
	}
	return errors.Join(inspect.Image(ctx, out, target, how, view), out.Flush())
}

func usageText() string {
	var out strings.Builder
	out.WriteString("usage:\n  oarlock-fetch pull < REQUEST.json > ANSWER.json\n" +
		"  oarlock-fetch pull --request FILE [--docker-config FILE] > ANSWER.json\n")
	for _, name := range []string{"build", "push", "sign", "keygen", "inspect"} {
		fmt.Fprintf(&out, "  oarlock-fetch %s\n", commands[name].usage)
	}
	out.WriteString(registryFlags)
	return out.String()
}
