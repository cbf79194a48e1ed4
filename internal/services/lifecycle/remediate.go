package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// reconcileActor is the actor of what follows from a finding by itself.
const reconcileActor = "reconcile"

// Remediate does what the finding proposes, if record and intent still stand where
// they stood when it was found; otherwise it is a *runtime.ConflictError on
// runtime.ExpectRevision, and nothing is done. A finding that proposes nothing
// is runtime.ErrInvalid. It returns once it is done, which for a restart
// and a resumed operation is when that has ended. The actor is who asked for it, for
// the ledger; empty where nobody did.
func (s *Service) Remediate(ctx context.Context, f drift.Finding, actor string) error {
	by := ports.Origin{Actor: cmp.Or(actor, reconcileActor), Reason: truncateUTF8(string(f.Kind)+": "+f.Evidence, ports.MaxReasonBytes)}
	switch f.Action {
	case drift.ActionMarkStopped, drift.ActionMarkRemoved, drift.ActionMarkRunning, drift.ActionCorrectRecord, drift.ActionAdopt:
		return s.withGameLock(f, func() error { return s.remediateRecord(ctx, f, by) })
	case drift.ActionRemoveContainer:
		return s.withGameLock(f, func() error { return s.removeStale(ctx, f) })
	case drift.ActionRestart:
		return s.restartCrashed(ctx, f, by)
	case drift.ActionCompleteOperation:
		_, intent, err := s.loadAtRevisions(ctx, f)
		if err != nil {
			return err
		}
		if op := intent.Intent.Current; op != nil && !s.isLocal(op.Region, op.Node) {
			return s.withGameLock(f, func() error { return s.reclaimOperation(ctx, intent) })
		}
		_, err = s.Resume(ctx, f.GameID)
		return err
	default:
		return &runtime.InvalidError{Field: "action", Reason: fmt.Sprintf("%q is nothing that this node can do about it", f.Action)}
	}
}

// reclaimOperation writes off the operation that a game of this node was given away with,
// while the node seemed lost, to one that is not there now. Where that one is there,
// it is runtime.ErrBusy: the game is about to move.
func (s *Service) reclaimOperation(ctx context.Context, intent ports.VersionedIntent) error {
	fence, err := s.currentFence()
	if err != nil {
		return err
	}
	next := intent.Intent.Clone()
	if err := s.ensureNoActiveOperation(ctx, &next); err != nil {
		return err
	}
	_, err = s.Intents.PutIntent(ctx, next, intent.IntentVersion, fence)
	return err
}

// withGameLock acts while no operation on the game can begin here: a restart in between
// would leave record and container looking as they were when the finding was made, and
// be undone. It is runtime.ErrBusy where one has begun.
func (s *Service) withGameLock(f drift.Finding, act func() error) error {
	r := s.newRun(f.GameID)
	other, err := s.lockGame(r)
	if err != nil {
		return err
	}
	if other != nil {
		return fmt.Errorf("settle %s: %w: an operation has just begun", f.ID, operation.ErrBusy)
	}
	defer s.unlockGame(r)
	return act()
}

// remediateRecord writes the record as the finding proposes.
func (s *Service) remediateRecord(ctx context.Context, f drift.Finding, by ports.Origin) error {
	record, intent, err := s.loadAtRevisions(ctx, f)
	if err != nil {
		return err
	}
	switch f.Action {
	case drift.ActionMarkStopped:
		return s.transition(ctx, f, by, record, runtime.StatusStopped)
	case drift.ActionMarkRemoved:
		if err := s.confirmAbsent(ctx, f); err != nil {
			return err
		}
		return s.transition(ctx, f, by, record, runtime.StatusRemoved)
	case drift.ActionMarkRunning:
		return s.markRunning(ctx, f, by, record)
	case drift.ActionCorrectRecord:
		return s.repairRecord(ctx, f, by, record)
	default:
		return s.adopt(ctx, f, by, intent)
	}
}

