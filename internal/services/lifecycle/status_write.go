package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// writeSuffix names the writes of one operation, so that each one is made once however
// often it is repeated. The one that matters most carries the operation's own id.
type writeSuffix string

const (
	finalWrite        writeSuffix = ""
	intermediateWrite writeSuffix = "/halfway"
	rollbackWrite     writeSuffix = "/rollback"
	endpointWrite     writeSuffix = "/endpoint"
)

// setStatus makes the record say that the game has this status, with this container
// where the status has one. It does nothing where the record says so already. A
// record that neither stands as the operation found it nor as it left it is a
// *runtime.ConflictError: somebody else has changed it, and knows why.
func (r *execution) setStatus(ctx context.Context, to runtime.Status, c container.Container, as writeSuffix, reason string) error {
	// Whoever notices an exit may be quicker with the same news: then look again.
	const most = 5
	var err error
	for range most {
		if err = r.trySetStatus(ctx, to, c, as, reason); !errors.Is(err, runtime.ErrConflict) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("write that the game is %s: %w", to, err)
	}
	return r.updateEndpoint(ctx, c)
}

func (r *execution) trySetStatus(ctx context.Context, to runtime.Status, c container.Container, as writeSuffix, reason string) error {
	current, revision, err := r.service.findRecord(ctx, r.gameID)
	switch {
	case err != nil:
		return err
	case current != nil && matches(*current, to, c.ID):
		r.lastWrite = runtime.VersionedRecord{Record: *current, Revision: revision}
		return nil
	case !r.ownsRecord(current):
		return r.foreignRecordError(current, revision)
	}
	origin := ports.Origin{OperationID: r.op().ID + string(as), Actor: r.op().Actor, Reason: reason}
	var left runtime.VersionedRecord
	if current != nil && isPlainTransition(*current, to, c) {
		left, err = r.service.Records.Transition(ctx, ports.TransitionInput{
			UpdateStatusInput: ports.UpdateStatusInput{
				GameID: r.gameID, ExpectedFrom: current.Status, ExpectedContainerID: current.CurrentContainerID, To: to, Now: r.service.now(),
			},
			Origin: origin, Fence: &r.fence,
		})
	} else {
		left, err = r.service.Records.Put(ctx, ports.PutInput{
			Record: r.newRecord(current, to, c), IfRevision: &revision, Origin: origin, Fence: &r.fence,
		})
	}
	if errors.Is(err, runtime.ErrFenced) {
		return fmt.Errorf("%w: %w", errSuperseded, err)
	}
	if err != nil {
		return err
	}
	r.lastWrite = left
	if !matches(left.Record, to, c.ID) {
		return r.writeUnderNewID(ctx, to, c, left, origin)
	}
	return nil
}

// isPlainTransition reports whether nothing but the status has to change in the record. An
// endpoint changes along where the engine gives out another one with each start: in one
// write, so that no record of a running game names the one before.
func isPlainTransition(current runtime.RuntimeRecord, to runtime.Status, c container.Container) bool {
	return runtime.Transition(current.Status, to) == nil && (to == runtime.StatusRemoved || current.CurrentContainerID == c.ID) &&
		(to != runtime.StatusRunning || c.Endpoint == "" || c.Endpoint == current.EngineEndpoint)
}

// writeUnderNewID writes what the store took for a repetition: the operation id, or one of this
// operation's earlier writes, has been used before, and the record says something else
// since. It is the same write under an id that names the revision it replaces.
func (r *execution) writeUnderNewID(ctx context.Context, to runtime.Status, c container.Container, stands runtime.VersionedRecord, origin ports.Origin) error {
	if !r.ownsRecord(&stands.Record) {
		return r.foreignRecordError(&stands.Record, stands.Revision)
	}
	origin.OperationID = fmt.Sprintf("%s/%d", origin.OperationID, stands.Revision)
	left, err := r.service.Records.Put(ctx, ports.PutInput{
		Record: r.newRecord(&stands.Record, to, c), IfRevision: &stands.Revision, Origin: origin, Fence: &r.fence,
	})
	if err == nil {
		r.lastWrite = left
	}
	return err
}

// foreignRecordError is the error of a record that this operation has nothing to do with.
func (r *execution) foreignRecordError(current *runtime.RuntimeRecord, revision int64) error {
	conflict := &runtime.ConflictError{GameID: r.gameID, Precondition: runtime.PreconditionContainerID, Expected: r.expected(), Revision: revision}
	if current != nil {
		conflict.Actual, conflict.Current = current.CurrentContainerID, *current
	}
	return conflict
}

// matches reports whether the record says this already.
func matches(record runtime.RuntimeRecord, status runtime.Status, containerID string) bool {
	return record.Status == status && (status == runtime.StatusRemoved || record.CurrentContainerID == containerID)
}

// ownsRecord reports whether a record is one that this operation found or left.
func (r *execution) ownsRecord(record *runtime.RuntimeRecord) bool {
	before := r.op().PreviousRecord
	switch {
	case record == nil:
		return before == nil
	case record.CurrentContainerID == "":
		// Removed: found so, or left so.
		return before == nil || before.Status == runtime.StatusRemoved || record.Generation <= max(before.Generation, r.op().Generation)
	default:
		return r.isPreviousContainer(record.CurrentContainerID) || record.CurrentContainerID == r.op().ContainerID
	}
}

func (r *execution) expected() string {
	if before := r.op().PreviousRecord; before != nil {
		return before.CurrentContainerID
	}
	return ""
}

// newRecord makes a record of a container that is not the present record's.
func (r *execution) newRecord(current *runtime.RuntimeRecord, to runtime.Status, c container.Container) runtime.RuntimeRecord {
	now := r.service.now()
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

// updateEndpoint writes where the game is reached, if it came up elsewhere than before.
func (r *execution) updateEndpoint(ctx context.Context, c container.Container) error {
	record := r.lastWrite.Record
	if record.Status != runtime.StatusRunning || c.Endpoint == "" || record.EngineEndpoint == c.Endpoint {
		return nil
	}
	moved := record.Clone()
	moved.EngineEndpoint = c.Endpoint
	left, err := r.service.Records.Put(ctx, ports.PutInput{
		Record: moved, IfRevision: &r.lastWrite.Revision, Fence: &r.fence,
		Origin: ports.Origin{OperationID: r.op().ID + string(endpointWrite), Actor: r.op().Actor, Reason: "the game is reached at " + c.Endpoint},
	})
	switch {
	case errors.Is(err, runtime.ErrConflict):
		return nil // somebody has changed the record since, and the next pass looks again
	case err != nil:
		return fmt.Errorf("write where the game is reached: %w", asSuperseded(err))
	}
	r.lastWrite = left
	return nil
}
