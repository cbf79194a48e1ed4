package etcdmembers

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/wait"
)

// workFunc is the work of a leader.
type workFunc = func(ctx context.Context, fence node.Fence) error

// Lead implements ports.Election. Calls for one scope compete with each other, in one
// daemon and between daemons.
//
// The context of work ends with ctx, with the session of this node or the trust in it, when
// the key of the leadership is deleted, or on Close. Its cause is the reason. When work returns, Lead resigns, and campaigns once more after a short
// delay. Without the delay, work that fails at once would loop over all nodes.
//
// It returns *runtime.InvalidError on "scope", the cause of ctx, or
// runtime.ErrUnavailable after Close.
func (m *Membership) Lead(ctx context.Context, scope string, work func(ctx context.Context, fence node.Fence) error) error {
	if err := validateName("scope", scope); err != nil {
		return err
	}
	ctx, end, err := m.lifetime.Begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	for ctx.Err() == nil {
		m.campaignLoop(ctx, scope, work)
	}
	return context.Cause(ctx)
}

// campaignLoop campaigns until it has led once or ctx ends.
func (m *Membership) campaignLoop(ctx context.Context, scope string, work workFunc) {
	// All campaigns until the first success have one claim, so that the next campaign
	// recognizes the key of one whose response was lost.
	c := candidate{key: m.registry.keys.leader(scope), claim: uuid.NewString()}
	m.addClaim(c.claim)
	defer m.removeClaim(c.claim)
	for ctx.Err() == nil {
		changed := m.changed.Changed()
		s := m.currentSession()
		if s == nil {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		fence, revision, err := m.campaign(ctx, s, c)
		switch {
		case err != nil:
			m.registry.log.Debug("campaign failed; retrying", "scope", scope, "error", err)
			m.registry.waitBeforeRetry(ctx)
		case fence.CreateRevision == 0:
			m.registry.waitForChange(ctx, revision, c.key)
		default:
			err := m.lead(ctx, s, fence, work)
			if ctx.Err() == nil {
				m.registry.log.Warn("leadership ended", "scope", scope, "error", err)
				m.registry.waitBeforeRetry(ctx)
			}
			return
		}
	}
}

// candidate is one candidacy for a leadership.
type candidate struct{ key, claim string }

// campaign makes one attempt to create the key of the leadership, in a transaction that
// requires the key of the session. It returns the fence of the leadership. If another
// candidate has the key, it returns the zero fence and the revision of that read.
func (m *Membership) campaign(ctx context.Context, s *session, c candidate) (won node.Fence, revision int64, err error) {
	value, err := encodeLeader(storedLeader{Region: m.self.Region, Node: m.self.Name, Claim: c.claim})
	if err != nil {
		return won, 0, err
	}
	resp, err := hedged(ctx, m.registry, m.registry.joinTimeout(), func(ctx context.Context) (*clientv3.TxnResponse, error) {
		resp, err := m.registry.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(c.key), "=", 0),
				clientv3.Compare(clientv3.CreateRevision(s.fence.Key), "=", s.fence.CreateRevision)).
			Then(clientv3.OpPut(c.key, value, clientv3.WithLease(s.lease))).
			Else(clientv3.OpGet(c.key)).Commit()
		if err != nil {
			return nil, err
		}
		return resp, m.registry.checkCluster(resp.Header)
	})
	if err != nil {
		return won, 0, toDomainError(ctx, "campaign", err)
	}
	if resp.Succeeded {
		return node.Fence{Key: c.key, CreateRevision: resp.Header.GetRevision()}, 0, nil
	}
	leader := resp.Responses[0].GetResponseRange().GetKvs()
	if len(leader) == 0 {
		s.end(errKeyDeleted) // there is no leader, so the compare of the session's key failed
		return won, 0, errKeyDeleted
	}
	stored, err := decodeLeader(leader[0])
	if err == nil && stored.Claim == c.claim && leader[0].GetLease() == int64(s.lease) {
		return fenceOf(leader[0]), 0, nil // an earlier campaign won and its response was lost
	}
	return won, resp.Header.GetRevision(), nil
}

// lead runs work until the leadership ends, and resigns. It returns why the leadership
// ended.
func (m *Membership) lead(ctx context.Context, s *session, fence node.Fence, work workFunc) error {
	workCtx, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ctx, func() { end(context.Cause(s.ctx)) })
	defer stop()
	var watcher sync.WaitGroup
	watcher.Go(func() { end(m.watchLeaderKey(workCtx, fence)) })
	var err error
	if s.isValid() && ctx.Err() == nil {
		err = work(workCtx, fence)
	}
	end(context.Canceled)
	watcher.Wait()
	m.resign(ctx, fence)
	if cause := context.Cause(workCtx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// watchLeaderKey returns errLeadershipLost when the key of the leadership was deleted,
// and the cause of ctx when that ends. While etcd does not respond it keeps waiting: the
// trust in the session then decides.
func (m *Membership) watchLeaderKey(ctx context.Context, fence node.Fence) error {
	for {
		resp, err := m.registry.getHedged(ctx, fence.Key)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			m.registry.waitBeforeRetry(ctx)
		case len(resp.Kvs) == 0, fenceOf(resp.Kvs[0]) != fence:
			return errLeadershipLost
		default:
			m.registry.waitForChange(ctx, resp.Header.GetRevision(), fence.Key)
		}
	}
}

// resign deletes the key of the leadership, so that another node can lead at once. It
// retries within CallTimeout, also if ctx has ended. If etcd does not respond, the next
// verifyKeys deletes the key, or the lease expires.
func (m *Membership) resign(ctx context.Context, fence node.Fence) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.registry.opts.CallTimeout)
	defer cancel()
	for {
		err := m.registry.deleteKey(ctx, fence)
		if err == nil || wait.For(ctx, 50*time.Millisecond) != nil {
			return
		}
	}
}
