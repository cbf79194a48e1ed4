package watchconn

import (
	"context"
	"errors"
	"time"

	"galaxy/rtmanager/internal/etcd"
)

// maxIdleProbes bounds the idle timeout, in ProbeIntervals.
const maxIdleProbes = 32

// Reconnect is the state that a failed Conn leaves to the next one.
type Reconnect struct {
	source *Source
	// backoff delays the next Conn; isHealthy means that the last one has had a response.
	backoff   *etcd.Backoff
	isHealthy bool
	// idleTimeout grows while it proves too short: etcd reads all history after the position
	// before it sends the first response, and reads it a second time for the next watch.
	idleTimeout time.Duration
}

// NewReconnect returns the state before the first Conn.
func (s *Source) NewReconnect() Reconnect {
	return Reconnect{source: s, backoff: etcd.NewBackoff(), idleTimeout: s.ProbeInterval}
}

// Apply sets the idle timeout of a new Conn.
func (r *Reconnect) Apply(c *Conn) { c.idleTimeout = r.idleTimeout }

// OnResponse records that Next has returned a response with the number of events.
func (r *Reconnect) OnResponse(c *Conn, events int) {
	if c.progressPending {
		return
	}
	r.backoff, r.isHealthy = etcd.NewBackoff(), true
	if events == 0 { // it has caught up
		r.idleTimeout, c.idleTimeout = r.source.ProbeInterval, r.source.ProbeInterval
	}
}

// Wait waits for the backoff after a Conn has failed with the error. It returns false if ctx
// ends first.
func (r *Reconnect) Wait(ctx context.Context, position int64, failure error) bool {
	if r.isHealthy {
		r.source.Logger.Warn("watch of etcd broke; reconnecting", "revision", position, "error", failure)
	}
	r.isHealthy = false
	if errors.Is(failure, ErrNoProgress) {
		r.idleTimeout = min(2*r.idleTimeout, maxIdleProbes*r.source.ProbeInterval)
	}
	return r.backoff.Wait(ctx)
}
