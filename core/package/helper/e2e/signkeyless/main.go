// signkeyless signs images without keys, by a Sigstore that lives as long as this program, for the
// integration tests of the daemon.
//
//	signkeyless TRUSTED_ROOT.json ISSUER IMAGE IDENTITY [IMAGE IDENTITY]...
//
// The registry speaks plain HTTP. The file is what verifies the signatures.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/publish"
	"oarlock.dev/fetch/internal/registry"
	"oarlock.dev/fetch/internal/testsigstore"
	"oarlock.dev/fetch/internal/trust"
)

const deadline = time.Minute

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "signkeyless:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) < 4 || len(arguments)%2 != 0 {
		return errors.New("expected TRUSTED_ROOT.json ISSUER IMAGE IDENTITY [IMAGE IDENTITY]...")
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	sigstore, err := testsigstore.New()
	if err != nil {
		return err
	}
	file, issuer := arguments[0], arguments[1]
	for pairs := arguments[2:]; len(pairs) > 0; pairs = pairs[2:] {
		if err := sign(ctx, sigstore, pairs[0], pairs[1], issuer); err != nil {
			return err
		}
	}
	trusted, err := sigstore.TrustedRoot()
	if err != nil {
		return err
	}
	return os.WriteFile(file, trusted, 0o600)
}

func sign(ctx context.Context, sigstore *testsigstore.Sigstore, image, identity,
	issuer string) error {
	host, _, _ := strings.Cut(image, "/")
	insecure := []string{host}
	reference, err := registry.Parse(image, insecure)
	if err != nil {
		return err
	}
	client, err := registry.New(ctx, protocol.Registry{Insecure: insecure},
		protocol.Limits{}.WithDefaults(), nil)
	if err != nil {
		return err
	}
	document, err := client.Get(reference)
	if err != nil {
		return err
	}
	digest := reference.Context().Digest(document.Digest)
	signed, err := sigstore.Bundle(identity, issuer,
		testsigstore.StatementAbout(digest, trust.SignPredicateType))
	if err != nil {
		return err
	}
	return publish.Attach(client, digest, document, signed)
}
