package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// writeSuffix distinguishes the writes of one operation. It is appended to the operation
// ID, so that the store applies each of them once, however often it is retried.
type writeSuffix string

const (
	finalWrite        writeSuffix = "" // the write of the requested status has the operation's ID
	intermediateWrite writeSuffix = "/intermediate"
	rollbackWrite     writeSuffix = "/rollback"
	endpointWrite     writeSuffix = "/endpoint"
)

// setStatus sets the record to the status, with the container if the status has one. It
// writes nothing if the record has both already. It returns a *runtime.ConflictError if
// another writer has changed the record to a state that this operation neither found nor
// wrote.
func (e *execution) setStatus(ctx context.Context, to runtime.Status, c container.Container, suffix writeSuffix, reason string) error {
	// Another writer may record the same exit first: a conflict is retried from a fresh
	// read.
	const maxAttempts = 5
	var err error
	for range maxAttempts {
		if err = e.trySetStatus(ctx, to, c, suffix, reason); !errors.Is(err, runtime.ErrConflict) {
			break
		}
		e.base, e.mustReadBase = baseAfterConflict(err), true
	}
	if err != nil {
		return fmt.Errorf("set the record to %s: %w", to, err)
	}
	return e.updateEndpoint(ctx, c)
}

// trySetStatus makes one attempt of setStatus, without the endpoint.
func (e *execution) trySetStatus(ctx context.Context, to runtime.Status, c container.Container, suffix writeSuffix, reason string) error {
	base, err := e.loadBase(ctx, to, c)
	switch {
	case err != nil:
		return err
	case hasStatusAndContainer(base.record, to, c.ID):
		e.lastWrite = base.versioned()
		return nil
	case !e.isOwnRecord(base.record):
		return e.foreignRecordError(base)
	}
	origin, condition := e.origin(suffix, reason), e.conditionAfter(base.record, to, c.ID, suffix)
	var stored runtime.VersionedRecord
	if base.record != nil && isPlainTransition(*base.record, to, c.ID) && (to != runtime.StatusRunning || e.hasRequests(*base.record) && !e.setsLabelsOrMetadata()) {
		stored, err = e.service.deps.Records.Transition(ctx, ports.TransitionInput{
			UpdateStatusInput: ports.UpdateStatusInput{
				GameID: e.gameID, ExpectedFrom: base.record.Status, ExpectedContainerID: base.record.CurrentContainerID, To: to, Now: e.service.now(),
			},
			Endpoint: endpointAfter(base.record.EngineEndpoint, to, c), Ports: c.Ports, Condition: &condition, Origin: origin, Fence: &e.fence,
		})
	} else {
		stored, err = e.put(ctx, e.newRecord(base.record, to, c, condition), base.revision, origin)
	}
	if errors.Is(err, runtime.ErrFenced) {
		return fmt.Errorf("%w: %w", errSuperseded, err)
	}
	if err != nil {
		return err
	}
	e.setLastWrite(stored)
	if !hasStatusAndContainer(&stored.Record, to, c.ID) {
		return e.writeUnderNewID(ctx, to, c, condition, origin)
	}
	return nil
}

// origin returns the origin of a write. The daemon that resumes the operation may repeat
// the write with other times and another container.
func (e *execution) origin(suffix writeSuffix, reason string) ports.Origin {
	id := e.op().ID + string(suffix)
	if attempts := len(e.op().Attempts); attempts > 0 { // the node of an earlier attempt may have written the record
		id = fmt.Sprintf("%s/attempt-%d%s", e.op().ID, attempts+1, suffix)
	}
	return ports.Origin{OperationID: id, IgnoreContents: true, Actor: e.op().Actor, Reason: reason}
}

// loadBase returns the record to base the write on. It returns the record that this
// execution read or wrote last, or that the store knows, without another read, because the
// compare-and-swap verifies it. If that record has the status and container already, or is another
// writer's, there may be nothing to write and so no compare-and-swap: then loadBase reads the
// record.
func (e *execution) loadBase(ctx context.Context, to runtime.Status, c container.Container) (recordState, error) {
	if e.base == nil && !e.mustReadBase {
		e.base = e.service.knownRecord(e.gameID)
	}
	if e.base == nil || hasStatusAndContainer(e.base.record, to, c.ID) || !e.isOwnRecord(e.base.record) {
		current, err := e.service.readRecord(ctx, e.gameID)
		if err != nil {
			return current, err
		}
		e.base = &current
	}
	return *e.base, nil
}

