package lifetime_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/lifetime"
)

var errStopping = errors.New("stopping")

func TestCallEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	l := lifetime.New(t.Context())
	ctx, cancel := context.WithCancelCause(t.Context())
	bound, end, err := l.Begin(ctx)
	require.NoError(t, err)
	defer end()
	cause := errors.New("caller ended")
	cancel(cause)
	<-bound.Done()
	require.Equal(t, cause, context.Cause(bound))
	require.NoError(t, l.Context().Err())
}

func TestCloseEndsCallsAndWaitsForThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := lifetime.New(t.Context())
		bound, end, err := l.Begin(t.Context())
		require.NoError(t, err)
		closed := false
		go func() {
			l.Close(errStopping)
			closed = true
		}()
		<-bound.Done()
		synctest.Wait()
		require.Equal(t, errStopping, context.Cause(bound))
		require.False(t, closed, "a call is in progress")
		end()
		synctest.Wait()
		require.True(t, closed)
	})
}

func TestNothingBeginsAfterClose(t *testing.T) {
	t.Parallel()
	l := lifetime.New(t.Context())
	l.Close(errStopping)
	l.Close(errors.New("another cause"))
	_, _, err := l.Begin(t.Context())
	require.Equal(t, errStopping, err)
	require.Equal(t, errStopping, context.Cause(l.Context()))
}

func TestLifetimeOutlivesItsParent(t *testing.T) {
	t.Parallel()
	parent, cancel := context.WithCancel(t.Context())
	l := lifetime.New(parent)
	cancel()
	_, end, err := l.Begin(t.Context())
	require.NoError(t, err)
	end()
	l.Close(nil)
}
