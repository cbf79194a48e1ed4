package etcdmembers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var (
	_ ports.NodeSession = (*Membership)(nil)
	_ ports.Election    = (*Membership)(nil)
)

// Membership is this daemon's presence, and what it leads hangs on it. It renews
// itself, and joins again after it was lost, until Close. It is safe for concurrent use.
type Membership struct {
	registry *Registry
	key      string
	self     node.Node // its Now is for join alone, which one goroutine at a time calls
	joined   bool      // has been present; for join alone, too

	running context.Context
	stop    context.CancelCauseFunc
	done    chan struct{} // closed when keep has returned

	mu      sync.Mutex
	session *session        // the last one while it is trusted; nil at other times
	changed chan struct{}   // closed and replaced when session changes
	trouble error           // see Trouble
	claims  map[string]bool // the leaderships that are stood for, and held
	leads   sync.WaitGroup  // calls of Lead under way; added to under mu, before running has ended
}

// Fence implements ports.NodeSession. It asks nobody, and turns false by the clock
// alone when etcd has been out of reach for too long.
func (m *Membership) Fence() (node.Fence, bool) {
	s, _ := m.present()
	if s == nil {
		return node.Fence{}, false
	}
	return s.fence, true
}

// Changed returns a channel that is closed when the presence is next lost or
// gained. Ask for it before looking at what may change.
func (m *Membership) Changed() <-chan struct{} {
	_, changed := m.present()
	return changed
}

// Trouble says why the presence is lost, or that it cannot be renewed: for
// people, and nil while all is well.
func (m *Membership) Trouble() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.trouble
}

// Close ends the presence and every leadership at once: calls of Lead end, are
// waited for, and only then are the keys taken away, or end with their lease where etcd is out of
// reach. It may be called more than once and always returns nil.
func (m *Membership) Close() error {
	m.mu.Lock()
	m.stop(errClosed)
	m.mu.Unlock()
	<-m.done
	return nil
}

// present returns the session, nil while there is none to rely upon, and what to wait
// on for another.
func (m *Membership) present() (*session, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session == nil || !m.session.trusted() {
		return nil, m.changed
	}
	return m.session, m.changed
}

func (m *Membership) set(s *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session = s
	close(m.changed)
	m.changed = make(chan struct{})
}

// keep renews the presence, and joins where there is none, until Close.
func (m *Membership) keep(s *session) {
	defer close(m.done)
	for m.running.Err() == nil {
		if s == nil {
			s = m.rejoin()
			continue
		}
		m.hold(s)
		s.retire()
		m.troubled(notPresent(context.Cause(s.life)))
		m.set(nil)
		if m.running.Err() == nil {
			m.revoke(m.running, s.lease) // or what hangs on it would outlive the trust in it
			s = nil
		}
	}
	m.leads.Wait()
	if s != nil {
		s.retire()
		m.revoke(m.running, s.lease)
	}
}

// hold renews the session until it is over. A quarter of the TTL is enough for
// three tries before the trust ends.
func (m *Membership) hold(s *session) {
	ticker := time.NewTicker(m.registry.opts.LeaseTTL / 4)
	defer ticker.Stop()
	for {
		select {
		case <-s.life.Done():
			return
		case <-ticker.C:
			if err := m.renew(s); s.life.Err() == nil {
				m.troubled(err)
			}
		}
	}
}

// renew asks etcd how the session stands, and then to go on with its lease. It does
// so in this order because the client repeats a renewal without a pause where there is
// no etcd.
func (m *Membership) renew(s *session) error {
	if err := m.sweep(s); err != nil {
		return err
	}
	ctx, cancel := m.bound(s.life)
	defer cancel()
	sent := time.Now()
	_, err := m.registry.client.KeepAliveOnce(ctx, s.lease)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		s.end(errLeaseGone)
		return errLeaseGone
	}
	if err == nil {
		s.renewed(sent)
	}
	return translate(s.life, "renew the presence of this node", err)
}

// bound is for one request of a renewal, which must leave time for another.
func (m *Membership) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(m.registry.opts.CallTimeout, m.registry.opts.LeaseTTL/4))
}

// revoke ends a lease with all keys on it, once and if etcd answers. ctx may have ended.
func (m *Membership) revoke(ctx context.Context, lease clientv3.LeaseID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.registry.opts.CallTimeout)
	defer cancel()
	_, err := m.registry.client.Revoke(ctx, lease)
	if err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		m.registry.log.Warn("a lease could not be given back; it ends by itself", "error", err)
	}
}

// troubled sets what Trouble returns, and logs it when it is news.
func (m *Membership) troubled(why error) {
	m.mu.Lock()
	before := m.trouble
	m.trouble = why
	m.mu.Unlock()
	switch {
	case errors.Is(why, errClosed):
	case why == nil && before != nil:
		m.registry.log.Info("this node is present", "key", m.key)
	case why != nil && (before == nil || before.Error() != why.Error()):
		m.registry.log.Warn("the presence of this node is in trouble", "key", m.key, "error", why)
	}
}

// begin starts a call of Lead, which ends with ctx or with the membership. The
// returned function must be called when it is over.
func (m *Membership) begin(ctx context.Context) (context.Context, func(), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running.Err() != nil {
		return nil, nil, fmt.Errorf("%w: %w", runtime.ErrUnavailable, errClosed)
	}
	m.leads.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(m.running, func() { cancel(fmt.Errorf("%w: %w", runtime.ErrUnavailable, errClosed)) })
	return ctx, func() {
		stop()
		cancel(context.Canceled)
		m.leads.Done()
	}, nil
}
