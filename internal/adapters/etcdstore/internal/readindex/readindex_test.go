package readindex_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/readindex"
	"galaxy/rtmanager/internal/etcd"
)

// fixture has a ReadIndexer whose reads wait for a token each.
type fixture struct {
	*readindex.ReadIndexer
	reads  int
	tokens chan struct{}
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{tokens: make(chan struct{})}
	f.ReadIndexer = readindex.New(t.Context(), func(ctx context.Context) (int64, error) {
		select {
		case <-f.tokens:
			f.reads++
			return int64(f.reads), nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
	return f
}

func TestCallersDuringAReadShareTheNextOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		var callers sync.WaitGroup
		call := func(n int, want int64) {
			for range n {
				callers.Go(func() {
					revision, err := f.CurrentRevision(t.Context())
					require.NoError(t, err)
					require.Equal(t, want, revision)
				})
			}
			synctest.Wait()
		}
		call(1, 1)
		require.Zero(t, f.Waiters(), "its read is in progress")
		call(100, 2)
		require.Equal(t, 100, f.Waiters(), "the read in progress may be too old for them")
		f.tokens <- struct{}{}
		f.tokens <- struct{}{}
		callers.Wait()
		require.Equal(t, 2, f.reads)
		f.Close()
	})
}

func TestCallerThatLeavesDoesNotEndTheRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		reason := errors.New("timeout of the caller")
		ctx, cancel := context.WithCancelCause(t.Context())
		var errCanceled, errWaiting error
		var callers sync.WaitGroup
		callers.Go(func() { _, errCanceled = f.CurrentRevision(ctx) })
		synctest.Wait()
		cancel(reason)
		synctest.Wait()
		require.ErrorIs(t, errCanceled, reason)
		callers.Go(func() { _, errWaiting = f.CurrentRevision(t.Context()) })
		synctest.Wait()
		f.tokens <- struct{}{}
		f.tokens <- struct{}{}
		callers.Wait()
		require.NoError(t, errWaiting)
		f.Close()
	})
}

func TestErrorOfAReadIsThatOfItsCallersOnly(t *testing.T) {
	t.Parallel()
	failure := errors.New("no leader")
	calls := 0
	x := readindex.New(t.Context(), func(context.Context) (int64, error) {
		if calls++; calls == 1 {
			return 0, failure
		}
		return 7, nil
	})
	_, err := x.CurrentRevision(t.Context())
	require.ErrorIs(t, err, failure)
	revision, err := x.CurrentRevision(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 7, revision)
	x.Close()
	_, err = x.CurrentRevision(t.Context())
	require.ErrorIs(t, err, etcd.ErrClosed)
}
