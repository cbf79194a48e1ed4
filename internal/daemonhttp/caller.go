package daemonhttp

import (
	"context"
	"net/http"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/audit"
)

// SetCaller names the request of ctx and the caller whose request is forwarded. It names no caller
// for a daemon that does not authenticate callers, and none for a request that is a daemon's own.
func SetCaller(ctx context.Context, header http.Header) {
	if id := audit.RequestIDOf(ctx); id != "" {
		header.Set(api.HeaderRequestID, id)
	}
	identity := access.FromContext(ctx)
	if _, isNode := identity.Node(); !identity.IsAnonymous() && !isNode {
		header.Set(api.HeaderForwardedIdentity, api.EncodeIdentity(identity))
	}
}
