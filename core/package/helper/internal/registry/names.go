package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"oarlock.dev/fetch/internal/protocol"
)

// CanonicalPrefix spells the start of a repository's name as name.Repository.Name() does.
func CanonicalPrefix(text string) string {
	if host, rest, found := strings.Cut(text, "/"); host == "docker.io" {
		if !found {
			return dockerHub
		}
		return dockerHub + "/" + rest
	}
	return text
}

// Names are the two names of an image: as it was asked for, and where it is pulled from. Trust is
// decided on the second.
type Names struct {
	Asked    name.Reference
	Resolved name.Reference
}

// Resolve parses an image and applies the mirrors.
func Resolve(image string, r protocol.Registry) (Names, error) {
	asked, err := Parse(image, r.Insecure)
	if err != nil {
		return Names{}, protocol.Errorf(protocol.InvalidRequest,
			"expected REPOSITORY:TAG or REPOSITORY@sha256:DIGEST, found %q: %v", image, err)
	}
	repository := asked.Context().Name()
	best, found := protocol.Mirror{}, false
	for _, mirror := range r.Mirrors {
		prefix := CanonicalPrefix(strings.TrimRight(mirror.Prefix, "/"))
		if prefix == "" || mirror.Location == "" {
			return Names{}, protocol.Errorf(protocol.InvalidRequest,
				"registry.mirrors: expected prefix and location, found %+v", mirror)
		}
		if repository != prefix && !strings.HasPrefix(repository, prefix+"/") {
			continue
		}
		if found && len(prefix) == len(best.Prefix) {
			return Names{}, protocol.Errorf(protocol.InvalidRequest,
				"registry.mirrors: expected one for %q, found two; remove one", prefix)
		}
		if !found || len(prefix) > len(best.Prefix) {
			best, found = protocol.Mirror{Prefix: prefix, Location: mirror.Location}, true
		}
	}
	if !found {
		return Names{Asked: asked, Resolved: asked}, nil
	}
	separator := ":"
	if _, byDigest := asked.(name.Digest); byDigest {
		separator = "@"
	}
	rewritten := strings.TrimRight(best.Location, "/") + repository[len(best.Prefix):]
	resolved, err := Parse(rewritten+separator+asked.Identifier(), r.Insecure)
	if err != nil {
		return Names{}, protocol.Errorf(protocol.InvalidRequest,
			"registry.mirrors: %q makes %q of %q, which is no image: %v", best.Prefix, rewritten,
			image, err)
	}
	return Names{Asked: asked, Resolved: resolved}, nil
}

// Parse parses an image; one of a host that is named insecure is reached in plain HTTP.
func Parse(image string, insecure []string) (name.Reference, error) {
	reference, err := name.ParseReference(image)
	if err == nil && slices.Contains(insecure, reference.Context().RegistryStr()) {
		return name.ParseReference(image, name.Insecure)
	}
	return reference, err
}

// String names the image in messages: both names if they differ.
func (n Names) String() string {
	if n.Asked.Name() == n.Resolved.Name() {
		return n.Resolved.Name()
	}
	return fmt.Sprintf("%s (asked for as %s)", n.Resolved.Name(), n.Asked.Name())
}
