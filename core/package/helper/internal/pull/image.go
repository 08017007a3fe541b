package pull

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"oarlock.dev/fetch/internal/protocol"
	"oarlock.dev/fetch/internal/registry"
)

const operatingSystem = "linux"

func isIndex(kind types.MediaType) bool {
	return kind == types.OCIImageIndex || kind == types.DockerManifestList
}

func isImage(kind types.MediaType) bool {
	return kind == types.OCIManifestSchema1 || kind == types.DockerManifestSchema2
}

// forArchitecture follows an index to the manifest of one architecture, by digest.
func forArchitecture(client *registry.Client, repository name.Repository,
	document *registry.Document, architecture string) (*registry.Document, error) {
	if !isIndex(document.MediaType) {
		return document, nil
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(document.Bytes))
	if err != nil {
		return nil, protocol.Errorf(protocol.InvalidImage, "%s@%s: expected an image index: %v",
			repository.Name(), document.Digest, err)
	}
	var found []v1.Descriptor
	var others []string
	for _, d := range index.Manifests {
		if d.Platform == nil {
			continue
		}
		if d.Platform.OS == operatingSystem && d.Platform.Architecture == architecture {
			found = append(found, d)
		} else if d.Platform.Architecture != "unknown" { // buildkit's attestations
			others = append(others, d.Platform.OS+"/"+d.Platform.Architecture)
		}
	}
	what := fmt.Sprintf("%s@%s", repository.Name(), document.Digest)
	switch {
	case len(found) == 0:
		return nil, noArchitecture(what, architecture, others)
	case len(found) > 1:
		return nil, protocol.Errorf(protocol.InvalidImage,
			"%s: expected one image for %s/%s in the index, found %d", what, operatingSystem,
			architecture, len(found))
	}
	return client.Get(repository.Digest(found[0].Digest.String()))
}

func noArchitecture(what, architecture string, others []string) error {
	slices.Sort(others)
	if len(others) == 0 {
		others = []string{"none"}
	}
	return protocol.Errorf(protocol.NoSuchArchitecture,
		"%s: expected an image for %s/%s, found %s; build and push it for that architecture too",
		what,
		operatingSystem, architecture, strings.Join(others, ", "))
}

func parseImage(repository name.Repository, document *registry.Document,
	limits protocol.Limits) (*v1.Manifest, error) {
	what := fmt.Sprintf("%s@%s", repository.Name(), document.Digest)
	if !isImage(document.MediaType) {
		return nil, protocol.Errorf(protocol.InvalidImage, "%s: expected an image, found %q", what,
			document.MediaType)
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(document.Bytes))
	if err != nil {
		return nil, protocol.Errorf(protocol.InvalidImage, "%s: expected an image: %v", what, err)
	}
	if int64(len(manifest.Layers)) > limits.Layers {
		return nil, protocol.Errorf(protocol.ImageTooLarge,
			"%s: expected at most %d layers, found %d", what, limits.Layers, len(manifest.Layers))
	}
	for _, layer := range manifest.Layers {
		if layer.Size > limits.LayerBytes {
			return nil, protocol.Errorf(protocol.ImageTooLarge,
				"%s: expected layers of at most %d bytes, found one of %d", what, limits.LayerBytes,
				layer.Size)
		}
	}
	return manifest, nil
}

// checkConfig: an image without an index says its architecture in its configuration only.
func checkConfig(client *registry.Client, repository name.Repository, manifest *v1.Manifest,
	architecture string, limits protocol.Limits) error {
	var data bytes.Buffer
	if err := client.Blob(repository, manifest.Config, limits.ManifestBytes, &data); err != nil {
		return err
	}
	var config struct {
		Architecture string `json:"architecture"`
		OS           string `json:"os"`
	}
	what := repository.Name() + "@" + manifest.Config.Digest.String()
	if err := json.Unmarshal(data.Bytes(), &config); err != nil {
		return protocol.Errorf(protocol.InvalidImage, "%s: expected an image configuration: %v",
			what,
			err)
	}
	if config.OS != operatingSystem || config.Architecture != architecture {
		return noArchitecture(what, architecture, []string{config.OS + "/" + config.Architecture})
	}
	return nil
}
