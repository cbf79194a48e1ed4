package httpclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// serverError is what the server said, with the domain's sentinel for it.
type serverError struct {
	text     string
	sentinel error
}

func (e *serverError) Error() string { return e.text }
func (e *serverError) Unwrap() error { return e.sentinel }

// answerError is an error answer that is none of the domain's: the server
// refused the client, or something else than the API answered.
type answerError struct {
	status int
	text   string
}

func (e *answerError) Error() string { return e.text }

// errFailed is an operation that ended without success for a reason that is none
// of the domain's own.
var errFailed = errors.New("operation failed")

// errorOf returns what an answer other than 200 means. One that is cut off means
// nothing yet: it is a *sendError.
func errorOf(response *http.Response) error {
	problem, err := problemOf(response)
	if err != nil {
		return err
	}
	return errorFrom(problem)
}

// problemOf returns the problem that an answer other than 200 is, or the error
// that it means otherwise.
func problemOf(response *http.Response) (*api.Problem, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProblemBytes))
	if err != nil {
		return nil, &sendError{err: fmt.Errorf("read the answer: %w", err), mayHaveArrived: true}
	}
	var problem api.Problem
	if json.Unmarshal(body, &problem) != nil || !strings.HasPrefix(problem.Type, api.ProblemTypePrefix) {
		return nil, strangeAnswer(response)
	}
	problem.Status = response.StatusCode
	return &problem, nil
}

// strangeAnswer says that something else than the API answered.
func strangeAnswer(response *http.Response) error {
	return &answerError{response.StatusCode, fmt.Sprintf("%s answered %s, which is not an answer of the API",
		response.Request.URL.Redacted(), response.Status)}
}

// errorFrom is the inverse of the server's table from errors to problems.
func errorFrom(p *api.Problem) error {
	switch p.Code {
	case api.CodeInvalid:
		return invalidFrom(p)
	case api.CodeConflict, api.CodePreconditionFailed:
		return conflictFrom(p)
	case api.CodeInvalidTransition:
		return &runtime.TransitionError{From: runtime.Status(p.From), To: runtime.Status(p.To)}
	case api.CodeBusy:
		return busyFrom(p)
	case api.CodeRefused:
		return &operation.RefusedError{GameID: p.GameID, Operation: p.Kind, Status: p.GameStatus, Reason: p.Reason}
	case api.CodeCorrupt:
		return &runtime.CorruptError{Key: p.Key, GameID: p.GameID, Reason: p.Reason}
	}
	if sentinel := sentinelOf(p.Code); sentinel != nil {
		return &serverError{text: p.Error(), sentinel: sentinel}
	}
	text := p.Title
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return &answerError{p.Status, text}
}

// sentinelOf returns the domain's error of a code, nil for a code of HTTP's own.
func sentinelOf(code string) error {
	switch code {
	case api.CodeNotFound:
		return runtime.ErrNotFound
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
	case api.CodeNoImage:
		return container.ErrNoImage
	case api.CodeStartFailed:
		return operation.ErrStartFailed
	case api.CodeOperationFailed:
		return errFailed
	case api.CodeEngineUnavailable:
		return container.ErrEngineUnavailable
	case api.CodeNodeUnreachable:
		return node.ErrUnreachable
	case api.CodeUnavailable, api.CodeTooManyStreams, api.CodeTooManyOperations, api.CodeRequestTimeout:
		return runtime.ErrUnavailable
	case api.CodePayloadTooLarge:
		return runtime.ErrInvalid
	}
	return nil
}

func busyFrom(p *api.Problem) error {
	busy := &operation.BusyError{
		GameID: p.GameID, OperationID: p.OperationID, Kind: operation.Kind(p.Kind), Step: operation.Step(p.Step), Holder: p.Holder, Actor: p.Actor,
	}
	if p.Since != nil {
		busy.Since = *p.Since
	}
	return busy
}

func invalidFrom(p *api.Problem) error {
	var faults []error
	for _, fault := range p.Errors {
		faults = append(faults, &runtime.InvalidError{Field: fieldOf(fault.Location), Reason: fault.Message})
	}
	switch len(faults) {
	case 0:
		return &runtime.InvalidError{Field: "request", Reason: "is refused: " + p.Error()}
	case 1:
		return faults[0]
	}
	return errors.Join(faults...)
}

// fieldOf returns the domain's name of a place in a request.
func fieldOf(location string) string {
	place, name, ok := strings.Cut(location, ".")
	switch {
	case !ok:
		return location
	case place != "header":
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

func conflictFrom(p *api.Problem) error {
	conflict := &runtime.ConflictError{
		GameID: p.GameID, Precondition: runtime.Precondition(p.Expectation),
		Expected: p.Expected, Actual: p.Actual, Revision: p.Revision,
	}
	if p.Current != nil {
		conflict.Current = *p.Current
	}
	return conflict
}
