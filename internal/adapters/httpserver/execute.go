package httpserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// errWaitOver ends the wait for an operation that has reached the requested waitMode.
var errWaitOver = errors.New("the operation has reached the state that the request waits for")

// errNotAccepted ends the wait for an operation that is not accepted within the timeout of an
// ordinary request: the store does not respond.
var errNotAccepted = errors.New("the operation was not accepted in time")

// execution is one request that waits for an operation.
type execution struct {
	request ports.OperationRequest
	wait    waitMode
	// report sends progress to the client, and returns false if the client has
	// disconnected. nil sends nothing.
	report func(operation.Progress) bool
}

// execute carries out the operation and waits until the operation ends or reaches x.wait.
// It also stops waiting at the deadline of the request, when the operation is not accepted in
// time, when the client disconnects, and when the server shuts down. An accepted operation
// continues in all of these cases.
func (s *Server) execute(ctx context.Context, x execution) (api.OperationResult, error) {
	accepted := make(chan struct{})
	bound, leave := s.operationContext(ctx, accepted)
	defer leave(nil)
	acceptTimeout := s.requestTimeout()
	acceptance := time.AfterFunc(acceptTimeout, func() {
		select {
		case <-accepted:
		default:
			leave(errNotAccepted)
		}
	})
	defer acceptance.Stop()
	var last operation.Progress // the executor calls back on this goroutine
	outcome, err := s.cfg.Cluster.Execute(bound, x.request, func(p operation.Progress) {
		if errors.Is(context.Cause(bound), errWaitOver) {
			return // the response is about the progress so far
		}
		if last.Step == "" {
			close(accepted)
		}
		last = p
		switch {
		case x.report != nil && !x.report(p):
			leave(context.Canceled)
		case x.wait.isReached(p):
			leave(errWaitOver)
		}
	})
	if err := s.checkOutcome(ctx, x.request, outcome); err != nil {
		return api.OperationResult{}, err
	}
	switch cause := context.Cause(bound); {
	case errors.Is(cause, errWaitOver):
		return api.InterimResult(last), nil
	case cause == nil || !errors.Is(err, bound.Err()):
		return s.outcomeOf(ctx, x.request, outcome, err)
	case errors.Is(cause, problem.ErrShuttingDown):
		return api.OperationResult{}, outcomeUnknownProblem(x.request, last, problem.ErrShuttingDown.Error())
	case errors.Is(cause, errNotAccepted):
		return api.OperationResult{}, outcomeUnknownProblem(x.request, last, fmt.Sprintf("it was not accepted within %s", acceptTimeout))
	case errors.Is(cause, context.DeadlineExceeded):
		return api.OperationResult{}, outcomeUnknownProblem(x.request, last, fmt.Sprintf("it did not end within %s", s.cfg.OperationTimeout))
	case errors.Is(cause, access.ErrUnauthenticated), errors.Is(cause, access.ErrForbidden):
		return api.OperationResult{}, outcomeUnknownProblem(x.request, last, cause.Error())
	default:
		return api.OperationResult{}, outcomeUnknownProblem(x.request, last, "the client has disconnected")
	}
}

// checkOutcome returns access.ErrForbidden for the outcome of an operation in a region in which the
// caller may not operate the game. A repeated request gets the outcome of an earlier operation, which
// another node may have run.
func (s *Server) checkOutcome(ctx context.Context, request ports.OperationRequest, outcome operation.Outcome) error {
	if outcome.Region == "" || outcome.Region == s.cfg.Region {
		return nil
	}
	return callers.Of(ctx).CheckPlacement(access.PermissionOperate, outcome.Region, request.GameID)
}

// operationContext returns the context of an operation that a request waits for. It ends with
// the cause of ctx, or when leave is called. If the client disconnects before the operation
// is accepted, the context ends only once accepted is closed, or after the timeout of an
// ordinary request: a disconnect must not cancel the operation.
func (s *Server) operationContext(ctx context.Context, accepted <-chan struct{}) (bound context.Context, leave context.CancelCauseFunc) {
	bound, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
			timer := time.NewTimer(s.cfg.RequestTimeout)
			defer timer.Stop()
			select {
			case <-accepted:
			case <-timer.C:
			case <-bound.Done():
			}
		}
		cancel(context.Cause(ctx))
	})
	return bound, func(cause error) {
		cancel(cause)
		stop()
	}
}

// outcomeOf returns the result of an operation that succeeded, or the problem of one that
// failed, whose 5xx errors it logs. It returns err unchanged for an operation that was not
// accepted.
func (s *Server) outcomeOf(ctx context.Context, request ports.OperationRequest, outcome operation.Outcome, err error) (api.OperationResult, error) {
	if err == nil {
		return api.ResultOf(request.GameID, outcome), nil
	}
	if outcome.Failure == nil {
		return api.OperationResult{}, err
	}
	p := problem.From(err, locateInBody)
	s.logServerError(ctx, p, err)
	if p.Code == api.CodeInternal {
		p = problem.New(api.CodeOperationFailed, outcome.Failure.Message)
	}
	if outcome.Node != "" {
		p.Region, p.Node = outcome.Region, outcome.Node
	}
	if outcome.Node != "" && len(outcome.Attempts) == 0 { // the caller may not have selected it
		p.Detail = "node " + node.Ref{Region: outcome.Region, Name: outcome.Node}.String() + ": " + p.Detail
	}
	p.Outcome, p.OperationID, p.Kind, p.GameID = &outcome, outcome.OperationID, string(outcome.Kind), request.GameID
	return api.OperationResult{}, p
}

// locateInBody returns the place of a field of the domain in the body.
func locateInBody(field string) string { return "body." + field }

// outcomeUnknownProblem returns the problem of a request that stops waiting before the operation
// has ended.
func outcomeUnknownProblem(request ports.OperationRequest, last operation.Progress, reason string) *api.Problem {
	p := problem.New(api.CodeOutcomeUnknown, reason+"; operation "+request.Origin.OperationID+" continues: repeat the request with this Idempotency-Key to wait for it")
	if last.Step == "" {
		p.Detail = reason + "; it is unknown whether operation " + request.Origin.OperationID + " was started: repeat the request with this Idempotency-Key to find out"
	}
	p.GameID, p.OperationID, p.Kind, p.Step = request.GameID, request.Origin.OperationID, string(request.Kind), last.Step
	return p
}
