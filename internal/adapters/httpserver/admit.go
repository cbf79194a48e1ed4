package httpserver

import (
	"errors"
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/domain/access"
)

// admitCaller authenticates the caller of a request, applies its limits, and checks the
// requirement of the route. It returns the request with its caller.
func (s *Server) admitCaller(response *statusRecorder, r *http.Request, match routeMatch) (*http.Request, error) {
	route, requirement := match.route, match.requirement()
	if !s.hasAuthentication() || requirement.Kind == callers.RequireNothing {
		return r, s.limits.admit(response, r, route, access.Identity{})
	}
	if err := s.limits.checkFailures(response.Header(), r); err != nil {
		return r, err
	}
	c, err := callers.Authenticate(r, s.cfg.Access, s.cfg.IsClientAuthority)
	if errors.Is(err, callers.ErrStaleCertificate) {
		// The next connection has the present certificate of the client.
		response.Header().Set("Connection", "close")
	}
	s.limits.recordAuthentication(r, err)
	if err == nil {
		err = s.limits.admit(response, r, route, c.Identity)
	}
	if err != nil {
		if !c.Identity.IsAnonymous() {
			r = callers.With(r, c)
		}
		return r, err
	}
	c, err = c.Check(r.Context(), requirement, match.variable, s.games())
	return callers.With(r, c), err
}

// hasAuthentication reports whether callers must prove their identity.
func (s *Server) hasAuthentication() bool { return s.cfg.Access != nil }