// put writes the record if the stored one has the revision.
func (e *execution) put(ctx context.Context, record runtime.RuntimeRecord, ifRevision int64, origin ports.Origin) (runtime.VersionedRecord, error) {
	return e.service.deps.Records.Put(ctx, ports.PutInput{Record: record, IfRevision: &ifRevision, Origin: origin, Fence: &e.fence})
}

func (e *execution) setLastWrite(stored runtime.VersionedRecord) {
	e.lastWrite = stored
	e.base = &recordState{&stored.Record, stored.Revision}
}

// isPlainTransition reports whether only status and endpoint have to change.
func isPlainTransition(current runtime.RuntimeRecord, to runtime.Status, containerID string) bool {
	return runtime.Transition(current.Status, to) == nil && (to == runtime.StatusRemoved || current.CurrentContainerID == containerID)
}

// hasRequests reports whether the record has the requests of the operation's spec.
func (e *execution) hasRequests(record runtime.RuntimeRecord) bool {
	requests := e.op().Spec.Requests()
	return record.RequestCPUs == requests.CPUs && record.RequestMemoryBytes == requests.MemoryBytes
}

// setsLabelsOrMetadata reports whether the operation gives the game labels or metadata. They must be
// written even if the record has them already: a transition compares only status and container, and
// another writer may have changed the others since.
func (e *execution) setsLabelsOrMetadata() bool {
	return e.op().Labels != nil || e.op().Metadata != ""
}

// endpointAfter returns the endpoint of a record after its transition, nil if the
// transition keeps the current one. Only a running game has an endpoint. An engine may
// assign another endpoint at each start. Status and endpoint change in one write, so that
// no record names an endpoint at which its game does not run.
func endpointAfter(current string, to runtime.Status, c container.Container) *string {
	endpoint := ""
	if to == runtime.StatusRunning {
		endpoint = cmp.Or(c.Endpoint, current)
	}
	if endpoint == current {
		return nil
	}
	return &endpoint
}

// writeUnderNewID repeats a write that the store deduplicated although the record has
// changed since. It appends the replaced revision to the operation ID.
func (e *execution) writeUnderNewID(ctx context.Context, to runtime.Status, c container.Container, condition runtime.Condition, origin ports.Origin) error {
	current := *e.base
	if !e.isOwnRecord(current.record) {
		return e.foreignRecordError(current)
	}
	origin.OperationID = fmt.Sprintf("%s/%d", origin.OperationID, current.revision)
	stored, err := e.put(ctx, e.newRecord(current.record, to, c, condition), current.revision, origin)
	if err == nil {
		e.setLastWrite(stored)
	}
	return err
}

// foreignRecordError is returned if another writer has changed the record.
func (e *execution) foreignRecordError(current recordState) error {
	conflict := &runtime.ConflictError{GameID: e.gameID, Precondition: runtime.PreconditionContainerID, Revision: current.revision}
	if previous := e.op().PreviousRecord; previous != nil {
		conflict.Expected = previous.CurrentContainerID
	}
	if current.record != nil {
		conflict.Actual, conflict.Current = current.record.CurrentContainerID, *current.record
	}
	return conflict
}

// hasStatusAndContainer reports whether the record has the status and the container
// already. A removed record has no container.
func hasStatusAndContainer(record *runtime.RuntimeRecord, status runtime.Status, containerID string) bool {
	return record != nil && record.Status == status && (status == runtime.StatusRemoved || record.CurrentContainerID == containerID)
}

