package node

import (
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Fence is the proof of a leadership or a session. The store compares it in the
// transaction of each write: Key exists and its create revision is CreateRevision. So a
// leader that has been replaced cannot write, even before it detects that.
type Fence struct {
	Key            string
	CreateRevision int64
}

// Validate returns nil for a fence that could be valid, and otherwise a
// *runtime.InvalidError on "fence": for an empty key, and for a create revision that no
// key can have. Zero is rejected because etcd compares it as "the key does not exist".
func (f Fence) Validate() error {
	switch {
	case f.Key == "":
		return &runtime.InvalidError{Field: "fence", Reason: "names no key"}
	case f.CreateRevision < 1:
		return &runtime.InvalidError{Field: "fence", Reason: fmt.Sprintf("has create revision %d; keys are created at 1 and above", f.CreateRevision)}
	}
	return nil
}

// ScopeRollouts is the scope of the leader that carries out rollouts. It is not the name of a region,
// which has no slash.
const ScopeRollouts = "/rollouts"
