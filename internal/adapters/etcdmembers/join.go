package etcdmembers

import (
	"cmp"
	"context"
	"errors"
	"math"
	"time"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/lifetime"
	"galaxy/rtmanager/internal/wait"
)

// Join makes the node present and keeps it present until Close. The caller must hold the
// lock of the directory that self.Identity identifies: Join assumes that a present node
// with the same name and Identity belongs to a dead daemon, and replaces it. For a node
// with another Identity it waits until its lease must have expired, and a little longer.
//
// It returns *runtime.InvalidError on "region", "node" or "identity" for an invalid name,
// and on "node" for a name that is taken; runtime.ErrCorrupt if the current value of the
// node's key cannot be read; runtime.ErrReadOnly, runtime.ErrUnavailable, or the cause of
// ctx.
func (r *Registry) Join(ctx context.Context, self node.Node) (*Membership, error) {
	m := r.newMembership(ctx, self)
	s, err := m.joinWithRetry(ctx)
	if err != nil {
		m.lifetime.Close(errLeft)
		return nil, err
	}
	m.setSession(s)
	go m.run(s)
	return m, nil
}

// JoinAsync is Join without waiting. It returns after the first attempt, and retries in
// the background until it succeeds or the membership is closed. Until then this node is
// not present, and the log contains the reason.
func (r *Registry) JoinAsync(ctx context.Context, self node.Node) *Membership {
	m := r.newMembership(ctx, self)
	s, err := m.join(ctx)
	if err == nil {
		m.setSession(s)
	} else {
		m.setError(notPresentError(err))
	}
	go m.run(s)
	return m
}

func (r *Registry) newMembership(ctx context.Context, self node.Node) *Membership {
	self.Instance = cmp.Or(self.Instance, uuid.NewString())
	return &Membership{
		registry: r, key: r.keys.node(self.Region, self.Name), self: self,
		lifetime: lifetime.New(ctx), done: make(chan struct{}), claims: map[string]bool{},
	}
}

// joinWithRetry retries join for as long as the lease of a dead node with the same name
// can last.
func (m *Membership) joinWithRetry(ctx context.Context) (*session, error) {
	ttl := m.registry.opts.LeaseTTL
	ctx, cancel := context.WithTimeoutCause(ctx, ttl+max(ttl/2, 3*time.Second), errJoinTimeout)
	defer cancel()
	var last error
	reported := false
	for {
		s, err := m.join(ctx)
		if err == nil {
			return s, nil
		}
		if ctx.Err() == nil {
			last = err
		}
		taken, isTaken := errors.AsType[*nameTakenError](last)
		timedOut := errors.Is(context.Cause(ctx), errJoinTimeout)
		switch {
		case timedOut && isTaken:
			return nil, &runtime.InvalidError{Field: "node", Reason: taken.reason()}
		case timedOut:
			return nil, cmp.Or(last, err)
		case ctx.Err() != nil, errors.Is(err, runtime.ErrReadOnly), errors.Is(err, runtime.ErrInvalid), isPermanent(err):
			return nil, err
		case isTaken:
			if !reported {
				m.registry.log.Warn("node name is taken; waiting for the lease of the other daemon to expire", "timeout", ttl, "error", last)
				reported = true
			}
			m.registry.waitForChange(ctx, taken.revision, m.key)
		default:
			m.registry.waitBeforeRetry(ctx)
		}
	}
}

// rejoin retries join until it succeeds. It returns nil if the membership is closed.
func (m *Membership) rejoin() *session {
	closing := m.lifetime.Context()
	for {
		s, err := m.join(closing)
		if err == nil {
			m.setError(nil)
			m.setSession(s)
			return s
		}
		if closing.Err() != nil {
			return nil
		}
		m.setError(notPresentError(err))
		// The next attempt returns if closing ended.
		_ = wait.For(closing, min(m.registry.opts.LeaseTTL/4, time.Second))
	}
}

