package httpclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/membership"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
)

// serverError is the text of a problem and the domain's sentinel for its code.
type serverError struct {
	text     string
	sentinel error
}

func (e *serverError) Error() string { return e.text }
func (e *serverError) Unwrap() error { return e.sentinel }

// statusError is an error response without a domain error: the server rejected the
// client, or the response does not come from the API.
type statusError struct {
	status int
	text   string
	cause  error // ErrNotAPI or nil
}

func (e *statusError) Error() string { return e.text }
func (e *statusError) Unwrap() error { return e.cause }

// errOperationFailed is an operation that failed for a reason without a domain error.
var errOperationFailed = errors.New("operation failed")

// decodeError returns the domain error of an unexpected response, or a *sendError if
// the response is truncated.
func decodeError(response *http.Response) error {
	problem, err := decodeProblem(response)
	if err != nil {
		return err
	}
	return toDomainError(problem)
}

// decodeProblem returns the problem document of an unexpected response. It returns
// an error if the body is truncated or is no problem document of the API.
func decodeProblem(response *http.Response) (*api.Problem, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProblemBytes))
	if err != nil {
		return nil, &sendError{err: fmt.Errorf("read the response: %w", err), mayHaveArrived: true}
	}
	var problem api.Problem
	if json.Unmarshal(body, &problem) != nil || !strings.HasPrefix(problem.Type, api.ProblemTypePrefix) {
		return nil, nonAPIResponseError(response)
	}
	problem.Status = response.StatusCode
	return &problem, nil
}

// IsNotOffered reports whether the daemon does not offer the request, for example because it is not
// part of a cluster.
func IsNotOffered(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.status == http.StatusNotImplemented
}

// ErrNotAPI matches the error of a response that does not come from the API.
var ErrNotAPI = errors.New("not a response of the API")

// nonAPIResponseError returns the error of a response that does not come from the API.
func nonAPIResponseError(response *http.Response) error {
	return &statusError{status: response.StatusCode, cause: ErrNotAPI, text: fmt.Sprintf("%s returned %s, which is not a response of the API",
		response.Request.URL.Redacted(), response.Status)}
}

// toDomainError returns the domain error of a problem. It is the inverse of the
// server's table from errors to problems.
func toDomainError(p *api.Problem) error {
	switch p.Code {
	case api.CodeInvalid:
		return toInvalidError(p)
	case api.CodeConflict, api.CodePreconditionFailed:
		return toConflictError(p)
	case api.CodeInvalidTransition:
		return &runtime.TransitionError{From: p.From, To: p.To}
	case api.CodeBusy:
		return toBusyError(p)
	case api.CodeManaged:
		return &operation.ManagedError{GameID: p.GameID, Node: node.Ref{Region: p.Region, Name: p.Node}, To: p.To}
	case api.CodeIdempotencyKeyReused:
		return &operation.IDReusedError{GameID: p.GameID, OperationID: p.OperationID, Kind: operation.Kind(p.Kind)}
	case api.CodeRejected:
		return &operation.RejectedError{GameID: p.GameID, Operation: p.Kind, Status: p.GameStatus, Reason: p.Reason}
	case api.CodePartial:
		if len(p.Missing) > 0 {
			return &runtime.PartialError{Missing: p.Missing}
		}
	case api.CodeUnsafeRemoval:
		return &membership.UnsafeError{Member: p.Member, Reason: p.Reason, CanForce: p.CanForce}
	case api.CodeCorrupt:
		return &runtime.CorruptError{Key: p.Key, GameID: p.GameID, Reason: p.Reason}
	default: // without details
	}
	if sentinel := sentinelByCode(p.Code); sentinel != nil {
		return &serverError{text: p.Error(), sentinel: sentinel}
	}
	text := p.Title
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return &statusError{status: p.Status, text: text}
}

