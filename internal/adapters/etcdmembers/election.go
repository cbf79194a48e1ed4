package etcdmembers

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
)

// Lead implements ports.Election. Two calls for one scope stand against each other,
// in one daemon as in two. work's context ends when ctx does, when this node's presence is
// lost or not to be trusted any more, when the key of the leadership is gone, and
// on Close; its cause says which. When work returns, the leadership is given up, and
// stood for again a little later, so that work that fails at once is not tried everywhere at once.
//
// It returns *runtime.InvalidError on "scope", why ctx ended, or
// runtime.ErrUnavailable after Close.
func (m *Membership) Lead(ctx context.Context, scope string, work func(ctx context.Context, fence node.Fence) error) error {
	if err := validName("scope", scope); err != nil {
		return err
	}
	ctx, done, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	for ctx.Err() == nil {
		m.stand(ctx, scope, work)
	}
	return context.Cause(ctx)
}

// stand campaigns until it has led once, or ctx ends.
func (m *Membership) stand(ctx context.Context, scope string, work func(ctx context.Context, fence node.Fence) error) {
	// One claim for as long as nothing was won by it: a lost answer is made good
	// by the next try.
	c := candidacy{key: m.registry.keys.leader(scope), claim: uuid.NewString()}
	m.claim(c.claim)
	defer m.disclaim(c.claim)
	for ctx.Err() == nil {
		s, changed := m.present()
		if s == nil {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		fence, at, err := m.campaign(ctx, s, c)
		switch {
		case err != nil:
			m.registry.log.Debug("campaign failed; trying again", "scope", scope, "error", err)
			m.registry.pause(ctx)
		case fence.CreateRevision == 0:
			m.registry.awaitChange(ctx, at, c.key)
		default:
			err := m.reign(ctx, s, fence, work)
			if ctx.Err() == nil {
				m.registry.log.Warn("a leadership is over", "scope", scope, "error", err)
				m.registry.pause(ctx)
			}
			return
		}
	}
}

// candidacy is one attempt to lead.
type candidacy struct{ key, claim string }

// campaign tries once to create the key while the presence stands. It returns the
// fence of the leadership, or else the revision at which somebody else was seen to have it.
func (m *Membership) campaign(ctx context.Context, s *session, c candidacy) (won node.Fence, at int64, err error) {
	value, err := encodeLeader(storedLeader{Region: m.self.Region, Node: m.self.Name, Claim: c.claim})
	if err != nil {
		return won, 0, err
	}
	call, cancel := context.WithTimeout(ctx, m.registry.opts.CallTimeout)
	defer cancel()
	resp, err := m.registry.client.Txn(call).
		If(clientv3.Compare(clientv3.CreateRevision(c.key), "=", 0),
			clientv3.Compare(clientv3.CreateRevision(s.fence.Key), "=", s.fence.CreateRevision)).
		Then(clientv3.OpPut(c.key, value, clientv3.WithLease(s.lease))).
		Else(clientv3.OpGet(c.key)).Commit()
	if err != nil {
		return won, 0, translate(ctx, "campaign", err)
	}
	if resp.Succeeded {
		return node.Fence{Key: c.key, CreateRevision: resp.Header.GetRevision()}, 0, nil
	}
	leader := resp.Responses[0].GetResponseRange().GetKvs()
	if len(leader) == 0 {
		s.end(errKeyGone) // so it was the presence that is not there
		return won, 0, errKeyGone
	}
	stored, err := decodeLeader(leader[0])
	if err == nil && stored.Claim == c.claim && leader[0].GetLease() == int64(s.lease) {
		return fenceOf(leader[0]), 0, nil // won before, by a try whose answer was lost
	}
	return won, resp.Header.GetRevision(), nil
}

// reign works until the leadership is over, gives it up, and says why it ended.
func (m *Membership) reign(ctx context.Context, s *session, fence node.Fence, work func(ctx context.Context, fence node.Fence) error) error {
	bound, end := context.WithCancelCause(ctx)
	unbind := context.AfterFunc(s.life, func() { end(context.Cause(s.life)) })
	defer unbind()
	var watching sync.WaitGroup
	watching.Go(func() { end(m.awaitLoss(bound, fence)) })
	var err error
	if s.trusted() {
		err = work(bound, fence)
	}
	end(context.Canceled)
	watching.Wait()
	m.resign(ctx, fence)
	if cause := context.Cause(bound); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// awaitLoss returns when the key of the leadership is gone, or ctx ends. While
// etcd is out of reach the session's trust is what counts.
func (m *Membership) awaitLoss(ctx context.Context, fence node.Fence) error {
	for {
		resp, err := m.registry.getOnce(ctx, fence.Key)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			m.registry.pause(ctx)
		case len(resp.Kvs) == 0, fenceOf(resp.Kvs[0]) != fence:
			return errDeposed
		default:
			m.registry.awaitChange(ctx, resp.Header.GetRevision(), fence.Key)
		}
	}
}

// resign takes the key away, so that another node leads at once. Where etcd does
// not answer, the next sweep does it, or the lease. ctx may have ended.
func (m *Membership) resign(ctx context.Context, fence node.Fence) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.registry.opts.CallTimeout)
	defer cancel()
	for {
		err := m.registry.drop(ctx, fence)
		if err == nil || !pauseFor(ctx, 50*time.Millisecond) {
			return
		}
	}
}
