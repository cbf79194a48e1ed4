package lifecycle

import (
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// maxOperationIDBytes is the length of the longest operation ID of a request. It leaves
// space in the ledger for the suffixes that distinguish the writes of one operation.
const maxOperationIDBytes = ports.MaxOperationIDBytes - 32

// validateRequest rejects requests that could never be carried out. It sets the
// operation ID if the request has none.
func validateRequest(request *ports.OperationRequest) error {
	faults := []error{runtime.ValidateGameID(request.GameID), request.Origin.Validate()}
	if len(request.Origin.OperationID) > maxOperationIDBytes {
		faults = append(faults, &runtime.InvalidError{Field: "operation_id", Reason: fmt.Sprintf("has %d bytes; at most %d are allowed", len(request.Origin.OperationID), maxOperationIDBytes)})
	}
	switch request.Kind {
	case operation.KindStart:
		if request.Spec != nil && request.Spec.Image != "" {
			faults = append(faults, request.Spec.Validate())
		}
	case operation.KindPatch:
		faults = append(faults, operation.ValidateImage(request.Image))
	case operation.KindStop, operation.KindRestart, operation.KindCleanup:
	default:
		faults = append(faults, &runtime.InvalidError{Field: "kind", Reason: fmt.Sprintf("%q is not one of start, stop, restart, patch and cleanup", request.Kind)})
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if request.Origin.OperationID == "" {
		request.Origin.OperationID = operation.NewID()
	}
	return nil
}

// operationIDReusedError is returned for an operation ID that belongs to an operation of
// another kind.
func operationIDReusedError(request ports.OperationRequest, kind operation.Kind) error {
	return &runtime.InvalidError{Field: "operation_id", Reason: fmt.Sprintf("%q belongs to a %s; a %s needs another operation ID", request.Origin.OperationID, kind, request.Kind)}
}

func busyError(gameID string, op *operation.Operation) error {
	return &operation.BusyError{
		GameID: gameID, OperationID: op.ID, Kind: op.Kind, Step: op.Step,
		Holder: op.NodeRef().String(), Actor: op.Actor, Since: op.StartedAt,
	}
}
