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
)

// following is one operation that is being followed, over as many tries as it takes.
type following struct {
	client    *Client
	request   call
	operation Operation
	report    func(operation.Progress)

	// begun: it may have been begun by one of the tries.
	begun bool
	// silent is since when nothing has been heard of it.
	silent time.Time
}

func (f *following) run(ctx context.Context) (api.OperationAnswer, error) {
	pause := f.client.backoff()
	f.silent = time.Now()
	for {
		answer, err := f.try(ctx)
		f.begun = f.begun || isAmbiguous(err)
		switch {
		case err == nil || f.settles(err):
			return answer, f.client.settleRead(ctx, err)
		case ctx.Err() != nil || time.Since(f.silent) > f.client.cfg.WriteTimeout:
			return api.OperationAnswer{}, f.givenUp(ctx, err)
		}
		if !wait(ctx, pause.NextBackOff()) {
			return api.OperationAnswer{}, f.givenUp(ctx, err)
		}
	}
}

// settles reports whether the error says what became of the operation. Once it may
// have begun, want of an answer does not, nor that its node or store is away.
func (f *following) settles(err error) bool {
	if f.ownBusy(err) {
		return false // in progress, where it cannot be joined just now
	}
	if !f.begun {
		return true
	}
	for _, verdict := range []error{
		operation.ErrBusy, operation.ErrRefused, container.ErrNoImage, operation.ErrStartFailed, container.ErrEngineUnavailable, errFailed,
	} {
		if errors.Is(err, verdict) {
			return true
		}
	}
	return decides(err)
}

func (f *following) ownBusy(err error) bool {
	var busy *operation.BusyError
	return errors.As(err, &busy) && busy.OperationID == f.operation.Origin.OperationID
}

func (f *following) givenUp(ctx context.Context, last error) error {
	if !f.begun && !f.ownBusy(last) {
		return f.client.settleRead(ctx, last)
	}
	return f.client.unknownOutcome(ctx, last)
}

// try makes one request and follows its stream to the end.
func (f *following) try(ctx context.Context) (api.OperationAnswer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opening := time.AfterFunc(f.client.cfg.RequestTimeout, cancel)
	response, err := f.client.send(ctx, f.request)
	var unsent *sendError
	if !opening.Stop() && errors.As(err, &unsent) {
		unsent.err = noAnswer(f.request, "no answer in time")
	}
	if err != nil {
		return api.OperationAnswer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		problem, err := problemOf(response)
		if err != nil {
			return api.OperationAnswer{}, err
		}
		return f.failed(problem)
	}
	if err := refusal(response); err != nil {
		return api.OperationAnswer{}, err
	}
	return f.read(response, cancel)
}

// read reads a stream until it has said how the operation stands.
func (f *following) read(response *http.Response, cancel func()) (api.OperationAnswer, error) {
	silence := f.client.silence(response.Header)
	dead := time.AfterFunc(silence, cancel)
	defer dead.Stop()
	for lines := newLineReader(response.Body); ; {
		dead.Reset(silence)
		var event api.OperationEvent
		err := lines.next(&event)
		if !dead.Stop() {
			err = fmt.Errorf("the stream was silent for %s", silence)
		}
		if err != nil {
			return api.OperationAnswer{}, &sendError{err: fmt.Errorf("the stream broke: %w", err), mayHaveArrived: true}
		}
		f.silent = time.Now()
		switch {
		case event.Type == api.TypeProgress:
			f.begun = true
			if f.report != nil {
				f.report(event.Progress())
			}
		case event.Type == api.TypeResult:
			return f.result(event.Answer())
		case event.Type == api.TypeError && event.Problem != nil:
			return f.failed(event.Problem)
		}
	}
}

// result takes the answer, if it is one to what was asked.
func (f *following) result(answer api.OperationAnswer) (api.OperationAnswer, error) {
	waited := f.operation.Until == "" || f.operation.Until == WaitDone
	if answer.GameID != f.operation.GameID || waited && answer.Outcome == nil {
		return api.OperationAnswer{}, &sendError{
			err: f.client.notOurs("the " + string(f.operation.Kind) + " of game " + strconv.Quote(f.operation.GameID)), mayHaveArrived: true,
		}
	}
	return answer, nil
}

// failed is a problem as an error, beside the outcome that it may have.
func (f *following) failed(problem *api.Problem) (api.OperationAnswer, error) {
	err := errorFrom(problem)
	if problem.Outcome == nil {
		return api.OperationAnswer{}, err
	}
	return api.Ended(f.operation.GameID, *problem.Outcome), err
}
