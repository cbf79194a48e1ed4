package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// errInterrupted ends the current attempt of an execution that a stop preempts, or that is canceled.
var errInterrupted = errors.New("a stop or a cancellation ends the operation")

// preemptRequest requests the end of another operation: for a stop, or as a cancellation. Only that
// execution writes the intent, so it also stores the request.
type preemptRequest struct {
	preemption operation.Preemption
	// cancellation is the reason of a cancellation, nil for a preemption.
	cancellation *operation.Failure
	result       chan error // receives nil when the request is stored; has a buffer of one
}

// newPreemption returns the preemption of a stop request.
func (s *Service) newPreemption(request ports.OperationRequest) operation.Preemption {
	return operation.Preemption{
		OperationID: request.Origin.OperationID, Actor: request.Origin.Actor, Reason: request.Origin.Reason,
		RequestHash: requestHash(request), StopGrace: stopGraceOf(request), At: s.now(),
	}
}

func stopGraceOf(request ports.OperationRequest) *operation.Duration {
	if request.StopGrace == nil {
		return nil
	}
	grace := operation.Duration(*request.StopGrace)
	return &grace
}

// canPreempt reports whether the request preempts the operation in progress.
func (s *Service) canPreempt(request ports.OperationRequest, current operation.Operation) bool {
	return request.Kind == operation.KindStop && current.IsPreemptedBy(stopGraceOf(request), s.now())
}

// preempt requests the end of the holder's operation. It returns nil once that is
// stored, and also if the holder ended first.
func (a *activeOperation) preempt(ctx context.Context, preemption operation.Preemption) error {
	return a.requestEnd(ctx, &preemptRequest{preemption: preemption, result: make(chan error, 1)})
}

