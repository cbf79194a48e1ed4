package etcdmembers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/broadcast"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/lifetime"
	"galaxy/rtmanager/internal/ports"
)

var (
	_ ports.NodeSession = (*Membership)(nil)
	_ ports.Election    = (*Membership)(nil)
)

// Membership is the presence of this node, with its leaderships. Until Close it renews
// its session, and joins with a new session after it lost one. It is safe for concurrent
// use.
type Membership struct {
	registry  *Registry
	key       string
	self      node.Node // Now is written by join
	hasJoined bool      // only join uses it, on one goroutine at a time

	lifetime *lifetime.Lifetime // its calls are those of Lead
	done     chan struct{}      // closed when run has returned
	changed  broadcast.Signal   // notified when session changes

	mu      sync.Mutex
	session *session        // nil while this node is not present
	lastErr error           // see setError
	claims  map[string]bool // ids of the candidacies and leaderships of this daemon
}

// Fence implements ports.NodeSession. It makes no request: it returns false by the clock
// alone after etcd did not respond for the trust window.
func (m *Membership) Fence() (node.Fence, bool) {
	s := m.currentSession()
	if s == nil {
		return node.Fence{}, false
	}
	return s.fence, true
}

// Close ends the session and every leadership. It ends the calls of Lead, waits for them,
// and then deletes the keys. If etcd does not respond, the keys expire with their lease.
// Close may be called more than once and always returns nil.
func (m *Membership) Close() error {
	m.lifetime.Close(errLeft)
	<-m.done
	return nil
}

// currentSession returns the session, and nil while there is none to be trusted.
func (m *Membership) currentSession() *session {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session == nil || !m.session.isValid() {
		return nil
	}
	return m.session
}

func (m *Membership) setSession(s *session) {
	m.mu.Lock()
	m.session = s
	m.mu.Unlock()
	m.changed.Notify()
}

// run keeps the session alive, and joins while there is none, until Close.
func (m *Membership) run(s *session) {
	defer close(m.done)
	closing := m.lifetime.Context()
	for closing.Err() == nil {
		if s == nil {
			s = m.rejoin()
			continue
		}
		m.keepAliveLoop(s)
		s.close()
		m.setError(notPresentError(context.Cause(s.ctx)))
		m.setSession(nil)
		if closing.Err() == nil {
			m.revoke(closing, s.lease) // otherwise its keys outlive the trust in the session
			s = nil
		}
	}
	m.lifetime.Close(errLeft) // waits for the calls of Lead
	if s != nil {
		s.close()
		m.revoke(closing, s.lease)
	}
}

// keepAliveLoop renews the session until it ends. A quarter of the TTL as interval allows
// three attempts before the trust expires.
func (m *Membership) keepAliveLoop(s *session) {
	ticker := time.NewTicker(m.registry.opts.LeaseTTL / 4)
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
			if err := m.renew(s); s.ctx.Err() == nil {
				m.setError(err)
			}
		}
	}
}

// renew verifies the keys of the session and then renews its lease. It does so in this
// order because the client retries a renewal without a delay while etcd is down.
func (m *Membership) renew(s *session) error {
	if err := m.verifyKeys(s); err != nil {
		return err
	}
	ctx, cancel := m.withRenewalTimeout(s.ctx)
	defer cancel()
	sent := time.Now()
	_, err := m.registry.client.KeepAliveOnce(ctx, s.lease)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		s.end(errLeaseExpired)
		return errLeaseExpired
	}
	if err == nil {
		s.extendTrust(sent)
	}
	return toDomainError(s.ctx, "renew the lease of this node", err)
}

// withRenewalTimeout bounds one request of a renewal, so that time for another attempt
// remains.
func (m *Membership) withRenewalTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(m.registry.opts.CallTimeout, m.registry.opts.LeaseTTL/4))
}

// revoke revokes a lease, which deletes its keys. It makes one attempt, also if ctx has
// ended.
func (m *Membership) revoke(ctx context.Context, lease clientv3.LeaseID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.registry.opts.CallTimeout)
	defer cancel()
	_, err := m.registry.client.Revoke(ctx, lease)
	if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		m.registry.log.Warn("could not revoke a lease; it will expire", "error", err)
	}
}

// setError sets why this node is not present or could not renew its session; nil means
// that it is present. It logs each change.
func (m *Membership) setError(err error) {
	m.mu.Lock()
	before := m.lastErr
	m.lastErr = err
	m.mu.Unlock()
	switch {
	case errors.Is(err, errLeft):
	case err == nil && before != nil:
		m.registry.log.Info("this node is present", "key", m.key)
	case err != nil && (before == nil || before.Error() != err.Error()):
		m.registry.log.Warn("the session of this node failed", "key", m.key, "error", err)
	}
}

func notPresentError(cause error) error { return fmt.Errorf("this node is not present: %w", cause) }
