package httpserver

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
)

// checkHostAndOrigin rejects requests that a web page can make from a browser on this machine:
// those for a foreign host name on a loopback connection (DNS rebinding), and writes from
// another origin.
func (s *Server) checkHostAndOrigin(r *http.Request) *api.Problem {
	if !s.cfg.InsecureHosts && isLoopback(r) && !isLocalHost(r.Host) {
		return problem.New(api.CodeHostRejected, "the Host header must name localhost or a loopback address on this listener")
	}
	if err := s.origins.Check(r); err != nil {
		return problem.New(api.CodeCrossOrigin, err.Error())
	}
	return nil
}

// isLoopback reports whether the connection was accepted on a loopback address, the only
// one that DNS rebinding can reach.
func isLoopback(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	local, err := netip.ParseAddrPort(addr.String())
	return err == nil && local.Addr().Unmap().IsLoopback()
}

// isLocalHost reports whether a Host header is localhost or a loopback address.
func isLocalHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
