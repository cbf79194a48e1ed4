package failover

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// maxConditionWrites is the number of records that a pass writes at once. The store batches
// them.
const maxConditionWrites = 128

// markLostGames writes into the records of running and stopped games that their node is lost,
// and sets the records of the lost games to the current ones: the finding of a game counts as a
// new one whenever its record has another revision. A game that has changed since is left to
// the next pass. The node removes the mark when it is back, and so does a start on another node.
func (r *region) markLostGames(ctx context.Context, p *pass, lost []lostGame) error {
	unmarked, err := r.findUnmarked(ctx, p)
	if err != nil || len(unmarked) == 0 {
		return err
	}
	updated := make([]runtime.VersionedRecord, len(unmarked))
	faults := make([]error, len(unmarked))
	var group errgroup.Group
	group.SetLimit(maxConditionWrites)
	for i, input := range unmarked {
		group.Go(func() error {
			updated[i], faults[i] = r.setCondition(ctx, input)
			return nil
		})
	}
	_ = group.Wait()
	marked := make(map[string]runtime.VersionedRecord, len(updated))
	for _, found := range updated {
		marked[found.Record.GameID] = found
	}
	for i := range lost {
		if found, isMarked := marked[lost[i].found.Record.GameID]; isMarked && node.RefOf(found.Record) == lost[i].from {
			lost[i].found = found
		}
	}
	return errors.Join(faults...)
}

// findUnmarked returns the writes that are missing in the region.
func (r *region) findUnmarked(ctx context.Context, p *pass) ([]ports.ConditionInput, error) {
	var unmarked []ports.ConditionInput
	if len(p.overview.Absent) == 0 {
		return nil, nil
	}
	for _, status := range []runtime.Status{runtime.StatusRunning, runtime.StatusStopped} {
		err := r.forEach(ctx, r.name, status, func(found ports.SharedRecord) {
			record := found.Record
			if record.NodeLostAt != nil {
				return
			}
			if since, isLost := r.lostSince(p, node.RefOf(*record)); isLost {
				unmarked = append(unmarked, ports.ConditionInput{
					GameID: record.GameID, IfRevision: found.Revision, Fence: &p.fence,
					Condition: record.WithNodeLost(since, r.cfg.Clock()),
				})
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return unmarked, nil
}

// setCondition returns the new record. If the record has changed since it was listed, it
// returns the current one, or none if the game is gone.
func (r *region) setCondition(ctx context.Context, input ports.ConditionInput) (runtime.VersionedRecord, error) {
	updated, err := r.deps.Conditions.SetCondition(ctx, input)
	var conflict *runtime.ConflictError
	switch {
	case errors.As(err, &conflict):
		return runtime.VersionedRecord{Record: conflict.Current, Revision: conflict.Revision}, nil
	case errors.Is(err, runtime.ErrNotFound):
		return runtime.VersionedRecord{}, nil
	default:
		return updated, err
	}
}

// lostSince returns since when the node is lost, and false if it is not: it is present, or no
// daemon has ever joined as the node. The games of a node that was stopped as planned continue to
// run. So it counts as lost only once this leader has observed it for the grace period of planned stops,
// after which its games are rescheduled too.
func (r *region) lostSince(p *pass, ref node.Ref) (time.Time, bool) {
	if !p.isAbsent(ref) {
		return time.Time{}, false
	}
	absent, isKnown := p.overview.FindAbsent(ref)
	now := r.cfg.Clock()
	switch {
	case !isKnown:
		return time.Time{}, false
	case absent.Status() == node.StatusStopped:
		grace := r.cfg.PlannedStopGrace
		return absent.StoppedAt, grace >= 0 && now.Sub(r.observeStop(absent, now)) >= grace
	case absent.LostAt.IsZero(): // this pass has detected the loss
		return now, true
	default:
		return absent.LostAt, true
	}
}

// observeStop returns when this leadership first observed the planned stop of the node. The clock
// of that node, which StoppedAt is by, is not compared.
func (r *region) observeStop(absent node.Absent, now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen, isKnown := r.stops[absent.Ref()]
	if !isKnown || !seen.stoppedAt.Equal(absent.StoppedAt) {
		seen = observedStop{stoppedAt: absent.StoppedAt, firstSeen: now}
		r.stops[absent.Ref()] = seen
	}
	return seen.firstSeen
}
