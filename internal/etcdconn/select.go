package etcdconn

import (
	"slices"
	"time"
)

// nearMargin is a difference of round trips that does not matter: members on one network
// differ by less, and their order changes with every measurement.
const nearMargin = 2 * time.Millisecond

// isNear reports whether a round trip is about as short as the shortest one.
func isNear(roundTrip, shortest time.Duration) bool {
	return roundTrip <= shortest+shortest/5+nearMargin
}

// selectEndpoint returns the endpoint for a request. It prefers the best state, then the
// shortest round trip; current remains selected while it is about as near. Among endpoints
// that all have failed, it returns the one whose failure was longest ago. It returns nil
// if every endpoint is excluded.
func selectEndpoint(endpoints []*endpoint, current *endpoint, excluded []*endpoint) *endpoint {
	var best *endpoint
	for _, e := range endpoints {
		if !slices.Contains(excluded, e) && (best == nil || isBetter(e, best)) {
			best = e
		}
	}
	if best == nil || current == nil || slices.Contains(excluded, current) {
		return best
	}
	isEqual := best.health.state() == StateHealthy && current.health.state() == StateHealthy
	if isEqual && isNear(current.health.roundTrip, best.health.roundTrip) {
		return current
	}
	return best
}

// isBetter reports whether a is better than b for a request.
func isBetter(a, b *endpoint) bool {
	switch stateA, stateB := a.health.state(), b.health.state(); {
	case stateA != stateB:
		return stateA < stateB
	case stateA == StateHealthy || a.health.failedAt.Equal(b.health.failedAt):
		return a.health.roundTrip < b.health.roundTrip
	default:
		return a.health.failedAt.Before(b.health.failedAt)
	}
}
