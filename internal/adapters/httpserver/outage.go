package httpserver

import (
	"context"
	"fmt"
	"strings"
	"time"

	"galaxy/rtmanager/internal/api"
)

// outageTimeout bounds an ordinary request during an outage of the store. It is long enough for
// one attempt, which detects the end of the outage, and for the nodes as last known.
const outageTimeout = 8 * time.Second

// outage returns for how long the store has not responded, 0 for less than outageTolerance.
func (s *Server) outage() time.Duration {
	if s.cfg.StoreProvenAt == nil {
		return 0
	}
	provenAt := s.cfg.StoreProvenAt()
	if provenAt.IsZero() {
		return 0
	}
	if age := s.cfg.Clock().Sub(provenAt); age >= outageTolerance {
		return age
	}
	return 0
}

// requestTimeout returns the timeout of an ordinary request. During an outage it is short: the
// request can hardly succeed, and its client need not wait for long.
func (s *Server) requestTimeout() time.Duration {
	if s.outage() > 0 {
		return min(s.cfg.RequestTimeout, outageTimeout)
	}
	return s.cfg.RequestTimeout
}

// timeoutOf returns the timeout of a request.
func (s *Server) timeoutOf(route *Route) time.Duration {
	timeout := route.timeout(s.cfg)
	if timeout == s.cfg.RequestTimeout {
		return s.requestTimeout()
	}
	return timeout
}

// addOutage states in a problem that the daemon is cut off, and what still works.
func (s *Server) addOutage(p *api.Problem) {
	if p.Code != api.CodeUnavailable && p.Code != api.CodeOutcomeUnknown {
		return
	}
	if outage := s.outage(); outage > 0 {
		p.Detail = strings.Replace(p.Detail, context.DeadlineExceeded.Error(), "the store did not respond in time", 1)
		p.Detail += fmt.Sprintf("; this daemon has not reached a majority of etcd's members for %s: it can neither write nor prove that a read is current. "+
			"Its games continue, and reads with consistency=local return its copy", outage.Round(time.Second))
	}
}
