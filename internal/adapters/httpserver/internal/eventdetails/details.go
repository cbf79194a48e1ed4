// Package eventdetails adds to the events of games what their records do not contain: actors and reasons from the
// ledger, and the results of operations from their outcomes.
//
// It costs one read of etcd for a write of a record that is no condition, and one each for the start and the end of an
// operation. All streams of a daemon share the reads.
package eventdetails

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/gameevent"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

const (
	// cacheSlots is the number of details that are kept.
	cacheSlots = 4096
	// readTimeout bounds one read. Without its result, the details are absent.
	readTimeout = 2 * time.Second
)

// Ledger reads the ledgers of games, as ports.RuntimeLedger does.
type Ledger interface {
	History(ctx context.Context, gameID string) ([]runtime.LedgerEntry, error)
}

// Intents reads the operations of games, as ports.IntentStore does.
type Intents interface {
	GetIntent(ctx context.Context, gameID string) (ports.VersionedIntent, error)
}

// Source completes events. It is safe for concurrent use.
type Source struct {
	ledger  Ledger
	intents Intents
	seed    maphash.Seed
	slots   [cacheSlots]slot
}

// New returns a source.
func New(ledger Ledger, intents Intents) *Source {
	return &Source{ledger: ledger, intents: intents, seed: maphash.MakeSeed()}
}

// slot has the details of one event. They do not change: the outcome of an operation and an entry of a ledger are final.
type slot struct {
	mu      sync.Mutex // during the read, so that streams share it
	key     key
	details details
}

// key identifies details: those of a write at the revision, or of an operation.
type key struct {
	gameID, operationID string
	isFinished          bool
	revision            int64
}

type details struct {
	operationID, actor, reason string
	result                     gameevent.Result
	failureCode, failure       string
	finishedAt                 time.Time
}

// Complete adds the details to the events of one change at the revision. Details that cannot be read are absent.
func (s *Source) Complete(ctx context.Context, revision int64, events []gameevent.Event) {
	for i := range events {
		event := &events[i]
		switch event.Type {
		case gameevent.Started:
			found := s.find(ctx, key{gameID: event.GameID, operationID: event.OperationID}, s.readOperation)
			event.Actor, event.Reason = found.actor, found.reason
		case gameevent.Finished:
			found := s.find(ctx, key{gameID: event.GameID, operationID: event.OperationID, isFinished: true}, s.readOutcome)
			event.Actor, event.FailureCode, event.Failure = found.actor, found.failureCode, found.failure
			if !found.finishedAt.IsZero() {
				event.Time = found.finishedAt.UTC()
			}
			if event.Result == "" {
				event.Result = found.result
			}
		case gameevent.Created, gameevent.Relocated, gameevent.ImageChanged, gameevent.StatusChanged, gameevent.LabelsChanged, gameevent.MetadataChanged:
			found := s.find(ctx, key{gameID: event.GameID, revision: revision}, s.readLedger)
			event.OperationID, event.Actor, event.Reason = found.operationID, found.actor, found.reason
		case gameevent.NodeLost, gameevent.NodeReturned, gameevent.CrashRestarted, gameevent.CrashLoop, gameevent.CrashLoopEnded,
			gameevent.HealthChanged, gameevent.ReadyChanged, gameevent.Deleted:
		}
	}
}

// find returns the details of the key, which read reads if they are not kept.
func (s *Source) find(ctx context.Context, k key, read func(context.Context, key) details) details {
	slot := &s.slots[maphash.Comparable(s.seed, k)%cacheSlots]
	slot.mu.Lock()
	defer slot.mu.Unlock()
	if slot.key != k {
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout) // other streams use the result
		defer cancel()
		slot.key, slot.details = k, read(bound, k)
	}
	return slot.details
}

// readLedger returns the details of the write at a revision.
func (s *Source) readLedger(ctx context.Context, k key) details {
	entries, _ := s.ledger.History(ctx, k.gameID)
	for _, entry := range entries {
		if entry.Revision == k.revision {
			return details{operationID: operation.IDOfWrite(entry.OperationID), actor: entry.Actor, reason: entry.Reason}
		}
	}
	return details{}
}

// readOperation returns the actor and the reason of an operation that has started.
func (s *Source) readOperation(ctx context.Context, k key) details {
	stored, _ := s.intents.GetIntent(ctx, k.gameID)
	if current := stored.Intent.Current; current != nil && current.ID == k.operationID {
		return details{actor: current.Actor, reason: current.Reason}
	}
	return outcomeOf(stored, k.operationID)
}

// readOutcome returns the result of an operation.
func (s *Source) readOutcome(ctx context.Context, k key) details {
	stored, _ := s.intents.GetIntent(ctx, k.gameID)
	return outcomeOf(stored, k.operationID)
}

func outcomeOf(stored ports.VersionedIntent, operationID string) details {
	for _, outcome := range slices.Backward(stored.Intent.Recent) {
		if outcome.OperationID != operationID {
			continue
		}
		found := details{actor: outcome.Actor, result: gameevent.Succeeded, finishedAt: outcome.FinishedAt}
		if outcome.Failure != nil {
			found.result, found.failureCode, found.failure = gameevent.Failed, string(outcome.Failure.Code), outcome.Failure.Message
		}
		return found
	}
	return details{result: gameevent.Unknown}
}
