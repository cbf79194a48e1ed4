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

// spoiled is a client whose first tries of a write go as the faults say, of a
// store that holds the running game "old".
func spoiled(t *testing.T, cfg httpclient.Config, list ...fault) (remote, *faults) {
	t.Helper()
	f := &faults{list: list}
	r := overHTTP(t, cfg, f.middleware)
	require.NoError(t, r.store.Upsert(t.Context(), running("old")))
	return r, f
}

func always(what fault) []fault {
	list := make([]fault, 10_000)
	for i := range list {
		list[i] = what
	}
	return list
}

// That a try was lost does not turn another writer's victory into success.
func TestConflictAfterALostTryIsAConflict(t *testing.T) {
	t.Parallel()
	var r remote
	overtaken := func(_ http.ResponseWriter, request *http.Request, _ http.Handler) {
		_, err := r.store.Transition(request.Context(), stop("old"))
		if err != nil {
			panic(err)
		}
		panic(http.ErrAbortHandler)
	}
	r, f := spoiled(t, patient(), overtaken, unavailable)
	_, err := r.Transition(t.Context(), stop("old"))
	stands, errGet := r.store.GetVersioned(t.Context(), "old")
	require.NoError(t, errGet)
	require.Equal(t, &runtime.ConflictError{
		GameID: "old", Precondition: runtime.PreconditionStatus, Expected: "running", Actual: "stopped",
		Current: stands.Record, Revision: stands.Revision,
	}, err)
	require.Len(t, f.tries(), 3)
}

// A write that was applied and then overtaken has succeeded; what it returns is
// what stands now.
func TestLostWriteThatWasOvertakenHasSucceeded(t *testing.T) {
	t.Parallel()
	var r remote
	r, _ = spoiled(t, patient(), func(_ http.ResponseWriter, request *http.Request, api http.Handler) {
		applied(request, api)
		if err := r.store.Upsert(request.Context(), running("old")); err != nil {
			panic(err)
		}
		panic(http.ErrAbortHandler)
	})
	got, err := r.Transition(t.Context(), stop("old"))
	require.NoError(t, err)
	stands, err := r.store.GetVersioned(t.Context(), "old")
	require.NoError(t, err)
	require.Equal(t, stands, got)
}

// When the time for repeating is over, only the unknown outcome is told: the
// last try's own "nothing was written" holds of that try alone.
func TestWriteTimeoutLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for name, list := range map[string][]fault{
		"dropped":                  always(dropAfter),
		"unknown to the server":    always(unknownAfter),
		"gateway's page":           always(badGatewayAfter),
		"dropped, then no store":   append([]fault{dropAfter}, always(unavailable)...),
		"dropped, then no API":     append([]fault{dropAfter}, always(pageNotFound)...),
		"dropped, then all silent": append([]fault{dropAfter}, always(silentAfter)...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := patient()
			cfg.WriteTimeout = time.Second
			cfg.MinBackoff, cfg.MaxBackoff = 20*time.Millisecond, 200*time.Millisecond
			var address atomic.Value
			r, f := spoiled(t, cfg, append([]fault{func(w http.ResponseWriter, request *http.Request, api http.Handler) {
				address.Store("http://" + request.Host)
				list[0](w, request, api)
			}}, list[1:]...)...)
			_, err := r.Get(t.Context(), "old")
			require.NoError(t, err, "connect before the time runs")
			_, err = r.Transition(t.Context(), stop("old"))
			requireOnly(t, runtime.ErrOutcomeUnknown, err)
			require.ErrorContains(t, err, address.Load().(string), "the error names the server")
			require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context did not end")
			require.Greater(t, len(f.tries()), 1, "tries in the time for repeating")
		})
	}
}

func TestCallerWhoLeavesALostWriteIsToldSo(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]fault{"while it is lost": dropAfter, "while the store is away": unknownAfter} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, _ := spoiled(t, patient(), first, func(w http.ResponseWriter, request *http.Request, api http.Handler) {
				cancel()
				silentAfter(w, request, api)
			})
			_, err := r.Transition(ctx, stop("old"))
			requireOnly(t, runtime.ErrOutcomeUnknown, err)
			require.ErrorIs(t, err, context.Canceled)
		})
	}
	t.Run("deadline during the first try", func(t *testing.T) {
		t.Parallel()
		r, _ := spoiled(t, patient(), silentAfter)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.Transition(ctx, stop("old"))
		requireOnly(t, runtime.ErrOutcomeUnknown, err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A server that says that it did nothing is not asked again behind the caller's back.
func TestUnavailableStoreIsToldAtOnce(t *testing.T) {
	t.Parallel()
	r, f := spoiled(t, patient(), unavailable)
	_, err := r.Transition(t.Context(), stop("old"))
	requireOnly(t, runtime.ErrUnavailable, err)
	require.Len(t, f.tries(), 1)
	record, err := r.store.Get(t.Context(), "old")
	require.NoError(t, err)
	require.Equal(t, running("old"), record)
}
