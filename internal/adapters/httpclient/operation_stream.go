package httpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/wait"
)

// operationStream is the progress stream of one operation. It retries the request
// under the same operation id until the outcome is known.
type operationStream struct {
	client     *Client
	request    apiRequest
	operation  Operation
	onProgress func(operation.Progress)

	mayHaveStarted bool      // an attempt may have started the operation
	lastReceived   time.Time // when the server last sent something about the operation
	// rejections counts the attempts that were rejected because of the caller's credentials.
	// A stream ends when the token expires; the next attempt has the current token.
	rejections int
}

func (s *operationStream) run(ctx context.Context) (api.OperationResult, error) {
	backoff := s.client.newBackoff()
	s.lastReceived = time.Now()
	for {
		result, err := s.attempt(ctx)
		s.mayHaveStarted = s.mayHaveStarted || isAmbiguous(err)
		if isRejectedCaller(err) {
			s.rejections++
			s.client.closeIdleConnections() // the next one has the current client certificate
		}
		switch {
		case err == nil || s.isConclusive(err):
			return result, s.client.unavailableError(ctx, err)
		case ctx.Err() != nil || s.rejections > 1 || time.Since(s.lastReceived) > s.client.cfg.WriteTimeout:
			return api.OperationResult{}, s.unresolvedError(ctx, err)
		}
		if wait.For(ctx, backoff.NextBackOff()) != nil {
			return api.OperationResult{}, s.unresolvedError(ctx, err)
		}
	}
}

// isConclusive reports whether the error shows the outcome of the operation. Once the
// operation may have started, a missing response is not conclusive, and neither is an
// unreachable node or store.
func (s *operationStream) isConclusive(err error) bool {
	if s.isOwnOperation(err) {
		return false // in progress, and this attempt could not join it
	}
	if !s.mayHaveStarted {
		return true
	}
	for _, conclusive := range []error{
		operation.ErrBusy, operation.ErrRejected, operation.ErrIDReused, operation.ErrPreempted, operation.ErrCanceled, container.ErrNoImage, container.ErrRegistryUnreachable,
		operation.ErrStartFailed, container.ErrEngineUnavailable, errOperationFailed,
	} {
		if errors.Is(err, conclusive) {
			return true
		}
	}
	return isConclusive(err)
}

// isOwnOperation reports whether the game is busy with this same operation.
func (s *operationStream) isOwnOperation(err error) bool {
	var busy *operation.BusyError
	return errors.As(err, &busy) && busy.OperationID == s.operation.Origin.OperationID
}

// unresolvedError returns the error of an operation whose retries have ended without an
// outcome.
func (s *operationStream) unresolvedError(ctx context.Context, last error) error {
	if !s.mayHaveStarted && !s.isOwnOperation(last) {
		return s.client.unavailableError(ctx, last)
	}
	return s.client.outcomeUnknownError(ctx, last)
}

// attempt sends the request once and reads its stream to the end.
func (s *operationStream) attempt(ctx context.Context) (api.OperationResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opening := time.AfterFunc(s.client.cfg.RequestTimeout, cancel)
	response, err := s.client.send(ctx, s.request)
	var sendErr *sendError
	if !opening.Stop() && errors.As(err, &sendErr) {
		sendErr.err = timeoutError(s.request, "no response in time")
	}
	if err != nil {
		return api.OperationResult{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		problem, err := decodeProblem(response)
		if err != nil {
			return api.OperationResult{}, err
		}
		return s.failure(problem)
	}
	if err := checkStreamResponse(response); err != nil {
		return api.OperationResult{}, err
	}
	return s.readEvents(response, cancel)
}

// readEvents reads the stream until it has the result of the operation.
func (s *operationStream) readEvents(response *http.Response, cancel func()) (api.OperationResult, error) {
	idleTimeout := s.client.idleTimeout(response.Header)
	idle := time.AfterFunc(idleTimeout, cancel)
	defer idle.Stop()
	for lines := newLineReader(response.Body); ; {
		idle.Reset(idleTimeout)
		var event api.OperationEvent
		err := lines.next(&event)
		if !idle.Stop() {
			err = fmt.Errorf("the stream was idle for %s", idleTimeout)
		}
		if err != nil {
			return api.OperationResult{}, &sendError{err: fmt.Errorf("the stream broke: %w", err), mayHaveArrived: true}
		}
		s.lastReceived = time.Now()
		switch {
		case event.Type == api.TypeProgress:
			s.mayHaveStarted = true
			if s.onProgress != nil {
				s.onProgress(event.Progress())
			}
		case event.Type == api.TypeResult:
			return s.checkResult(event.Result())
		case event.Type == api.TypeError && event.Problem != nil:
			return s.failure(event.Problem)
		}
	}
}

// checkResult returns the result if it belongs to the request, and otherwise a *sendError.
func (s *operationStream) checkResult(result api.OperationResult) (api.OperationResult, error) {
	needsOutcome := s.operation.Until == "" || s.operation.Until == WaitDone
	if result.GameID != s.operation.GameID || needsOutcome && result.Outcome == nil {
		return api.OperationResult{}, &sendError{
			err: s.client.unexpectedResponseError("the " + string(s.operation.Kind) + " of game " + strconv.Quote(s.operation.GameID)), mayHaveArrived: true,
		}
	}
	return result, nil
}

// failure returns the error of a problem, and the outcome if the problem has one.
func (s *operationStream) failure(problem *api.Problem) (api.OperationResult, error) {
	err := toDomainError(problem)
	if problem.Outcome == nil {
		return api.OperationResult{}, err
	}
	return api.ResultOf(s.operation.GameID, *problem.Outcome), err
}
