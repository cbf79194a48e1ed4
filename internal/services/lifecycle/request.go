package lifecycle

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
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
		faults = append(faults, validateRequestedSpec(*request), request.Metadata.Validate("metadata"))
	case operation.KindPatch:
		if request.Spec == nil || request.Image != "" {
			faults = append(faults, operation.ValidateImage(request.Image))
		}
		faults = append(faults, validateRequestedSpec(*request))
	case operation.KindStop:
		if grace := request.StopGrace; grace != nil {
			spec := operation.Spec{Image: "any:1", StopGrace: operation.Duration(*grace)}
			faults = append(faults, spec.Validate())
		}
	case operation.KindMove:
		if request.Target == nil || request.Target.Name == "" {
			faults = append(faults, &runtime.InvalidError{Field: "node", Reason: "is required: name the node to which the game is to be moved"})
		}
	case operation.KindRestart, operation.KindCleanup:
	default:
		faults = append(faults, &runtime.InvalidError{Field: "kind", Reason: fmt.Sprintf("%q is not one of start, stop, restart, patch, cleanup and move", request.Kind)})
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if request.Origin.OperationID == "" {
		request.Origin.OperationID = operation.NewID()
	}
	return nil
}

// validateRequestedSpec validates the spec of a request, which may omit the image.
func validateRequestedSpec(request ports.OperationRequest) error {
	if request.Spec == nil {
		return nil
	}
	spec := *request.Spec
	spec.Image = cmp.Or(spec.Image, "previous:1")
	faults := []error{spec.Validate()}
	for _, name := range spec.Secrets {
		faults = append(faults, secret.ValidateReference(request.GameID, name))
	}
	return errors.Join(faults...)
}

// requestHash returns the hash of kind and settings of the request, without its origin.
func requestHash(request ports.OperationRequest) string {
	content, err := json.Marshal(struct {
		Kind      operation.Kind
		Spec      *operation.Spec
		Image     string
		Force     bool
		StopGrace *time.Duration
		// absent, as in the hashes of earlier versions
		Pull   bool              `json:",omitempty"`
		Target *node.Ref         `json:",omitempty"`
		Labels map[string]string `json:",omitempty"`

		Metadata runtime.Metadata `json:",omitzero"`
	}{request.Kind, request.Spec, request.Image, request.Force, request.StopGrace, request.Pull, request.Target, request.Labels, request.Metadata})
	if err != nil {
		return "" // a spec that cannot be encoded is rejected when it is stored
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:16])
}

// checkIDReuse returns an IDReusedError unless the operation with the request's operation
// ID has the same kind and hash. An empty hash, of an operation that an earlier version
// stored, matches every request.
func checkIDReuse(request ports.OperationRequest, kind operation.Kind, hash string) error {
	if kind == request.Kind && (hash == "" || hash == requestHash(request)) {
		return nil
	}
	return &operation.IDReusedError{GameID: request.GameID, OperationID: request.Origin.OperationID, Kind: kind}
}

func busyError(gameID string, op *operation.Operation) error {
	return operation.NewBusyError(gameID, *op)
}
