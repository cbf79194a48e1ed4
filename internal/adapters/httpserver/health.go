package httpserver

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
)

// readyTimeout bounds the store's response to a readiness probe.
const readyTimeout = 2 * time.Second

// health is the response of the two probes.
type health struct {
	Status healthStatus  `json:"status" doc:"The result of the probe"`
	Checks []healthCheck `json:"checks" nullable:"false" doc:"The conditions of the result"`
}

type healthStatus string

const (
	healthOK      healthStatus = "ok"
	healthUnready healthStatus = "unready"
)

type healthCheck struct {
	Name  string `json:"name" doc:"The condition"`
	OK    bool   `json:"ok" doc:"Whether it holds"`
	Error string `json:"error,omitempty" doc:"Why it does not hold"`
}

// getHealth handles GET /healthz: the process serves. It never calls the store: an
// unavailable store must not cause a restart of the daemon.
func (s *Server) getHealth(w http.ResponseWriter, _ *http.Request, _ *noInput) error {
	return writeJSON(w, http.StatusOK, health{Status: healthOK, Checks: []healthCheck{}})
}

// getReady handles GET /readyz. It reports whether clients should send requests here.
func (s *Server) getReady(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	serving := healthCheck{Name: "serving", OK: !s.isShuttingDown()}
	if !serving.OK {
		serving.Error = "server is shutting down"
	}
	_, err := s.store.Revision(ctx)
	store := healthCheck{Name: "store", OK: err == nil}
	if err != nil {
		store.Error = problem.Text(err)
	}
	response := health{Status: healthOK, Checks: []healthCheck{serving, store}}
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Ready)) {
		check := healthCheck{Name: name, OK: true}
		if err := s.cfg.Ready[name](); err != nil {
			check.OK, check.Error = false, err.Error()
		}
		response.Checks = append(response.Checks, check)
	}
	status := http.StatusOK
	if slices.ContainsFunc(response.Checks, func(c healthCheck) bool { return !c.OK }) {
		status, response.Status = http.StatusServiceUnavailable, healthUnready
	}
	return writeJSON(w, status, response)
}

// PublicText returns the text of an error that a client may see, without the server's
// internals.
func PublicText(err error) string { return problem.Text(err) }
