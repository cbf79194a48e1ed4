package httpserver

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"galaxy/rtmanager/internal/api"
)

// serveHTTP takes every request: it counts it, guards it, finds its route and
// turns whatever net/http would say in plain text into a problem.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	res := &response{ResponseWriter: w}
	seen := request{started: time.Now(), method: r.Method, route: "none"}
	defer func() { s.finish(res, seen, recover()) }()

	// A reader that does not take its answer is not waited for; streams renew this.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.cfg.RequestTimeout + s.cfg.WriteTimeout))
	res.Header().Set("X-Content-Type-Options", "nosniff")
	res.Header().Set("Cache-Control", "no-store")

	if p := s.guard(r); p != nil {
		writeProblem(res, p)
		return
	}
	r, p := markGameID(r)
	if p != nil {
		writeProblem(res, p)
		return
	}
	handler, pattern := s.mux.Handler(r)
	if pattern == "" {
		writeProblem(res, noRoute(res, r, handler))
		return
	}
	seen.route = routeOf(pattern)
	if strings.HasPrefix(seen.route, "/v1/") {
		if id, err := s.learnStoreID(r.Context()); err == nil {
			res.Header().Set(api.HeaderStore, id)
		}
	}
	ctx, cancel := s.bound(r.Context(), seen.route, res)
	defer cancel()
	s.mux.ServeHTTP(res, r.WithContext(ctx))
}

// bound gives the work of a request its deadline. A stream has none; a check of
// the whole store, and what is done to games, a long one.
func (s *Server) bound(ctx context.Context, route string, w http.ResponseWriter) (context.Context, context.CancelFunc) {
	timeout := s.cfg.RequestTimeout
	switch {
	case route == routeWatch:
		return context.WithCancel(ctx)
	case strings.HasPrefix(route, routeCheck):
		timeout = s.cfg.CheckTimeout
	case isLong(route):
		timeout = s.cfg.OperationTimeout
	}
	if timeout != s.cfg.RequestTimeout {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout + s.cfg.WriteTimeout))
	}
	return context.WithTimeout(ctx, timeout)
}

// request is what is remembered of a request until it has been answered.
type request struct {
	started       time.Time
	method, route string
}

// finish answers for a handler that panicked, and counts.
func (s *Server) finish(res *response, seen request, panicked any) {
	if err, ok := panicked.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(panicked)
	}
	switch {
	case panicked != nil && res.err != nil:
		// Huma panics with the error of a write that failed: the client's doing.
		s.cfg.Logger.Debug("answer cut short", "method", seen.method, "route", seen.route, "error", res.err)
		defer panic(http.ErrAbortHandler)
	case panicked != nil:
		s.cfg.Logger.Error("handler panicked", "method", seen.method, "route", seen.route,
			"panic", panicked, "stack", string(debug.Stack()))
		if res.status != 0 {
			// What was sent is cut short, so that nobody takes it for whole.
			defer panic(http.ErrAbortHandler)
			break
		}
		writeProblem(res, newProblem(http.StatusInternalServerError, api.CodeInternal, "Internal error", "the server's log says more"))
	}
	s.metrics.observe(seen, res.status)
	s.cfg.Logger.Debug("request", "method", seen.method, "route", seen.route,
		"status", res.status, "duration", time.Since(seen.started))
}

// routeOf strips the method from a pattern of the mux.
func routeOf(pattern string) string {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return path
	}
	return pattern
}

// noRoute asks the mux's own answer whether the path or the method is unknown.
func noRoute(w http.ResponseWriter, r *http.Request, answer http.Handler) *api.Problem {
	verdict := &verdict{header: http.Header{}}
	answer.ServeHTTP(verdict, r)
	if allow := verdict.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
		return newProblem(http.StatusMethodNotAllowed, api.CodeMethodNotAllowed, "Method not allowed",
			r.Method+" is not offered here; use "+allow)
	}
	return newProblem(http.StatusNotFound, api.CodeNoSuchRoute, "No such route",
		"nothing is served at this path; /openapi.json lists what is")
}

// verdict keeps the header of an answer that is not sent.
type verdict struct{ header http.Header }

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) Write(p []byte) (int, error) { return len(p), nil }
func (v *verdict) WriteHeader(int)             {}

// response remembers the status that was sent, and why it could not be.
type response struct {
	http.ResponseWriter
	status int
	err    error // of the first write that failed
}

func (r *response) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *response) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	if r.err == nil {
		r.err = err
	}
	return n, err
}

// Unwrap lets http.ResponseController find the connection.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }
