package etcdnodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.Membership = (*Membership)(nil)

// Membership is this daemon's presence. It renews itself, and joins again when it
// has been lost. It is safe for concurrent use.
type Membership struct {
	registry *Registry
	self     ports.Node
	key      string

	mu      sync.Mutex
	session *session      // nil while there is none
	trouble error         // why there is none
	changed chan struct{} // closed at the next change of session

	cancel context.CancelFunc
	tried  chan struct{} // closed once it has been tried to join
	done   chan struct{}
}

// session is one life of the presence.
type session struct {
	lease clientv3.LeaseID
	fence ports.Fence
	// until is when this daemon stops trusting the lease, although etcd may keep it
	// a little longer: counted from before the last renewal was sent.
	until time.Time
	over  chan struct{} // closed when the session is
}

// Join makes the node present, and keeps it so until Close. A presence of the
// same name and identity is that of a daemon that is certainly dead, and is
// replaced; one of another identity is waited for as long as its lease can last
// without it. It returns *runtime.InvalidError on "node" for a name that is taken, and
// runtime.ErrUnavailable when etcd does not answer, or takes no more.
func (r *Registry) Join(ctx context.Context, self ports.Node) (*Membership, error) {
	m := r.newMembership(self)
	bound, cancel := context.WithTimeout(ctx, 2*r.opts.LeaseTTL)
	defer cancel()
	for {
		taken, err := m.join(bound)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return nil, err
		case taken == nil:
			m.start(ctx)
			return m, nil
		}
		r.awaitChange(bound, m.key, taken.Session)
		if bound.Err() != nil && ctx.Err() == nil {
			return nil, m.takenBy(*taken)
		}
	}
}

// JoinLater is Join for who cannot wait: it returns after the first try, and goes
// on trying until it succeeds or is closed. Until then there is no presence, and
// Trouble says why.
func (r *Registry) JoinLater(ctx context.Context, self ports.Node) *Membership {
	m := r.newMembership(self)
	m.start(ctx)
	select {
	case <-m.tried:
	case <-ctx.Done():
	}
	return m
}

func (r *Registry) newMembership(self ports.Node) *Membership {
	return &Membership{registry: r, self: self, key: r.keys.node(self.Region, self.Name), changed: make(chan struct{}), tried: make(chan struct{}), done: make(chan struct{})}
}

func (m *Membership) start(ctx context.Context) {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.cancel = stop
	go m.keep(run)
}

func (m *Membership) takenBy(other ports.Node) error {
	return &runtime.InvalidError{Field: "node", Reason: fmt.Sprintf("%q is taken by a daemon at %s since %s; stop it, or choose another --node",
		m.self.Region+"/"+m.self.Name, other.API, other.StartedAt.UTC().Format(time.RFC3339))}
}

// Trouble returns why the node is not present, nil while it is.
func (m *Membership) Trouble() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session != nil {
		return nil
	}
	return m.trouble
}

// join tries once to become present. It returns the node that has the name, if
// another one has.
func (m *Membership) join(ctx context.Context) (taken *ports.Node, err error) {
	ctx, cancel := context.WithTimeout(ctx, m.registry.opts.CallTimeout)
	defer cancel()
	client := m.registry.client
	value, err := json.Marshal(m.self)
	if err != nil {
		return nil, fmt.Errorf("encode the node: %w", err)
	}
	began := time.Now()
	lease, err := client.Grant(ctx, int64(m.registry.opts.LeaseTTL.Seconds()))
	if err != nil {
		return nil, unavailable("get a lease", err)
	}
	for range 2 { // the second time after a predecessor has been cleared away
		resp, err := client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(m.key), "=", 0)).
			Then(clientv3.OpPut(m.key, string(value), clientv3.WithLease(lease.ID))).
			Else(clientv3.OpGet(m.key)).Commit()
		if err != nil {
			return nil, unavailable("join the nodes", err)
		}
		if resp.Succeeded {
			m.set(&session{
				lease: lease.ID, fence: ports.Fence{Key: m.key, CreateRevision: resp.Header.Revision},
				until: began.Add(m.trust()), over: make(chan struct{}),
			})
			return nil, nil
		}
		kv := resp.Responses[0].GetResponseRange().Kvs[0]
		var other ports.Node
		if err := json.Unmarshal(kv.Value, &other); err != nil {
			return nil, &runtime.CorruptError{Key: m.key, Reason: "the value is not a node: " + err.Error()}
		}
		if other.Identity != m.self.Identity {
			other.Session = kv.CreateRevision
			_, _ = client.Revoke(ctx, lease.ID)
			return &other, nil
		}
		// Our own directory's: its daemon is dead, or is this one before it lost its lease.
		_, err = client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(m.key), "=", kv.CreateRevision)).Then(clientv3.OpDelete(m.key)).Commit()
		if err != nil {
			return nil, unavailable("clear the presence of the daemon before", err)
		}
	}
	return nil, fmt.Errorf("join the nodes: %w: the presence was made again meanwhile", runtime.ErrUnavailable)
}

// trust is how long after a renewal was sent this daemon relies on it.
func (m *Membership) trust() time.Duration {
	return m.registry.opts.LeaseTTL - m.registry.opts.LeaseTTL/5
}

// keep renews the presence until ctx ends, and joins again when it is lost.
func (m *Membership) keep(ctx context.Context) {
	defer close(m.done)
	ticker := time.NewTicker(m.registry.opts.LeaseTTL / 4)
	defer ticker.Stop()
	if m.current() == nil {
		m.joinAgain(ctx)
	}
	close(m.tried)
	for {
		expires := time.NewTimer(m.left())
		select {
		case <-ctx.Done():
			expires.Stop()
			return
		case <-ticker.C:
			m.renew(ctx)
		case <-expires.C:
			m.lose("it could not be renewed in time")
			select { // do not spin while etcd is away
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
		expires.Stop()
		if m.current() == nil {
			m.joinAgain(ctx)
		}
	}
}

// joinAgain tries once, and takes down why it did not succeed.
func (m *Membership) joinAgain(ctx context.Context) {
	taken, err := m.join(ctx)
	if taken != nil {
		err = m.takenBy(*taken)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	news := m.trouble == nil || m.trouble.Error() != err.Error()
	m.trouble = err
	m.mu.Unlock()
	if news {
		m.registry.log.Warn("this node is not present among the nodes; trying again", "error", err)
	}
}

// left is how long the session is still trusted; far off while there is none.
func (m *Membership) left() time.Duration {
	s := m.current()
	if s == nil {
		return time.Hour
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Until(s.until)
}

func (m *Membership) renew(ctx context.Context) {
	s := m.current()
	if s == nil {
		return
	}
	began := time.Now()
	call, cancel := context.WithTimeout(ctx, min(m.registry.opts.CallTimeout, m.registry.opts.LeaseTTL/4))
	defer cancel()
	_, err := m.registry.client.KeepAliveOnce(call, s.lease)
	switch {
	case err == nil:
		m.mu.Lock()
		s.until = began.Add(m.trust())
		m.mu.Unlock()
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		m.lose("its lease is gone")
	case ctx.Err() == nil:
		m.registry.log.Debug("presence could not be renewed; trying again", "error", err)
	}
}

func (m *Membership) set(s *session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session = s
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *Membership) lose(why string) {
	s := m.current()
	if s == nil {
		return
	}
	m.registry.log.Info("this node's presence is over", "reason", why)
	m.set(nil)
	close(s.over)
}

func (m *Membership) current() *session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session
}

// Fence implements ports.Membership. It asks nobody.
func (m *Membership) Fence() (ports.Fence, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session == nil || !time.Now().Before(m.session.until) {
		return ports.Fence{}, false
	}
	return m.session.fence, true
}

// Close ends the presence at once. It waits, may be called more than once, and
// always returns nil: a presence that could not be taken away ends with its lease.
func (m *Membership) Close() error {
	m.cancel()
	<-m.done
	s := m.current()
	if s == nil {
		return nil
	}
	m.lose("the daemon stops")
	ctx, cancel := context.WithTimeout(context.Background(), m.registry.opts.CallTimeout)
	defer cancel()
	if _, err := m.registry.client.Revoke(ctx, s.lease); err != nil {
		m.registry.log.Warn("presence could not be taken away; it ends with its lease", "error", err)
	}
	return nil
}
