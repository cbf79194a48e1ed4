package etcdmembers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// toDomainError translates an error of the etcd client. ctx is that of the caller, not
// that of one request. It returns:
//   - the cause of ctx if ctx has ended,
//   - runtime.ErrReadOnly at the space quota,
//   - runtime.ErrIncompatible if another cluster has responded,
//   - a permanent error as etcd.ToDomainError does,
//   - runtime.ErrUnavailable for any error after which a retry may succeed.
func toDomainError(ctx context.Context, operation string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", operation, context.Cause(ctx))
	case errors.Is(err, runtime.ErrIncompatible):
		return fmt.Errorf("%s: %w", operation, err)
	case errors.Is(err, rpctypes.ErrNoSpace), isPermanent(err):
		return fmt.Errorf("%s: %w", operation, etcd.ToDomainError(err))
	default:
		return fmt.Errorf("%s: %w: %s", operation, runtime.ErrUnavailable, err.Error())
	}
}

// isLeaseNotFound reports whether etcd has no such lease.
func isLeaseNotFound(err error) bool { return errors.Is(err, rpctypes.ErrLeaseNotFound) }

// isPermanent reports whether a retry of the request would fail as well. It is false at
// the space quota, which an operator can raise, and for a lease that does not exist.
func isPermanent(err error) bool {
	return etcd.Classify(err) == etcd.Permanent && !errors.Is(err, rpctypes.ErrNoSpace) && !isLeaseNotFound(err)
}

// nameTakenError is the error of a join under the name of another present node.
type nameTakenError struct {
	other    node.Node
	revision int64 // of the read that returned other
}

func (e *nameTakenError) reason() string {
	return fmt.Sprintf("%q is taken by the daemon at %s since %s; stop that daemon, or choose another name",
		e.other.Ref(), e.other.API, e.other.StartedAt.UTC().Format(time.RFC3339))
}

func (e *nameTakenError) Error() string { return "node " + e.reason() }

// Causes of the end of a session, and with it of each leadership.
var (
	// errLeft also ends every call of Lead.
	errLeft         = fmt.Errorf("%w: this node has left", runtime.ErrUnavailable)
	errTrustExpired = errors.New("the lease of this node was not renewed in time")
	errLeaseExpired = errors.New("the lease of this node has expired")
	errKeyDeleted   = errors.New("the key of this node was deleted")
)

// errLeadershipLost ends the work of a leader whose key was deleted.
var errLeadershipLost = errors.New("the key of the leadership was deleted")

// errLostRace is the error of a join if another daemon with the same name joined first.
var errLostRace = errors.New("another daemon with this name joined first")

// errJoinTimeout is the cause of the context of a Join that timed out.
var errJoinTimeout = fmt.Errorf("%w: etcd did not respond in time", runtime.ErrUnavailable)
