package httpclient_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/runtime"
)

// faultyClient returns a client whose first attempts of a write meet the faults. Its
// store has the running game "old".
func faultyClient(t *testing.T, cfg httpclient.Config, list ...fault) (remote, *faultyServer) {
	t.Helper()
	f := &faultyServer{script: list}
	r := overHTTP(t, cfg, f.middleware)
	require.NoError(t, r.store.Upsert(t.Context(), running("old")))
	return r, f
}

func repeatFault(what fault) []fault {
	list := make([]fault, 10_000)
	for i := range list {
		list[i] = what
	}
	return list
}

// A lost attempt does not turn a conflict with another writer into a success.
func TestConflictAfterALostAttemptIsAConflict(t *testing.T) {
	t.Parallel()
	var r remote
	supersede := func(_ http.ResponseWriter, request *http.Request, _ http.Handler) {
		_, err := r.store.Transition(request.Context(), stop("old"))
		if err != nil {
			panic(err)
		}
		panic(http.ErrAbortHandler)
	}
	r, f := faultyClient(t, fastRetries(), supersede, unavailable)
	_, err := r.Transition(t.Context(), stop("old"))
	current, errGet := r.store.GetVersioned(t.Context(), "old")
	require.NoError(t, errGet)
	require.Equal(t, &runtime.ConflictError{
		GameID: "old", Precondition: runtime.PreconditionStatus, Expected: "running", Actual: "stopped",
		Current: current.Record, Revision: current.Revision,
	}, err)
	require.Len(t, f.attempts(), 3)
}

// A write that was applied and then superseded has succeeded; it returns the current
// record.
func TestLostWriteThatWasSupersededHasSucceeded(t *testing.T) {
	t.Parallel()
	var r remote
	r, _ = faultyClient(t, fastRetries(), func(_ http.ResponseWriter, request *http.Request, api http.Handler) {
		apply(request, api)
		if err := r.store.Upsert(request.Context(), running("old")); err != nil {
			panic(err)
		}
		panic(http.ErrAbortHandler)
	})
	got, err := r.Transition(t.Context(), stop("old"))
	require.NoError(t, err)
	current, err := r.store.GetVersioned(t.Context(), "old")
	require.NoError(t, err)
	require.Equal(t, current, got)
}

// When the write timeout ends, the error is that the outcome is unknown. The last
// attempt's "nothing was written" concerns that attempt alone.
func TestWriteTimeoutLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for timeouts")
	}
	for name, list := range map[string][]fault{
		"dropped":                repeatFault(dropResponse),
		"unknown to the server":  repeatFault(unknownAfterApply),
		"gateway's page":         repeatFault(badGatewayAfterApply),
		"dropped, then no store": append([]fault{dropResponse}, repeatFault(unavailable)...),
		"dropped, then no API":   append([]fault{dropResponse}, repeatFault(pageNotFound)...),
		"dropped, then hanging":  append([]fault{dropResponse}, repeatFault(hangAfterApply)...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := fastRetries()
			cfg.WriteTimeout = time.Second
			cfg.MinBackoff, cfg.MaxBackoff = 20*time.Millisecond, 200*time.Millisecond
			var address atomic.Value
			r, f := faultyClient(t, cfg, append([]fault{func(w http.ResponseWriter, request *http.Request, api http.Handler) {
				address.Store("http://" + request.Host)
				list[0](w, request, api)
			}}, list[1:]...)...)
			_, err := r.Get(t.Context(), "old")
			require.NoError(t, err, "connect before the timeout starts")
			_, err = r.Transition(t.Context(), stop("old"))
			requireOnly(t, runtime.ErrOutcomeUnknown, err)
			require.ErrorContains(t, err, address.Load().(string), "the error names the server")
			require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context did not end")
			require.Greater(t, len(f.attempts()), 1, "attempts within the write timeout")
		})
	}
}

func TestContextThatEndsDuringALostWrite(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]fault{"response lost": dropResponse, "store unavailable": unknownAfterApply} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, _ := faultyClient(t, fastRetries(), first, func(w http.ResponseWriter, request *http.Request, api http.Handler) {
				cancel()
				hangAfterApply(w, request, api)
			})
			_, err := r.Transition(ctx, stop("old"))
			requireOnly(t, runtime.ErrOutcomeUnknown, err)
			require.ErrorIs(t, err, context.Canceled)
		})
	}
	t.Run("deadline during the first attempt", func(t *testing.T) {
		t.Parallel()
		r, _ := faultyClient(t, fastRetries(), hangAfterApply)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.Transition(ctx, stop("old"))
		requireOnly(t, runtime.ErrOutcomeUnknown, err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A write that the server reports as not applied is not retried without the caller.
func TestUnavailableStoreFailsAtOnce(t *testing.T) {
	t.Parallel()
	r, f := faultyClient(t, fastRetries(), unavailable)
	_, err := r.Transition(t.Context(), stop("old"))
	requireOnly(t, runtime.ErrUnavailable, err)
	require.Len(t, f.attempts(), 1)
	record, err := r.store.Get(t.Context(), "old")
	require.NoError(t, err)
	require.Equal(t, running("old"), record)
}