// join makes one attempt to create the key of this node with a new lease.
func (m *Membership) join(ctx context.Context) (*session, error) {
	if err := errors.Join(validateName("region", m.self.Region), validateName("node", m.self.Name), validateName("identity", m.self.Identity)); err != nil {
		return nil, err
	}
	callCtx, cancel := context.WithTimeout(ctx, m.registry.joinTimeout())
	defer cancel()
	if err := m.evictPredecessor(ctx, callCtx); err != nil {
		return nil, err
	}
	m.self.Now = time.Now().UTC()
	value, err := encodeNode(m.self)
	if err != nil {
		return nil, err
	}
	ttl := m.registry.opts.LeaseTTL
	lease, err := m.requestLease(callCtx)
	if err != nil {
		return nil, toDomainError(ctx, "request a lease for this node", err)
	}
	entry, err := encodeKnown(node.Absent{Node: m.self})
	if err != nil {
		return nil, err
	}
	fence, err := m.createKey(callCtx, lease.id, value, entry)
	if err != nil {
		m.revoke(ctx, lease.id) // also deletes the key if only the response was lost
		return nil, toDomainError(ctx, "join the nodes", err)
	}
	m.hasJoined = true
	return newSession(m.lifetime.Context(), lease.id, fence, lease.sent, ttl-ttl/5), nil
}

// grantedLease is a lease with the time at which it was requested.
type grantedLease struct {
	id   clientv3.LeaseID
	sent time.Time
}

// requestLease returns a new lease. A repetition may leave a second lease behind, which has
// no keys and expires.
func (m *Membership) requestLease(ctx context.Context) (grantedLease, error) {
	seconds := int64(math.Ceil(m.registry.opts.LeaseTTL.Seconds()))
	return hedged(ctx, m.registry, m.registry.joinTimeout(), func(ctx context.Context) (grantedLease, error) {
		sent := time.Now()
		resp, err := m.registry.client.Grant(ctx, seconds)
		if err != nil {
			return grantedLease{}, err
		}
		return grantedLease{resp.ID, sent}, m.registry.checkCluster(resp.ResponseHeader)
	})
}

// evictPredecessor reads the key of this node, and revokes the lease of a node that this
// one may replace. It returns a *nameTakenError if it may not. call is ctx with the
// timeout of the join.
func (m *Membership) evictPredecessor(ctx, callCtx context.Context) error {
	resp, err := m.registry.getHedged(callCtx, m.key)
	if err != nil || len(resp.Kvs) == 0 {
		return toDomainError(ctx, "read the key of this node", err)
	}
	kv := resp.Kvs[0]
	other, err := m.registry.keys.decodeNode(kv)
	if err != nil {
		return err
	}
	if !m.canReplace(other) {
		return &nameTakenError{other: other, revision: resp.Header.GetRevision()}
	}
	// Revoking the lease also deletes the keys of its leaderships.
	if kv.GetLease() != 0 {
		err = m.registry.revoke(callCtx, clientv3.LeaseID(kv.GetLease()))
	}
	if err == nil {
		err = m.registry.deleteKey(callCtx, fenceOf(kv))
	}
	return toDomainError(ctx, "delete the key of the previous daemon of this node", err)
}

// canReplace reports whether this node may evict the other one of the same name. Before
// its first join it may evict every node with its Identity. After that it may evict only a
// key that this process created: another process with its Identity runs on a copy of the
// directory, and the two would evict each other in turn.
func (m *Membership) canReplace(other node.Node) bool {
	return other.Identity == m.self.Identity && (!m.hasJoined || other.Instance == m.self.Instance)
}

// createKey creates the key of this node, and its entry among the known nodes. It returns errLostRace if the key exists.
func (m *Membership) createKey(ctx context.Context, lease clientv3.LeaseID, value, entry string) (node.Fence, error) {
	return hedged(ctx, m.registry, m.registry.joinTimeout(), func(ctx context.Context) (node.Fence, error) {
		resp, err := m.registry.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(m.key), "=", 0)).
			Then(clientv3.OpPut(m.key, value, clientv3.WithLease(lease)), clientv3.OpPut(m.registry.keys.knownNode(m.self.Ref()), entry)).
			Else(clientv3.OpGet(m.key)).Commit()
		if err == nil {
			err = m.registry.checkCluster(resp.Header)
		}
		if err != nil {
			return node.Fence{}, err
		}
		if resp.Succeeded {
			return node.Fence{Key: m.key, CreateRevision: resp.Header.GetRevision()}, nil
		}
		kv := resp.Responses[0].GetResponseRange().GetKvs()[0]
		if kv.GetLease() == int64(lease) {
			return fenceOf(kv), nil // created by an earlier attempt
		}
		return node.Fence{}, errLostRace
	})
}
