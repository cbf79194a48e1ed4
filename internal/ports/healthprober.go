package ports

import "context"

// HealthProber checks the health of games.
type HealthProber interface {
	// Probe sends one GET request to the URL. It returns nil if the response has a 2xx
	// status, and otherwise an error that describes the response or its absence. The
	// request ends with ctx, or with the prober's own timeout.
	Probe(ctx context.Context, url string) error
}