// sentinelByCode returns the domain's error of a code, and nil for a code that concerns
// only HTTP.
func sentinelByCode(code api.Code) error {
	switch code {
	case api.CodeNotFound:
		return runtime.ErrNotFound
	case api.CodeNoSuchMember:
		return membership.ErrNotFound
	case api.CodeNoQuorum:
		return membership.ErrNoQuorum
	case api.CodeUnauthenticated:
		return access.ErrUnauthenticated
	case api.CodeForbidden:
		return access.ErrForbidden
	case api.CodeNoSuchSubject:
		return access.ErrUnknownSubject
	case api.CodeTokenExists:
		return access.ErrExists
	case api.CodeFenced:
		return runtime.ErrFenced
	case api.CodeCompacted:
		return runtime.ErrCompacted
	case api.CodeForeignRevision:
		return runtime.ErrForeignRevision
	case api.CodeReadOnly:
		return runtime.ErrReadOnly
	case api.CodeIncompatible:
		return runtime.ErrIncompatible
	case api.CodeOutcomeUnknown:
		return runtime.ErrOutcomeUnknown
	case api.CodeRegistryUnreachable:
		return container.ErrRegistryUnreachable
	case api.CodeNoImage:
		return container.ErrNoImage
	case api.CodeStartFailed:
		return operation.ErrStartFailed
	case api.CodeCanceled:
		return operation.ErrCanceled
	case api.CodeNoSuchRollout:
		return rollout.ErrNotFound
	case api.CodeRolloutConflict:
		return rollout.ErrState
	case api.CodeNoSuchOperation:
		return operation.ErrUnknownOperation
	case api.CodePreempted:
		return operation.ErrPreempted
	case api.CodeOperationFailed:
		return errOperationFailed
	case api.CodeEngineUnavailable:
		return container.ErrEngineUnavailable
	case api.CodeNoCapacity:
		return node.ErrNoCapacity
	case api.CodeNodeUnreachable:
		return node.ErrUnreachable
	case api.CodePartial:
		return runtime.ErrPartial
	case api.CodeNoSuchStore:
		return federation.ErrUnknownStore
	case api.CodeStoreUnusable:
		return federation.ErrUnusable
	case api.CodeTooManyStreams, api.CodeTooManyOperations, api.CodeRateLimited:
		return runtime.ErrLimited
	case api.CodeUnavailable, api.CodeRequestTimeout, api.CodeAuditUnavailable:
		return runtime.ErrUnavailable
	case api.CodeArchiveUnavailable:
		return runtime.ErrNotArchived
	case api.CodePayloadTooLarge:
		return runtime.ErrInvalid
	case api.CodeSecretNotFound:
		return secret.ErrNotFound
	case api.CodeSecretInUse:
		return secret.ErrInUse
	case api.CodeSecretUnreadable:
		return secret.ErrUnreadable
	case api.CodeSecretUnresolved:
		return secret.ErrUnresolved
	case api.CodeNoSecretKeys:
		return secret.ErrNoKeys
	default:
		return nil
	}
}

func toBusyError(p *api.Problem) error {
	busy := &operation.BusyError{
		GameID: p.GameID, OperationID: p.OperationID, Kind: operation.Kind(p.Kind), Step: p.Step, Holder: p.Holder, Actor: p.Actor,
	}
	if p.Since != nil {
		busy.Since = *p.Since
	}
	return busy
}

func toInvalidError(p *api.Problem) error {
	var errs []error
	for _, detail := range p.Errors {
		errs = append(errs, &runtime.InvalidError{Field: fieldName(detail.Location), Reason: detail.Message})
	}
	switch len(errs) {
	case 0:
		return &runtime.InvalidError{Field: "request", Reason: "is rejected: " + p.Error()}
	case 1:
		return errs[0]
	}
	return errors.Join(errs...)
}

// fieldName returns the domain's name of a location in a request, such as
// "header.Idempotency-Key" or "body.status".
func fieldName(location string) string {
	part, name, ok := strings.Cut(location, ".")
	switch {
	case !ok:
		return location
	case part != "header":
		return name
	}
	switch name {
	case api.HeaderIdempotencyKey:
		return "operation_id"
	case api.HeaderActor:
		return "actor"
	case api.HeaderReason:
		return "reason"
	case "If-Match", "If-None-Match":
		return "if_revision"
	}
	return name
}

func toConflictError(p *api.Problem) error {
	conflict := &runtime.ConflictError{
		GameID: p.GameID, Precondition: p.Precondition,
		Expected: p.Expected, Actual: p.Actual, Revision: p.Revision,
	}
	if p.Current != nil {
		conflict.Current = *p.Current
	}
	return conflict
}
