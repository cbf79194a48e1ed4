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
	// granted are the rights before ForLabels has changed them; nil if it has not.
	granted *access.Rights
	// checkCertificate returns an error when the client certificate of the connection is not
	// accepted any more; nil without one.
	checkCertificate func() error
}

// Games returns what rights depend on.
type Games interface {
	// GetVersioned is that of ports.RuntimeReader.
	GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error)
	// LabelsWithoutRecord returns the labels of a game without a record: those of its latest start.
	LabelsWithoutRecord(ctx context.Context, gameID string) (map[string]string, error)
}

// Granted returns the rights of the caller for all games.
func (c Caller) Granted() access.Rights {
	if c.granted != nil {
		return *c.granted
	}
	return c.Rights
}

// ForLabels returns the caller with its rights for a game with the labels.
func (c Caller) ForLabels(labels map[string]string) Caller {
	granted := c.Granted()
	c.granted, c.Rights = &granted, granted.ForLabels(labels)
	return c
}

// ForAnyLabels returns the caller with its rights for a game whose labels are not known.
func (c Caller) ForAnyLabels() Caller {
	granted := c.Granted()
	c.granted, c.Rights = &granted, granted.ForAnyLabels()
	return c
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
