package failover

import (
	"context"
	"errors"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// region handles the lost games of one region while this node leads it.
type region struct {
	deps Dependencies
	cfg  Config // its Region is that of this node
	name string // the region whose games are handled

	mu      sync.Mutex     // guards the fields below
	tracker *drift.Tracker // nil while this node does not lead the region
	// interrupted holds the interrupted games of the latest pass; nil before the first
	// pass of a leadership.
	interrupted []string
	// intents holds the intents of the lost games, so that a pass need not read them once more.
	intents map[string]cachedIntent
	// stops has the planned stops that this leadership has observed.
	stops map[node.Ref]observedStop
}

// observedStop is a planned stop of a node, and when this leadership first observed it.
type observedStop struct{ stoppedAt, firstSeen time.Time }

func newRegion(deps Dependencies, cfg Config, name string) *region {
	return &region{deps: deps, cfg: cfg, name: name, intents: map[string]cachedIntent{}, stops: map[node.Ref]observedStop{}}
}

// lead calls pass at each interval until the leadership is lost. An error of pass that is not
// runtime.ErrFenced or errNotDeserted is logged, and the next pass retries.
func (r *region) lead(ctx context.Context, pass func(context.Context) error) error {
	r.cfg.Logger.Info("leadership gained", "region", r.name)
	defer r.cfg.Logger.Info("leadership lost", "region", r.name)
	defer r.reset()
	ticker := time.NewTicker(r.cfg.Interval)
	defer ticker.Stop()
	for {
		if err := pass(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, runtime.ErrFenced) || errors.Is(err, errNotDeserted) {
				return err
			}
			r.cfg.Logger.Warn("failover pass failed", "region", r.name, "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// reset drops the state of a leadership.
func (r *region) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tracker, r.interrupted = nil, nil
	clear(r.intents)
	clear(r.stops)
}

// findings returns the lost games: none while another node leads.
func (r *region) findings() []drift.Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tracker == nil {
		return nil
	}
	return r.tracker.All()
}

// ensureTracker returns the tracker of this leadership.
func (r *region) ensureTracker() *drift.Tracker {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tracker == nil {
		r.tracker = drift.NewTracker()
	}
	return r.tracker
}
