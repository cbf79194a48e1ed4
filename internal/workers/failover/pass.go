package failover

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
)

// pass is the state of one pass.
type pass struct {
	fence   node.Fence
	present []node.Node
	load    placement.Load // running games per node of the region
	tracker *drift.Tracker
}

// isAbsent reports whether the node is named and not present.
func (p *pass) isAbsent(ref node.Ref) bool {
	_, present := node.Find(p.present, ref)
	return ref.Name != "" && !present
}

// Pass finds the games of the region whose node is absent: those with a running record,
// and those that an interrupted operation was about to start. It reports them, and
// reschedules those that are due. The fence is the one of the leadership.
func (w *Worker) Pass(ctx context.Context, fence node.Fence) error {
	present, err := w.deps.Nodes.Nodes(ctx)
	if err != nil {
		return fmt.Errorf("list the nodes: %w", err)
	}
	p := &pass{fence: fence, present: present, load: placement.Load{}}
	lost, err := w.findLost(ctx, p)
	if err != nil {
		return err
	}
	p.tracker = w.ensureTracker()
	observed := map[string]*drift.Observation{}
	var faults []error
	for _, found := range lost {
		observed[found.Record.GameID] = &drift.Observation{}
		faults = append(faults, w.handleLost(ctx, p, found))
	}
	p.tracker.Prune(observed)
	return errors.Join(faults...)
}

// findLost counts the running games of each node, and returns the games of absent nodes:
// first those with a running record.
func (w *Worker) findLost(ctx context.Context, p *pass) ([]runtime.VersionedRecord, error) {
	var lost []runtime.VersionedRecord
	err := w.forEach(ctx, runtime.StatusRunning, func(found runtime.VersionedRecord) {
		p.load.Add(found.Record)
		if p.isAbsent(node.RefOf(found.Record)) {
			lost = append(lost, found)
		}
	})
	if err != nil {
		return nil, err
	}
	interrupted, err := w.findInterrupted(ctx, p)
	return append(lost, interrupted...), err
}

// forEach calls fn with every record of the region that has the status.
func (w *Worker) forEach(ctx context.Context, status runtime.Status, fn func(runtime.VersionedRecord)) error {
	for page, err := range ports.AllPages(ctx, w.deps.Records, ports.PageQuery{Status: status, Region: w.cfg.Region}) {
		if err != nil {
			return fmt.Errorf("list the %s games of region %q: %w", status, w.cfg.Region, err)
		}
		for _, found := range page.Records {
			fn(found)
		}
	}
	return nil
}

// handleLost reports one lost game, and reschedules it if its policy requests that and
// the grace period has ended.
func (w *Worker) handleLost(ctx context.Context, p *pass, found runtime.VersionedRecord) error {
	record := found.Record
	intent, err := w.deps.Intents.GetIntent(ctx, record.GameID)
	if err != nil {
		return fmt.Errorf("read the intent of %q: %w", record.GameID, err)
	}
	finding := drift.Finding{
		ID: fmt.Sprintf("%s/%s/%s", drift.KindNodeLost, record.GameID, record.CurrentContainerID), Kind: drift.KindNodeLost,
		GameID: record.GameID, Region: w.cfg.Region, Node: w.cfg.Node, Action: drift.ActionNone, ContainerID: record.CurrentContainerID,
		Evidence:       fmt.Sprintf("node %s of the game is absent", node.RefOf(record)),
		RecordRevision: found.Revision, IntentRevision: intent.Revision,
	}
	op := intent.Intent.Current
	canReschedule := intent.Intent.Spec.OnNodeLost == operation.NodeLostReschedule
	if op != nil && op.Kind == operation.KindStop && op.Failure == nil {
		canReschedule = false
		finding.Evidence += "; a stop of the game was in progress"
	}
	if canReschedule {
		finding.Action = drift.ActionReschedule
	}
	tracked := p.tracker.Record(record.GameID, []drift.Finding{finding}, w.cfg.Clock())[0]
	if !canReschedule || w.cfg.Clock().Sub(tracked.FirstSeen) < w.cfg.Grace || isInProgress(op, p.present) {
		return nil
	}
	to, ok := placement.Select(placement.Request{
		Region: w.cfg.Region, Nodes: p.present, Load: p.load, Failures: placement.RecentFailures(intent.Intent.Recent),
	})
	if !ok {
		return nil // no node can run the game; the finding stays
	}
	err = w.deps.Rescheduler.Reschedule(ctx, found, to.Ref(), p.fence)
	switch {
	case err == nil:
		p.load[to.Ref()]++
		return nil
	case errors.Is(err, runtime.ErrConflict), errors.Is(err, operation.ErrBusy):
		return nil // the game has changed; the next pass decides
	default:
		return err
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
