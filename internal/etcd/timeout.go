package etcd

import (
	"sync"
	"time"
)

const (
	// shortTimeout bounds a try that another endpoint could serve as well.
	shortTimeout = time.Second
	// maxTimeout bounds the growth of the timeout of a try.
	maxTimeout = 30 * time.Second
	// maxOperationTimeout bounds the growth of OperationTimeout.
	maxOperationTimeout = 2 * time.Minute

	// A timeout is a multiple of the round trip and of the slowest recent response. A write
	// takes three round trips at most: to the member, from there to the leader, and from
	// there to a majority of the members.
	timeoutRoundTrips = 8
	timeoutResponses  = 3
	// An operation has time for this number of tries.
	operationTries = 5
)

// timeouts computes the timeouts of tries. They follow the measured round trip and the
// slowest recent response, and double after each try that timed out, as those of TCP do
// (RFC 6298). It is safe for concurrent use.
type timeouts struct {
	floor time.Duration

	mu sync.Mutex
	// slowest is the duration of the slowest recent response. It decays with each response.
	slowest time.Duration
	// doublings counts tries in sequence that have timed out.
	doublings int
}

// next returns the timeout of a try, and the doublings that it contains.
func (t *timeouts) next(roundTrip time.Duration, hasAlternative bool) (timeout time.Duration, doublings int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	floor := t.floor
	if hasAlternative {
		floor = min(floor, shortTimeout)
	}
	timeout = max(floor, t.measured(roundTrip)) << t.doublings
	return min(timeout, max(t.floor, maxTimeout)), t.doublings
}

// measured returns the timeout that round trip and responses require.
func (t *timeouts) measured(roundTrip time.Duration) time.Duration {
	return max(timeoutRoundTrips*roundTrip, timeoutResponses*t.slowest)
}

// operation returns the timeout that an operation requires.
func (t *timeouts) operation(roundTrip time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return min(operationTries*t.measured(roundTrip), maxOperationTimeout)
}

// succeeded records a response.
func (t *timeouts) succeeded(elapsed time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doublings = 0
	t.slowest = max(elapsed, t.slowest-(t.slowest-elapsed)/4)
}

// timedOut records that a try with this number of doublings has timed out. Concurrent tries
// that time out together double the timeout once.
func (t *timeouts) timedOut(doublings int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.doublings == doublings && t.floor<<doublings < maxTimeout {
		t.doublings++
	}
}
