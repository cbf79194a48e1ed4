package httpserver

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/limit"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/audit"
)

// serveHTTP handles every request.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	response := &statusRecorder{ResponseWriter: w}
	request := requestInfo{started: time.Now(), method: r.Method, route: "none"}
	defer func() { s.finish(response, request, recover()) }()

	// The server disconnects a client that does not read its response. Streams extend the
	// deadline.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.cfg.RequestTimeout + s.cfg.WriteTimeout))
	r = withRequestID(r, response.Header())
	response.trail = s.newAuditTrail(r)
	response.Header().Set("X-Content-Type-Options", "nosniff")
	response.Header().Set("Cache-Control", "no-store")

	closeAfterAmbiguousFraming(r, response.Header())
	if p := s.connections.Admit(r, response.Header()); p != nil {
		problem.Write(response, p)
		return
	}
	if p := s.checkHostAndOrigin(r); p != nil {
		problem.Write(response, p)
		return
	}
	match, p := s.router.find(r.Method, r.URL.EscapedPath())
	if p != nil {
		if match.allowed != nil {
			response.Header().Set("Allow", strings.Join(match.allowed, ", "))
			if r.Method == http.MethodOptions { // without CORS headers: other origins are rejected
				response.WriteHeader(http.StatusNoContent)
				return
			}
		}
		problem.Write(response, p)
		return
	}
	if match.store == s.cfg.Region {
		match.store = "" // the own store, which has the name of the region
	}
	route := match.route
	request.route, request.isStream = match.label(), route.isStream
	if match.store == "" && strings.HasPrefix(route.Path, "/v1/") {
		response.Header().Set(api.HeaderStore, s.store.ID())
	}
	ctx, cancel := s.requestContext(r.Context(), route, response)
	defer cancel()
	if err := s.handle(response, r.WithContext(ctx), match); err != nil {
		s.respondError(ctx, response, route, err)
	}
}

// handle calls the handler of a route for a caller with the necessary rights, once the audit
// log is ready for the request.
func (s *Server) handle(response *statusRecorder, r *http.Request, match routeMatch) error {
	r, err := s.admitCaller(response, r, match)
	response.trail.setRoute(r, match)
	if err != nil {
		return err
	}
	if r, err = response.trail.begin(r); err != nil {
		return err
	}
	if match.store != "" {
		return s.forwardToStore(response, r, match)
	}
	if isCompressed(match.route.ID) {
		return s.handleCompressed(response, r, match)
	}
	return match.route.handle(s, response, r, match.variables)
}

// requestContext returns the context of a request, with the deadline of its route. A route that
// waits for operations or other nodes also ends, in time for a response, when the server
// shuts down.
func (s *Server) requestContext(ctx context.Context, route *Route, w http.ResponseWriter) (context.Context, context.CancelFunc) {
	ctx, cancelCause := context.WithCancelCause(ctx)
	cancel := func() { cancelCause(nil) }
	if route.isDrained {
		stop := context.AfterFunc(s.draining, func() { cancelCause(problem.ErrShuttingDown) })
		cancel = func() {
			stop()
			cancelCause(nil)
		}
	}
	if route.timeout == nil {
		return ctx, cancel
	}
	timeout := s.timeoutOf(route)
	if timeout != s.cfg.RequestTimeout {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout + s.cfg.WriteTimeout))
	}
	ctx, cancelTimeout := context.WithTimeout(ctx, timeout)
	return ctx, func() {
		cancelTimeout()
		cancel()
	}
}

// respondError responds with the problem of a handler's error, and logs it.
func (s *Server) respondError(ctx context.Context, w http.ResponseWriter, route *Route, err error) {
	if errors.Is(context.Cause(ctx), problem.ErrShuttingDown) && errors.Is(err, context.Canceled) {
		err = problem.ErrShuttingDown
	}
	p := problem.From(err, route.locate)
	s.addOutage(p)
	s.logServerError(ctx, p, err)
	problem.Write(w, p)
}

// logServerError logs an error with a 5xx status, unless the client has disconnected. It
// does not log an *api.Problem: the function that created it logs it if necessary.
func (s *Server) logServerError(ctx context.Context, p *api.Problem, err error) {
	var handled *api.Problem
	if !errors.As(err, &handled) && p.Status >= http.StatusInternalServerError && p.Status != http.StatusNotImplemented && !errors.Is(ctx.Err(), context.Canceled) {
		s.logFailure(ctx, p, err)
	}
}

// logFailure logs a request that failed without an error of its client.
func (s *Server) logFailure(ctx context.Context, p *api.Problem, err error) {
	level := slog.LevelError
	switch {
	case p.Code == api.CodeReadOnly && s.isReadOnlyLogged.Swap(true):
		level = slog.LevelDebug // one line until a write succeeds
	case p.Code == api.CodeReadOnly, p.Code == api.CodeNodeUnreachable, p.Code == api.CodeStoreUnusable, p.Code == api.CodePartial:
		level = slog.LevelWarn
	}
	s.cfg.Logger.Log(ctx, level, "request failed", "code", p.Code, "request_id", audit.RequestIDOf(ctx), "error", err)
}

// requestInfo describes a request to logs and metrics.
type requestInfo struct {
	started       time.Time
	method, route string
	isStream      bool
}

// finish responds for a handler that panicked, and counts the request. It aborts a response
// that has started, so that the client does not treat it as complete.
func (s *Server) finish(response *statusRecorder, request requestInfo, panicked any) {
	response.permit.Release()
	if err, ok := panicked.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		response.trail.abort()
		panic(panicked)
	}
	if panicked != nil {
		s.cfg.Logger.Error("handler panicked", "method", request.method, "route", request.route,
			"request_id", response.Header().Get(api.HeaderRequestID), "panic", panicked, "stack", string(debug.Stack()))
		if response.status != 0 {
			defer panic(http.ErrAbortHandler)
		} else {
			problem.Write(response, problem.Internal())
		}
	}
	response.trail.finish()
	if request.method != http.MethodGet && response.status >= 200 && response.status < 300 {
		s.isReadOnlyLogged.Store(false)
	}
	s.metrics.observe(request, response.status)
	s.cfg.Logger.Debug("request", "method", request.method, "route", request.route,
		"status", response.status, "duration", time.Since(request.started), "request_id", response.Header().Get(api.HeaderRequestID))
}

// statusRecorder records the status of a response, and the request in the audit log.
type statusRecorder struct {
	http.ResponseWriter
	status int // 0 before the response has started
	trail  auditTrail
	permit limit.Permit // of the caller
}

// WriteHeader implements http.ResponseWriter. The audit log has the request before the
// client has the response.
func (r *statusRecorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
		r.trail.respond(status, r.Header())
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *statusRecorder) Write(data []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	return r.ResponseWriter.Write(data)
}

// Hijack implements http.Hijacker for an upgrade, whose response the caller writes.
func (r *statusRecorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err == nil && r.status == 0 {
		r.status = http.StatusSwitchingProtocols
		r.trail.upgrade()
	}
	return conn, buffer, err
}

// RecordProblem implements problem.Recorder.
func (r *statusRecorder) RecordProblem(p *api.Problem) { r.trail.problem = p }

// Unwrap returns the inner writer to http.ResponseController.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// writeJSON responds with a JSON document.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	document := api.Encode(value) // before the status: a value that cannot be encoded is a 500
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(document) // it fails only if the client has disconnected
	return nil
}
