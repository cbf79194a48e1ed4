package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// listener hears of an operation while it goes on. Its methods return false when
// nobody listens any more.
type listener interface {
	progress(operation.Progress) bool
	beat() bool
}

// silence is the listener of an answer in one piece.
type silence struct{}

func (silence) progress(operation.Progress) bool { return true }
func (silence) beat() bool                       { return true }

// ending is what Execute returned.
type ending struct {
	outcome operation.Outcome
	err     error
}

// follow carries the operation out and waits for it for as long as the request
// does: until it is over or has come far enough, the request's time is up, the
// client leaves, or the server shuts down. Everything it started has ended when it
// returns, but for the operation itself.
func (s *Server) follow(ctx context.Context, request ports.OperationRequest, until waiting, hears listener) (api.OperationAnswer, *api.Problem) {
	// A client that leaves before the operation is accepted does not take it back.
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	progress, ended := s.begin(own, request)
	defer func() {
		cancel()
		for range progress { // until Execute has returned
		}
	}()
	heartbeat := time.NewTicker(s.cfg.Heartbeat)
	defer heartbeat.Stop()
	closing, drained := (<-chan struct{})(s.closing), (<-chan time.Time)(nil)
	var last operation.Progress
	for listening := true; listening; {
		select {
		case p, more := <-progress:
			if !more {
				return s.over(ctx, request, <-ended)
			}
			last = p
			listening = hears.progress(p)
			if until.met(p) {
				return api.SoFar(p), nil
			}
		case <-heartbeat.C:
			listening = hears.beat()
		case <-closing:
			// What is nearly done is waited for; the rest is told in time.
			timer := time.NewTimer(s.cfg.DrainTimeout / 2)
			defer timer.Stop()
			closing, drained = nil, timer.C
		case <-drained:
			return api.OperationAnswer{}, unfinished(request, last, "the server is shutting down")
		case <-ctx.Done():
			listening = false
		}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return api.OperationAnswer{}, unfinished(request, last, fmt.Sprintf("it was not over after %s", s.cfg.OperationTimeout))
	}
	if last.Step == "" {
		s.awaitFirst(progress)
	}
	return api.OperationAnswer{}, unfinished(request, last, "the client has left")
}

// begin carries the operation out on a goroutine of its own, so that the request
// can leave it. The first channel is closed when Execute has returned, and the
// second then holds what it returned. A manager that panics ends its own request
// only, as any handler does.
func (s *Server) begin(ctx context.Context, request ports.OperationRequest) (<-chan operation.Progress, <-chan ending) {
	progress, ended := make(chan operation.Progress), make(chan ending, 1)
	go func() {
		defer close(progress)
		defer func() {
			if panicked := recover(); panicked != nil {
				ended <- ending{err: fmt.Errorf("operation panicked: %v\n%s", panicked, debug.Stack())}
			}
		}()
		outcome, err := s.cfg.Manager.Execute(ctx, request, func(p operation.Progress) {
			select {
			case progress <- p:
			case <-ctx.Done():
			}
		})
		ended <- ending{outcome, err}
	}()
	return progress, ended
}

// awaitFirst waits, for no longer than an ordinary request may take, until the
// operation is accepted or refused.
func (s *Server) awaitFirst(progress <-chan operation.Progress) {
	timer := time.NewTimer(s.cfg.RequestTimeout)
	defer timer.Stop()
	select {
	case <-progress:
	case <-timer.C:
	}
}

// over is the answer for an operation that has ended, or was refused.
func (s *Server) over(ctx context.Context, request ports.OperationRequest, end ending) (api.OperationAnswer, *api.Problem) {
	if end.err == nil {
		return api.Ended(request.GameID, end.outcome), nil
	}
	p := problemOf(end.err, inRecordBody)
	if end.outcome.Failure != nil {
		if p.Code == api.CodeInternal {
			p = newProblem(http.StatusInternalServerError, api.CodeOperationFailed, "Operation failed", end.outcome.Failure.Message)
		}
		p.Outcome, p.OperationID, p.Kind, p.GameID = &end.outcome, end.outcome.OperationID, string(end.outcome.Kind), request.GameID
	}
	if p.Status >= http.StatusInternalServerError && ctx.Err() == nil {
		s.logFailed(ctx, p, end.err)
	}
	return api.OperationAnswer{}, p
}

// unfinished says that the wait for an operation is over before the operation is.
func unfinished(request ports.OperationRequest, last operation.Progress, why string) *api.Problem {
	p := problemOf(runtime.ErrOutcomeUnknown, inRecordBody)
	p.Detail = why + "; operation " + request.Origin.OperationID + " goes on: the same request with this Idempotency-Key waits for it"
	if last.Step == "" {
		p.Detail = why + "; whether operation " + request.Origin.OperationID + " was begun is not known: the same request with this Idempotency-Key finds out"
	}
	p.GameID, p.OperationID, p.Kind, p.Step = request.GameID, request.Origin.OperationID, string(request.Kind), string(last.Step)
	return p
}
