package runtime_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		err      error
		sentinel error
		text     string
	}{
		{"invalid", &runtime.InvalidError{Field: "now", Reason: "is required"}, runtime.ErrInvalid, "now is required"},
		{"conflict", &runtime.ConflictError{
			GameID: "g", Precondition: runtime.PreconditionStatus, Expected: "running", Actual: "stopped",
			Current: record(runtime.StatusStopped), Revision: 7,
		}, runtime.ErrConflict, `expected status "running", found "stopped" (current record: stopped, last changed at revision 7)`},
		{"conflict without record", &runtime.ConflictError{
			GameID: "g", Precondition: runtime.PreconditionRevision, Expected: "7", Actual: "0",
		}, runtime.ErrConflict, `expected revision "7", but there is no record`},
		{"conflict on an intent", &runtime.ConflictError{
			GameID: "g", Precondition: runtime.PreconditionRevision, Expected: "7", Actual: "9", Revision: 9,
		}, runtime.ErrConflict, `expected revision "7", found "9"`},
		{"corrupt", &runtime.CorruptError{Key: "/runtimes/g", GameID: "g", Reason: "is not JSON"}, runtime.ErrCorrupt, "key \"/runtimes/g\": is not JSON"},
		{"transition", &runtime.TransitionError{From: runtime.StatusRemoved, To: runtime.StatusRunning}, runtime.ErrInvalidTransition, `transition is not allowed from "removed" to "running": "removed" has no transitions`},
	}
	sentinels := []error{
		runtime.ErrNotFound, runtime.ErrConflict, runtime.ErrInvalidTransition, runtime.ErrInvalid, runtime.ErrFenced,
		runtime.ErrOutcomeUnknown, runtime.ErrCompacted, runtime.ErrForeignRevision, runtime.ErrCorrupt,
		runtime.ErrReadOnly, runtime.ErrUnavailable, runtime.ErrIncompatible,
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.EqualError(t, tt.err, tt.text)
			for _, sentinel := range sentinels {
				//nolint:errorlint // which sentinel it is, not what it wraps
				require.Equal(t, sentinel == tt.sentinel, errors.Is(fmt.Errorf("wrapped: %w", tt.err), sentinel), "is %v", sentinel)
			}
		})
	}
}