// requestEnd requests the end of the operation. It returns nil once the request is stored, and also if the
// operation ended first.
func (a *activeOperation) requestEnd(ctx context.Context, p *preemptRequest) error {
	a.mu.Lock()
	if a.preemption != nil {
		a.mu.Unlock()
		return fmt.Errorf("another request is about to end it: %w", operation.ErrBusy)
	}
	a.preemption = p
	if a.interrupt != nil {
		a.interrupt(errInterrupted)
	}
	a.mu.Unlock()
	select {
	case err := <-p.result:
		return err
	case <-a.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// interruptible returns a context that ends when a stop preempts the operation.
func (a *activeOperation) interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.interrupt = cancel
	if a.preemption != nil {
		cancel(errInterrupted)
	}
	return ctx, func() { cancel(nil) }
}

// takePreemption returns the pending preemption, nil if there is none.
func (a *activeOperation) takePreemption() *preemptRequest {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.preemption
	a.preemption = nil
	return p
}

// acceptPreemption stores the pending preemption, and that the operation is rolled back if
// that is still possible. It returns false if no preemption is pending.
func (e *execution) acceptPreemption(ctx context.Context) bool {
	p := e.active.takePreemption()
	if p == nil {
		return false
	}
	err := e.reload(ctx) // the interrupted attempt may have written the intent
	switch {
	case err != nil || e.op() == nil || !e.isOwnOperation():
	case p.cancellation != nil:
		err = e.storeCancellation(ctx, *p.cancellation)
	default:
		next := preemptedIntent(e.intent.Intent, p.preemption, e.canRollBack(), e.service.now())
		if err = e.storeIntent(ctx, next); err == nil {
			e.service.log.Info("operation preempted", "game_id", e.gameID, "operation_id", e.op().ID, "operation", e.op().Kind,
				"by_operation_id", p.preemption.OperationID, "by_actor", p.preemption.Actor)
			e.report(operation.Progress{Text: preemptionText(p.preemption)})
		}
	}
	p.result <- err
	return true
}

// preemptedIntent returns the intent after a stop has preempted the operation in progress.
// A stop in progress is not rolled back: the shorter grace cuts it short.
func preemptedIntent(intent operation.Intent, p operation.Preemption, canRollBack bool, at time.Time) operation.Intent {
	intent = intent.Clone()
	op := intent.Current
	if replaced := op.PreemptedBy; replaced != nil {
		intent.AddOutcome(replaced.Outcome(*op, at, operation.Failure{Code: operation.FailurePreempted, Message: preemptionText(p)}))
	}
	op.PreemptedBy = &p
	if canRollBack && op.Kind != operation.KindStop {
		op.Step, op.StepAt = operation.StepRollingBack, at
		op.Failure = &operation.Failure{Code: operation.FailurePreempted, Message: preemptionText(p)}
	}
	return intent
}

// preemptionText describes the stop that has preempted an operation.
func preemptionText(p operation.Preemption) string {
	text := fmt.Sprintf("%s by stop %s", operation.ErrPreempted, p.OperationID)
	if p.Actor != "" {
		text += ", requested by " + p.Actor
	}
	return text
}

// successor returns the stop that follows a preempted operation.
func (e *execution) successor(next operation.Intent, final recordState) *operation.Operation {
	op, p, at := e.op(), e.op().PreemptedBy, e.service.now()
	stop := &operation.Operation{
		ID: p.OperationID, Kind: operation.KindStop, Region: op.Region, Node: op.Node, Session: op.Session,
		Actor: p.Actor, Reason: p.Reason, RequestHash: p.RequestHash, StopGrace: p.StopGrace,
		StartedAt: p.At, StepAt: at,
		Spec: gameState{record: final.record, intent: next}.spec(), PreviousRecord: final.record,
	}
	if final.record != nil && final.record.Status != runtime.StatusRemoved && node.RefOf(*final.record) != e.service.self {
		// The game is on its former node: a move was preempted before that was to stop it.
		stop.Region, stop.Node, stop.Session = final.record.Region, final.record.Node, 0
	}
	stop.Step = firstStep(*stop)
	stop.Deadline = at.Add(e.service.operationTimeout(*stop))
	return stop
}

// handOver replaces the lock of a preempted operation by that of its successor, and returns
// the execution of the successor. It returns nil if there is none.
func (e *execution) handOver() *execution {
	current := e.intent.Intent.Current
	if current == nil || e.isOwnOperation() || current.Session != e.fence.CreateRevision {
		return nil
	}
	s := e.service
	lock := newActiveOperation(e.gameID, e.active.end)
	s.mu.Lock()
	s.active[e.gameID] = lock
	s.mu.Unlock()
	close(e.active.done)
	next := s.newExecution(lock, e.fence, e.intent)
	next.publish()
	return next
}

// isOwnOperation reports whether the stored operation is the one of this execution.
func (e *execution) isOwnOperation() bool {
	id, _, _ := e.active.operation()
	return e.op() != nil && e.op().ID == id
}

// claimPreempted claims an interrupted operation of this node for a stop that preempts it,
// and returns its execution.
func (s *Service) claimPreempted(ctx context.Context, lock *activeOperation, request ports.OperationRequest, stored ports.VersionedIntent) (*execution, error) {
	fence, err := s.currentFence()
	if err != nil {
		return nil, err
	}
	next := preemptedIntent(stored.Intent, s.newPreemption(request), canRollBack(*stored.Intent.Current), s.now())
	next.Current.Session = fence.CreateRevision
	claimed, err := s.putIntent(ctx, stored, next, fence)
	if err != nil {
		return nil, err
	}
	e := s.newExecution(lock, fence, claimed)
	e.resumedAt = s.now()
	return e, nil
}

// waitForSuccessor waits until the holder, which the request has preempted, has ended.
func waitForSuccessor(ctx context.Context, holder *activeOperation) error {
	select {
	case <-holder.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reportOnce returns a report function that drops the second report of StepAccepted: a
// stop that waits for a preempted operation is accepted before it starts.
func reportOnce(report func(operation.Progress)) func(operation.Progress) {
	if report == nil {
		return nil
	}
	isAccepted := false
	return func(p operation.Progress) {
		if p.Step == operation.StepAccepted && p.Text == "" {
			if isAccepted {
				return
			}
			isAccepted = true
		}
		report(p)
	}
}

// reportQueued reports that the stop is stored and waits for the operation that it has
// preempted.
func (s *Service) reportQueued(request ports.OperationRequest, report func(operation.Progress)) {
	if report == nil {
		return
	}
	report(operation.Progress{
		OperationID: request.Origin.OperationID, Kind: request.Kind, GameID: request.GameID, Step: operation.StepAccepted, At: s.now(),
	})
}
