package publish

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"sigs.k8s.io/yaml"
)

const (
	operatingSystem = "linux"
	yamlLimit       = 4 << 20
)

var machines = map[elf.Machine]string{
	elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_RISCV: "riscv64", elf.EM_S390: "s390x",
	elf.EM_PPC64: "ppc64le", elf.EM_LOONGARCH: "loong64",
}

// content is what an image holds, by name in the image.
type content map[string][]byte

// pluginManifest is what of plugin.json concerns an image.
type pluginManifest struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Version     string `json:"version"`
		Description string `json:"description"`
		Library     string `json:"library"`
	} `json:"spec"`
}

// Build writes an OCI layout as one tar file: an image, or an index of images when the folder has
// libraries of more than one machine. The same folder gives the same bytes, hence the same digest.
//
// The folder is what the build of a plugin makes: plugin.json or plugin.yaml, lib*.so, crds/*.yaml
// or *.json, LICENSE, NOTICE. Libraries for other machines are in folders of their own, of any
// name.
func Build(folder, file string) (v1.Hash, error) {
	common, err := commonFiles(folder)
	if err != nil {
		return v1.Hash{}, err
	}
	manifest, err := parseManifest(folder, common["plugin.json"])
	if err != nil {
		return v1.Hash{}, err
	}
	libraries, err := findLibraries(folder)
	if err != nil {
		return v1.Hash{}, err
	}
	architectures := make([]string, 0, len(libraries))
	images := map[string]v1.Image{}
	for architecture, of := range libraries {
		if _, found := of[manifest.Spec.Library]; !found {
			return v1.Hash{}, fmt.Errorf("%s: plugin.json names the library %s, expected it among "+
				"those for %s, found %s", folder, manifest.Spec.Library, architecture, names(of))
		}
		for name, data := range common {
			of[name] = data
		}
		if images[architecture], err = image(of, architecture, manifest); err != nil {
			return v1.Hash{}, err
		}
		architectures = append(architectures, architecture)
	}
	slices.Sort(architectures)
	return writeLayout(file, architectures, images)
}

