package etcdmembers

import (
	"context"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
)

// session is one lease of this node with one fence. It ends once, at the latest when it
// was not renewed within its trust window.
type session struct {
	lease       clientv3.LeaseID
	fence       node.Fence
	trustWindow time.Duration
	// ctx ends when the session must no longer be trusted. Its cause is the reason.
	ctx context.Context
	end context.CancelCauseFunc

	mu           sync.Mutex
	trustedUntil time.Time // by the monotonic clock
	expiry       *time.Timer
}

// newSession returns a session that is trusted for the window after sent, which is the
// time at which its lease was requested. It also ends with ctx.
func newSession(ctx context.Context, lease clientv3.LeaseID, fence node.Fence, sent time.Time, trustWindow time.Duration) *session {
	s := &session{lease: lease, fence: fence, trustWindow: trustWindow, trustedUntil: sent.Add(trustWindow)}
	s.ctx, s.end = context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expiry = time.AfterFunc(time.Until(s.trustedUntil), s.expire)
	return s
}

// isValid reports whether the session can be trusted now. It compares the clock, since a
// busy machine may delay the timer. Once it has returned false, it always returns false.
func (s *session) isValid() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isValidLocked()
}

// isValidLocked is isValid. mu must be held.
func (s *session) isValidLocked() bool {
	if s.ctx.Err() == nil && !time.Now().Before(s.trustedUntil) {
		s.end(errTrustExpired)
	}
	return s.ctx.Err() == nil
}

// extendTrust extends the trust after a successful renewal that was sent at that time. It
// does nothing if the session has ended.
func (s *session) extendTrust(sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isValidLocked() {
		s.trustedUntil = sent.Add(s.trustWindow)
		s.expiry.Reset(time.Until(s.trustedUntil))
	}
}

// expire ends the session, unless it was renewed while the timer fired. The timer calls it.
func (s *session) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isValidLocked() {
		s.expiry.Reset(time.Until(s.trustedUntil))
	}
}

// close ends the session and stops its timer.
func (s *session) close() {
	s.end(errTrustExpired)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expiry.Stop()
}
