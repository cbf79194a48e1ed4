package callers

import (
	"context"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Caller is the caller of a request.
type Caller struct {
	Identity access.Identity
	Rights   access.Rights
	// checkCertificate returns an error when the client certificate of the connection is not
	// accepted any more; nil without one.
	checkCertificate func() error
}

// Records returns the record of a game, for its region.
type Records interface {
	// GetVersioned is that of ports.RuntimeReader.
	GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error)
}

type callerKey struct{}

// Of returns the caller of a request. A daemon that does not authenticate callers gives
// each of them all rights.
func Of(ctx context.Context) Caller {
	if c, isSet := ctx.Value(callerKey{}).(Caller); isSet {
		return c
	}
	return Caller{Rights: access.AllRights()}
}
