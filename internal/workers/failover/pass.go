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
	p := &pass{fence: fence, present: overview.Present, overview: overview, tracker: r.ensureTracker()}
	lost, err := r.findLost(ctx, p)
	if err != nil {
		return err
	}
	markErr := r.markLostGames(ctx, p, lost)
	if errors.Is(markErr, runtime.ErrFenced) {
		return markErr
	}
	readErr := r.readIntents(ctx, lost)
	observed := map[string]*drift.Observation{}
	var due []*lostGame
	for i := range lost {
		observed[lost[i].found.Record.GameID] = &drift.Observation{}
		if r.checkLost(p, &lost[i]) {
			due = append(due, &lost[i])
		}
	}
	p.tracker.Prune(observed)
	r.pruneIntents(observed)
	return errors.Join(markErr, readErr, r.rescheduleAll(ctx, p, due))
}

// findLost returns the games of absent nodes: first those with a running record.
func (r *region) findLost(ctx context.Context, p *pass) ([]lostGame, error) {
	var lost []lostGame
	err := r.forEach(ctx, r.name, runtime.StatusRunning, func(found ports.SharedRecord) {
		if ref := node.RefOf(*found.Record); p.isAbsent(ref) {
			lost = append(lost, lostGame{found: found.Clone(), from: ref})
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
func (r *region) forEach(ctx context.Context, name string, status runtime.Status, fn func(ports.SharedRecord)) error {
	query := ports.ScanQuery{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{status}, Regions: []string{name}}, Local: true}
	for found, err := range ports.ScanRecords(ctx, r.deps.Records, query) {
		if err != nil {
			return fmt.Errorf("list the %s games of region %q: %w", status, name, err)
		}
		fn(found)
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

// specOf returns the spec that the lost game had.
func specOf(game *lostGame) operation.Spec {
	return game.intent.Intent.SpecOf(game.found.Record.CurrentContainerID).WithDefaults()
}

// checkLost reports one lost game, and returns whether it is to be rescheduled: its policy
// requests that, and the grace period has ended.
func (r *region) checkLost(p *pass, game *lostGame) (isDue bool) {
	if !game.isRead {
		return false
	}
	record, intent := game.found.Record, game.intent
	finding := drift.Finding{
		ID: fmt.Sprintf("%s/%s/%s", drift.KindNodeLost, record.GameID, record.CurrentContainerID), Kind: drift.KindNodeLost,
		GameID: record.GameID, Region: r.cfg.Region, Node: r.cfg.Node, Action: drift.ActionNone, ContainerID: record.CurrentContainerID,
		Evidence:       fmt.Sprintf("node %s of the game is absent", game.from),
		RecordRevision: game.found.Revision, IntentRevision: intent.Revision, RecordChangedAt: record.LastOpAt,
	}
	grace := r.cfg.Grace
	absent, _ := p.overview.FindAbsent(game.from)
	hasStopped := absent.Status() == node.StatusStopped
	if hasStopped {
		grace = r.cfg.PlannedStopGrace
		finding.Evidence = fmt.Sprintf("the daemon of node %s of the game has stopped as planned", game.from)
	}
	op := intent.Intent.Current
	spec := specOf(game)
	canReschedule := spec.OnNodeLost == operation.NodeLostReschedule || canContinueSafely(record, op)
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
	if hasStopped && grace < 0 {
		canReschedule = false
	}
	if canReschedule {
		finding.Action = drift.ActionReschedule
		if finding.BlockedBy = p.overview.Maintenance.PauseText(game.from); finding.BlockedBy != "" {
			canReschedule = false
		}
	}
	now := r.cfg.Clock()
	since := p.tracker.Record(record.GameID, []drift.Finding{finding}, now)[0].FirstSeen
	if hasStopped { // the mark of the loss, at the same time, makes the finding a new one
		since = r.observeStop(absent, now)
	}
	return canReschedule && now.Sub(since) >= grace && !isInProgress(op, p.present)
}

// canContinueStart reports whether another node can continue the start that was in progress on the lost
// node: the game has no container that its record names.
func canContinueStart(record runtime.RuntimeRecord, op *operation.Operation) bool {
	hasNoContainer := record.Status == "" || record.Status == runtime.StatusRemoved
	return hasNoContainer && op != nil && op.CanChangeNode() && (op.Failure == nil || op.Failure.NodeFault)
}

// canContinueSafely reports whether another node can continue the start without the risk of a second
// container, so that the policy of the game for lost nodes does not matter.
func canContinueSafely(record runtime.RuntimeRecord, op *operation.Operation) bool {
	return canContinueStart(record, op) && !op.MayHaveStarted() && !op.HasReached(operation.StepStarting)
}

// maxReschedules is the number of games that a pass reschedules at once.
const maxReschedules = 8

// rescheduleAll reschedules the games. It stops early only if ctx ends: one game that
// cannot be rescheduled does not delay the others.
func (r *region) rescheduleAll(ctx context.Context, p *pass, due []*lostGame) error {
	faults := make([]error, len(due))
	var group errgroup.Group
	group.SetLimit(maxReschedules)
	for i, game := range due {
		group.Go(func() error {
			faults[i] = r.reschedule(ctx, p, game)
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(faults...)
}

// reschedule selects and reserves a node for the game, and assigns the game to it. A region
// without a node that fits leaves the game to the next region of its spec. Without any, the finding
// stays.
func (r *region) reschedule(ctx context.Context, p *pass, game *lostGame) error {
	gameID, spec, operationID := game.found.Record.GameID, specOf(game), operation.NewID()
	excluded := map[node.Ref]string{}
	if op := game.intent.Intent.Current; canContinueStart(game.found.Record, op) {
		operationID = op.ID
		for _, attempt := range op.Attempts {
			excluded[attempt.NodeRef()] = "has failed to start the game: " + attempt.Failure.Message
		}
	}
	for _, name := range append([]string{r.name}, spec.Regions...) {
		selection, err := r.deps.Placement.Select(ctx, placement.Request{
			GameID: gameID, OperationID: operationID, Region: name, Spec: spec, Labels: game.found.Record.Labels, Nodes: p.present,
			Failures: placement.RecentFailures(game.intent.Intent.Recent), Excluded: excluded,
		})
		if err != nil {
			return fmt.Errorf("select a node for the lost game %q: %w", gameID, err)
		}
		if selection.Selected.IsZero() {
			r.logUnplaced(gameID, selection)
			continue
		}
		r.dropIntent(gameID) // the reschedule changes it
		err = r.deps.Rescheduler.Reschedule(ctx, game.found, operation.Assignment{To: selection.Selected, OperationID: operationID, IsReserved: selection.IsReserved}, p.fence)
		if err != nil && selection.IsReserved && !errors.Is(err, runtime.ErrOutcomeUnknown) {
			_ = r.deps.Placement.Release(ctx, selection.Selected, gameID, operationID) // otherwise it expires
		}
		if errors.Is(err, runtime.ErrConflict) || errors.Is(err, operation.ErrBusy) {
			return nil // the game has changed; the next pass decides
		}
		return err
	}
	return nil
}

// logUnplaced logs why no node of a region fits, at debug level: the finding of the game stays.
func (r *region) logUnplaced(gameID string, selection placement.Selection) {
	if len(selection.Nodes) > 0 {
		err := &node.NoCapacityError{Region: selection.Region, Nodes: selection.Nodes}
		r.cfg.Logger.Debug("lost game is not rescheduled", "game_id", gameID, "error", err)
	}
}

// isInProgress reports whether the operation belongs to a present node.
func isInProgress(op *operation.Operation, present []node.Node) bool {
	if op == nil {
		return false
	}
	_, found := node.Find(present, op.NodeRef())
	return found
}
