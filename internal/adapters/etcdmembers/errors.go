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

// translate turns an error of the etcd client into the domain's: the caller's own
// end, runtime.ErrReadOnly, a refusal as it is, or runtime.ErrUnavailable for all
// that might go differently another time. ctx is the caller's, not that of one try.
func translate(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	case errors.Is(err, rpctypes.ErrNoSpace), refused(err):
		return fmt.Errorf("%s: %w", what, etcd.ToDomainError(err))
	default:
		return fmt.Errorf("%s: %w: %s", what, runtime.ErrUnavailable, err.Error())
	}
}

// refused reports whether asking again is pointless.
func refused(err error) bool {
	return etcd.Classify(err) == etcd.Permanent && !errors.Is(err, rpctypes.ErrNoSpace) && !errors.Is(err, rpctypes.ErrLeaseNotFound)
}

// takenError says that another daemon has the node's name.
type takenError struct {
	other node.Node
	at    int64 // the revision at which it was seen
}

func (e *takenError) reason() string {
	return fmt.Sprintf("%q is taken by the daemon at %s since %s; stop that one, or choose another --node",
		e.other.Region+"/"+e.other.Name, e.other.API, e.other.StartedAt.UTC().Format(time.RFC3339))
}

func (e *takenError) Error() string { return "node " + e.reason() }

// Why a session, and with it each leadership, is over.
var (
	errClosed    = errors.New("this node has left")
	errExpired   = errors.New("its lease could not be renewed in time")
	errLeaseGone = errors.New("its lease is gone")
	errKeyGone   = errors.New("its key has been taken away")
)

// errDeposed ends the work of a leader whose key is not there any more.
var errDeposed = errors.New("the key of the leadership is gone")
