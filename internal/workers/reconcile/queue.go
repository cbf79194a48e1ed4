package reconcile

import (
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// removalRetention is how long the queue keeps the IDs of removed containers: longer than
// any game waits to be observed.
const removalRetention = time.Hour

// Queue is the queue of games to reconcile. It is created before the worker, so that the
// sources of work depend on it and not on the worker. It is safe for concurrent use.
type Queue struct {
	games        workQueue
	passRequests chan struct{} // holds one pending request of a pass
	clock        func() time.Time

	mu      sync.Mutex
	removed map[string]time.Time // by container, when its removal was reported; guarded by mu
}

// NewQueue returns an empty queue. A nil clock means time.Now.
func NewQueue(clock func() time.Time) *Queue {
	if clock == nil {
		clock = time.Now
	}
	return &Queue{games: newWorkQueue(), passRequests: make(chan struct{}, 1), clock: clock, removed: map[string]time.Time{}}
}

// Enqueue requests to reconcile the game. It does nothing if the game is in the queue.
func (q *Queue) Enqueue(gameID string) {
	if gameID != "" {
		q.games.Add(gameID)
	}
}

// EnqueueRemoved is Enqueue after the engine has reported the removal of a container of
// the game.
func (q *Queue) EnqueueRemoved(gameID, containerID string) {
	now := q.clock()
	q.mu.Lock()
	maps.DeleteFunc(q.removed, func(_ string, at time.Time) bool { return now.Sub(at) > removalRetention })
	q.removed[containerID] = now
	q.mu.Unlock()
	q.Enqueue(gameID)
}

// TriggerFullReconcile requests a pass over all games. Several requests before the next
// pass count as one.
func (q *Queue) TriggerFullReconcile() {
	select {
	case q.passRequests <- struct{}{}:
	default: // one is pending
	}
}

// hasReportedRemoval reports whether the engine has reported the removal of the container.
func (q *Queue) hasReportedRemoval(containerID string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, reported := q.removed[containerID]
	return reported
}

// workQueue is a queue of games. It holds each game once, gives it to one worker at a
// time, and retries a game that failed with exponential backoff.
type workQueue = workqueue.TypedRateLimitingInterface[string]

func newWorkQueue() workQueue {
	const firstDelay, maxDelay = 50 * time.Millisecond, 30 * time.Second
	return workqueue.NewTypedRateLimitingQueue(jitteredLimiter{workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstDelay, maxDelay)})
}

// jitteredLimiter adds up to a quarter to each delay, so that games that failed together are
// retried at different times.
type jitteredLimiter struct {
	workqueue.TypedRateLimiter[string]
}

func (j jitteredLimiter) When(gameID string) time.Duration {
	d := j.TypedRateLimiter.When(gameID)
	return d + time.Duration(rand.Int64N(int64(d)/4+1))
}
