package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/operation"
)

// HealthProber checks the health of games.
type HealthProber interface {
	// Probe checks the target once. It returns nil if the target responds with a 2xx status to
	// a GET request, accepts a TCP connection, has a recent heartbeat, or if its command exits with 0. Otherwise it
	// returns an error that describes the result. The check ends with ctx, or with the
	// timeout of the target.
	Probe(ctx context.Context, target operation.HealthTarget) error
}
