package problem

import (
	"context"
	"errors"
	"net/http"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/membership"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
)

// ErrShuttingDown ends requests when the server shuts down.
var ErrShuttingDown = errors.New("the server is shutting down")

// errorCode is the code of one error of the domain.
type errorCode struct {
	target error
	code   api.Code
	// isHidden replaces the text of the error, which may contain internals of the server,
	// by the text of target.
	isHidden bool
}

// errorCodes returns the table from errors to codes. The order matters for an error that
// matches several targets: an unknown outcome also wraps the error of the context.
func errorCodes() []errorCode {
	return []errorCode{
		{runtime.ErrOutcomeUnknown, api.CodeOutcomeUnknown, true},
		{membership.ErrNotFound, api.CodeNoSuchMember, false},
		{membership.ErrUnsafe, api.CodeUnsafeRemoval, false},
		{membership.ErrNoQuorum, api.CodeNoQuorum, false},
		{membership.ErrNotPermitted, api.CodeNoEngine, false},
		{access.ErrUnauthenticated, api.CodeUnauthenticated, false},
		{access.ErrForbidden, api.CodeForbidden, false},
		{access.ErrUnknownSubject, api.CodeNoSuchSubject, false},
		{access.ErrExists, api.CodeTokenExists, false},
		{secret.ErrUnresolved, api.CodeSecretUnresolved, false}, // before the errors that it wraps
		{secret.ErrNotFound, api.CodeSecretNotFound, false},
		{secret.ErrInUse, api.CodeSecretInUse, false},
		{secret.ErrUnreadable, api.CodeSecretUnreadable, false},
		{secret.ErrNoKeys, api.CodeNoSecretKeys, false},
		{audit.ErrUnavailable, api.CodeAuditUnavailable, true},
		{runtime.ErrNotArchived, api.CodeArchiveUnavailable, true},
		{runtime.ErrNotFound, api.CodeNotFound, false},
		{runtime.ErrConflict, api.CodeConflict, false},
		{runtime.ErrInvalidTransition, api.CodeInvalidTransition, false},
		{runtime.ErrInvalid, api.CodeInvalid, false},
		{operation.ErrBusy, api.CodeBusy, false},
		{operation.ErrRejected, api.CodeRejected, false},
		{operation.ErrManaged, api.CodeManaged, false},
		{operation.ErrPreempted, api.CodePreempted, false},
		{operation.ErrCanceled, api.CodeCanceled, false},
		{rollout.ErrNotFound, api.CodeNoSuchRollout, false},
		{rollout.ErrState, api.CodeRolloutConflict, false},
		{rollout.ErrOverlap, api.CodeRolloutConflict, false},
		{operation.ErrUnknownOperation, api.CodeNoSuchOperation, false},
		{operation.ErrIDReused, api.CodeIdempotencyKeyReused, false},
		{container.ErrNoImage, api.CodeNoImage, false},
		{container.ErrRegistryUnreachable, api.CodeRegistryUnreachable, false},
		{operation.ErrStartFailed, api.CodeStartFailed, false},
		{container.ErrEngineUnavailable, api.CodeEngineUnavailable, false},
		{runtime.ErrPartial, api.CodePartial, false},
		{federation.ErrUnknownStore, api.CodeNoSuchStore, false},
		{federation.ErrUnusable, api.CodeStoreUnusable, false},
		{node.ErrNoCapacity, api.CodeNoCapacity, false},
		{node.ErrUnreachable, api.CodeNodeUnreachable, false},
		{node.ErrMisrouted, api.CodeMisrouted, false},
		{node.ErrNoEngine, api.CodeNoEngine, false},
		{node.ErrNotMember, api.CodeNoEngine, false},
		{runtime.ErrFenced, api.CodeFenced, false},
		{runtime.ErrCompacted, api.CodeCompacted, false},
		{runtime.ErrForeignRevision, api.CodeForeignRevision, false},
		{runtime.ErrCorrupt, api.CodeCorrupt, false},
		{runtime.ErrReadOnly, api.CodeReadOnly, true},
		{runtime.ErrIncompatible, api.CodeIncompatible, true},
		{ErrShuttingDown, api.CodeUnavailable, false},
		{runtime.ErrUnavailable, api.CodeUnavailable, true},
		{context.DeadlineExceeded, api.CodeUnavailable, true},
		{context.Canceled, api.CodeUnavailable, true},
	}
}

// Locate returns the place in the request of a field of the domain, such as
// "body.status".
type Locate func(field string) string

// From returns the problem of an error. locate places invalid fields; nil places all of
// them in the query. A problem in the error's tree is returned unchanged.
func From(err error, locate Locate) *api.Problem {
	var problem *api.Problem
	if errors.As(err, &problem) {
		return problem
	}
	if locate == nil {
		locate = func(field string) string { return "query." + field }
	}
	for _, row := range errorCodes() {
		if !errors.Is(err, row.target) {
			continue
		}
		p := New(codeOf(row.code, err), err.Error())
		if row.isHidden {
			p.Detail = publicText(row, err)
		}
		addDetails(p, err, locate)
		return p
	}
	return Internal()
}

