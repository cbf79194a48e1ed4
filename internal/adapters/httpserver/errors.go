package httpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// errorRow says how one error of the domain is told over HTTP.
type errorRow struct {
	target error
	status int
	code   string
	title  string
	// terse hides the error's own text, which may speak of the server's inside;
	// the log has it.
	terse bool
}

// errorTable is the one table from errors to HTTP. Its order matters where an
// error answers to several targets: an unknown outcome comes together with the
// error of the context that ended.
func errorTable() []errorRow {
	return []errorRow{
		{runtime.ErrOutcomeUnknown, http.StatusGatewayTimeout, api.CodeOutcomeUnknown, "Outcome of the write is unknown", true},
		{runtime.ErrNotFound, http.StatusNotFound, api.CodeNotFound, "No such game", false},
		{runtime.ErrConflict, http.StatusConflict, api.CodeConflict, "Record is not as expected", false},
		{runtime.ErrInvalidTransition, http.StatusUnprocessableEntity, api.CodeInvalidTransition, "Transition is not allowed", false},
		{runtime.ErrInvalid, http.StatusBadRequest, api.CodeInvalid, "Invalid request", false},
		{operation.ErrBusy, http.StatusConflict, api.CodeBusy, "Game has an operation in progress", false},
		{operation.ErrRefused, http.StatusConflict, api.CodeRefused, "Operation does not fit the game's state", false},
		// The request was understood, and what it asks to be run cannot be.
		{container.ErrNoImage, http.StatusUnprocessableEntity, api.CodeNoImage, "No such image", false},
		{operation.ErrStartFailed, http.StatusUnprocessableEntity, api.CodeStartFailed, "Container did not come up", false},
		{container.ErrEngineUnavailable, http.StatusServiceUnavailable, api.CodeEngineUnavailable, "Engine is unavailable", false},
		{node.ErrUnreachable, http.StatusServiceUnavailable, api.CodeNodeUnreachable, "Node is not reachable", false},
		{runtime.ErrFenced, http.StatusConflict, api.CodeFenced, "Fence does not hold any more", false},
		{runtime.ErrCompacted, http.StatusGone, api.CodeCompacted, "Revision has been compacted", false},
		{runtime.ErrForeignRevision, http.StatusBadRequest, api.CodeForeignRevision, "Revision is not of this store", false},
		{runtime.ErrCorrupt, http.StatusInternalServerError, api.CodeCorrupt, "Store holds a damaged value", false},
		{runtime.ErrReadOnly, http.StatusInsufficientStorage, api.CodeReadOnly, "Store is read-only", true},
		{runtime.ErrIncompatible, http.StatusInternalServerError, api.CodeIncompatible, "Store is not compatible", true},
		{node.ErrMisdirected, http.StatusMisdirectedRequest, api.CodeMisrouted, "Request was forwarded to the wrong node", false},
		{node.ErrNoEngine, http.StatusNotImplemented, api.CodeNoEngine, "Not offered by this daemon", false},
		{node.ErrNotMember, http.StatusNotImplemented, api.CodeNoEngine, "Not offered by this daemon", false},
		{errShuttingDown, http.StatusServiceUnavailable, api.CodeUnavailable, "Server is shutting down", false},
		{runtime.ErrUnavailable, http.StatusServiceUnavailable, api.CodeUnavailable, "Store is unavailable", true},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, api.CodeUnavailable, "Store is unavailable", true},
		{context.Canceled, http.StatusServiceUnavailable, api.CodeUnavailable, "Request was given up", true},
	}
}

// locate gives the place in the request of a field that the domain refused.
type locate func(field string) string

// problemOf returns the error as a problem. Faults of the input are placed by
// where; the status is 422 when one of them lies in the body, else 400.
func problemOf(err error, where locate) *api.Problem {
	var problem *api.Problem
	if errors.As(err, &problem) {
		return problem
	}
	for _, row := range errorTable() {
		if !errors.Is(err, row.target) {
			continue
		}
		p := newProblem(row.status, row.code, row.title, err.Error())
		if row.terse {
			p.Detail = row.target.Error()
		}
		describe(p, err, where)
		return p
	}
	return newProblem(http.StatusInternalServerError, api.CodeInternal, "Internal error", "the server's log says more")
}

// PublicText returns the text of an error that a client may see: the detail of its
// problem.
func PublicText(err error) string { return problemOf(err, inQuery).Error() }

// describe adds what the domain's error types carry.
func describe(p *api.Problem, err error, where locate) {
	var conflict *runtime.ConflictError
	var transition *runtime.TransitionError
	var corrupt *runtime.CorruptError
	var busy *operation.BusyError
	var refused *operation.RefusedError
	var unreachable *node.UnreachableError
	var misdirected *node.MisdirectedError
	switch {
	case errors.As(err, &busy):
		describeBusy(p, busy)
	case errors.As(err, &refused):
		p.GameID, p.Kind, p.GameStatus, p.Reason = refused.GameID, refused.Operation, refused.Status, refused.Reason
	case p.Code == api.CodeNodeUnreachable && errors.As(err, &unreachable):
		describeUnreachable(p, unreachable)
	case errors.As(err, &misdirected):
		p.GameID, p.Region, p.Node = misdirected.GameID, misdirected.Node.Region, misdirected.Node.Name
	case errors.As(err, &conflict):
		describeConflict(p, conflict)
	case errors.As(err, &transition):
		p.From, p.To = string(transition.From), string(transition.To)
	case p.Code == api.CodeInvalid:
		describeFaults(p, faultsOf(err, where))
	case errors.As(err, &corrupt):
		p.Key, p.GameID, p.Reason = corrupt.Key, corrupt.GameID, corrupt.Reason
	}
}

