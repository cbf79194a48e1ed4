package federation

import (
	"context"
	"slices"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/federation"
)

// remote is one other store. It is safe for concurrent use.
type remote struct {
	setting federation.Setting

	mu sync.Mutex // guards the following fields
	// store is what the last probe found; its ID is that of the first response of the store.
	store federation.Store
	// provenAt is when a daemon of the store last responded to a probe with the identity of the
	// store, zero while none does.
	provenAt time.Time
	// probing is the probe in progress, nil for none.
	probing *probeCall
	// probed is closed when the first probe has ended.
	probed   chan struct{}
	isProbed bool
}

// probeCall is a probe in progress. done is closed when it has ended.
type probeCall struct{ done chan struct{} }

func newRemote(setting federation.Setting) *remote {
	return &remote{setting: setting, probed: make(chan struct{}), store: federation.Store{
		Name: setting.Name, URLs: setting.URLs, State: federation.StateUnreachable, Error: "has not responded yet",
	}}
}

// snapshot returns what is known of the store.
func (r *remote) snapshot() federation.Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	store := r.store
	store.URLs = slices.Clone(store.URLs)
	return store
}

// awaitProbe waits until a probe has ended, at most for the timeout.
func (r *remote) awaitProbe(ctx context.Context, timeout time.Duration) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-r.probed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// isProven reports whether a daemon of the store responded within the time.
func (r *remote) isProven(maxAge time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.provenAt.IsZero() && time.Since(r.provenAt) <= maxAge
}

// invalidate makes the next request probe the store first. URL is the one that failed.
func (r *remote) invalidate(url string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.store.URL == url {
		r.provenAt = time.Time{}
	}
}

// probe probes the store, or waits for the probe in progress. It ends with ctx.
func (c *Client) probe(ctx context.Context, r *remote) {
	r.mu.Lock()
	call := r.probing
	if call == nil {
		// The probe serves all waiting requests, so it does not end with one of them.
		bound, end, err := c.life.Begin(context.WithoutCancel(ctx))
		if err != nil {
			r.mu.Unlock()
			return
		}
		call = &probeCall{done: make(chan struct{})}
		r.probing = call
		go func() {
			defer end()
			c.runProbe(bound, r, call)
		}()
	}
	r.mu.Unlock()
	select {
	case <-call.done:
	case <-ctx.Done():
	}
}

func (c *Client) runProbe(ctx context.Context, r *remote, call *probeCall) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ProbeTimeout)
	defer cancel()
	result := c.probeURLs(ctx, r)
	before := r.snapshot()
	r.apply(result)
	after := c.stateOf(r)
	if before.State != after.State || before.URL != after.URL {
		c.log.Info("other store", "store", after.Name, "state", after.State, "url", after.URL, "reason", after.Error)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.probing = nil
	close(call.done)
	if !r.isProbed {
		r.isProbed = true
		close(r.probed)
	}
}

// apply stores the result of a probe.
func (r *remote) apply(result probeResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if result.storeID != "" && r.store.ID != "" && result.storeID != r.store.ID {
		result = probeResult{url: result.url, state: federation.StateIncompatible, reason: "was store " + r.store.ID + " and is store " + result.storeID + " at " + result.url +
			" now; correct its URLs, or restart this daemon if the store was replaced"}
	}
	r.store.State, r.store.Error, r.store.URL = result.state, result.reason, ""
	if !result.isUsable() {
		r.provenAt = time.Time{}
		return
	}
	now := time.Now()
	r.provenAt, r.store.URL, r.store.RespondedAt = now, result.url, now
	if result.storeID != "" {
		r.store.ID = result.storeID
	}
	if result.state == federation.StateReady {
		r.store.Version, r.store.Revision = result.version, result.revision
	}
}

// connection is a daemon of a store that can be used.
type connection struct {
	remote       *remote
	url, storeID string
}

// connect returns a daemon of the store. Without a recent proof it probes the store first. The error
// is a *federation.UnusableError, a *federation.UnknownStoreError or that of ctx.
func (c *Client) connect(ctx context.Context, name string) (connection, error) {
	r, err := c.find(name)
	if err != nil {
		return connection{}, err
	}
	if !r.isProven(maxProofIntervals * c.cfg.Interval) {
		if c.probe(ctx, r); ctx.Err() != nil {
			return connection{}, context.Cause(ctx)
		}
	}
	store := c.stateOf(r)
	if store.URL == "" || store.ID == "" || store.State != federation.StateReady && store.State != federation.StateDegraded {
		return connection{}, &federation.UnusableError{Store: name, State: store.State, Reason: store.Error}
	}
	return connection{remote: r, url: store.URL, storeID: store.ID}, nil
}
