package failover

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// findInterrupted returns the interrupted games of absent nodes. Such a game has a stopped
// record or none yet, but it should run: an operation was about to start it when its node
// was lost, or another node has failed to start it since.
//
// The candidates are the games with an operation in progress, and the interrupted games
// of the previous pass, whose reschedule may have failed. The first pass of a leadership
// reads all stopped records instead of the latter.
func (r *region) findInterrupted(ctx context.Context, p *pass) ([]lostGame, error) {
	candidates, err := r.deps.Intents.GamesWithActiveOperation(ctx, r.name, "")
	if err != nil {
		return nil, fmt.Errorf("list the operations of region %q: %w", r.name, err)
	}
	previous := r.previousInterrupted()
	if previous == nil {
		err = r.forEach(ctx, r.name, runtime.StatusStopped, func(found ports.SharedRecord) {
			if p.isAbsent(node.RefOf(*found.Record)) {
				candidates = append(candidates, found.Record.GameID)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	candidates = append(candidates, previous...)
	slices.Sort(candidates)
	intents, err := r.deps.Intents.GetIntents(ctx, slices.Compact(candidates))
	if err != nil && !errors.Is(err, runtime.ErrCorrupt) { // a game with a corrupt intent is skipped
		return nil, fmt.Errorf("read the intents of interrupted games: %w", err)
	}
	lost, interrupted := []lostGame{}, []string{}
	for _, intent := range intents {
		in := intent.Intent
		op := in.Current
		if !isStartPending(in) || op != nil && op.Kind != operation.KindReschedule && !p.isAbsent(op.NodeRef()) {
			continue
		}
		found, err := r.deps.Records.GetVersioned(ctx, in.GameID)
		switch {
		case errors.Is(err, runtime.ErrNotFound) && op != nil && p.isAbsent(op.NodeRef()):
			// The first start of a game writes its record only once the container runs.
			interrupted = append(interrupted, in.GameID)
			lost = append(lost, lostGame{found: runtime.VersionedRecord{Record: runtime.RuntimeRecord{GameID: in.GameID}}, from: op.NodeRef()})
		case errors.Is(err, runtime.ErrNotFound), errors.Is(err, runtime.ErrCorrupt):
		case err != nil:
			return nil, fmt.Errorf("read the record of %q: %w", in.GameID, err)
		case op != nil && p.isAbsent(op.NodeRef()) && canContinueStart(found.Record, op):
			interrupted = append(interrupted, in.GameID)
			lost = append(lost, lostGame{found: found, from: op.NodeRef()})
		case found.Record.Status == runtime.StatusStopped && found.Record.Region == r.name:
			interrupted = append(interrupted, in.GameID)
			if p.isAbsent(node.RefOf(found.Record)) {
				lost = append(lost, lostGame{found: found, from: node.RefOf(found.Record)})
			}
		}
	}
	r.setInterrupted(interrupted)
	return lost, nil
}

func (r *region) previousInterrupted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.interrupted
}

func (r *region) setInterrupted(gameIDs []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interrupted = gameIDs
}

// isStartPending reports whether a stopped game was about to be started: by its operation
// in progress, or by a reschedule that failed.
func isStartPending(in operation.Intent) bool {
	op := in.Current
	switch {
	case op == nil:
		// A move whose former node was lost during the rollback leaves a stopped record.
		hasFailed := len(in.Recent) > 0 && in.Recent[0].Failure != nil && (in.Recent[0].Kind == operation.KindReschedule || in.Recent[0].Kind == operation.KindMove)
		return in.DesiredStatus == runtime.StatusRunning && hasFailed
	case op.Kind == operation.KindReschedule:
		return true
	case op.PreviousRecord != nil && op.PreviousRecord.Status == runtime.StatusRunning: // success and rollback both start it
		return op.Kind == operation.KindRestart || op.Kind == operation.KindPatch || op.Kind == operation.KindMove
	default:
		// A start that was accepted is to be completed, by its policy on another node.
		return op.MustChangeNode() || op.Failure == nil && (op.Kind == operation.KindRestart || op.Kind == operation.KindStart)
	}
}
