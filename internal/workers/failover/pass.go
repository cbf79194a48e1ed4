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
	load     placement.Load // running games per node of the regions in isCounted
	// isCounted contains the regions whose games load counts.
	isCounted map[string]bool
	tracker   *drift.Tracker
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

// markLostNodes stores when the loss of a node of the region was detected.
func (r *region) markLostNodes(ctx context.Context, overview node.Overview) {
	for _, a := range overview.Absent {
		if a.Status() != node.StatusLost || !a.LostAt.IsZero() || a.Region != r.name {
			continue
		}
		r.cfg.Logger.Warn("node lost", "node", a.Ref().String())
		if err := r.deps.Nodes.SetLost(ctx, a.Ref(), r.cfg.Clock().UTC()); err != nil {
			r.cfg.Logger.Warn("cannot store the loss of a node; the next pass retries", "node", a.Ref().String(), "error", err)
		}
	}
}

// pass finds the games of the region whose node is absent: those with a running record,
// and those that an interrupted operation was about to start. It reports them, and
// reschedules those that are due, several at once. The fence is the one of the leadership.
func (r *region) pass(ctx context.Context, overview node.Overview, fence node.Fence) error {
	r.markLostNodes(ctx, overview)
	p := &pass{fence: fence, present: overview.Present, overview: overview, load: placement.Load{}, isCounted: map[string]bool{}, tracker: r.ensureTracker()}
	lost, err := r.findLost(ctx, p)
	if err != nil {
		return err
	}
	readErr := r.readIntents(ctx, lost)
	observed := map[string]*drift.Observation{}
	var due []assignment
	for i := range lost {
		observed[lost[i].found.Record.GameID] = &drift.Observation{}
		to, isDue, err := r.checkLost(ctx, p, &lost[i])
		if err != nil {
			return err
		}
		if isDue {
			due = append(due, assignment{&lost[i], to})
		}
	}
	p.tracker.Prune(observed)
	r.pruneIntents(observed)
	return errors.Join(readErr, r.rescheduleAll(ctx, p, due))
}

// findLost counts the running games of each node, and returns the games of absent nodes:
// first those with a running record.
func (r *region) findLost(ctx context.Context, p *pass) ([]lostGame, error) {
	var lost []lostGame
	p.isCounted[r.name] = true
	err := r.forEach(ctx, r.name, runtime.StatusRunning, func(found runtime.VersionedRecord) {
		p.load.Add(found.Record)
		if p.isAbsent(node.RefOf(found.Record)) {
			lost = append(lost, lostGame{found: found, from: node.RefOf(found.Record)})
		}
	})
	if err != nil {
		return nil, err
	}
	interrupted, err := r.findInterrupted(ctx, p)
	return append(lost, interrupted...), err
}

// forEach calls fn with every record of a region that has the status. It reads the copy
// of the store, which may be old: Reschedule compares the revision of the record.
func (r *region) forEach(ctx context.Context, name string, status runtime.Status, fn func(runtime.VersionedRecord)) error {
	query := ports.PageQuery{Status: status, Region: name, Limit: ports.MaxPageLimit, Local: true}
	for page, err := range ports.AllPages(ctx, r.deps.Records, query) {
		if err != nil {
			return fmt.Errorf("list the %s games of region %q: %w", status, name, err)
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
func (r *region) checkLost(ctx context.Context, p *pass, game *lostGame) (to node.Ref, isDue bool, _ error) {
	if !game.isRead {
		return to, false, nil
	}
	record, intent := game.found.Record, game.intent
	finding := drift.Finding{
		ID: fmt.Sprintf("%s/%s/%s", drift.KindNodeLost, record.GameID, record.CurrentContainerID), Kind: drift.KindNodeLost,
		GameID: record.GameID, Region: r.cfg.Region, Node: r.cfg.Node, Action: drift.ActionNone, ContainerID: record.CurrentContainerID,
		Evidence:       fmt.Sprintf("node %s of the game is absent", game.from),
		RecordRevision: game.found.Revision, IntentRevision: intent.Revision,
	}
	op := intent.Intent.Current
	spec := intent.Intent.SpecOf(record.CurrentContainerID).WithDefaults()
	canReschedule := spec.OnNodeLost == operation.NodeLostReschedule
	if !p.overview.HasPresent(r.name) {
		finding.Evidence += fmt.Sprintf(", and no node of region %s is present", r.name)
		if len(spec.Regions) == 0 {
			canReschedule = false
			finding.Evidence += "; the spec of the game names no other region"
		}
	}
	if op != nil && op.Kind == operation.KindStop && op.Failure == nil {
		canReschedule = false
		finding.Evidence += "; a stop of the game was in progress"
	}
	if canReschedule {
		finding.Action = drift.ActionReschedule
	}
	tracked := p.tracker.Record(record.GameID, []drift.Finding{finding}, r.cfg.Clock())[0]
	if !canReschedule || r.cfg.Clock().Sub(tracked.FirstSeen) < r.cfg.Grace || isInProgress(op, p.present) {
		return to, false, nil
	}
	// A region without a candidate leaves the game to the next one. Without any, the finding
	// stays.
	for _, name := range append([]string{r.name}, spec.Regions...) {
		if err := r.countGames(ctx, p, name); err != nil {
			return to, false, err
		}
		selected, found := placement.Select(placement.Request{
			Region: name, Nodes: p.present, Load: p.load, Failures: placement.RecentFailures(intent.Intent.Recent),
		})
		if found {
			p.load[selected.Ref()]++
			return selected.Ref(), true, nil
		}
	}
	return to, false, nil
}

// countGames adds the running games of the nodes of a region to the load.
func (r *region) countGames(ctx context.Context, p *pass, name string) error {
	if p.isCounted[name] {
		return nil
	}
	p.isCounted[name] = true
	return r.forEach(ctx, name, runtime.StatusRunning, func(found runtime.VersionedRecord) { p.load.Add(found.Record) })
}

// maxReschedules is the number of games that a pass reschedules at once.
const maxReschedules = 8

// rescheduleAll reschedules the games. It stops early only if ctx ends: one game that
// cannot be rescheduled does not delay the others.
func (r *region) rescheduleAll(ctx context.Context, p *pass, due []assignment) error {
	faults := make([]error, len(due))
	var group errgroup.Group
	group.SetLimit(maxReschedules)
	for i, d := range due {
		group.Go(func() error {
			r.dropIntent(d.game.found.Record.GameID) // the reschedule changes it
			err := r.deps.Rescheduler.Reschedule(ctx, d.game.found, d.to, p.fence)
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
