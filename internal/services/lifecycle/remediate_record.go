package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

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
		condition := s.stoppedCondition(*record, intent.Intent)
		return s.transition(ctx, *record, runtime.StatusStopped, container.Container{}, &condition, origin)
	case drift.ActionMarkRemoved:
		if err := s.confirmAbsent(ctx, f); err != nil {
			return err
		}
		return s.transition(ctx, *record, runtime.StatusRemoved, container.Container{}, nil, origin)
	case drift.ActionMarkRunning:
		return s.markRunning(ctx, f, origin, *record)
	default:
		return s.repairRecord(ctx, f, origin, *record)
	}
}

// stoppedCondition returns the condition of the record of a game that has exited. A game that its crash policy is
// going to restart keeps its place on the node from this write on.
func (s *Service) stoppedCondition(record runtime.RuntimeRecord, intent operation.Intent) runtime.Condition {
	stopped := record.Clone()
	stopped.Status = runtime.StatusStopped
	condition := intent.ConditionOf(stopped, s.now())
	condition.Health, condition.HealthSince = "", nil
	condition.RestartPending = intent.CanRestart(s.now())
	return condition
}

// transition changes the status of the record, if it still has its status and container.
// c is the container of a record that becomes running, for its endpoint. A nil condition keeps the current one.
func (s *Service) transition(ctx context.Context, record runtime.RuntimeRecord, to runtime.Status, c container.Container, condition *runtime.Condition, origin ports.Origin) error {
	fence, err := s.currentFence()
	if err != nil {
		return err
	}
	_, err = s.deps.Records.Transition(ctx, ports.TransitionInput{
		UpdateStatusInput: ports.UpdateStatusInput{
			GameID: record.GameID, ExpectedFrom: record.Status, ExpectedContainerID: record.CurrentContainerID, To: to, Now: s.now(),
		},
		Endpoint: endpointAfter(record.EngineEndpoint, to, c), Ports: c.Ports, Condition: condition, Origin: origin, Fence: &fence,
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
	c, err := s.engineOf(f.GameID).Inspect(ctx, f.ContainerID)
	if err != nil {
		return err
	}
	if c.State != container.StateRunning {
		return fmt.Errorf("container %s is no longer running: %w", c.ID, runtime.ErrConflict)
	}
	return s.transition(ctx, record, runtime.StatusRunning, c, nil, origin)
}

// confirmAbsent returns nil if the engine has no container with this ID. It inspects the
// container, because a list may be incomplete.
func (s *Service) confirmAbsent(ctx context.Context, f drift.Finding) error {
	_, err := s.engineOf(f.GameID).Inspect(ctx, f.ContainerID)
	switch {
	case errors.Is(err, container.ErrNoContainer):
		return nil
	case err != nil:
		return err
	default:
		return fmt.Errorf("the engine has container %s: %w", f.ContainerID, runtime.ErrConflict)
	}
}

// repairRecord copies the properties of the record's container into the record.
func (s *Service) repairRecord(ctx context.Context, f drift.Finding, origin ports.Origin, record runtime.RuntimeRecord) error {
	c, err := s.engineOf(record.GameID).Inspect(ctx, record.CurrentContainerID)
	if err != nil {
		return err
	}
	repaired := record.Clone()
	repaired.CurrentImageRef, repaired.LastOpAt = c.Labels.Image, s.now()
	repaired.Region, repaired.Node = s.cfg.Region, s.cfg.Node
	switch {
	case repaired.Status != runtime.StatusRunning:
		repaired.EngineEndpoint, repaired.Ports = "", nil
	case c.State == container.StateRunning:
		repaired.EngineEndpoint = cmp.Or(c.Endpoint, repaired.EngineEndpoint)
		repaired.Ports = c.Ports
	}
	return s.putRecord(ctx, repaired, f.RecordRevision, origin)
}

// adopt writes a record for a container of a game without a record.
func (s *Service) adopt(ctx context.Context, f drift.Finding, origin ports.Origin, stored ports.VersionedIntent) error {
	if f.RecordRevision != 0 {
		return &runtime.InvalidError{Field: "action", Reason: "cannot be adopt: the game has a record"}
	}
	c, err := s.engineOf(f.GameID).Inspect(ctx, f.ContainerID)
	if err != nil {
		return err
	}
	at := s.now()
	record := runtime.RuntimeRecord{
		GameID: f.GameID, Status: runtime.StatusRunning, Region: s.cfg.Region, Node: s.cfg.Node,
		CurrentContainerID: c.ID, CurrentImageRef: c.Labels.Image, EngineEndpoint: c.Endpoint, Ports: c.Ports, StatePath: c.StatePath,
		Labels: stored.Intent.Clone().Labels, Metadata: stored.Intent.Metadata, DockerNetwork: c.Network, Generation: c.Labels.Generation, CreatedAt: at, LastOpAt: at, StartedAt: &at,
	}
	switch c.State {
	case container.StateRunning:
	case container.StateExited:
		record.Status, record.StoppedAt, record.EngineEndpoint, record.Ports = runtime.StatusStopped, &at, "", nil
	default:
		return fmt.Errorf("adopt container %s: %w: its state is %s", c.ID, container.ErrEngineUnavailable, c.State)
	}
	// The intent is written first. Its spec has the properties that the engine reports of
	// the container, which suffice to start the game later.
	fence, err := s.currentFence()
	if err != nil {
		return err
	}
	next := stored.Intent.Clone()
	next.GameID, next.DesiredStatus = f.GameID, record.Status
	next.Spec.Image = c.Labels.Image
	if stored.Revision == 0 {
		next.Spec.Network = c.Network // a game with an intent has the network that its start named
	}
	if stored.Revision == 0 && c.State == container.StateRunning && !s.isDefaultHealthCheckPassing(ctx, c) {
		next.Spec.HealthPath = operation.NoHealthCheck
	}
	if _, err := s.putIntent(ctx, stored, next, fence); err != nil {
		return err
	}
	return s.putRecord(ctx, record, 0, origin)
}

// isDefaultHealthCheckPassing reports whether an adopted container, whose spec is
// unknown, passes the default health check. If it does not, the caller disables health
// checks for the game, which would otherwise be restarted forever.
func (s *Service) isDefaultHealthCheckPassing(ctx context.Context, c container.Container) bool {
	target, isKnown := operation.Spec{}.HealthCheck().Target(s.healthSource(c))
	return isKnown && s.deps.Prober.Probe(ctx, target) == nil
}
