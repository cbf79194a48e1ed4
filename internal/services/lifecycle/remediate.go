package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// reconcileActor is the actor of automatic remediation.
const reconcileActor = "reconcile"

// Remediate carries out the action of the finding. It returns when that is done: for a
// restart and an interrupted operation, when the operation has ended. The actor is the
// user that applied the finding, for the ledger; empty means reconcileActor.
//
// It returns a *runtime.ConflictError on the revision, and changes nothing, if record or
// intent have changed since the finding was observed; operation.ErrBusy if an operation
// on the game has started; and runtime.ErrInvalid for a finding without an action.
func (s *Service) Remediate(ctx context.Context, f drift.Finding, actor string) error {
	origin := ports.Origin{Actor: cmp.Or(actor, reconcileActor), Reason: truncateUTF8(string(f.Kind)+": "+f.Evidence, ports.MaxReasonBytes)}
	switch f.Action {
	case drift.ActionMarkStopped, drift.ActionMarkRemoved, drift.ActionMarkRunning, drift.ActionCorrectRecord, drift.ActionAdopt:
		return s.withGameLock(f, func() error { return s.remediateRecord(ctx, f, origin) })
	case drift.ActionRemoveContainer:
		return s.withGameLock(f, func() error { return s.removeStale(ctx, f) })
	case drift.ActionRestart:
		return s.restartCrashed(ctx, f, origin)
	case drift.ActionCompleteOperation:
		return s.completeOperation(ctx, f)
	default:
		return &runtime.InvalidError{Field: "action", Reason: fmt.Sprintf("%q cannot be carried out by this node", f.Action)}
	}
}

// withGameLock runs fn while no operation on the game can start on this node. Otherwise
// a restart in between could leave record and container as they were when the finding
// was observed, and be undone.
func (s *Service) withGameLock(f drift.Finding, fn func() error) error {
	lock, holder, err := s.lockGame(f.GameID)
	if err != nil {
		return err
	}
	if holder != nil {
		return fmt.Errorf("remediate %s: %w", f.ID, operation.ErrBusy)
	}
	defer s.unlockGame(lock)
	return fn()
}

// completeOperation resumes an interrupted operation of this node, or reclaims the game
// from an operation that was assigned to another node.
func (s *Service) completeOperation(ctx context.Context, f drift.Finding) error {
	_, intent, err := s.loadAtRevisions(ctx, f)
	if err != nil {
		return err
	}
	if op := intent.Intent.Current; op != nil && op.NodeRef() != s.self {
		return s.withGameLock(f, func() error { return s.reclaimGame(ctx, intent) })
	}
	_, err = s.Resume(ctx, f.GameID)
	return err
}

// reclaimGame abandons an operation by which a game of this node was assigned to another
// node, while this node seemed lost. It returns operation.ErrBusy if the other node is
// present: the game is about to move there.
func (s *Service) reclaimGame(ctx context.Context, stored ports.VersionedIntent) error {
	fence, err := s.currentFence()
	if err != nil {
		return err
	}
	next, err := s.ensureNoActiveOperation(ctx, stored.Intent)
	if err != nil {
		return err
	}
	_, err = s.putIntent(ctx, stored, next, fence)
	return err
}

// remediateRecord changes the record as the finding proposes.
func (s *Service) remediateRecord(ctx context.Context, f drift.Finding, origin ports.Origin) error {
	record, intent, err := s.loadAtRevisions(ctx, f)
	if err != nil {
		return err
	}
	if f.Action == drift.ActionAdopt {
		return s.adopt(ctx, f, origin, intent)
	}
	if record == nil {
		return fmt.Errorf("%s %q: %w", f.Action, f.GameID, runtime.ErrNotFound)
	}
	switch f.Action {
	case drift.ActionMarkStopped:
		return s.transition(ctx, *record, runtime.StatusStopped, origin)
	case drift.ActionMarkRemoved:
		if err := s.confirmAbsent(ctx, f.ContainerID); err != nil {
			return err
		}
		return s.transition(ctx, *record, runtime.StatusRemoved, origin)
	case drift.ActionMarkRunning:
		return s.markRunning(ctx, f, origin, *record)
	default:
		return s.repairRecord(ctx, f, origin, *record)
	}
}

// loadAtRevisions returns record and intent, and a revision conflict if one of them has
// changed since the finding was observed.
func (s *Service) loadAtRevisions(ctx context.Context, f drift.Finding) (*runtime.RuntimeRecord, ports.VersionedIntent, error) {
	intent, err := s.deps.Intents.GetIntent(ctx, f.GameID)
	if err != nil {
		return nil, intent, err
	}
	current, err := s.readRecord(ctx, f.GameID)
	switch {
	case err != nil:
		return nil, intent, err
	case current.revision != f.RecordRevision:
		return nil, intent, recordConflict(f, current)
	case intent.Revision != f.IntentRevision:
		return nil, intent, intentConflict(f, intent)
	}
	return current.record, intent, nil
}

