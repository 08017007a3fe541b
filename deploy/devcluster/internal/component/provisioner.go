//go:build !noaddons

package component

import (
	"fmt"
	"os"

	"oarlock.dev/devcluster/internal/localvolume"
)

func init() {
	programs["provisioner"] = func() int {
		if err := localvolume.Run(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "provisioner:", err)
			return 1
		}
		return 0
	}
}
