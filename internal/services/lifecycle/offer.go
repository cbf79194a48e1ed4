package lifecycle

import (
	"context"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
)

// Offer implements LocalNode of package cluster. It makes no request to the store, except for
// a spec with secrets: a node that cannot provide them, for example without their key, makes no offer.
func (s *Service) Offer(ctx context.Context, gameID string, spec operation.Spec) (node.Offer, error) {
	op := operation.Operation{ID: operation.NewID(), Kind: operation.KindStart, Spec: spec, Generation: 1, Region: s.cfg.Region, Node: s.cfg.Node}
	offer := node.Offer{Failures: s.failures.count(spec.Image, s.now()), Starting: s.countStarting()}
	if spec.Image == "" { // the image of the game's previous container
		return offer, nil
	}
	err := s.deps.Engine.ValidateSpec(ctx, newContainerSpec(s.cfg.Store, gameID, op))
	if err == nil {
		_, err = s.secretVersions(ctx, gameID, spec.Secrets)
	}
	if err == nil {
		offer.HasImage, err = s.deps.Engine.HasImage(ctx, spec.Image)
	}
	return offer, err
}

// countStarting counts the operations in progress that start a game and have no reservation.
func (s *Service) countStarting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, active := range s.active {
		if active.isUnreservedStart() {
			count++
		}
	}
	return count
}

// isUnreservedStart reports whether the accepted operation starts a game without a reservation.
func (a *activeOperation) isUnreservedStart() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	isStart := a.kind == operation.KindStart || a.kind == operation.KindReschedule || a.kind == operation.KindMove
	return isStart && !a.isReserved
}

// failureWindow is how long a failed start counts.
const failureWindow = 10 * time.Minute

// failureLog keeps the recent failed starts of each image. The zero value is empty. It is
// safe for concurrent use.
type failureLog struct {
	mu      sync.Mutex
	byImage map[string][]time.Time // oldest first
}

// record notes how the start of an image ended. A success ends the failures of the image.
func (l *failureLog) record(image string, hasFailed bool, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire(at)
	switch {
	case !hasFailed:
		delete(l.byImage, image)
	case l.byImage == nil:
		l.byImage = map[string][]time.Time{image: {at}}
	default:
		l.byImage[image] = append(l.byImage[image], at)
	}
}

// count returns the number of failures of the image within failureWindow.
func (l *failureLog) count(image string, now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire(now)
	return len(l.byImage[image])
}

// expire removes failures before failureWindow. mu must be locked.
func (l *failureLog) expire(now time.Time) {
	for image, times := range l.byImage {
		for len(times) > 0 && now.Sub(times[0]) > failureWindow {
			times = times[1:]
		}
		if l.byImage[image] = times; len(times) == 0 {
			delete(l.byImage, image)
		}
	}
}
