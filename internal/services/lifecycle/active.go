package lifecycle

import (
	"context"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/broadcast"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// activeOperation is the lock of one game, and the part of its operation that several
// goroutines share: identity, progress and result. The execution writes it; requests
// that started or joined the operation read it.
type activeOperation struct {
	gameID   string
	accepted chan struct{} // closed when the operation is stored
	done     chan struct{} // closed when the game is unlocked
	end      func()        // ends its call of the service's lifetime
	changed  broadcast.Signal

	mu   sync.Mutex // guards the fields below
	id   string     // empty until accepted
	kind operation.Kind
	// isReserved reports that the operation has a reservation of a node.
	isReserved bool
	hash       string // of the request
	// inProgress names the operation as records do.
	inProgress runtime.OperationInProgress
	// shownFrom is when the record may name the operation; zero before it runs.
	shownFrom time.Time
	// preemption is a pending request to end the operation, nil if there is none.
	// interrupt ends the current attempt.
	preemption *preemptRequest
	interrupt  context.CancelCauseFunc
	progress   []progressEntry
	reports    int // number of reports so far
	outcome    operation.Outcome
	err        error
}

// progressEntry is a report with its number. A reader records the number of the last
// report that it received. Positions cannot serve for that, because entries are replaced.
type progressEntry struct {
	number int
	operation.Progress
}

func newActiveOperation(gameID string, end func()) *activeOperation {
	return &activeOperation{gameID: gameID, end: end, accepted: make(chan struct{}), done: make(chan struct{})}
}

// accept publishes the identity of the stored operation.
func (a *activeOperation) accept(op operation.Operation) {
	a.mu.Lock()
	a.id, a.kind, a.hash, a.inProgress = op.ID, op.Kind, op.RequestHash, *op.InProgress()
	a.isReserved = op.Reserved
	a.mu.Unlock()
	close(a.accepted)
}

// operation returns ID, kind and request hash of the accepted operation; the ID is empty
// before that.
func (a *activeOperation) operation() (id string, kind operation.Kind, hash string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.id, a.kind, a.hash
}

// step returns the step of the latest report, empty before the first.
func (a *activeOperation) step() operation.Step {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.progress) == 0 {
		return ""
	}
	return a.progress[len(a.progress)-1].Step
}

// setResult sets the result that watch returns once the game is unlocked.
func (a *activeOperation) setResult(outcome operation.Outcome, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.outcome, a.err = outcome, err
}

// report appends a report. A byte count replaces the previous byte count of the step.
func (a *activeOperation) report(p operation.Progress) {
	a.mu.Lock()
	if last := len(a.progress) - 1; last >= 0 && a.progress[last].Step == p.Step && p.BytesTotal > 0 && a.progress[last].BytesTotal > 0 {
		a.progress = a.progress[:last]
	}
	a.reports++
	a.progress = append(a.progress, progressEntry{a.reports, p})
	a.mu.Unlock()
	a.changed.Notify()
}

// reportsAfter returns the reports with a higher number.
func (a *activeOperation) reportsAfter(number int) []progressEntry {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := slices.IndexFunc(a.progress, func(p progressEntry) bool { return p.number > number })
	if first < 0 {
		return nil
	}
	return slices.Clone(a.progress[first:])
}

// watch calls report, if not nil, with all reports of the operation, from the first
// until it is done, and returns its result. If ctx ends first, the operation continues.
func (a *activeOperation) watch(ctx context.Context, report func(operation.Progress)) (operation.Outcome, error) {
	received := 0
	for {
		changed := a.changed.Changed()
		isDone := false
		select {
		case <-a.done:
			isDone = true // before the reports are read, so that none is missed
		default:
		}
		for _, p := range a.reportsAfter(received) {
			if report != nil {
				report(p.Progress)
			}
			received = p.number
		}
		if isDone {
			a.mu.Lock()
			defer a.mu.Unlock()
			return a.outcome.Clone(), a.err
		}
		select {
		case <-changed:
		case <-a.done:
		case <-ctx.Done():
			return operation.Outcome{}, ctx.Err()
		}
	}
}
