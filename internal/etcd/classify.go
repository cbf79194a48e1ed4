package etcd

import (
	"errors"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Class is the class of an error: whether etcd applied the request, and whether to retry.
type Class int

const (
	// Permanent means that etcd did not apply the request, and a retry would fail as well.
	Permanent Class = iota
	// Retryable means that etcd did not apply the request, and a retry may succeed.
	Retryable
	// Ambiguous means that etcd may have applied the request or not.
	Ambiguous
)

// Classify returns the class of an error of the etcd client. An error that is not
// known to be definite is ambiguous.
func Classify(err error) Class {
	switch {
	case errors.Is(err, rpctypes.ErrNoSpace), errors.Is(err, rpctypes.ErrCompacted), errors.Is(err, rpctypes.ErrFutureRev):
		return Permanent
	case errors.Is(err, ErrNotSent), errors.Is(err, rpctypes.ErrTooManyRequests), isAuthenticationError(err), isRefusedByMember(err):
		return Retryable
	}
	switch grpcCode(err) {
	case codes.InvalidArgument, codes.PermissionDenied, codes.NotFound, codes.Unimplemented:
		return Permanent
	default:
		return Ambiguous
	}
}

// isAuthenticationError reports whether etcd has rejected the token or password of a
// request. A rotation of the password ends it: the password file and the cluster do not
// change at the same time.
func isAuthenticationError(err error) bool {
	return errors.Is(err, rpctypes.ErrInvalidAuthToken) || errors.Is(err, rpctypes.ErrAuthOldRevision) || errors.Is(err, rpctypes.ErrAuthFailed)
}

// isRefusedByMember reports whether a member has refused a request before it executed
// anything: it has no leader, or it is a learner. Another member may serve the request.
func isRefusedByMember(err error) bool {
	const learner = "rpc not supported for learner"
	return errors.Is(err, rpctypes.ErrNoLeader) || strings.HasSuffix(rpctypes.ErrorDesc(err), learner)
}

// MayHaveApplied reports whether etcd may have applied a request although its error is
// permanent. At its space quota etcd rejects most writes before it proposes them to the
// members. A write that was committed just before the quota was reached is applied, and
// its response is an error nevertheless. After the response the outcome does not change.
func MayHaveApplied(err error) bool { return errors.Is(err, rpctypes.ErrNoSpace) }

// grpcCode returns the gRPC code of an error of the etcd client. The client returns its own
// type for errors that it knows, and gRPC's for others.
func grpcCode(err error) codes.Code {
	if etcdErr, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return etcdErr.Code()
	}
	return status.Code(err)
}