// loadAtRevisions returns record and intent if they stand where the finding saw them.
func (s *Service) loadAtRevisions(ctx context.Context, f drift.Finding) (*runtime.RuntimeRecord, ports.VersionedIntent, error) {
	intent, err := s.Intents.GetIntent(ctx, f.GameID)
	if err != nil {
		return nil, intent, err
	}
	record, revision, err := s.findRecord(ctx, f.GameID)
	if err != nil {
		return nil, intent, err
	}
	switch {
	case revision != f.RecordRevision:
		return nil, intent, revisionConflict(f, f.RecordRevision, revision)
	case intent.Revision != f.IntentRevision:
		return nil, intent, revisionConflict(f, f.IntentRevision, intent.Revision)
	}
	return record, intent, nil
}

// revisionConflict is the error of a finding under which record or intent have changed.
func revisionConflict(f drift.Finding, found, is int64) error {
	return &runtime.ConflictError{
		GameID: f.GameID, Precondition: runtime.PreconditionRevision,
		Expected: strconv.FormatInt(found, 10), Actual: strconv.FormatInt(is, 10), Revision: is,
	}
}

// transition moves the record, guarded by the container that the finding is about.
func (s *Service) transition(ctx context.Context, f drift.Finding, by ports.Origin, record *runtime.RuntimeRecord, to runtime.Status) error {
	fence, err := s.currentFence()
	if err != nil {
		return err
	}
	if record == nil {
		return fmt.Errorf("mark %q %s: %w", f.GameID, to, runtime.ErrNotFound)
	}
	_, err = s.Records.Transition(ctx, ports.TransitionInput{
		UpdateStatusInput: ports.UpdateStatusInput{
			GameID: f.GameID, ExpectedFrom: record.Status, ExpectedContainerID: record.CurrentContainerID, To: to, Now: s.now(),
		},
		Origin: by, Fence: &fence,
	})
	if err != nil {
		return fmt.Errorf("mark %q %s: %w", f.GameID, to, err)
	}
	return nil
}

// markRunning moves the record to running, and to where the game is reached now.
func (s *Service) markRunning(ctx context.Context, f drift.Finding, by ports.Origin, record *runtime.RuntimeRecord) error {
	c, err := s.Engine.Inspect(ctx, f.ContainerID)
	if err != nil {
		return err
	}
	if c.State != container.StateRunning {
		return fmt.Errorf("container %s does not run any more: %w", c.ID, runtime.ErrConflict)
	}
	if record == nil || isPlainTransition(*record, runtime.StatusRunning, c) {
		return s.transition(ctx, f, by, record, runtime.StatusRunning)
	}
	right, err := record.Apply(runtime.StatusRunning, s.now())
	if err != nil {
		return err
	}
	right.EngineEndpoint = c.Endpoint
	return s.putRecord(ctx, f, by, right, f.RecordRevision)
}

// confirmAbsent is nil if the engine, asked for this one container, says that it has none.
func (s *Service) confirmAbsent(ctx context.Context, f drift.Finding) error {
	_, err := s.Engine.Inspect(ctx, f.ContainerID)
	switch {
	case errors.Is(err, container.ErrNoContainer):
		return nil
	case err != nil:
		return err
	default:
		return fmt.Errorf("container %s is there after all: %w", f.ContainerID, runtime.ErrConflict)
	}
}

// repairRecord writes into the record what its container is.
func (s *Service) repairRecord(ctx context.Context, f drift.Finding, by ports.Origin, record *runtime.RuntimeRecord) error {
	if record == nil {
		return fmt.Errorf("correct the record of %q: %w", f.GameID, runtime.ErrNotFound)
	}
	c, err := s.Engine.Inspect(ctx, record.CurrentContainerID)
	if err != nil {
		return err
	}
	right := record.Clone()
	right.CurrentImageRef, right.LastOpAt = c.Labels.Image, s.now()
	right.Region, right.Node = s.cfg.Region, s.cfg.Node
	if c.Endpoint != "" {
		right.EngineEndpoint = c.Endpoint
	}
	return s.putRecord(ctx, f, by, right, f.RecordRevision)
}

func (s *Service) putRecord(ctx context.Context, f drift.Finding, by ports.Origin, record runtime.RuntimeRecord, ifRevision int64) error {
	fence, err := s.currentFence()
	if err != nil {
		return err
	}
	_, err = s.Records.Put(ctx, ports.PutInput{Record: record, IfRevision: &ifRevision, Origin: by, Fence: &fence})
	if err != nil {
		return fmt.Errorf("write the record of %q: %w", f.GameID, err)
	}
	return nil
}

