package connlimit

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
)

const (
	// ExcessConnections is how many connections beyond Config.Connections are
	// accepted at a time, to respond with a problem. Further ones are closed at once.
	ExcessConnections = 32
	// excessLifetime bounds the life of such a connection.
	excessLifetime = 5 * time.Second
)

// Config configures a Limiter.
type Config struct {
	// Connections is the number of open connections, PerAddress that of one address; 0 is any
	// number for one address.
	Connections, PerAddress int
	// OnAddressExceeded is called for a request on a connection beyond the limit of its
	// address. It must be safe for concurrent use.
	OnAddressExceeded func(r *http.Request)
}

// Limiter counts the connections of an http.Server. It responds to connections beyond
// its limit rather than leaving their clients to wait. It is safe for concurrent use.
type Limiter struct {
	cfg       Config
	limit     int64
	open      atomic.Int64
	unused    unusedConnections // of those within the limit
	addresses addressLimit
}

// New returns a limiter without connections.
func New(cfg Config) *Limiter {
	return &Limiter{cfg: cfg, limit: int64(cfg.Connections), addresses: addressLimit{limit: cfg.PerAddress}}
}

// excessKey is the key of the context of a connection beyond a limit. The value is whether
// that is the limit of its address.
type excessKey struct{}

// ConnContext counts a new connection; it is http.Server.ConnContext. At the limit it closes a
// connection that is not in use.
func (l *Limiter) ConnContext(ctx context.Context, conn net.Conn) context.Context {
	open, ofAddress := l.open.Add(1), l.addresses.add(conn)
	if ofAddress == 0 && (open <= l.limit || l.unused.closeOldest()) {
		l.unused.update(conn, http.StateNew)
		return ctx
	}
	if open > l.limit+ExcessConnections || ofAddress > excessPerAddress {
		abort(conn)
	} else {
		time.AfterFunc(excessLifetime, func() { abort(conn) })
	}
	return context.WithValue(ctx, excessKey{}, ofAddress > 0)
}

// ConnState records whether a connection is in use, and counts its end; it is
// http.Server.ConnState. The states of an excess connection follow its only request.
func (l *Limiter) ConnState(conn net.Conn, state http.ConnState) {
	if state != http.StateNew { // ConnContext has counted it
		l.unused.update(conn, state)
	}
	if state == http.StateClosed || state == http.StateHijacked {
		l.open.Add(-1)
		l.addresses.remove(conn)
	}
}

// Admit returns the problem of a request whose connection is beyond the limit. It closes
// connections after their response once three quarters of the limit are open, so that idle
// ones leave space for new clients.
func (l *Limiter) Admit(r *http.Request, response http.Header) *api.Problem {
	isOfAddress, isExcess := r.Context().Value(excessKey{}).(bool)
	if isExcess || l.open.Load() > l.limit*3/4 {
		response.Set("Connection", "close")
	}
	if !isExcess || IsProbe(r.URL.Path) {
		return nil
	}
	if isOfAddress {
		l.cfg.OnAddressExceeded(r)
		return problem.New(api.CodeRateLimited, fmt.Sprintf("this address has its maximum of %d connections open; use those for further requests", l.addresses.limit))
	}
	return problem.New(api.CodeUnavailable, fmt.Sprintf("this daemon has its maximum of %d connections open; retry later, or raise its limit of open files", l.limit))
}

// IsProbe reports whether a path must get a response at any load: a monitor that gets no
// response would restart a daemon that is only busy.
func IsProbe(path string) bool { return path == "/healthz" || path == "/readyz" || path == "/metrics" }
