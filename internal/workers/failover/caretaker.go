package failover

import (
	"context"
	"errors"
	"slices"

	"galaxy/rtmanager/internal/domain/node"
)

// errNotDeserted ends the work of a caretaker whose region has a present node.
var errNotDeserted = errors.New("a node of the region is present")

// caretaker is the candidacy of this node for the leadership of a region without a present
// node. The leaders of all other regions are candidates, and one of them wins the same
// election that the nodes of the region use. So the region has one leader at a time, whose
// writes are fenced by its key, and the lease of the winner hands the region over when the
// winner is lost.
type caretaker struct {
	region *region
	ctx    context.Context // of the candidacy
	cancel context.CancelFunc
}

// updateCaretakers starts a candidacy for each region without a present node, and ends the
// others. ctx is that of the leadership of the own region.
func (w *Worker) updateCaretakers(ctx context.Context, overview node.Overview) {
	deserted := overview.Deserted()
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, c := range w.caretakers {
		if !slices.Contains(deserted, name) || c.ctx.Err() != nil {
			c.cancel()
			delete(w.caretakers, name)
		}
	}
	for _, name := range deserted {
		if w.caretakers[name] == nil {
			w.caretakers[name] = w.startCaretaker(ctx, name)
		}
	}
}

// startCaretaker campaigns for the region until the candidacy ends.
func (w *Worker) startCaretaker(ctx context.Context, name string) *caretaker {
	c := &caretaker{region: newRegion(w.deps, w.cfg, name)}
	c.ctx, c.cancel = context.WithCancel(ctx)
	w.candidacies.Go(func() {
		defer c.cancel()
		err := w.deps.Election.Lead(c.ctx, name, func(ctx context.Context, fence node.Fence) error {
			return c.region.lead(ctx, func(ctx context.Context) error { return c.pass(ctx, fence) })
		})
		if c.ctx.Err() == nil {
			w.cfg.Logger.Warn("candidacy for a region without a present node failed; the next pass retries", "region", name, "error", err)
		}
	})
	return c
}

// pass is a pass over the games of the region. It ends the candidacy, and so resigns, if a
// node of the region is present.
func (c *caretaker) pass(ctx context.Context, fence node.Fence) error {
	overview, err := readOverview(ctx, c.region.deps.Nodes)
	if err != nil {
		return err
	}
	if overview.HasPresent(c.region.name) {
		c.cancel()
		return errNotDeserted
	}
	return c.region.pass(ctx, overview, fence)
}

// stopCaretakers ends all candidacies and waits for them.
func (w *Worker) stopCaretakers() {
	w.mu.Lock()
	for name, c := range w.caretakers {
		c.cancel()
		delete(w.caretakers, name)
	}
	w.mu.Unlock()
	w.candidacies.Wait()
}
