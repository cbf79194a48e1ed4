package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// written names the writes of one operation, so that each one is made once however
// often it is repeated. The one that matters most carries the operation's own id.
type written string

const (
	theWrite    written = ""
	halfway     written = "/halfway"
	rolledBack  written = "/rollback"
	newEndpoint written = "/endpoint"
)

// become makes the record say that the game has this status, with this container
// where the status has one. It does nothing where the record says so already. A
// record that neither stands as the operation found it nor as it left it is a
// *runtime.ConflictError: somebody else has changed it, and knows why.
func (r *run) become(ctx context.Context, to runtime.Status, c container.Container, as written, reason string) error {
	// Whoever notices an exit may be quicker with the same news: then look again.
	const most = 5
	var err error
	for range most {
		if err = r.tryBecome(ctx, to, c, as, reason); !errors.Is(err, runtime.ErrConflict) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("write that the game is %s: %w", to, err)
	}
	return r.moveEndpoint(ctx, c)
}

func (r *run) tryBecome(ctx context.Context, to runtime.Status, c container.Container, as written, reason string) error {
	current, revision, err := r.s.find(ctx, r.gameID)
	switch {
	case err != nil:
		return err
	case current != nil && says(*current, to, c.ID):
		r.left = runtime.VersionedRecord{Record: *current, Revision: revision}
		return nil
	case !r.knows(current):
		return r.stranger(current, revision)
	}
	origin := ports.Origin{OperationID: r.op().ID + string(as), Actor: r.op().Actor, Reason: reason}
	var left runtime.VersionedRecord
	if current != nil && onlyStatus(*current, to, c) {
		left, err = r.s.Records.Transition(ctx, ports.TransitionInput{
			UpdateStatusInput: ports.UpdateStatusInput{
				GameID: r.gameID, ExpectedFrom: current.Status, ExpectedContainerID: current.CurrentContainerID, To: to, Now: r.s.now(),
			},
			Origin: origin, Fence: &r.fence,
		})
	} else {
		left, err = r.s.Records.Put(ctx, ports.PutInput{
			Record: r.compose(current, to, c), IfRevision: &revision, Origin: origin, Fence: &r.fence,
		})
	}
	if errors.Is(err, runtime.ErrFenced) {
		return fmt.Errorf("%w: %w", errOvertaken, err)
	}
	if err != nil {
		return err
	}
	r.left = left
	if !says(left.Record, to, c.ID) {
		return r.again(ctx, to, c, left, origin)
	}
	return nil
}

// onlyStatus reports whether nothing but the status has to change in the record. An
// endpoint changes along where the engine gives out another one with each start: in one
// write, so that no record of a running game names the one before.
func onlyStatus(current runtime.RuntimeRecord, to runtime.Status, c container.Container) bool {
	return runtime.Transition(current.Status, to) == nil && (to == runtime.StatusRemoved || current.CurrentContainerID == c.ID) &&
		(to != runtime.StatusRunning || c.Endpoint == "" || c.Endpoint == current.EngineEndpoint)
}

// again writes what the store took for a repetition: the operation id, or one of this
// operation's earlier writes, has been used before, and the record says something else
// since. It is the same write under an id that names the revision it replaces.
func (r *run) again(ctx context.Context, to runtime.Status, c container.Container, stands runtime.VersionedRecord, origin ports.Origin) error {
	if !r.knows(&stands.Record) {
		return r.stranger(&stands.Record, stands.Revision)
	}
	origin.OperationID = fmt.Sprintf("%s/%d", origin.OperationID, stands.Revision)
	left, err := r.s.Records.Put(ctx, ports.PutInput{
		Record: r.compose(&stands.Record, to, c), IfRevision: &stands.Revision, Origin: origin, Fence: &r.fence,
	})
	if err == nil {
		r.left = left
	}
	return err
}

// stranger is the error of a record that this operation has nothing to do with.
func (r *run) stranger(current *runtime.RuntimeRecord, revision int64) error {
	conflict := &runtime.ConflictError{GameID: r.gameID, Precondition: runtime.PreconditionContainerID, Expected: r.expected(), Revision: revision}
	if current != nil {
		conflict.Actual, conflict.Current = current.CurrentContainerID, *current
	}
	return conflict
}

// says reports whether the record says this already.
func says(record runtime.RuntimeRecord, status runtime.Status, containerID string) bool {
	return record.Status == status && (status == runtime.StatusRemoved || record.CurrentContainerID == containerID)
}

// knows reports whether a record is one that this operation found or left.
func (r *run) knows(record *runtime.RuntimeRecord) bool {
	before := r.op().PreviousRecord
	switch {
	case record == nil:
		return before == nil
	case record.CurrentContainerID == "":
		// Removed: found so, or left so.
		return before == nil || before.Status == runtime.StatusRemoved || record.Generation <= max(before.Generation, r.op().Generation)
	default:
		return r.isBefore(record.CurrentContainerID) || record.CurrentContainerID == r.op().ContainerID
	}
}

func (r *run) expected() string {
	if before := r.op().PreviousRecord; before != nil {
		return before.CurrentContainerID
	}
	return ""
}

// compose makes a record of a container that is not the present record's.
func (r *run) compose(current *runtime.RuntimeRecord, to runtime.Status, c container.Container) runtime.RuntimeRecord {
	now := r.s.now()
	record := runtime.RuntimeRecord{GameID: r.gameID, CreatedAt: now}
	if current != nil {
		record = current.Clone()
	}
	record.Status, record.LastOpAt, record.RemovedAt = to, now, nil
	record.Region, record.Node = r.op().Region, r.op().Node
	if c.ID != "" {
		record.CurrentContainerID, record.CurrentImageRef = c.ID, c.Labels.Image
		record.EngineEndpoint, record.StatePath, record.DockerNetwork = c.Endpoint, c.StatePath, c.Network
		record.Generation = max(record.Generation, c.Labels.Generation)
	}
	switch to {
	case runtime.StatusRunning:
		record.StartedAt, record.StoppedAt = &now, nil
	case runtime.StatusStopped:
		record.StoppedAt = &now
	case runtime.StatusRemoved:
		record.RemovedAt, record.CurrentContainerID = &now, ""
	}
	return record
}

// moveEndpoint writes where the game is reached, if it came up elsewhere than before.
func (r *run) moveEndpoint(ctx context.Context, c container.Container) error {
	record := r.left.Record
	if record.Status != runtime.StatusRunning || c.Endpoint == "" || record.EngineEndpoint == c.Endpoint {
		return nil
	}
	moved := record.Clone()
	moved.EngineEndpoint = c.Endpoint
	left, err := r.s.Records.Put(ctx, ports.PutInput{
		Record: moved, IfRevision: &r.left.Revision, Fence: &r.fence,
		Origin: ports.Origin{OperationID: r.op().ID + string(newEndpoint), Actor: r.op().Actor, Reason: "the game is reached at " + c.Endpoint},
	})
	switch {
	case errors.Is(err, runtime.ErrConflict):
		return nil // somebody has changed the record since, and the next pass looks again
	case err != nil:
		return fmt.Errorf("write where the game is reached: %w", overtaken(err))
	}
	r.left = left
	return nil
}
