package ports

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/domain/access"
)

// AccessStore keeps the tokens and the role bindings of all callers. It is safe for concurrent
// use. All methods are linearizable and end when ctx ends. In addition to the errors named
// below, each may return
//
//   - runtime.ErrUnavailable if the store does not respond in time,
//   - runtime.ErrReadOnly for a write, except DeleteToken, while the store's quota is exhausted,
//   - runtime.ErrOutcomeUnknown for a write whose result could not be determined, mostly because
//     ctx ended first.
//
// A value that cannot be read grants nothing; it is logged with its key and never overwritten.
type AccessStore interface {
	// Policy returns all tokens and bindings at one revision.
	Policy(ctx context.Context) (*access.Policy, error)
	// Version returns a text that differs whenever the policy differs from that of an earlier
	// call. It is one small request.
	Version(ctx context.Context) (string, error)

	// CreateToken stores a token. It returns access.ErrExists if its name is in use. The
	// caller has validated the token.
	CreateToken(ctx context.Context, token access.Token) error
	// DeleteToken deletes the token of the name. It returns access.ErrUnknownSubject if there
	// is none.
	DeleteToken(ctx context.Context, name string) error
	// UpdateBinding replaces the binding of a subject by the result of change, by
	// compare-and-swap. change may run several times, and gets a binding without grants for a
	// new subject. A result without grants deletes the binding. An error of change is returned
	// unchanged.
	UpdateBinding(ctx context.Context, subject string, change func(access.Binding) (access.Binding, error)) error

	// RecordTokenUses stores when tokens were last used, by name. The latest call wins. It does
	// not change the version of the policy.
	RecordTokenUses(ctx context.Context, uses map[string]time.Time) error
}
