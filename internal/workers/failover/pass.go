package failover

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
)

// pass is the state of one pass.
type pass struct {
	fence    node.Fence
	present  []node.Node
	overview node.Overview
	load     placement.Load // running games per node of the region
	tracker  *drift.Tracker
}

// isAbsent reports whether the node is named and not present. A node that is present under
// another name, from the same data directory, is not absent: its games run on.
func (p *pass) isAbsent(ref node.Ref) bool {
	if _, present := node.Find(p.present, ref); present || ref.Name == "" {
		return false
	}
	absent, isKnown := p.overview.FindAbsent(ref)
	isRenamed := func(n node.Node) bool { return n.Identity == absent.Identity }
	return !isKnown || absent.Identity == "" || !slices.ContainsFunc(p.present, isRenamed)
}

// markLostNodes stores when the loss of a node was detected: of this region, and of regions
// without a leader.
func (w *Worker) markLostNodes(ctx context.Context, overview node.Overview) {
	for _, a := range overview.Absent {
		if a.Status() != node.StatusLost || !a.LostAt.IsZero() || a.Region != w.cfg.Region && overview.HasLeader(a.Region) {
			continue
		}
		w.cfg.Logger.Warn("node lost", "node", a.Ref().String())
		if err := w.deps.Nodes.SetLost(ctx, a.Ref(), w.cfg.Clock().UTC()); err != nil {
			w.cfg.Logger.Warn("cannot store the loss of a node; the next pass retries", "node", a.Ref().String(), "error", err)
		}
	}
}

// Pass finds the games of the region whose node is absent: those with a running record,
// and those that an interrupted operation was about to start. It reports them, and
// reschedules those that are due, several at once. The fence is the one of the leadership.
func (w *Worker) Pass(ctx context.Context, fence node.Fence) error {
	overview, err := w.deps.Nodes.Overview(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("list the nodes: %w", err)
	case overview.IsStale:
		return fmt.Errorf("list the nodes: %w: no majority of etcd's members is reachable", runtime.ErrUnavailable)
	}
	w.markLostNodes(ctx, overview)
	p := &pass{fence: fence, present: overview.Present, overview: overview, load: placement.Load{}, tracker: w.ensureTracker()}
	lost, err := w.findLost(ctx, p)
	if err != nil {
		return err
	}
	readErr := w.readIntents(ctx, lost)
	observed := map[string]*drift.Observation{}
	var due []assignment
	for i := range lost {
		observed[lost[i].found.Record.GameID] = &drift.Observation{}
		if to, isDue := w.checkLost(p, &lost[i]); isDue {
			due = append(due, assignment{&lost[i], to})
		}
	}
	p.tracker.Prune(observed)
	w.pruneIntents(observed)
	return errors.Join(readErr, w.rescheduleAll(ctx, p, due))
}

// findLost counts the running games of each node, and returns the games of absent nodes:
// first those with a running record.
func (w *Worker) findLost(ctx context.Context, p *pass) ([]lostGame, error) {
	var lost []lostGame
	err := w.forEach(ctx, runtime.StatusRunning, func(found runtime.VersionedRecord) {
		p.load.Add(found.Record)
		if p.isAbsent(node.RefOf(found.Record)) {
			lost = append(lost, lostGame{found: found, from: node.RefOf(found.Record)})
		}
	})
	if err != nil {
		return nil, err
	}
	interrupted, err := w.findInterrupted(ctx, p)
	return append(lost, interrupted...), err
}

// forEach calls fn with every record of the region that has the status. It reads the copy
// of the store, which may be old: Reschedule compares the revision of the record.
func (w *Worker) forEach(ctx context.Context, status runtime.Status, fn func(runtime.VersionedRecord)) error {
	query := ports.PageQuery{Status: status, Region: w.cfg.Region, Limit: ports.MaxPageLimit, Local: true}
	for page, err := range ports.AllPages(ctx, w.deps.Records, query) {
		if err != nil {
			return fmt.Errorf("list the %s games of region %q: %w", status, w.cfg.Region, err)
		}
		for _, found := range page.Records {
			fn(found)
		}
	}
	return nil
}

// lostGame is a game whose node is absent.
type lostGame struct {
	found  runtime.VersionedRecord // zero but for the game id if the game has no record yet
	from   node.Ref
	intent ports.VersionedIntent
	// isRead reports that intent could be read.
	isRead bool
}

// assignment is a lost game with the node that is to run it.
type assignment struct {
	game *lostGame
	to   node.Ref
}

// checkLost reports one lost game. It returns the node to which the game is to be rescheduled,
// and false if its policy does not request that, the grace period has not ended, or no
// node can run it.
func (w *Worker) checkLost(p *pass, game *lostGame) (to node.Ref, isDue bool) {
	if !game.isRead {
		return to, false
	}
	record, intent := game.found.Record, game.intent
	finding := drift.Finding{
		ID: fmt.Sprintf("%s/%s/%s", drift.KindNodeLost, record.GameID, record.CurrentContainerID), Kind: drift.KindNodeLost,
		GameID: record.GameID, Region: w.cfg.Region, Node: w.cfg.Node, Action: drift.ActionNone, ContainerID: record.CurrentContainerID,
		Evidence:       fmt.Sprintf("node %s of the game is absent", game.from),
		RecordRevision: game.found.Revision, IntentRevision: intent.Revision,
	}
	op := intent.Intent.Current
	canReschedule := intent.Intent.SpecOf(record.CurrentContainerID).OnNodeLost == operation.NodeLostReschedule
	if op != nil && op.Kind == operation.KindStop && op.Failure == nil {
		canReschedule = false
		finding.Evidence += "; a stop of the game was in progress"
	}
	if canReschedule {
		finding.Action = drift.ActionReschedule
	}
	tracked := p.tracker.Record(record.GameID, []drift.Finding{finding}, w.cfg.Clock())[0]
	if !canReschedule || w.cfg.Clock().Sub(tracked.FirstSeen) < w.cfg.Grace || isInProgress(op, p.present) {
		return to, false
	}
	selected, found := placement.Select(placement.Request{
		Region: w.cfg.Region, Nodes: p.present, Load: p.load, Failures: placement.RecentFailures(intent.Intent.Recent),
	})
	if !found {
		return to, false // the finding stays
	}
	p.load[selected.Ref()]++
	return selected.Ref(), true
}

// maxReschedules is the number of games that a pass reschedules at once.
const maxReschedules = 8

// rescheduleAll reschedules the games. It stops early only if ctx ends: one game that
// cannot be rescheduled does not delay the others.
func (w *Worker) rescheduleAll(ctx context.Context, p *pass, due []assignment) error {
	faults := make([]error, len(due))
	var group errgroup.Group
	group.SetLimit(maxReschedules)
	for i, d := range due {
		group.Go(func() error {
			w.dropIntent(d.game.found.Record.GameID) // the reschedule changes it
			err := w.deps.Rescheduler.Reschedule(ctx, d.game.found, d.to, p.fence)
			if errors.Is(err, runtime.ErrConflict) || errors.Is(err, operation.ErrBusy) {
				err = nil // the game has changed; the next pass decides
			}
			faults[i] = err
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(faults...)
}

// isInProgress reports whether the operation belongs to a present node.
func isInProgress(op *operation.Operation, present []node.Node) bool {
	if op == nil {
		return false
	}
	_, found := node.Find(present, op.NodeRef())
	return found
}
