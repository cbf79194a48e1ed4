package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/audit"
)

// AuditLog records events for the operator. It is safe for concurrent use.
type AuditLog interface {
	// Check returns nil if Append can store an event, and otherwise an error that wraps
	// audit.ErrUnavailable. It is fast. A caller checks before a mutation, and does not
	// carry out the mutation after an error. The log recovers without a call.
	Check() error
	// Append stores the event. When it returns nil, the event survives a crash of the
	// machine. Denied events are the exception: Append does not wait for them, and may store
	// many as one event with a count.
	//
	// ctx bounds only the wait: after its end the event may still be stored. An error wraps
	// audit.ErrUnavailable. Texts are clipped as Event.Clipped describes.
	Append(ctx context.Context, event audit.Event) error
}
