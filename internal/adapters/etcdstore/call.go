package etcdstore

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// patience is how long an operation goes on asking etcd: as long as its caller
// waits, or OperationTimeout where the caller named no end.
func (s *Store) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, bounded := ctx.Deadline(); bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, s.opts.OperationTimeout, errPatience)
}

// read asks etcd until it gives a definite answer or the operation's patience
// ends. ask may run several times, each under its own deadline, and must do no
// more when repeated than it did at first. The error is the domain's.
func read[T any](ctx context.Context, s *Store, ask func(ctx context.Context) (T, error)) (T, error) {
	var none T
	op, cancel := s.patience(ctx)
	defer cancel()
	pause := newPause()
	for {
		cached := s.cachedUpTo()
		answer, err := attempt(op, s, ask)
		if err == nil {
			return answer, s.recogniseAnswer(answer, cached)
		}
		if judge(err) == refused {
			return none, translate(err)
		}
		if !pause.wait(op) {
			return none, unavailable(op, err)
		}
		s.log.Debug("etcd did not answer a read; asking again", "error", err)
	}
}

// recogniseAnswer is recognise for the answers that reads of keys have. cached is
// what the cache had come to before the read was sent: an answer that stands behind
// it shows that etcd has gone back.
func (s *Store) recogniseAnswer(answer any, cached int64) error {
	var header *etcdserverpb.ResponseHeader
	switch answer := answer.(type) {
	case *clientv3.GetResponse:
		header = answer.Header
	case *clientv3.TxnResponse:
		header = answer.Header
	default:
		return nil
	}
	if header.GetRevision() < cached {
		s.feed.distrust(goneBack(header.GetRevision(), cached))
	}
	return s.recognise(header.GetClusterId())
}

// cachedUpTo is the revision that the cache has come to, 0 where there is none.
func (s *Store) cachedUpTo() int64 {
	if s.feed == nil {
		return 0
	}
	revision, _, _, _ := s.feed.cache.state()
	return revision
}

// goneBack says that etcd stands at a revision behind one that it had come to.
func goneBack(head, was int64) error {
	return fmt.Errorf("%w: the store has gone back to revision %d, behind %d", runtime.ErrForeignRevision, head, was)
}

// attempt makes one request to etcd under the deadline that every request has.
func attempt[T any](ctx context.Context, s *Store, ask func(ctx context.Context) (T, error)) (T, error) {
	call, cancel := context.WithTimeout(ctx, s.opts.CallTimeout)
	defer cancel()
	return ask(call)
}

// get is a linearizable read of one key or range.
func (s *Store) get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	return read(ctx, s, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return s.client.Get(ctx, key, opts...)
	})
}

// pause spaces the repetitions of a request, further and further apart.
type pause struct{ steps *backoff.ExponentialBackOff }

func newPause() pause {
	steps := backoff.NewExponentialBackOff()
	steps.InitialInterval = 5 * time.Millisecond
	steps.MaxInterval = time.Second
	return pause{steps: steps}
}

// wait returns true after the next pause, or false at once when ctx ends.
func (p pause) wait(ctx context.Context) bool {
	timer := time.NewTimer(p.steps.NextBackOff())
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
