package images

import (
	"debug/elf"
	"fmt"
)

// architectures maps ELF machines to the names that images use.
var architectures = map[elf.Machine]string{
	elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_PPC64: "ppc64le",
	elf.EM_S390: "s390x", elf.EM_RISCV: "riscv64",
}

// architecture reads what a binary was built for, and refuses one that cannot run in an image
// without a single library.
func architecture(path string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s: expected a Linux executable, found: %w", path, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return "", fmt.Errorf("%s: expected a static binary, found one that needs shared "+
				"libraries; build it with CGO_ENABLED=0 or -static", path)
		}
	}
	arch, ok := architectures[f.Machine]
	if !ok {
		return "", fmt.Errorf("%s: expected a known architecture, found %s", path, f.Machine)
	}
	return arch, nil
}
