package etcdstore

import (
	"context"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/batcher"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// casTxn is one compare-and-swap of one game's keys, ready to be sent: the same bytes each
// time. S is the state of those keys, W is what the caller gets when it was applied.
//
// Its compares hold at the base state only, and its value contains an id of its own. So of all
// tries at most one is applied, however late etcd executes it, and the id identifies the one
// that was. A state that can return is no base: so the absence of a game is one only together
// with its deletion epoch (epoch.go).
type casTxn[S, W any] interface {
	// id returns the id that the value contains.
	id() string
	// send makes one try.
	send(ctx context.Context) (*clientv3.TxnResponse, error)
	// sendAlone makes one try without a batch, with the space that is reserved for the write if
	// hasReserve is set.
	sendAlone(ctx context.Context) (*clientv3.TxnResponse, error)
	hasReserve() bool
	// resultOf returns the result of a try that was applied.
	resultOf(resp *clientv3.TxnResponse) W
	// readState reads the current state.
	readState(ctx context.Context) (S, error)
	// decodeState decodes the state that a failed compare returned.
	decodeState(resp *clientv3.TxnResponse) (S, error)
	// isBase reports whether the state is unchanged since the base of the write.
	isBase(state S) bool
	// findApplied looks for an applied try, given a state that has changed since the base, so
	// that no further try can be applied. isAmbiguous means that a try may have been applied
	// without a response; a client that resends requests by itself may hide one. If nothing
	// proves the outcome, the error errors.Is runtime.ErrOutcomeUnknown.
	findApplied(ctx context.Context, state S, isAmbiguous bool) (result W, isApplied bool, err error)
	// explainFailedCompare returns why a compare failed although the state is the base. It
	// returns nil if the reason has gone in the meantime.
	explainFailedCompare(ctx context.Context, resp *clientv3.TxnResponse) error
}

// sendTxn makes one try of a transaction, in a batch with others if there are some.
func (s *Store) sendTxn(ctx context.Context, txn *batcher.Txn) (*clientv3.TxnResponse, error) {
	if s.batcher == nil {
		return txn.SendDirect(ctx, s.etcd)
	}
	return s.batcher.Send(ctx, txn)
}

// casResult is the outcome of a casTxn: either it was applied, or the state has changed.
type casResult[S, W any] struct {
	isApplied bool
	result    W
	state     S
}

// errRetryStale means that a compare failed for a reason that has gone, so that the same bytes
// can be sent a second time.
var errRetryStale = errors.New("the reason of a failed compare has gone")

// commit sends a transaction until its outcome is known.
//
// The error means that nothing was written and never will be, or it errors.Is
// runtime.ErrOutcomeUnknown, for example when ctx ended after an ambiguous try.
func commit[S, W any](ctx context.Context, s *Store, txn casTxn[S, W]) (casResult[S, W], error) {
	c := &committer[S, W]{store: s, txn: txn}
	for backoff := etcd.NewBackoff(); ; {
		if ctx.Err() != nil && !c.isAmbiguous {
			return casResult[S, W]{}, etcd.UnavailableError(ctx, batcher.ErrNotSent)
		}
		result, isDone, err := c.try(ctx)
		if isDone {
			return result, err
		}
		switch {
		case c.isAmbiguous:
			if !backoff.Wait(ctx) {
				return casResult[S, W]{}, c.outcomeUnknown(ctx, err)
			}
		case !backoff.WaitAfter(ctx, err):
			return casResult[S, W]{}, etcd.UnavailableError(ctx, err)
		}
		s.logger.Debug("etcd did not respond to a write; retrying", "operation_id", txn.id(), "error", err)
	}
}

// committer is one call of commit.
type committer[S, W any] struct {
	store *Store
	txn   casTxn[S, W]
	// isAmbiguous means that a try may have been applied, or may yet be, without a response.
	isAmbiguous bool
}

// try sends the transaction once. isDone is false if it must be resent.
func (c *committer[S, W]) try(ctx context.Context) (result casResult[S, W], isDone bool, err error) {
	resp, err := c.txn.send(ctx)
	if errors.Is(err, batcher.ErrBatchRejected) || etcd.MayHaveApplied(err) && c.txn.hasReserve() {
		state, errRead := c.txn.readState(ctx)
		switch {
		case errRead != nil && c.isAmbiguous:
			return result, false, err
		case errRead != nil:
			return result, true, c.outcomeUnknown(ctx, err)
		case !c.txn.isBase(state):
			result, err = c.resolve(ctx, state, true)
			return result, true, err
		}
		// The try was not applied, and etcd has responded to it, so that it never will be.
		resp, err = c.txn.sendAlone(ctx)
	}
	if err == nil {
		result, err = c.handleResponse(ctx, resp)
		return result, !errors.Is(err, errRetryStale), err
	}
	if errors.Is(err, batcher.ErrNotSent) {
		return result, false, err
	}
	switch class := etcd.Classify(err); {
	case class == etcd.Ambiguous:
		c.isAmbiguous = true
		return result, false, err
	case class == etcd.Retryable:
		return result, false, err
	case !c.isAmbiguous && !etcd.MayHaveApplied(err):
		return result, true, etcd.ToDomainError(err)
	default:
		return c.handleRejection(ctx, err)
	}
}

// handleResponse handles the response of a try. A failed compare may be the work of an earlier
// try of the same write: an ambiguous one, or one that the etcd client resent by itself. So an
// applied try is always looked for.
func (c *committer[S, W]) handleResponse(ctx context.Context, resp *clientv3.TxnResponse) (casResult[S, W], error) {
	errCluster := c.store.etcd.CheckCluster(resp.Header.GetClusterId())
	switch {
	case resp.Succeeded && errCluster != nil:
		// A backup that was restored to another cluster satisfies the compares as well. What the
		// store itself has is unknown.
		return casResult[S, W]{}, c.outcomeUnknown(ctx, errCluster)
	case resp.Succeeded:
		return casResult[S, W]{isApplied: true, result: c.txn.resultOf(resp)}, nil
	}
	state, err := c.txn.decodeState(resp)
	if err == nil {
		err = errCluster
	}
	if err == nil && !c.txn.isBase(state) {
		return c.resolve(ctx, state, c.isAmbiguous)
	}
	if err == nil {
		err = c.txn.explainFailedCompare(ctx, resp)
	}
	switch {
	case err == nil && c.isAmbiguous:
		return casResult[S, W]{}, errRetryStale // only the same bytes may follow an ambiguous try
	case err == nil:
		return casResult[S, W]{state: state}, nil // the caller computes the write from this state
	case c.isAmbiguous && !errors.Is(err, runtime.ErrFenced):
		// A fence that was lost stays lost. But corruption may be repaired, and then an earlier
		// try that etcd has not executed yet will pass.
		err = c.outcomeUnknown(ctx, err)
	}
	return casResult[S, W]{}, err
}

// handleRejection handles a permanent error that proves nothing: an earlier try is ambiguous,
// or etcd may nevertheless have applied this one. A read proves the outcome if it shows that
// the state has changed, or if this was the only try.
func (c *committer[S, W]) handleRejection(ctx context.Context, rejection error) (result casResult[S, W], isDone bool, err error) {
	state, errRead := c.txn.readState(ctx)
	switch {
	case errRead == nil && !c.txn.isBase(state):
		result, err = c.resolve(ctx, state, true)
		return result, true, err
	case errRead == nil && !c.isAmbiguous:
		return result, true, etcd.ToDomainError(rejection)
	case !c.isAmbiguous:
		return result, true, c.outcomeUnknown(ctx, rejection)
	default:
		return result, false, rejection
	}
}

// resolve finds out whether a try was applied, now that the state has changed.
func (c *committer[S, W]) resolve(ctx context.Context, state S, isAmbiguous bool) (casResult[S, W], error) {
	result, isApplied, err := c.txn.findApplied(ctx, state, isAmbiguous)
	return casResult[S, W]{isApplied: isApplied, result: result, state: state}, err
}

func (c *committer[S, W]) outcomeUnknown(ctx context.Context, reason error) error {
	return outcomeUnknown(ctx, c.txn.id(), reason)
}

// outcomeUnknown returns the error of a write that nothing proves applied or not applied.
// The reason is included as text, so that errors.Is finds one outcome only.
func outcomeUnknown(ctx context.Context, id string, reason error) error {
	if ctx.Err() == nil {
		return fmt.Errorf("%w (operation %s): %s", runtime.ErrOutcomeUnknown, id, reason.Error())
	}
	return fmt.Errorf("%w (operation %s): %w: %s", runtime.ErrOutcomeUnknown, id, etcd.ContextError(ctx), reason.Error())
}
