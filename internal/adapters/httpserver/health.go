package httpserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/domain/access"
)

// readyTimeout bounds the store's response to a readiness probe.
const readyTimeout = 2 * time.Second

// probeResult is the response of the two probes.
type probeResult struct {
	Status healthStatus  `json:"status" doc:"The result of the probe"`
	Checks []healthCheck `json:"checks" nullable:"false" doc:"The conditions of the result"`
}

// hideReasons removes the reasons, which may name hosts of etcd, from the response to a caller
// without an identity.
func (h *probeResult) hideReasons() {
	for i := range h.Checks {
		h.Checks[i].Error = ""
	}
}

type healthStatus string

const (
	healthOK healthStatus = "ok"
	// healthReadOnly is the status of a daemon that serves reads and watches but no writes.
	healthReadOnly healthStatus = "read_only"
	healthUnready  healthStatus = "unready"
)

type healthCheck struct {
	Name  string `json:"name" doc:"The condition"`
	OK    bool   `json:"ok" doc:"Whether it holds"`
	Error string `json:"error,omitempty" doc:"Why it does not hold; with ok, an outage that is tolerated for a short time"`
}

// getHealth handles GET /healthz: the process serves. It never calls the store: an
// unavailable store must not cause a restart of the daemon.
func (s *Server) getHealth(w http.ResponseWriter, _ *http.Request, _ *noInput) error {
	return writeJSON(w, http.StatusOK, probeResult{Status: healthOK, Checks: []healthCheck{}})
}

// outageTolerance is how long the daemon remains ready after its store last responded. An
// election of etcd takes a few seconds, and up to twice the election timeout if the regions
// are far apart; the detection of a hung member takes as long. Local reads are served
// meanwhile. A load balancer must not remove all daemons at the same time for that.
const outageTolerance = 15 * time.Second

// checkHistory has the time at which each condition last held. It is safe for concurrent use.
type checkHistory struct {
	mu     sync.Mutex
	lastOK map[string]time.Time
}

// getReady handles GET /readyz. It reports whether clients should send requests here.
func (s *Server) getReady(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	serving := healthCheck{Name: "serving", OK: !s.isShuttingDown()}
	if !serving.OK {
		serving.Error = "server is shutting down"
	}
	response := probeResult{Status: healthOK, Checks: []healthCheck{serving, s.check("store", s.checkStoreResponds(r.Context()))}}
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Ready)) {
		response.Checks = append(response.Checks, s.check(name, s.cfg.Ready[name]()))
	}
	status := http.StatusOK
	if slices.ContainsFunc(response.Checks, func(c healthCheck) bool { return !c.OK }) {
		status, response.Status = http.StatusServiceUnavailable, healthUnready
	}
	if s.cfg.ReadOnly != nil {
		// A daemon that serves reads remains ready.
		writable := healthCheck{Name: "disk", OK: true}
		if err := s.cfg.ReadOnly(); err != nil {
			writable.OK, writable.Error = false, err.Error()
			if response.Status == healthOK {
				response.Status = healthReadOnly
			}
		}
		response.Checks = append(response.Checks, writable)
	}
	if s.hasAuthentication() && !s.canReadReasons(r) {
		response.hideReasons()
	}
	return writeJSON(w, status, response)
}

// canReadReasons reports whether the caller may read any game. Failed authentications count as on any
// other route: a probe without limits must not be a place to guess credentials.
func (s *Server) canReadReasons(r *http.Request) bool {
	if s.limits.checkFailures(http.Header{}, r) != nil {
		return false
	}
	c, err := callers.Authenticate(r, s.cfg.Access, s.cfg.IsClientAuthority)
	if r.Header.Get("Authorization") != "" { // most probes have no credential
		s.limits.recordAuthentication(r, err)
	}
	return err == nil && c.Rights.AllowsSome(access.PermissionRead)
}

// checkStoreResponds returns why the store does not respond.
func (s *Server) checkStoreResponds(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	_, err := s.store.Revision(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("the store did not respond within %s", readyTimeout)
	default:
		err = errors.New(problem.Text(err))
	}
	if s.cfg.StoreFailure != nil {
		if reason := s.cfg.StoreFailure(); reason != nil {
			err = fmt.Errorf("%w: %w", err, reason)
		}
	}
	return err
}

// check returns the result of a condition. One that has held before is tolerated for
// outageTolerance after the store last responded; Error has the time since which it does not hold.
func (s *Server) check(name string, err error) healthCheck {
	now := s.cfg.Clock()
	s.checks.mu.Lock()
	defer s.checks.mu.Unlock()
	if err == nil {
		s.checks.lastOK[name] = now
		return healthCheck{Name: name, OK: true}
	}
	since, wasOK := s.checks.lastOK[name]
	if !wasOK {
		return healthCheck{Name: name, Error: err.Error()}
	}
	if s.cfg.StoreProvenAt != nil {
		if proven := s.cfg.StoreProvenAt(); proven.After(since) {
			since = proven
		}
	}
	text := fmt.Sprintf("%v; last known to be ok at %s, %s ago", err, since.UTC().Format(time.RFC3339), now.Sub(since).Round(time.Second))
	return healthCheck{Name: name, OK: now.Sub(since) < outageTolerance, Error: text}
}

// PublicText returns the text of an error that a client may see, without the server's
// internals.
func PublicText(err error) string { return problem.Text(err) }
