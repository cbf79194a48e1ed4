package etcdmembers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// errPatience ends the first join of a daemon.
var errPatience = fmt.Errorf("%w: etcd did not answer in time", runtime.ErrUnavailable)

// Join makes the node present, and keeps it so until Close. The caller must hold
// the lock of the directory that its Identity stands for: a presence of the same
// name and Identity is taken for that of a daemon that is dead, and is replaced,
// by another create revision. One of another Identity is waited for, a little longer than its
// lease can last.
//
// It returns *runtime.InvalidError on "region", "node" or "identity" for what cannot be, and
// on "node" for a name that is taken; runtime.ErrCorrupt for a presence in the way that
// cannot be read; runtime.ErrReadOnly, runtime.ErrUnavailable, or the reason why ctx ended.
func (r *Registry) Join(ctx context.Context, self node.Node) (*Membership, error) {
	m := r.newMembership(ctx, self)
	s, err := m.joinFirst(ctx)
	if err != nil {
		m.stop(errClosed)
		return nil, err
	}
	m.set(s)
	go m.keep(s)
	return m, nil
}

// JoinLater is Join for who cannot wait: it returns after the first try, and goes
// on trying until it succeeds or is closed. Until then there is no presence, and
// Trouble says why.
func (r *Registry) JoinLater(ctx context.Context, self node.Node) *Membership {
	m := r.newMembership(ctx, self)
	s, err := m.join(ctx)
	if err == nil {
		m.set(s)
	} else {
		m.troubled(notPresent(err))
	}
	go m.keep(s)
	return m
}

func (r *Registry) newMembership(ctx context.Context, self node.Node) *Membership {
	self.Instance = cmp.Or(self.Instance, uuid.NewString())
	m := &Membership{
		registry: r, key: r.keys.node(self.Region, self.Name), self: self,
		done: make(chan struct{}), changed: make(chan struct{}), claims: map[string]bool{},
	}
	m.running, m.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	return m
}

// joinFirst joins for as long as whoever has the name could be dead.
func (m *Membership) joinFirst(ctx context.Context) (*session, error) {
	ttl := m.registry.opts.LeaseTTL
	ctx, cancel := context.WithTimeoutCause(ctx, ttl+max(ttl/2, 3*time.Second), errPatience)
	defer cancel()
	var last error
	for {
		s, err := m.join(ctx)
		if err == nil {
			return s, nil
		}
		if ctx.Err() == nil {
			last = err
		}
		taken, isTaken := errors.AsType[*takenError](last)
		over := errors.Is(context.Cause(ctx), errPatience)
		switch {
		case over && isTaken:
			return nil, &runtime.InvalidError{Field: "node", Reason: taken.reason()}
		case over:
			return nil, cmp.Or(last, err)
		case ctx.Err() != nil, errors.Is(err, runtime.ErrReadOnly), errors.Is(err, runtime.ErrInvalid), refused(err):
			return nil, err
		case isTaken:
			m.registry.awaitChange(ctx, taken.at, m.key)
		default:
			m.registry.pause(ctx)
		}
	}
}

// rejoin joins until it has, nil when the membership ends before.
func (m *Membership) rejoin() *session {
	for {
		s, err := m.join(m.running)
		if err == nil {
			m.troubled(nil)
			m.set(s)
			return s
		}
		if m.running.Err() != nil {
			return nil
		}
		m.troubled(notPresent(err))
		pauseFor(m.running, m.registry.opts.LeaseTTL/4)
	}
}

func notPresent(why error) error { return fmt.Errorf("this node is not present: %w", why) }

// mayReplace reports whether the presence of the other one is to make room. Once
// joined, that is only what is left of this very daemon: one of the same Identity that has
// come meanwhile has a copy of the directory, and the two would throw each other out for ever.
func (m *Membership) mayReplace(other node.Node) bool {
	return other.Identity == m.self.Identity && (!m.joined || other.Instance == m.self.Instance)
}

// join tries once to become present.
func (m *Membership) join(ctx context.Context) (*session, error) {
	if err := errors.Join(validName("region", m.self.Region), validName("node", m.self.Name), validName("identity", m.self.Identity)); err != nil {
		return nil, err
	}
	call, cancel := context.WithTimeout(ctx, m.registry.opts.CallTimeout)
	defer cancel()
	if err := m.makeRoom(ctx, call); err != nil {
		return nil, err
	}
	m.self.Now = time.Now().UTC()
	value, err := encodeNode(m.self)
	if err != nil {
		return nil, err
	}
	ttl := m.registry.opts.LeaseTTL
	sent := time.Now()
	lease, err := m.registry.client.Grant(call, int64(math.Ceil(ttl.Seconds())))
	if err != nil {
		return nil, translate(ctx, "get a lease for this node", err)
	}
	fence, err := m.create(call, lease.ID, value)
	if err != nil {
		m.revoke(ctx, lease.ID) // which also undoes a creation whose answer was lost
		return nil, translate(ctx, "join the nodes", err)
	}
	m.joined = true
	return newSession(m.running, lease.ID, fence, sent, ttl-ttl/5), nil
}

// makeRoom looks who has the name, and takes the presence away where it may be
// replaced. The error is a *takenError where it may not.
func (m *Membership) makeRoom(ctx, call context.Context) error {
	resp, err := m.registry.client.Get(call, m.key)
	if err != nil || len(resp.Kvs) == 0 {
		return translate(ctx, "see who has the name of this node", err)
	}
	kv := resp.Kvs[0]
	other, err := m.registry.keys.decodeNode(kv)
	if err != nil {
		return err
	}
	if !m.mayReplace(other) {
		return &takenError{other: other, at: resp.Header.GetRevision()}
	}
	// By its lease, so that what the predecessor led is free too.
	if kv.GetLease() != 0 {
		_, err = m.registry.client.Revoke(call, clientv3.LeaseID(kv.GetLease()))
	}
	if err == nil || errors.Is(err, rpctypes.ErrLeaseNotFound) {
		err = m.registry.drop(call, fenceOf(kv))
	}
	return translate(ctx, "clear away the presence of the daemon before", err)
}

// create makes the key, unless somebody else has it.
func (m *Membership) create(ctx context.Context, lease clientv3.LeaseID, value string) (node.Fence, error) {
	resp, err := m.registry.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(m.key), "=", 0)).
		Then(clientv3.OpPut(m.key, value, clientv3.WithLease(lease))).
		Else(clientv3.OpGet(m.key)).Commit()
	if err != nil {
		return node.Fence{}, err
	}
	if resp.Succeeded {
		return node.Fence{Key: m.key, CreateRevision: resp.Header.GetRevision()}, nil
	}
	kv := resp.Responses[0].GetResponseRange().GetKvs()[0]
	if kv.GetLease() == int64(lease) {
		return fenceOf(kv), nil // the client has sent it twice by itself
	}
	return node.Fence{}, errHurried
}

var errHurried = errors.New("another daemon of this name was quicker")

// drop deletes the key if it is still the fence's.
func (r *Registry) drop(ctx context.Context, fence node.Fence) error {
	_, err := r.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(fence.Key), "=", fence.CreateRevision)).
		Then(clientv3.OpDelete(fence.Key)).Commit()
	return err
}
