package etcdconn

import (
	"errors"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// minTimeout is the shortest time after which a request without a response is held against
// its endpoint, unless four round trips are longer.
const minTimeout = 100 * time.Millisecond

// outcome is how a request at an endpoint ended.
type outcome struct {
	started time.Time
	err     error
}

// report updates the state of the endpoint by the outcome of a request.
func (p *Pool) report(e *endpoint, o outcome) {
	now := p.now()
	isFailure := true
	p.update(e, func(h *health) {
		switch err := rpctypes.Error(o.err); {
		case errors.Is(err, rpctypes.ErrNoLeader):
			h.setProbed(StateNoLeader, err, now)
		case isLearnerError(err):
			h.setProbed(StateLearner, err, now)
		case isNotEtcd(err), isEndpointFailure(err, now.Sub(o.started), h.roundTrip):
			h.fail(err, now)
		default:
			isFailure = false
			if status.Code(o.err) != codes.Canceled {
				h.recover(o.started, now)
			}
		}
	})
	if isFailure {
		e.requestCheck()
	}
}

// isEndpointFailure reports whether an error may have its cause in the endpoint, so that
// another one may serve the request.
func isEndpointFailure(err error, elapsed, roundTrip time.Duration) bool {
	switch codeOf(err) {
	case codes.Unavailable:
		return !errors.Is(err, rpctypes.ErrLeaderChanged)
	case codes.DeadlineExceeded:
		return elapsed >= max(minTimeout, 4*roundTrip)
	default:
		return false
	}
}

// errNotEtcd is the error of a request to an endpoint at which another program listens.
var errNotEtcd = errors.New("it does not speak etcd's API")

// isNotEtcd reports whether an error is the response of a program without the API of etcd, such
// as a web server, which has not executed the request. A web server without HTTP/2 does not
// even accept the connection.
func isNotEtcd(err error) bool {
	switch codeOf(err) {
	case codes.OK:
		return false
	case codes.Unimplemented:
		return true
	case codes.PermissionDenied, codes.Unauthenticated:
		return strings.Contains(err.Error(), "unexpected HTTP status code") // not of etcd
	default:
		return strings.Contains(err.Error(), "looked like an HTTP/1.1 header")
	}
}

// isUnserved reports whether an endpoint has refused a request without executing it, so that
// another endpoint may get the same request.
func isUnserved(err error) bool {
	err = rpctypes.Error(err)
	return errors.Is(err, rpctypes.ErrNoLeader) || isLearnerError(err)
}

// codeOf returns the gRPC code of an error, also of one that rpctypes.Error has converted.
func codeOf(err error) codes.Code {
	if etcdErr, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return etcdErr.Code()
	}
	return status.Code(err)
}

// isLearnerError reports whether a learner has refused a request.
func isLearnerError(err error) bool {
	return rpctypes.ErrorDesc(err) == rpctypes.ErrorDesc(rpctypes.ErrGRPCNotSupportedForLearner)
}