// recordConflict is the error of a finding whose record has changed.
func recordConflict(f drift.Finding, current recordState) error {
	return runtime.NewRevisionConflict(f.GameID, f.RecordRevision, current.versioned())
}

// intentConflict is the error of a finding whose intent has changed.
func intentConflict(f drift.Finding, current ports.VersionedIntent) error {
	return runtime.NewRevisionConflict(f.GameID, f.IntentRevision, runtime.VersionedRecord{Revision: current.Revision})
}

// transition changes the status of the record, if it still has its status and container.
func (s *Service) transition(ctx context.Context, record runtime.RuntimeRecord, to runtime.Status, origin ports.Origin) error {
	fence, err := s.currentFence()
	if err != nil {
		return err
	}
	_, err = s.deps.Records.Transition(ctx, ports.TransitionInput{
		UpdateStatusInput: ports.UpdateStatusInput{
			GameID: record.GameID, ExpectedFrom: record.Status, ExpectedContainerID: record.CurrentContainerID, To: to, Now: s.now(),
		},
		Origin: origin, Fence: &fence,
	})
	if err != nil {
		return fmt.Errorf("set the record of %q to %s: %w", record.GameID, to, err)
	}
	return nil
}

// putRecord writes the record if the stored one has the revision.
func (s *Service) putRecord(ctx context.Context, record runtime.RuntimeRecord, ifRevision int64, origin ports.Origin) error {
	fence, err := s.currentFence()
	if err != nil {
		return err
	}
	_, err = s.deps.Records.Put(ctx, ports.PutInput{Record: record, IfRevision: &ifRevision, Origin: origin, Fence: &fence})
	if err != nil {
		return fmt.Errorf("write the record of %q: %w", record.GameID, err)
	}
	return nil
}

// markRunning sets the record to running, with the current endpoint.
func (s *Service) markRunning(ctx context.Context, f drift.Finding, origin ports.Origin, record runtime.RuntimeRecord) error {
	c, err := s.deps.Engine.Inspect(ctx, f.ContainerID)
	if err != nil {
		return err
	}
	if c.State != container.StateRunning {
		return fmt.Errorf("container %s is no longer running: %w", c.ID, runtime.ErrConflict)
	}
	if isPlainTransition(record, runtime.StatusRunning, c) {
		return s.transition(ctx, record, runtime.StatusRunning, origin)
	}
	repaired, err := record.Apply(runtime.StatusRunning, s.now())
	if err != nil {
		return err
	}
	repaired.EngineEndpoint = c.Endpoint
	return s.putRecord(ctx, repaired, f.RecordRevision, origin)
}

// confirmAbsent returns nil if the engine, queried for this container alone, has none.
func (s *Service) confirmAbsent(ctx context.Context, containerID string) error {
	_, err := s.deps.Engine.Inspect(ctx, containerID)
	switch {
	case errors.Is(err, container.ErrNoContainer):
		return nil
	case err != nil:
		return err
	default:
		return fmt.Errorf("the engine has container %s: %w", containerID, runtime.ErrConflict)
	}
}

// repairRecord copies the properties of the record's container into the record.
func (s *Service) repairRecord(ctx context.Context, f drift.Finding, origin ports.Origin, record runtime.RuntimeRecord) error {
	c, err := s.deps.Engine.Inspect(ctx, record.CurrentContainerID)
	if err != nil {
		return err
	}
	repaired := record.Clone()
	repaired.CurrentImageRef, repaired.LastOpAt = c.Labels.Image, s.now()
	repaired.Region, repaired.Node = s.cfg.Region, s.cfg.Node
	if c.Endpoint != "" {
		repaired.EngineEndpoint = c.Endpoint
	}
	return s.putRecord(ctx, repaired, f.RecordRevision, origin)
}