func names(files content) string {
	var out []string
	for name := range files {
		out = append(out, name)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func commonFiles(folder string) (content, error) {
	files := content{}
	for _, name := range []string{"LICENSE", "NOTICE"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	manifest, err := asJSON(folder, "plugin")
	if err != nil {
		return nil, err
	}
	files["plugin.json"] = manifest
	crds, err := os.ReadDir(filepath.Join(folder, "crds"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range crds {
		base, kind := splitExtension(entry.Name())
		if kind != ".yaml" && kind != ".yml" && kind != ".json" {
			continue
		}
		data, err := asJSON(folder, filepath.Join("crds", base))
		if err != nil {
			return nil, err
		}
		files["crds/"+base+".json"] = data
	}
	return files, nil
}

func splitExtension(name string) (base, extension string) {
	extension = filepath.Ext(name)
	return strings.TrimSuffix(name, extension), extension
}

// asJSON prefers the YAML, which people edit; a JSON beside it that says something else is refused.
func asJSON(folder, base string) ([]byte, error) {
	stored, jsonErr := os.ReadFile(filepath.Join(folder, base+".json"))
	if jsonErr != nil && !errors.Is(jsonErr, fs.ErrNotExist) {
		return nil, jsonErr
	}
	for _, extension := range []string{".yaml", ".yml"} {
		name := filepath.Join(folder, base+extension)
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(text) > yamlLimit {
			return nil, fmt.Errorf("%s: expected at most %d bytes", name, yamlLimit)
		}
		made, err := yaml.YAMLToJSONStrict(text)
		if err != nil {
			return nil, fmt.Errorf("%s: expected one YAML document: %w", name, err)
		}
		if jsonErr == nil {
			return stored, sameJSON(name, made, stored)
		}
		return made, nil
	}
	if jsonErr != nil {
		return nil, fmt.Errorf("expected %s.yaml or .json: %w", filepath.Join(folder, base),
			jsonErr)
	}
	if !json.Valid(stored) {
		return nil, fmt.Errorf("%s.json: expected JSON", filepath.Join(folder, base))
	}
	return stored, nil
}

func sameJSON(name string, made, stored []byte) error {
	var a, b any
	if err := errors.Join(json.Unmarshal(made, &a), json.Unmarshal(stored, &b)); err != nil {
		return fmt.Errorf("%s and the .json beside it: %w", name, err)
	}
	x, err := json.Marshal(a)
	if err != nil {
		return err
	}
	y, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if !bytes.Equal(x, y) {
		return fmt.Errorf("%s: the .json beside it says something else; build the plugin again",
			name)
	}
	return nil
}

func parseManifest(folder string, data []byte) (*pluginManifest, error) {
	manifest := &pluginManifest{}
	if err := json.Unmarshal(data, manifest); err != nil {
		return nil, fmt.Errorf("%s: plugin.json: %w", folder, err)
	}
	if manifest.Kind != "PluginManifest" || manifest.Metadata.Name == "" ||
		manifest.Spec.Library == "" {
		return nil, fmt.Errorf("%s: expected a PluginManifest with metadata.name and "+
			"spec.library, "+
			"found kind %q, name %q, library %q", folder, manifest.Kind, manifest.Metadata.Name,
			manifest.Spec.Library)
	}
	return manifest, nil
}

// findLibraries of a folder and the folders in it, by the machine that each is for.
func findLibraries(folder string) (map[string]content, error) {
	found := map[string]content{}
	for _, pattern := range []string{"lib*.so", "*/lib*.so"} {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			architecture, err := checkLibrary(data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if found[architecture] == nil {
				found[architecture] = content{}
			}
			name := filepath.Base(file)
			if _, twice := found[architecture][name]; twice {
				return nil, fmt.Errorf("%s: expected one %s for %s, found two", folder, name,
					architecture)
			}
			found[architecture][name] = data
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: expected lib*.so in it or in folders by machine, found none; "+
			"build the plugin first", folder)
	}
	return found, nil
}

// checkLibrary: a shared library, not a program that calls itself one.
func checkLibrary(data []byte) (string, error) {
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return "", fmt.Errorf("expected a shared library: %w", err)
	}
	defer file.Close()
	if file.Type != elf.ET_DYN {
		return "", fmt.Errorf("expected a shared library, found %s", file.Type)
	}
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP {
			return "", errors.New("expected a shared library, found a program")
		}
	}
	architecture, known := machines[file.Machine]
	if !known {
		return "", fmt.Errorf("expected a machine with an OCI name, found %s", file.Machine)
	}
	return architecture, nil
}

func image(files content, architecture string, manifest *pluginManifest) (v1.Image, error) {
	layer, err := archive(files)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		types.OCIConfigJSON)
	labels := map[string]string{
		"org.opencontainers.image.title":       manifest.Metadata.Name,
		"org.opencontainers.image.version":     manifest.Spec.Version,
		"org.opencontainers.image.description": manifest.Spec.Description,
	}
	// Appended before the configuration is set: this keeps the diff ID, and times out of it.
	with, err := mutate.Append(base, mutate.Addendum{Layer: layer})
	if err != nil {
		return nil, err
	}
	config, err := with.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config.Labels = operatingSystem, architecture, labels
	config.History = nil
	return mutate.ConfigFile(with, config)
}

// gzipLayer knows both digests.
type gzipLayer struct {
	v1.Layer
	diffID v1.Hash
}

func (l gzipLayer) DiffID() (v1.Hash, error) { return l.diffID, nil }

// archive makes the one layer: sorted, owned by nobody in particular, of no time, not executable.
func archive(files content) (v1.Layer, error) {
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	all := make([]string, 0, len(files))
	for name := range files {
		all = append(all, name)
	}
	slices.Sort(all)
	for _, name := range all {
		err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o444,
			Size: int64(len(files[name])), Format: tar.FormatUSTAR})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	diffID, _, err := v1.SHA256(bytes.NewReader(plain.Bytes()))
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(plain.Bytes()); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return gzipLayer{static.NewLayer(packed.Bytes(), types.OCILayer), diffID}, nil
}
