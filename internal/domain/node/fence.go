package node

import (
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Fence is a proof of leadership that the store checks inside the write's own
// transaction: the key exists and was created at this revision. A leader that
// was replaced cannot write any more, whatever it believes.
type Fence struct {
	Key            string
	CreateRevision int64
}

// Validate returns nil for a fence that could hold, and otherwise a
// *runtime.InvalidError on "fence": without a key, or with a create revision that
// no key can have. Zero must not pass: to etcd it means that there is no key.
func (f Fence) Validate() error {
	switch {
	case f.Key == "":
		return &runtime.InvalidError{Field: "fence", Reason: "names no key"}
	case f.CreateRevision < 1:
		return &runtime.InvalidError{Field: "fence", Reason: fmt.Sprintf("has create revision %d; keys are created at 1 and above", f.CreateRevision)}
	}
	return nil
}
