package protocol

import (
	"fmt"
	"path/filepath"
)

// PruneRequest removes from a store what no image needs any more.
type PruneRequest struct {
	Version  int    `json:"version"`
	StoreDir string `json:"storeDir"`
	// Keep these images, REPOSITORY@sha256:...
	Keep []string `json:"keep"`
	// SpareBytes of others stay, those that were pulled last.
	SpareBytes int64 `json:"spareBytes"`
}

// PruneAnswer says what went.
type PruneAnswer struct {
	Version      int    `json:"version"`
	Error        *Error `json:"error,omitempty"`
	Busy         bool   `json:"busy,omitempty"` // something is pulled: nothing was removed
	RemovedFiles int64  `json:"removedFiles"`
	RemovedBytes int64  `json:"removedBytes"`
}

// Check says what is wrong with a request.
func (r *PruneRequest) Check() error {
	switch {
	case r.Version != Version:
		return fmt.Errorf("expected a request of version %d, found %d; caller and helper must be "+
			"of one build", Version, r.Version)
	case !filepath.IsAbs(r.StoreDir):
		return fmt.Errorf("expected an absolute storeDir, found %q", r.StoreDir)
	case r.SpareBytes < 0:
		return fmt.Errorf("expected spareBytes of at least 0, found %d", r.SpareBytes)
	}
	return nil
}