// adopt writes a record of a container that has none.
func (s *Service) adopt(ctx context.Context, f drift.Finding, by ports.Origin, intent ports.VersionedIntent) error {
	if f.RecordRevision != 0 {
		return &runtime.InvalidError{Field: "action", Reason: "cannot be adopt: the game has a record"}
	}
	c, err := s.Engine.Inspect(ctx, f.ContainerID)
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
		return fmt.Errorf("adopt container %s: %w: it is %s", c.ID, container.ErrEngineUnavailable, c.State)
	}
	// First what it is run as, as far as that is known: enough to start it again.
	fence, err := s.currentFence()
	if err != nil {
		return err
	}
	next := intent.Intent.Clone()
	next.GameID, next.DesiredStatus = f.GameID, record.Status
	next.Spec.Image, next.Spec.Network = c.Labels.Image, c.Network
	if intent.Revision == 0 && c.State == container.StateRunning && !s.passesDefaultHealthCheck(ctx, c) {
		next.Spec.HealthPath = operation.NoHealthCheck
	}
	if _, err := s.Intents.PutIntent(ctx, next, intent.IntentVersion, fence); err != nil {
		return err
	}
	return s.putRecord(ctx, f, by, record, 0)
}

// passesDefaultHealthCheck reports whether a running container, of whose spec nothing is known, answers the
// health check that a game has by default. One that does not is not held to it: it
// would be found unhealthy, and no restart of it would ever succeed.
func (s *Service) passesDefaultHealthCheck(ctx context.Context, c container.Container) bool {
	return c.Endpoint != "" && s.Prober.Probe(ctx, c.Endpoint+operation.DefaultHealthPath) == nil
}

// removeStale stops and removes a container that is not the game's. The engine
// cannot compare and swap: what it rests on is read once more right before.
func (s *Service) removeStale(ctx context.Context, f drift.Finding) error {
	c, err := s.Engine.Inspect(ctx, f.ContainerID)
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
		return fmt.Errorf("container %s, which was never started, is %s now: %w", c.ID, c.State, runtime.ErrConflict)
	case intent.Intent.Current != nil:
		return busyError(f.GameID, intent.Intent.Current)
	}
	if _, err := s.currentFence(); err != nil {
		return err
	}
	s.log.Warn("removing a stale container", "game_id", f.GameID, "container_id", c.ID, "generation", c.Labels.Generation, "evidence", f.Evidence)
	grace := time.Duration(intent.Intent.Spec.WithDefaults().StopGrace)
	bound, cancel := context.WithTimeout(ctx, grace+s.cfg.RetryTimeout) // one that is wedged is tried again later
	defer cancel()
	if err := s.Engine.Stop(bound, c.ID, grace); err != nil && !errors.Is(err, container.ErrNoContainer) {
		return err
	}
	return s.Engine.Remove(bound, c.ID)
}

// restartCrashed starts a game again that nobody stopped, and counts that in the
// same write which accepts the start. That write is pinned: a stop that comes first
// stands.
func (s *Service) restartCrashed(ctx context.Context, f drift.Finding, by ports.Origin) error {
	_, found, err := s.loadAtRevisions(ctx, f)
	if err != nil {
		return err
	}
	policy := found.Intent.Spec.WithDefaults().Crash
	counted := operation.RestartsWithin(found.Intent.Restarts, time.Duration(policy.Window), s.now())
	kind := operation.KindStart
	if f.Kind == drift.KindUnhealthy {
		kind = operation.KindRestart
	}
	request := ports.OperationRequest{GameID: f.GameID, Kind: kind, Origin: ports.Origin{
		Actor:  by.Actor,
		Reason: truncateUTF8(fmt.Sprintf("restart %d of %d within %s: %s", len(counted)+1, policy.Attempts, time.Duration(policy.Window), f.Evidence), ports.MaxReasonBytes),
	}}
	if err := validateRequest(&request); err != nil {
		return err
	}
	_, err = s.execute(ctx, request, nil, operateOptions{finding: &f, automatic: by.Actor == reconcileActor, editIntent: func(next *operation.Intent) {
		next.Restarts = slices.Insert(counted, 0, s.now())
	}})
	return err
}
