package httpclient_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/storetest"
)

func TestUnreachableServerFailsAtOnce(t *testing.T) {
	t.Parallel()
	const address = "127.0.0.1:1"
	for name, call := range everyCall() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dials atomic.Int64
			transport := &http.Transport{DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
				dials.Add(1)
				return (&net.Dialer{}).DialContext(ctx, network, to)
			}}
			// A retry would wait for an hour, and the context would end first.
			client, err := httpclient.New("http://"+address, httpclient.Config{
				HTTPClient: &http.Client{Transport: transport}, WriteTimeout: 2 * time.Hour, MinBackoff: time.Hour, MaxBackoff: time.Hour,
			})
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			err = call(ctx, client)
			requireOnly(t, runtime.ErrUnavailable, err)
			require.ErrorContains(t, err, address)
			require.ErrorAs(t, err, new(*url.Error), "which means that there was no response")
			require.EqualValues(t, 1, dials.Load(), "attempts to connect")
		})
	}
}

func TestRequestTimeoutBoundsAHangingServer(t *testing.T) {
	t.Parallel()
	hang := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	}
	r := overHTTP(t, httpclient.Config{RequestTimeout: 100 * time.Millisecond}, hang)
	calls := everyCall()
	for _, unbounded := range []string{"put", "transition", "check", "repair"} {
		delete(calls, unbounded)
	}
	for name, call := range calls {
		err := call(t.Context(), r.Client)
		requireOnly(t, runtime.ErrUnavailable, err)
		require.ErrorAs(t, err, new(*url.Error), "%s: which means that there was no response", name)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "%s: the caller's context did not end", name)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for name, call := range everyCall() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			r := overHTTP(t, fastRetries(), func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					requests.Add(1)
					http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
				})
			})
			err := call(t.Context(), r.Client)
			requireOnly(t, nil, err)
			require.ErrorContains(t, err, "returned 307 Temporary Redirect, which is not a response of the API")
			require.EqualValues(t, 1, requests.Load(), "requests")
		})
	}
}

// everyCall returns every call of a store by name, with the game "old" as its subject.
func everyCall() map[string]func(context.Context, storetest.Store) error {
	return map[string]func(context.Context, storetest.Store) error{
		"get":      func(ctx context.Context, s storetest.Store) error { _, err := s.Get(ctx, "old"); return err },
		"list":     func(ctx context.Context, s storetest.Store) error { _, err := s.List(ctx); return err },
		"history":  func(ctx context.Context, s storetest.Store) error { _, err := s.History(ctx, "old"); return err },
		"revision": func(ctx context.Context, s storetest.Store) error { _, err := s.Revision(ctx); return err },
		"info":     func(ctx context.Context, s storetest.Store) error { _, err := s.Info(ctx); return err },
		"check":    func(ctx context.Context, s storetest.Store) error { _, err := s.Check(ctx, false); return err },
		"repair":   func(ctx context.Context, s storetest.Store) error { _, err := s.Check(ctx, true); return err },
		"put":      func(ctx context.Context, s storetest.Store) error { return s.Upsert(ctx, running("old")) },
		"transition": func(ctx context.Context, s storetest.Store) error {
			_, err := s.Transition(ctx, stop("old"))
			return err
		},
		"watch": func(ctx context.Context, s storetest.Store) error {
			for _, err := range s.Watch(ctx, ports.WatchOptions{}) {
				return err
			}
			return errors.New("the watch ended without an error")
		},
	}
}
