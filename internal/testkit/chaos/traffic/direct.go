package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// direct is a store in this process.
type direct struct {
	id    int
	store Store
	run   string
}

func (d direct) name() string { return fmt.Sprintf("store-%d", d.id) }

func (d direct) hasLabels() bool { return false }

// call implements target.
func (d direct) call(ctx context.Context, call *recording.Call) {
	switch call.Method {
	case recording.Get:
		d.get(ctx, call)
	case recording.List:
		d.list(ctx, call)
	case recording.History:
		entries, err := d.store.History(ctx, call.Game)
		setResult(call, runtime.VersionedRecord{}, err)
		for _, entry := range entries {
			encoded, _ := json.Marshal(entry)
			call.Entries = append(call.Entries, encoded)
		}
	case recording.Put, recording.PutIf:
		input := ports.PutInput{Origin: ports.Origin{OperationID: call.OperationID}, Fence: fenceOf(call)}
		if err := json.Unmarshal(call.Input, &input.Record); err != nil {
			call.Outcome, call.Error = recording.Rejected, err.Error()
			return
		}
		if call.Method == recording.PutIf {
			input.IfRevision = &call.IfRevision
		}
		stored, err := d.store.Put(ctx, input)
		setResult(call, stored, err)
	case recording.Delete:
		setResult(call, runtime.VersionedRecord{}, d.store.Delete(ctx, ports.DeleteInput{GameID: call.Game, Origin: ports.Origin{OperationID: call.OperationID}}))
	case recording.UpdateStatus:
		input := ports.TransitionInput{Origin: ports.Origin{OperationID: call.OperationID}, Fence: fenceOf(call)}
		input.UpdateStatusInput = ports.UpdateStatusInput{
			GameID: call.Game, ExpectedFrom: runtime.Status(call.From), ExpectedContainerID: call.ContainerID, To: runtime.Status(call.To), Now: time.Now(),
		}
		stored, err := d.store.Transition(ctx, input)
		setResult(call, stored, err)
	default:
		call.Outcome, call.Error = recording.Rejected, fmt.Sprintf("method %s is not one of records", call.Method)
	}
}

func (d direct) get(ctx context.Context, call *recording.Call) {
	if !call.Local {
		found, err := d.store.GetVersioned(ctx, call.Game)
		setResult(call, found, err)
		return
	}
	found, asOf, err := d.store.GetLocal(ctx, call.Game)
	call.AsOf = asOf
	setResult(call, found, err)
}

func (d direct) list(ctx context.Context, call *recording.Call) {
	query := ports.PageQuery{Limit: 4, Local: call.Local, RecordFilter: ports.FilterByStatus(runtime.Status(call.Status))}
	query.Regions = []string{NoRegion}
	for {
		got, err := d.store.ListPage(ctx, query)
		if setResult(call, runtime.VersionedRecord{}, err); err != nil {
			call.Items, call.Revision = nil, 0
			return
		}
		if query.Revision != 0 && query.Revision != got.Revision {
			call.Error = fmt.Sprintf("pages at the revisions %d and %d", query.Revision, got.Revision)
		}
		call.Revision = got.Revision
		for _, found := range got.Records {
			if strings.HasPrefix(found.Record.GameID, d.run+"-record-") {
				call.Items = append(call.Items, recording.Item{Game: found.Record.GameID, Revision: found.Revision, Status: string(found.Record.Status), ContainerID: found.Record.CurrentContainerID})
			}
		}
		if query.Revision, query.After = got.Revision, got.Next; got.Next == "" {
			return
		}
	}
}

// fenceOf returns the fence of a call, nil for none.
func fenceOf(call *recording.Call) *node.Fence {
	if call.FenceKey == "" {
		return nil
	}
	return &node.Fence{Key: call.FenceKey, CreateRevision: call.FenceRevision}
}

// setResult fills in the result of a call.
func setResult(call *recording.Call, found runtime.VersionedRecord, err error) {
	var conflict *runtime.ConflictError
	switch {
	case err == nil:
		call.Outcome = recording.Done
	case errors.Is(err, runtime.ErrOutcomeUnknown):
		call.Outcome = recording.Unknown
	case errors.As(err, &conflict):
		call.Outcome, found = recording.Conflict, runtime.VersionedRecord{Record: conflict.Current, Revision: conflict.Revision}
	case errors.Is(err, runtime.ErrNotFound):
		call.Outcome = recording.NotFound
	case errors.Is(err, runtime.ErrInvalidTransition), errors.Is(err, runtime.ErrFenced), errors.Is(err, runtime.ErrInvalid), errors.Is(err, operation.ErrRejected):
		call.Outcome = recording.Rejected
	default: // a write that may have been applied is one of unknown outcome
		call.Outcome = recording.Unavailable
	}
	if err != nil {
		call.Error = err.Error()
	}
	if found.Revision != 0 {
		call.Revision = found.Revision
		call.Output, _ = json.Marshal(found.Record)
	}
}
