package placement

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/lifetime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// Releaser ends the reservations of one node when their operations have ended. It is safe for
// concurrent use.
type Releaser struct {
	store    ports.ReservationStore
	self     node.Ref
	log      *slog.Logger
	lifetime *lifetime.Lifetime

	mu        sync.Mutex
	waiting   map[finishedOperation]bool // guarded by mu
	isRunning bool                       // guarded by mu
}

// NewReleaser returns a releaser of the node. It takes values from ctx, but does not end with it.
func NewReleaser(ctx context.Context, store ports.ReservationStore, self node.Ref, log *slog.Logger) *Releaser {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Releaser{store: store, self: self, log: log, lifetime: lifetime.New(ctx), waiting: map[finishedOperation]bool{}}
}

// Release ends the reservation of the operation in the background. Releases that wait for each
// other share one write. One that fails is repeated for a while; after that the reservation
// expires.
func (r *Releaser) Release(gameID, operationID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[finishedOperation{gameID, operationID}] = true
	if r.isRunning {
		return
	}
	_, end, err := r.lifetime.Begin(r.lifetime.Context())
	if err != nil {
		return // the daemon stops; the reservation expires
	}
	r.isRunning = true
	go func() {
		defer end()
		r.run(r.lifetime.Context())
	}()
}

// Close ends the releases in progress and waits for them.
func (r *Releaser) Close() { r.lifetime.Close(errReleaserClosed) }

var errReleaserClosed = errors.New("the daemon is stopping")

// releaseTimeout is how long the releases of one batch are repeated.
const releaseTimeout = 30 * time.Second

func (r *Releaser) run(ctx context.Context) {
	for {
		r.mu.Lock()
		batch := r.waiting
		r.waiting = map[finishedOperation]bool{}
		if len(batch) == 0 || ctx.Err() != nil {
			r.isRunning = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		batchCtx, cancel := context.WithTimeout(ctx, releaseTimeout)
		if err := release(batchCtx, r.store, r.self, batch); err != nil && ctx.Err() == nil {
			r.log.Warn("reservations cannot be released; they expire", "games", len(batch), "error", err)
		}
		cancel()
	}
}

// finishedOperation is an operation on a game whose reservation ends.
type finishedOperation struct{ gameID, operationID string }

// release ends the reservations of the operations on the node. It repeats that until it
// succeeds or ctx ends.
func release(ctx context.Context, store ports.ReservationStore, ref node.Ref, finished map[finishedOperation]bool) error {
	if isReleased, err := releaseKnown(ctx, store, ref, finished); isReleased && err == nil {
		return nil
	}
	for delay := minConflictDelay; ; delay = min(2*delay, maxConflictDelay) {
		err := tryRelease(ctx, store, ref, finished)
		if err == nil || errors.Is(err, runtime.ErrCorrupt) || errors.Is(err, runtime.ErrReadOnly) {
			return err
		}
		if wait.For(ctx, wait.Jittered(delay)) != nil {
			return err
		}
	}
}

// releaseKnown makes one attempt on the reservations as this daemon knows them: mostly it has
// written them itself. isReleased is false if it knows nothing of the operations.
func releaseKnown(ctx context.Context, store ports.ReservationStore, ref node.Ref, finished map[finishedOperation]bool) (isReleased bool, err error) {
	reserved, isKnown := store.ReservationsLocal(ref)
	if !isKnown || reserved.Fault != nil {
		return false, nil //nolint:nilerr // the caller reads the reservations
	}
	next := withoutFinished(reserved, finished)
	if count := len(reserved.Games) - len(next.Games); count < len(finished) { // the stored ones may be newer
		return false, nil
	}
	return true, store.PutReservations(ctx, []node.Reservations{next})
}

func tryRelease(ctx context.Context, store ports.ReservationStore, ref node.Ref, finished map[finishedOperation]bool) error {
	reserved, _, err := store.Reservations(ctx, ref.Region, ref.Name)
	if err != nil || len(reserved) == 0 {
		return err
	}
	if fault := reserved[0].Fault; fault != nil {
		return fault
	}
	next := withoutFinished(reserved[0], finished)
	if len(next.Games) == len(reserved[0].Games) {
		return nil
	}
	return store.PutReservations(ctx, []node.Reservations{next})
}

// withoutFinished returns a copy of the reservations without those of the operations.
func withoutFinished(reserved node.Reservations, finished map[finishedOperation]bool) node.Reservations {
	next := reserved.Clone()
	maps.DeleteFunc(next.Games, func(gameID string, r node.Reservation) bool {
		return finished[finishedOperation{gameID, r.Operation}]
	})
	return next
}