// adopt writes a record for a container of a game without a record.
func (s *Service) adopt(ctx context.Context, f drift.Finding, origin ports.Origin, stored ports.VersionedIntent) error {
	if f.RecordRevision != 0 {
		return &runtime.InvalidError{Field: "action", Reason: "cannot be adopt: the game has a record"}
	}
	c, err := s.deps.Engine.Inspect(ctx, f.ContainerID)
	if err != nil {
		return err
	}
	at := s.now()
	record := runtime.RuntimeRecord{
		GameID: f.GameID, Status: runtime.StatusRunning, Region: s.cfg.Region, Node: s.cfg.Node,
		CurrentContainerID: c.ID, CurrentImageRef: c.Labels.Image, EngineEndpoint: c.Endpoint, StatePath: c.StatePath,
		DockerNetwork: c.Network, Generation: c.Labels.Generation, CreatedAt: at, LastOpAt: at, StartedAt: &at,
	}
	switch c.State {
	case container.StateRunning:
	case container.StateExited:
		record.Status, record.StoppedAt = runtime.StatusStopped, &at
	default:
		return fmt.Errorf("adopt container %s: %w: its state is %s", c.ID, container.ErrEngineUnavailable, c.State)
	}
	// The intent comes first, with the part of the spec that the container shows: enough to
	// start the game later.
	fence, err := s.currentFence()
	if err != nil {
		return err
	}
	next := stored.Intent.Clone()
	next.GameID, next.DesiredStatus = f.GameID, record.Status
	next.Spec.Image, next.Spec.Network = c.Labels.Image, c.Network
	if stored.Revision == 0 && c.State == container.StateRunning && !s.passesDefaultHealthCheck(ctx, c) {
		next.Spec.HealthPath = operation.NoHealthCheck
	}
	if _, err := s.putIntent(ctx, stored, next, fence); err != nil {
		return err
	}
	return s.putRecord(ctx, record, 0, origin)
}

// passesDefaultHealthCheck probes an adopted container whose spec is unknown. If it
// fails, health checks are disabled for the game; otherwise it would be restarted
// forever.
func (s *Service) passesDefaultHealthCheck(ctx context.Context, c container.Container) bool {
	return c.Endpoint != "" && s.deps.Prober.Probe(ctx, c.Endpoint+operation.DefaultHealthPath) == nil
}

// removeStale stops and removes a container that the record does not name. The engine
// has no compare-and-swap, so record and intent are read right before.
func (s *Service) removeStale(ctx context.Context, f drift.Finding) error {
	c, err := s.deps.Engine.Inspect(ctx, f.ContainerID)
	if errors.Is(err, container.ErrNoContainer) {
		return nil
	}
	if err != nil {
		return err
	}
	record, intent, err := s.loadAtRevisions(ctx, f)
	switch {
	case err != nil:
		return err
	case c.Labels.GameID != f.GameID, record != nil && record.CurrentContainerID == c.ID:
		return &runtime.InvalidError{Field: "container_id", Reason: fmt.Sprintf("%s is not a stale container of %q", c.ID, f.GameID)}
	case record == nil && c.State != container.StateCreated:
		return fmt.Errorf("container %s was never started and is %s now: %w", c.ID, c.State, runtime.ErrConflict)
	case intent.Intent.Current != nil:
		return busyError(f.GameID, intent.Intent.Current)
	}
	if _, err := s.currentFence(); err != nil {
		return err
	}
	s.log.Warn("removing a stale container", "game_id", f.GameID, "container_id", c.ID, "generation", c.Labels.Generation, "evidence", f.Evidence)
	grace := time.Duration(intent.Intent.Spec.WithDefaults().StopGrace)
	bound, cancel := context.WithTimeout(ctx, grace+s.cfg.RetryTimeout) // a container that hangs is retried later
	defer cancel()
	if err := s.deps.Engine.Stop(bound, c.ID, grace); err != nil && !errors.Is(err, container.ErrNoContainer) {
		return err
	}
	return s.deps.Engine.Remove(bound, c.ID)
}

// restartCrashed starts a crashed game, or restarts an unhealthy one. The write that
// accepts the operation also counts the restart, and fails if record or intent have
// changed: a stop that comes first takes precedence.
func (s *Service) restartCrashed(ctx context.Context, f drift.Finding, origin ports.Origin) error {
	_, stored, err := s.loadAtRevisions(ctx, f)
	if err != nil {
		return err
	}
	policy := stored.Intent.Spec.WithDefaults().Crash
	restarts := operation.RestartsWithin(stored.Intent.Restarts, time.Duration(policy.Window), s.now())
	request := ports.OperationRequest{GameID: f.GameID, Kind: operation.KindStart, Origin: ports.Origin{
		Actor:  origin.Actor,
		Reason: truncateUTF8(fmt.Sprintf("restart %d of %d within %s: %s", len(restarts)+1, policy.Attempts, time.Duration(policy.Window), f.Evidence), ports.MaxReasonBytes),
	}}
	if f.Kind == drift.KindUnhealthy {
		request.Kind = operation.KindRestart
	}
	if err := validateRequest(&request); err != nil {
		return err
	}
	_, err = s.execute(ctx, request, nil, operateOptions{
		finding: &f, automatic: origin.Actor == reconcileActor, restarts: slices.Insert(restarts, 0, s.now()),
	})
	return err
}
