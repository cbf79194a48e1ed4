package httpserver

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/loopback"
)

// guard refuses requests that a web page could have made against its user's
// own machine: ones for a foreign host name on a loopback connection (DNS
// rebinding), and writes from another origin.
func (s *Server) guard(r *http.Request) *api.Problem {
	if !s.cfg.InsecureHosts && overLoopback(r) && !isLocalHost(r.Host) {
		return newProblem(http.StatusMisdirectedRequest, api.CodeHostRefused, "Host refused",
			"the Host header must name localhost or a loopback address on this listener")
	}
	if err := s.origins.Check(r); err != nil {
		return newProblem(http.StatusForbidden, api.CodeCrossOrigin, "Cross-origin request refused", err.Error())
	}
	return nil
}

// overLoopback reports whether the connection was accepted on a loopback
// address, which is all that this machine's browsers can be led to.
func overLoopback(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	local, err := netip.ParseAddrPort(addr.String())
	return err == nil && local.Addr().Unmap().IsLoopback()
}

// isLocalHost reports whether a Host header names this machine by loopback.
func isLocalHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return loopback.IsHost(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
}