func describeUnreachable(p *api.Problem, e *node.UnreachableError) {
	p.Region, p.Node = e.Node.Region, e.Node.Name
	if e.Network {
		p.Status = http.StatusBadGateway
	}
}

func describeConflict(p *api.Problem, conflict *runtime.ConflictError) {
	if conflict.Precondition == runtime.PreconditionRevision {
		p.Status, p.Code = http.StatusPreconditionFailed, api.CodePreconditionFailed
		p.Type = api.ProblemTypePrefix + p.Code
	}
	p.GameID = conflict.GameID
	p.Expectation = string(conflict.Precondition)
	p.Expected, p.Actual = conflict.Expected, conflict.Actual
	if conflict.Revision != 0 {
		p.Current, p.Revision = &conflict.Current, conflict.Revision
	}
}

func describeBusy(p *api.Problem, busy *operation.BusyError) {
	p.GameID, p.OperationID, p.Kind, p.Step = busy.GameID, busy.OperationID, string(busy.Kind), string(busy.Step)
	p.Holder, p.Actor = busy.Holder, busy.Actor
	if since := busy.Since.UTC(); !busy.Since.IsZero() {
		p.Since = &since
	}
}

func describeFaults(p *api.Problem, faults []api.Fault) {
	if len(faults) == 0 {
		return
	}
	p.Errors = faults
	texts := make([]string, len(faults))
	for i, f := range faults {
		texts[i] = f.Location + " " + f.Message
		if strings.HasPrefix(f.Location, "body") {
			p.Status = http.StatusUnprocessableEntity
		}
	}
	p.Detail = strings.Join(texts, "; ")
}

// faultsOf returns every *runtime.InvalidError in err's tree, in order.
func faultsOf(err error, where locate) []api.Fault {
	if invalid, ok := err.(*runtime.InvalidError); ok { //nolint:errorlint // the rest of the tree is walked below
		return []api.Fault{{Location: where(invalid.Field), Message: invalid.Reason}}
	}
	var faults []api.Fault
	switch e := err.(type) { //nolint:errorlint // this is the walk
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			faults = append(faults, faultsOf(inner, where)...)
		}
	case interface{ Unwrap() error }:
		faults = faultsOf(e.Unwrap(), where)
	}
	return faults
}

func newProblem(status int, code, title, detail string) *api.Problem {
	return &api.Problem{Type: api.ProblemTypePrefix + code, Title: title, Status: status, Detail: detail, Code: code}
}

// badRequest is a fault outside the body.
func badRequest(location, format string, args ...any) *api.Problem {
	return invalidProblem(http.StatusBadRequest, api.Fault{Location: location, Message: fmt.Sprintf(format, args...)})
}

func invalidProblem(status int, faults ...api.Fault) *api.Problem {
	p := newProblem(status, api.CodeInvalid, "Invalid request", "")
	describeFaults(p, faults)
	p.Status = status
	return p
}

// fail is how a handler returns an error of the store: as a problem, logged
// when the fault is the server's and not the client's leaving.
func (s *Server) fail(ctx context.Context, err error, where locate) error {
	p := problemOf(err, where)
	if p.Status >= http.StatusInternalServerError && p.Status != http.StatusNotImplemented && !errors.Is(ctx.Err(), context.Canceled) {
		s.logFailed(ctx, p, err)
	}
	if asksToRetry(p.Status) {
		return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {retryAfter}})
	}
	return p
}

// logFailed tells of a request that failed by no fault of its client.
func (s *Server) logFailed(ctx context.Context, p *api.Problem, err error) {
	level := slog.LevelError
	if p.Code == api.CodeNodeUnreachable { // as is told wherever it is missed
		level = slog.LevelWarn
	}
	s.cfg.Logger.Log(ctx, level, "request failed", "code", p.Code, "error", err)
}

// retryAfter is how many seconds a client should wait before it tries again.
const retryAfter = "1"

// asksToRetry reports whether an answer of this status carries Retry-After.
func asksToRetry(status int) bool {
	return status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
}

// writeProblem answers outside of huma's handlers.
func writeProblem(w http.ResponseWriter, p *api.Problem) {
	w.Header().Set("Content-Type", api.ProblemMediaType)
	if asksToRetry(p.Status) {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(p.Status)
	// A client that has gone is no news: the connection's end says so.
	_ = json.NewEncoder(w).Encode(p)
}

// plainProblem turns the errors that huma itself makes into ours.
func plainProblem(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := newProblem(e.Status, api.CodeInvalid, e.Title, e.Detail)
	if e.Status >= http.StatusInternalServerError {
		p = newProblem(e.Status, api.CodeInternal, "Internal error", "the server's log says more")
	}
	for _, d := range e.Errors {
		p.Errors = append(p.Errors, api.Fault{Location: d.Location, Message: d.Message})
	}
	return p, nil
}
