package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

var errUnavailable = status.Error(codes.Unavailable, "connection reset")

func newClient(opts etcd.Options) *etcd.Client {
	opts.CallTimeout, opts.OperationTimeout = time.Second, 10*time.Second
	return etcd.NewClient(nil, opts)
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want etcd.Class
	}{
		"space quota":             {rpctypes.ErrNoSpace, etcd.Permanent},
		"compacted":               {rpctypes.ErrCompacted, etcd.Permanent},
		"future revision":         {rpctypes.ErrFutureRev, etcd.Permanent},
		"invalid argument":        {rpctypes.ErrEmptyKey, etcd.Permanent},
		"permission denied":       {rpctypes.ErrPermissionDenied, etcd.Permanent},
		"lease not found":         {rpctypes.ErrLeaseNotFound, etcd.Permanent},
		"unimplemented":           {status.Error(codes.Unimplemented, "no such method"), etcd.Permanent},
		"too many requests":       {rpctypes.ErrTooManyRequests, etcd.Retryable},
		"expired token":           {rpctypes.ErrInvalidAuthToken, etcd.Retryable},
		"old auth revision":       {rpctypes.ErrAuthOldRevision, etcd.Retryable},
		"no leader":               {rpctypes.ErrNoLeader, etcd.Retryable},
		"learner":                 {rpctypes.ErrGRPCNotSupportedForLearner, etcd.Retryable},
		"rejected password":       {rpctypes.ErrAuthFailed, etcd.Retryable},
		"not sent":                {fmt.Errorf("%w: connection refused", etcd.ErrNotSent), etcd.Retryable},
		"timeout of the server":   {rpctypes.ErrTimeout, etcd.Ambiguous},
		"connection lost":         {errUnavailable, etcd.Ambiguous},
		"timeout of the call":     {context.DeadlineExceeded, etcd.Ambiguous},
		"error of another origin": {errors.New("unexpected"), etcd.Ambiguous},
		"wrapped":                 {fmt.Errorf("put: %w", rpctypes.ErrPermissionDenied), etcd.Permanent},
	} {
		require.Equal(t, test.want, etcd.Classify(test.err), name)
	}
	require.True(t, etcd.MayHaveApplied(rpctypes.ErrNoSpace))
	require.False(t, etcd.MayHaveApplied(rpctypes.ErrPermissionDenied))
}

func TestReadIsRetriedUntilItSucceeds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		got, err := etcd.RetryRead(t.Context(), newClient(etcd.Options{}), func(context.Context) (string, error) {
			if calls++; calls < 4 {
				return "", errUnavailable
			}
			return "value", nil
		})
		require.NoError(t, err)
		require.Equal(t, "value", got)
		require.Equal(t, 4, calls)
	})
}

func TestReadIsNotRetriedAfterAPermanentError(t *testing.T) {
	t.Parallel()
	for in, want := range map[error]error{
		rpctypes.ErrCompacted: runtime.ErrCompacted, rpctypes.ErrFutureRev: runtime.ErrForeignRevision,
		rpctypes.ErrNoSpace: runtime.ErrReadOnly, rpctypes.ErrPermissionDenied: rpctypes.ErrPermissionDenied,
	} {
		calls := 0
		_, err := etcd.RetryRead(t.Context(), newClient(etcd.Options{}), func(context.Context) (string, error) {
			calls++
			return "", in
		})
		require.ErrorIs(t, err, want)
		require.Equal(t, 1, calls)
	}
}

func TestReadEndsWithTheOperationTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := etcd.RetryRead(t.Context(), newClient(etcd.Options{}), func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		})
		require.ErrorIs(t, err, runtime.ErrUnavailable)
		require.ErrorIs(t, err, etcd.ErrOperationTimeout)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller set no deadline")
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

// Without a leader a read waits for an election, and then ends although its caller would wait.
func TestReadEndsWithoutALeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		started := time.Now()
		_, err := etcd.RetryRead(ctx, newClient(etcd.Options{}), func(context.Context) (int, error) { return 0, rpctypes.ErrNoLeader })
		require.ErrorIs(t, err, runtime.ErrUnavailable)
		require.ErrorContains(t, err, "a majority of its members must run")
		require.Less(t, time.Since(started), 12*time.Second)
		require.Greater(t, time.Since(started), 9*time.Second)
	})
}

func TestReadEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		_, err := etcd.RetryRead(ctx, newClient(etcd.Options{}), func(context.Context) (string, error) {
			return "", errUnavailable
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, runtime.ErrUnavailable)
		require.Equal(t, time.Hour, time.Since(start), "the caller's deadline replaces OperationTimeout")
	})
}

func TestContextErrorNamesTheCause(t *testing.T) {
	t.Parallel()
	reason := errors.New("the operator gave up")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	err := etcd.ContextError(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, reason)

	closed, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("the store is %w", etcd.ErrClosed))
	require.NotErrorIs(t, etcd.ContextError(closed), context.Canceled, "the caller did not end it")
	require.ErrorIs(t, etcd.UnavailableError(closed, reason), runtime.ErrUnavailable)
}

func TestResponseOfAnotherClusterIsRejected(t *testing.T) {
	t.Parallel()
	client := newClient(etcd.Options{})
	get := func(cluster uint64) error {
		_, err := etcd.RetryRead(t.Context(), client, func(context.Context) (*clientv3.GetResponse, error) {
			return &clientv3.GetResponse{Header: &etcdserverpb.ResponseHeader{ClusterId: cluster}}, nil
		})
		return err
	}
	require.NoError(t, get(7), "no cluster id is known yet")
	client.SetClusterID(7)
	require.NoError(t, get(7))
	require.ErrorIs(t, get(8), runtime.ErrIncompatible)
}

func TestRevisionThatWentBackIsReported(t *testing.T) {
	t.Parallel()
	var reported error
	client := newClient(etcd.Options{
		SeenRevision: func() int64 { return 100 }, OnRegression: func(err error) { reported = err },
	})
	get := func(revision int64) {
		_, err := etcd.RetryRead(t.Context(), client, func(context.Context) (*clientv3.TxnResponse, error) {
			return &clientv3.TxnResponse{Header: &etcdserverpb.ResponseHeader{Revision: revision}}, nil
		})
		require.NoError(t, err)
	}
	get(100)
	require.NoError(t, reported)
	get(99)
	require.ErrorIs(t, reported, runtime.ErrForeignRevision)
}

func TestPathSegments(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"game", "a/b", "..", "a b", "50%", "ä", "a\x00b", ""} {
		got, err := etcd.UnescapeSegment(etcd.EscapeSegment(id))
		require.NoError(t, err)
		require.Equal(t, id, got)
	}
	for _, segment := range []string{"a/b", "%", "%zz", "%41", "a b"} {
		_, err := etcd.UnescapeSegment(segment)
		require.Error(t, err, "%q is not the escaped form of any id", segment)
	}
	require.Equal(t, "/eu", etcd.TrimPrefix("/eu//"))
	require.Equal(t, "/a0", etcd.PrefixEnd("/a/"))
	require.Less(t, "a", etcd.KeyAfter("a"))
}
