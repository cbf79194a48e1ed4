package etcdconn

import (
	"errors"
	"time"
)

// State is what is known about an endpoint. States are ordered: a request goes to an
// endpoint with the lowest state.
type State int

const (
	// StateHealthy means that the endpoint serves requests.
	StateHealthy State = iota
	// StateFailing means that the endpoint responds to probes, but a request has failed.
	StateFailing
	// StateNoLeader means that the member has no leader.
	StateNoLeader
	// StateUnreachable means that the endpoint does not respond, or was not probed yet.
	StateUnreachable
	// StateLearner means that the member is a learner, which rejects most requests.
	StateLearner
	// StateForeign means that the member belongs to another cluster.
	StateForeign
	// StateNotEtcd means that a program without the API of etcd listens at the endpoint.
	StateNotEtcd
)

// String returns the name of the state for logs and responses.
func (s State) String() string {
	switch s {
	case StateHealthy:
		return "healthy"
	case StateFailing:
		return "failing"
	case StateNoLeader:
		return "no leader"
	case StateUnreachable:
		return "unreachable"
	case StateLearner:
		return "learner"
	case StateForeign:
		return "foreign cluster"
	default:
		return "not etcd"
	}
}

// Bounds of the time for which an endpoint is avoided after a request has failed. It doubles
// with each failure until the endpoint has served requests for failureMemory.
const (
	minPenalty    = time.Second
	maxPenalty    = 15 * time.Second
	failureMemory = time.Minute
)

var errNotProbed = errors.New("it was not probed yet")

// health is the state of one endpoint. The mutex of its Pool guards it.
type health struct {
	probed       State         // result of the last probe
	reason       error         // why the last probe or request failed
	roundTrip    time.Duration // smoothed; 0 before the first measurement
	clusterID    uint64        // 0 while unknown
	healthySince time.Time

	// A request has failed since the last successful check.
	isFailing bool
	failures  int // recent failures of requests
	failedAt  time.Time
	avoidTill time.Time
}

func newHealth() health { return health{probed: StateUnreachable, reason: errNotProbed} }

// state returns the state of the endpoint.
func (h *health) state() State {
	if h.probed == StateHealthy && h.isFailing {
		return StateFailing
	}
	return h.probed
}

// measure adds the duration of one probe to the round trip. A shorter one replaces it,
// because only delays lengthen a measurement; a longer one counts by a quarter.
func (h *health) measure(sample time.Duration) {
	if h.roundTrip == 0 || sample < h.roundTrip {
		h.roundTrip = sample
		return
	}
	h.roundTrip += (sample - h.roundTrip) / 4
}

// setProbed records the result of a probe.
func (h *health) setProbed(state State, reason error, now time.Time) {
	if state == StateHealthy && h.probed != StateHealthy {
		h.healthySince = now
	}
	h.probed = state
	if !h.isFailing || state != StateHealthy {
		h.reason = reason
	}
}

// fail records that a request has failed. The endpoint is avoided until the penalty is over
// and a check has succeeded.
func (h *health) fail(reason error, now time.Time) {
	if now.Before(h.avoidTill) {
		return // one failure that several requests have seen
	}
	if now.Sub(h.failedAt) > failureMemory {
		h.failures = 0
	}
	h.isFailing, h.reason, h.failedAt = true, reason, now
	h.avoidTill = now.Add(min(minPenalty<<min(h.failures, 10), maxPenalty))
	h.failures++
}

// recover records that the endpoint has served a request that started at the given time.
func (h *health) recover(started, now time.Time) {
	if !h.isFailing || started.Before(h.failedAt) || now.Before(h.avoidTill) {
		return
	}
	h.isFailing, h.reason, h.healthySince = false, nil, now
}
