package etcdstore

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"galaxy/rtmanager/internal/domain/runtime"
)

// verdict is what an error of etcd says about the request that met it.
type verdict int

const (
	// refused: etcd has not done it and repeating it is pointless.
	refused verdict = iota
	// deferred: etcd has not done it, and might if asked again.
	deferred
	// unknown: it may have been done or not.
	unknown
)

// judge sorts every error of the etcd client. It is the only place that looks
// at codes: whatever it does not recognise as a definite no is unknown.
func judge(err error) verdict {
	switch {
	case errors.Is(err, rpctypes.ErrNoSpace), errors.Is(err, rpctypes.ErrCompacted), errors.Is(err, rpctypes.ErrFutureRev):
		return refused
	case errors.Is(err, rpctypes.ErrTooManyRequests), errors.Is(err, rpctypes.ErrInvalidAuthToken), errors.Is(err, rpctypes.ErrAuthOldRevision):
		return deferred
	}
	switch code(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.NotFound, codes.Unimplemented:
		return refused
	default:
		return unknown
	}
}

// appliedPerhaps reports whether etcd may have applied what it refused. At its quota
// it refuses most writes before they are agreed upon, but one that has been agreed
// upon when the last space went is applied and refused all the same. Either way it
// is decided by the time of the answer.
func appliedPerhaps(err error) bool { return errors.Is(err, rpctypes.ErrNoSpace) }

// code finds the gRPC code in an error of the etcd client, wherever it is. The
// client hands out its own type where it knows the error, and gRPC's elsewhere.
func code(err error) codes.Code {
	if known, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return known.Code()
	}
	return status.Code(err)
}

// translate turns an error of etcd that is a definite answer into the domain's.
func translate(err error) error {
	switch {
	case errors.Is(err, rpctypes.ErrNoSpace):
		return fmt.Errorf("%w: free space by compacting and defragmenting etcd and disarming its alarm, or raise the quota", runtime.ErrReadOnly)
	case errors.Is(err, rpctypes.ErrCompacted):
		return runtime.ErrCompacted
	case errors.Is(err, rpctypes.ErrFutureRev):
		return runtime.ErrForeignRevision
	default:
		return fmt.Errorf("etcd refused the request: %w", err)
	}
}

// errPatience is the cause of a context that the store itself has bounded.
var errPatience = errors.New("etcd did not answer in time")

// ending says why ctx has ended: by its own error, which is what callers look
// for, together with its cause where that is another one. An end that the store
// itself has made is its cause alone.
func ending(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, errPatience) || errors.Is(cause, errClosed) || errors.Is(cause, ctx.Err()) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}

// unavailable is the error of an operation that ended before etcd answered. The
// caller's own end is given back as such: who gave up is told by the context,
// never by the error, since a request's own deadline looks just the same. For
// the same reason the last try's error is told as text only.
func unavailable(ctx context.Context, last error) error {
	if ctx.Err() == nil {
		return fmt.Errorf("%w: %s", runtime.ErrUnavailable, last.Error())
	}
	end := ending(ctx)
	if errors.Is(end, errPatience) || errors.Is(end, errClosed) {
		return fmt.Errorf("%w: %w: last try: %s", runtime.ErrUnavailable, end, last.Error())
	}
	return end
}

// unknownOutcome is the error of a write whose fate its caller cannot learn any
// more. why is told as text only: it is no second answer beside this one.
func unknownOutcome(ctx context.Context, operationID string, why error) error {
	if ctx.Err() == nil {
		return fmt.Errorf("%w (operation %s): %s", runtime.ErrOutcomeUnknown, operationID, why.Error())
	}
	return fmt.Errorf("%w (operation %s): %w: %s", runtime.ErrOutcomeUnknown, operationID, ending(ctx), why.Error())
}
