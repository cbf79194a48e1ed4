package httpserver

import (
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/compress"
)

// isCompressed reports whether the response of the route with the id may be large and is neither a
// stream nor one record, whose ETag is a precondition of writes.
func isCompressed(routeID string) bool {
	switch routeID {
	case "list-runtimes", "get-runtime-history", "explain-runtime", "get-specs", "get-nodes", "get-drift", "check-store",
		"list-operations", "list-runtime-operations", "list-rollouts", "get-rollout", "list-secrets", "list-tokens", "get-document":
		return true
	}
	return false
}

// handleCompressed calls the handler of a route and compresses its response if the client accepts
// that. The response of an error that it returns is not compressed.
func (s *Server) handleCompressed(w http.ResponseWriter, r *http.Request, match routeMatch) (err error) {
	compress.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err = match.route.handle(s, w, r, match.variables)
	})).ServeHTTP(w, r)
	return err
}
