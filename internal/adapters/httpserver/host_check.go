package httpserver

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/loopback"
)

// checkHostAndOrigin rejects requests that a web page can make from a browser on this machine:
// those for a foreign host name on a loopback connection (DNS rebinding), and writes from
// another origin. A request without a Host header, such as a health check in HTTP/1.0, names
// no foreign host, and a browser always sends the header.
func (s *Server) checkHostAndOrigin(r *http.Request) *api.Problem {
	if !s.cfg.InsecureHosts && r.Host != "" && isLoopback(r) && !s.isServedHost(r.Host) {
		return problem.New(api.CodeHostRejected, "the Host header must name localhost or a loopback address on this listener")
	}
	checked := r
	if r.Header.Get("Upgrade") != "" {
		// A web page of any origin can open a WebSocket, with the client certificate of the browser and without a
		// request for permission, although the request is a GET.
		checked = r.Clone(r.Context())
		checked.Method = http.MethodPost
	}
	if err := s.origins.Check(checked); err != nil {
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

// isServedHost reports whether a Host header is localhost, a loopback address, or a name of
// this daemon.
func (s *Server) isServedHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return loopback.IsHost(host) || s.cfg.IsServedHost(host)
}