// publicText returns the text of a hidden error. Without a public reason it is that of the target.
func publicText(row errorCode, err error) string {
	var unavailable *runtime.UnavailableError
	switch {
	case row.code == api.CodeUnavailable && errors.As(err, &unavailable):
		return unavailable.Error()
	default:
		return row.target.Error()
	}
}

// Text returns the text of an error that a client may see: the detail of its problem.
func Text(err error) string { return From(err, nil).Error() }

// codeOf returns the code of an error. It replaces the code conflict for a conflict of the
// revision, which has its own code.
func codeOf(code api.Code, err error) api.Code {
	var conflict *runtime.ConflictError
	if code == api.CodeConflict && errors.As(err, &conflict) && conflict.Precondition == runtime.PreconditionRevision {
		return api.CodePreconditionFailed
	}
	return code
}

// addDetails adds the members that the domain's error types carry.
func addDetails(p *api.Problem, err error, locate Locate) {
	var conflict *runtime.ConflictError
	var transition *runtime.TransitionError
	var corrupt *runtime.CorruptError
	var busy *operation.BusyError
	var rejected *operation.RejectedError
	var managed *operation.ManagedError
	var reused *operation.IDReusedError
	var unreachable *node.UnreachableError
	var misrouted *node.MisroutedError
	var unsafe *membership.UnsafeError
	var partial *runtime.PartialError
	var unusable *federation.UnusableError
	var unknownStore *federation.UnknownStoreError
	switch {
	case errors.As(err, &partial):
		p.Missing = partial.Missing
	case errors.As(err, &unusable):
		p.Store = unusable.Store
	case errors.As(err, &unknownStore):
		p.Store = unknownStore.Store
	case errors.As(err, &unsafe):
		p.Member, p.Reason, p.CanForce = unsafe.Member, unsafe.Reason, unsafe.CanForce
	case errors.As(err, &busy):
		addBusy(p, busy)
	case errors.As(err, &managed):
		p.GameID, p.Region, p.Node, p.To = managed.GameID, managed.Node.Region, managed.Node.Name, managed.To
	case errors.As(err, &reused):
		p.GameID, p.OperationID, p.Kind = reused.GameID, reused.OperationID, string(reused.Kind)
	case errors.As(err, &rejected):
		p.GameID, p.Kind, p.GameStatus, p.Reason = rejected.GameID, rejected.Operation, rejected.Status, rejected.Reason
	case p.Code == api.CodeNodeUnreachable && errors.As(err, &unreachable):
		p.Region, p.Node = unreachable.Node.Region, unreachable.Node.Name
		if unreachable.Network {
			p.Status = http.StatusBadGateway
		}
	case errors.As(err, &misrouted):
		p.GameID, p.Region, p.Node = misrouted.GameID, misrouted.Node.Region, misrouted.Node.Name
	case errors.As(err, &conflict):
		addConflict(p, conflict)
	case errors.As(err, &transition):
		p.From, p.To = transition.From, transition.To
	case p.Code == api.CodeInvalid:
		addFaults(p, faultsOf(err, locate))
	case errors.As(err, &corrupt):
		p.Key, p.GameID, p.Reason = corrupt.Key, corrupt.GameID, corrupt.Reason
	}
}

func addConflict(p *api.Problem, conflict *runtime.ConflictError) {
	p.GameID, p.Precondition = conflict.GameID, conflict.Precondition
	p.Expected, p.Actual = conflict.Expected, conflict.Actual
	if conflict.Revision != 0 {
		p.Current, p.Revision = &conflict.Current, conflict.Revision
	}
}

func addBusy(p *api.Problem, busy *operation.BusyError) {
	p.GameID, p.OperationID, p.Kind, p.Step = busy.GameID, busy.OperationID, string(busy.Kind), busy.Step
	p.Holder, p.Actor = busy.Holder, busy.Actor
	if since := busy.Since.UTC(); !busy.Since.IsZero() {
		p.Since = &since
	}
}

// faultsOf returns every *runtime.InvalidError in the error's tree, in order.
func faultsOf(err error, locate Locate) []api.Fault {
	if invalid, ok := err.(*runtime.InvalidError); ok { //nolint:errorlint // faultsOf walks the tree itself
		return []api.Fault{{Location: locate(invalid.Field), Message: invalid.Reason}}
	}
	var faults []api.Fault
	switch e := err.(type) { //nolint:errorlint // faultsOf walks the tree itself
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			faults = append(faults, faultsOf(inner, locate)...)
		}
	case interface{ Unwrap() error }:
		faults = faultsOf(e.Unwrap(), locate)
	}
	return faults
}