// isOwnRecord reports whether the record is one that this operation found or wrote.
func (e *execution) isOwnRecord(record *runtime.RuntimeRecord) bool {
	previous := e.op().PreviousRecord
	switch {
	case record == nil:
		return previous == nil
	case record.CurrentContainerID == "": // removed, before or by this operation
		return previous == nil || previous.Status == runtime.StatusRemoved || record.Generation <= max(previous.Generation, e.op().Generation)
	default:
		return e.isPreviousContainer(record.CurrentContainerID) || record.CurrentContainerID == e.op().ContainerID
	}
}

// newRecord returns the record of the game with the status, the container and the condition.
func (e *execution) newRecord(current *runtime.RuntimeRecord, to runtime.Status, c container.Container, condition runtime.Condition) runtime.RuntimeRecord {
	now := e.service.now()
	record := runtime.RuntimeRecord{GameID: e.gameID, CreatedAt: now}
	if current != nil {
		record = current.Clone()
	}
	record.Status, record.LastOpAt, record.RemovedAt = to, now, nil
	record.Region, record.Node, record.Condition = e.op().Region, e.op().Node, condition
	if c.ID != "" {
		record.CurrentContainerID, record.CurrentImageRef = c.ID, c.Labels.Image
		record.ImageDigest = c.ImageDigest
		record.EngineEndpoint, record.StatePath, record.DockerNetwork = c.Endpoint, c.StatePath, c.Network
		record.Ports = c.Ports
		record.Generation = max(record.Generation, c.Labels.Generation)
	}
	if to != runtime.StatusRunning {
		record.EngineEndpoint, record.Ports = "", nil
	} else {
		requests := e.op().Spec.Requests()
		record.RequestCPUs, record.RequestMemoryBytes = requests.CPUs, requests.MemoryBytes
		if labels := e.op().Labels; labels != nil {
			record.Labels = runtime.ChangeLabels(nil, labels, nil)
		}
		if metadata := e.op().Metadata; metadata != "" {
			record.Metadata = metadata.Normal()
		}
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

// updateRequests writes what the spec of the operation requests into the record of a running game
// that keeps its container: the placement counts what the records of running games have.
func (e *execution) updateRequests(ctx context.Context) error {
	const maxAttempts = 5 // the node writes the condition at any time
	var err error
	for range maxAttempts {
		if err = e.tryUpdateRequests(ctx); !errors.Is(err, runtime.ErrConflict) {
			break
		}
	}
	if errors.Is(err, runtime.ErrFenced) {
		return fmt.Errorf("%w: %w", errSuperseded, err)
	}
	return err
}

func (e *execution) tryUpdateRequests(ctx context.Context) error {
	current, err := e.service.readRecord(ctx, e.gameID)
	if err != nil || current.record == nil || current.record.Status != runtime.StatusRunning || !e.isOwnRecord(current.record) || e.hasRequests(*current.record) {
		return err
	}
	record, requests := current.record.Clone(), e.op().Spec.Requests()
	record.RequestCPUs, record.RequestMemoryBytes, record.LastOpAt = requests.CPUs, requests.MemoryBytes, e.service.now()
	stored, err := e.put(ctx, record, current.revision, e.origin(finalWrite, e.reason()))
	if err != nil {
		return fmt.Errorf("write what the game requests: %w", err)
	}
	e.setLastWrite(stored)
	return nil
}

// updateEndpoint writes the container's endpoint and ports into the record if they differ.
func (e *execution) updateEndpoint(ctx context.Context, c container.Container) error {
	record := e.lastWrite.Record
	endpoint := cmp.Or(c.Endpoint, record.EngineEndpoint)
	if record.Status != runtime.StatusRunning || record.EngineEndpoint == endpoint && slices.Equal(record.Ports, c.Ports) {
		return nil
	}
	record = record.Clone()
	record.EngineEndpoint, record.Ports = endpoint, slices.Clone(c.Ports)
	stored, err := e.put(ctx, record, e.lastWrite.Revision, e.origin(endpointWrite, "the endpoint is "+endpoint))
	switch {
	case errors.Is(err, runtime.ErrConflict):
		e.base = nil
		return nil // another writer has changed the record; the reconcile worker corrects the endpoint
	case err != nil:
		return fmt.Errorf("write the endpoint: %w", asSuperseded(err))
	}
	e.setLastWrite(stored)
	return nil
}
