package etcdnodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/ports"
)

var _ ports.Election = (*Membership)(nil)

// Lead implements ports.Election.
func (m *Membership) Lead(ctx context.Context, scope string, work func(ctx context.Context, fence ports.Fence) error) error {
	key := m.registry.keys.leader(scope)
	for ctx.Err() == nil {
		s, changed := m.sessionOrChange()
		if s == nil {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		fence, stands, err := m.campaign(ctx, key, s)
		switch {
		case err != nil:
			m.registry.log.Debug("campaign failed; trying again", "scope", scope, "error", err)
			m.pause(ctx)
		case fence.CreateRevision != 0:
			if err := m.reign(ctx, s, fence, work); err != nil && ctx.Err() == nil {
				m.registry.log.Warn("leadership ended", "scope", scope, "error", err)
				m.pause(ctx)
			}
		default:
			m.registry.awaitChange(ctx, key, stands)
		}
	}
	return ctx.Err()
}

func (m *Membership) pause(ctx context.Context) {
	timer := time.NewTimer(m.registry.opts.LeaseTTL / 4)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (m *Membership) sessionOrChange() (*session, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session, m.changed
}

// campaign tries once to create the key. It returns the fence of a leadership, or
// the revision at which somebody else was seen to lead.
func (m *Membership) campaign(ctx context.Context, key string, s *session) (ports.Fence, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, m.registry.opts.CallTimeout)
	defer cancel()
	value, err := json.Marshal(ports.Leader{Region: m.self.Region, Node: m.self.Name})
	if err != nil {
		return ports.Fence{}, 0, fmt.Errorf("encode the leader: %w", err)
	}
	resp, err := m.registry.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0),
			clientv3.Compare(clientv3.CreateRevision(s.fence.Key), "=", s.fence.CreateRevision)).
		Then(clientv3.OpPut(key, string(value), clientv3.WithLease(s.lease))).
		Else(clientv3.OpGet(key)).Commit()
	if err != nil {
		return ports.Fence{}, 0, unavailable("campaign", err)
	}
	if resp.Succeeded {
		return ports.Fence{Key: key, CreateRevision: resp.Header.Revision}, 0, nil
	}
	if kvs := resp.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 && clientv3.LeaseID(kvs[0].Lease) == s.lease {
		return ports.Fence{Key: key, CreateRevision: kvs[0].CreateRevision}, 0, nil // ours: the answer was lost
	}
	return ports.Fence{}, resp.Header.Revision, nil
}

// errDeposed ends the work of a leader whose key is gone.
var errDeposed = errors.New("the key of the leadership is gone")

// reign works until the leadership is over, and then gives it up.
func (m *Membership) reign(ctx context.Context, s *session, fence ports.Fence, work func(ctx context.Context, fence ports.Fence) error) error {
	bound, end := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		end(m.awaitEnd(bound, s, fence))
	}()
	err := work(bound, fence)
	end(nil)
	<-watched
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.registry.opts.CallTimeout)
	defer cancel()
	_, _ = m.registry.client.Txn(release). // else it ends with the lease
						If(clientv3.Compare(clientv3.CreateRevision(fence.Key), "=", fence.CreateRevision)).
						Then(clientv3.OpDelete(fence.Key)).Commit()
	if cause := context.Cause(bound); errors.Is(cause, errDeposed) {
		return cause
	}
	return err
}

// awaitEnd returns when the leadership must not be relied on any more.
func (m *Membership) awaitEnd(ctx context.Context, s *session, fence ports.Fence) error {
	gone := m.registry.watchClient.Watch(ctx, fence.Key, clientv3.WithRev(fence.CreateRevision+1), clientv3.WithFilterPut())
	for {
		select {
		case <-s.over:
			return errDeposed
		case <-ctx.Done():
			return ctx.Err()
		case resp, open := <-gone:
			if open && resp.Err() == nil && len(resp.Events) == 0 {
				continue
			}
			return errDeposed // gone, or nobody can tell: campaign again
		}
	}
}
