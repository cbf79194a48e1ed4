package httpserver

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/connlimit"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/limit"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/clientaddr"
	"galaxy/rtmanager/internal/domain/access"
)

// Limits bound what one caller can use of the server. A caller is a proven identity, or an
// IPv4 address or IPv6 network of 64 bits for a request without one. Daemons and probes have
// no limits. A zero bound is none.
type Limits struct {
	// ReadRate and WriteRate are requests per second. A caller may send those of two seconds
	// at once.
	ReadRate, WriteRate float64
	// Concurrency is the number of requests in progress, without watch streams; Streams is
	// the number of open watch streams.
	Concurrency, Streams int
	// Connections is the number of open connections of one address, of any identity.
	Connections int
	// Failures is the number of failed authentications per second of one address. Those of
	// five seconds may fail at once. Beyond that, only credentials that were valid before are
	// checked.
	Failures float64
}

// callerLimits applies Limits to the requests of a server. A rejection costs neither a read
// of the body, nor a call of the store, nor a line of the log.
type callerLimits struct {
	cfg        Limits
	limiter    *limit.Limiter
	failures   *limit.Failures
	rejections *limit.RejectionCounter
}

func newCallerLimits(cfg Config, metrics *metrics) callerLimits {
	return callerLimits{
		cfg: cfg.Limits,
		limiter: limit.New(limit.Config{
			ReadRate: cfg.Limits.ReadRate, WriteRate: cfg.Limits.WriteRate,
			Concurrency: cfg.Limits.Concurrency, Streams: cfg.Limits.Streams,
		}, time.Now),
		failures:   limit.NewFailures(cfg.Limits.Failures, time.Now),
		rejections: limit.NewRejectionCounter(metrics.rejections, cfg.Logger),
	}
}

// admit admits a request of the caller, anonymous for none. The permit is released with the
// response.
func (l *callerLimits) admit(response *statusRecorder, r *http.Request, route *Route, identity access.Identity) error {
	if isUnlimited(route, identity) {
		return nil
	}
	name := identity.Subject
	if identity.IsAnonymous() {
		name = clientaddr.NetworkText(r.RemoteAddr)
	}
	permit, rejection := l.limiter.Admit(name, classOf(route))
	if rejection != nil {
		return l.reject(response.Header(), name, rejection)
	}
	response.permit = permit
	return nil
}

// isUnlimited reports whether a request is a probe, or comes from a daemon of this store. Those must not
// fail because of other requests.
func isUnlimited(route *Route, identity access.Identity) bool {
	_, isNode := identity.Node()
	return isNode || !identity.Via.IsZero() && !identity.IsFederated || identity.IsAnonymous() && connlimit.IsProbe(route.Path)
}

// classOf returns the class of the requests of a route.
func classOf(route *Route) limit.Class {
	switch {
	case route.isStream:
		return limit.Stream
	case route.Method == http.MethodGet || route.isRead:
		return limit.Read
	default:
		return limit.Write
	}
}

// checkFailures rejects a request with a credential of an address that has presented too
// many invalid ones. A client certificate has been verified already.
func (l *callerLimits) checkFailures(response http.Header, r *http.Request) error {
	credential := r.Header.Get("Authorization")
	if credential == "" && r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return nil
	}
	network := clientaddr.NetworkText(r.RemoteAddr)
	if rejection := l.failures.Admit(network, credential); rejection != nil {
		return l.reject(response, network, rejection)
	}
	return nil
}

// recordAuthentication records the result of an authentication.
func (l *callerLimits) recordAuthentication(r *http.Request, err error) {
	if err == nil || errors.Is(err, access.ErrUnauthenticated) {
		l.failures.Record(clientaddr.NetworkText(r.RemoteAddr), r.Header.Get("Authorization"), err == nil)
	}
}

// reject returns the problem of a rejection, and sets the header Retry-After.
func (l *callerLimits) reject(response http.Header, name string, rejection *limit.Rejection) error {
	l.rejections.Add(rejection.Reason, name)
	response.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(rejection.RetryAfter.Seconds())))))
	switch rejection.Reason {
	case limit.ReasonStreams:
		return problem.New(api.CodeTooManyStreams, fmt.Sprintf("this caller has its maximum of %d watch streams open", l.cfg.Streams))
	case limit.ReasonConcurrency:
		return problem.New(api.CodeRateLimited, fmt.Sprintf("this caller has its maximum of %d requests in progress; wait for a response before the next request", l.cfg.Concurrency))
	case limit.ReasonFailures:
		return problem.New(api.CodeRateLimited, "this address has presented too many invalid credentials; send a valid one later")
	default:
		return problem.New(api.CodeRateLimited, "this caller exceeds its number of requests per second; send fewer")
	}
}
