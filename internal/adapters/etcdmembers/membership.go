package etcdmembers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/broadcast"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
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
		m.leave(closing, s)
	}
}

// leave deletes the key of this node, and stores that it has stopped as planned.
func (m *Membership) leave(ctx context.Context, s *session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.registry.opts.CallTimeout)
	defer cancel()
	stopped, err := encodeKnown(node.Absent{Node: m.self, StoppedAt: time.Now().UTC()})
	if err == nil {
		_, err = hedged(ctx, m.registry, m.registry.opts.CallTimeout, func(ctx context.Context) (*clientv3.TxnResponse, error) {
			return m.registry.client.Txn(ctx).
				If(clientv3.Compare(clientv3.CreateRevision(m.key), "=", s.fence.CreateRevision)).
				Then(clientv3.OpPut(m.registry.keys.knownNode(m.self.Ref()), stopped), clientv3.OpDelete(m.key)).Commit()
		})
	}
	if err != nil {
		m.registry.log.Warn("could not store that this node has stopped; it will be listed as lost", "error", err)
	}
	m.revoke(ctx, s.lease)
}

// clockInterval is how often a node stores the time of its clock.
const clockInterval = time.Minute

// storeClock writes the presence with the current time of this node's clock, so that an
// operator can see clocks that differ. The fence remains valid: only the create revision
// of the key counts.
func (m *Membership) storeClock(s *session) {
	self := m.self
	self.Now = time.Now().UTC()
	value, err := encodeNode(self)
	if err == nil {
		ctx, cancel := context.WithTimeout(s.ctx, m.registry.opts.CallTimeout)
		defer cancel()
		_, err = m.registry.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(m.key), "=", s.fence.CreateRevision)).
			Then(clientv3.OpPut(m.key, value, clientv3.WithLease(s.lease))).Commit()
	}
	if err != nil {
		m.registry.log.Debug("could not store the clock of this node", "error", err)
	}
}

// keepAliveLoop renews the session until it ends. A renewal that meets a member that
// hangs is repeated at once on another one, until the trust expires. So the interval, a
// quarter of the TTL, leaves more than half of the trust window for repetitions.
func (m *Membership) keepAliveLoop(s *session) {
	ticker := time.NewTicker(m.registry.opts.LeaseTTL / 4)
	defer ticker.Stop()
	clock := time.NewTicker(clockInterval)
	defer clock.Stop()
	var storing sync.WaitGroup
	defer storing.Wait()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-clock.C:
			storing.Go(func() { m.storeClock(s) }) // it must not delay a renewal
		case <-ticker.C:
			if err := m.renew(s); s.ctx.Err() == nil {
				m.setError(err)
			}
		}
	}
}

// renew renews the lease of the session and verifies its keys, both at the same time: one
// round trip.
func (m *Membership) renew(s *session) error {
	var renewing sync.WaitGroup
	var renewErr error
	renewing.Go(func() { renewErr = m.renewLease(s) })
	verifyErr := m.verifyKeys(s)
	renewing.Wait()
	return cmp.Or(verifyErr, renewErr)
}

// renewLease renews the lease, and extends the trust from the time at which the successful
// attempt was sent.
func (m *Membership) renewLease(s *session) error {
	sent, err := hedged(s.ctx, m.registry, s.trustWindow, func(ctx context.Context) (time.Time, error) {
		sent := time.Now()
		resp, err := m.registry.client.KeepAliveOnce(ctx, s.lease)
		if err != nil {
			return sent, err
		}
		return sent, m.registry.checkCluster(resp.ResponseHeader)
	})
	switch {
	case isLeaseNotFound(err):
		s.end(errLeaseExpired)
		return errLeaseExpired
	case err == nil:
		m.registry.latency.Store(int64(time.Since(sent)))
		s.extendTrust(sent)
	}
	err = toDomainError(s.ctx, "renew the lease of this node", err)
	if errors.Is(err, runtime.ErrIncompatible) {
		s.end(err)
	}
	return err
}

// revoke revokes a lease, which deletes its keys, also if ctx has ended.
func (m *Membership) revoke(ctx context.Context, lease clientv3.LeaseID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.registry.opts.CallTimeout)
	defer cancel()
	if err := m.registry.revoke(ctx, lease); err != nil {
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
