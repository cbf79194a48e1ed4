package etcdmembers

import (
	"context"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
)

// session is one life of a presence: one lease, and one fence. It ends for good,
// at the latest when it has not been renewed in time.
type session struct {
	lease clientv3.LeaseID
	fence node.Fence
	trust time.Duration
	// life ends when the session must not be relied upon any more; its cause says why.
	life context.Context
	end  context.CancelCauseFunc

	mu     sync.Mutex
	until  time.Time // by the monotonic clock
	expiry *time.Timer
}

// newSession returns a session that is trusted from the moment at which its
// lease was asked for, for the trust. It ends with ctx too.
func newSession(ctx context.Context, lease clientv3.LeaseID, fence node.Fence, sent time.Time, trust time.Duration) *session {
	s := &session{lease: lease, fence: fence, trust: trust, until: sent.Add(trust)}
	s.life, s.end = context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expiry = time.AfterFunc(time.Until(s.until), s.expire)
	return s
}

// trusted reports whether the session can be relied upon at this moment. It does
// not wait for the timer, which a busy machine may keep waiting; and once it has said
// no, it says no for ever.
func (s *session) trusted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stands()
}

// stands is trusted for who holds mu.
func (s *session) stands() bool {
	if s.life.Err() == nil && !time.Now().Before(s.until) {
		s.end(errExpired)
	}
	return s.life.Err() == nil
}

// renewed prolongs the trust after a renewal that was sent at that time. A session
// that is over stays over.
func (s *session) renewed(sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stands() {
		s.until = sent.Add(s.trust)
		s.expiry.Reset(time.Until(s.until))
	}
}

func (s *session) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stands() {
		s.expiry.Reset(time.Until(s.until)) // renewed as the timer fired
	}
}

// retire frees what a session that is over still holds.
func (s *session) retire() {
	s.end(errExpired)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expiry.Stop()
}
