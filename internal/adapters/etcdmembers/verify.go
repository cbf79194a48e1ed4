package etcdmembers

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// verifyKeys ends the session if the key of this node does not exist any more: it may
// have been deleted while its lease continues.
//
// It also deletes each leader's key on this lease that no candidacy of this daemon has
// claimed. The key was left by a resignation that failed, or by a campaign that ended
// before the response that it had won.
func (m *Membership) verifyKeys(s *session) error {
	resp, err := hedged(s.ctx, m.registry, s.trustWindow, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		resp, err := m.registry.client.Txn(ctx).
			Then(clientv3.OpGet(m.key, clientv3.WithKeysOnly()), clientv3.OpGet(m.registry.keys.leaders(), clientv3.WithPrefix())).Commit()
		if err != nil {
			return nil, err
		}
		return resp, m.registry.checkCluster(resp.Header)
	})
	if err != nil {
		err = toDomainError(s.ctx, "read the key of this node", err)
		if errors.Is(err, runtime.ErrIncompatible) {
			s.end(err)
		}
		return err
	}
	nodeKey := resp.Responses[0].GetResponseRange().GetKvs()
	if len(nodeKey) == 0 || fenceOf(nodeKey[0]) != s.fence {
		s.end(errKeyDeleted)
		return errKeyDeleted
	}
	for _, kv := range resp.Responses[1].GetResponseRange().GetKvs() {
		stored, err := decodeLeader(kv)
		if err != nil || kv.GetLease() != int64(s.lease) || m.hasClaim(stored.Claim) {
			continue
		}
		if err := m.registry.deleteKey(s.ctx, fenceOf(kv)); err != nil {
			m.registry.log.Debug("could not delete the key of a leadership that has ended; the next renewal retries", "error", err)
		}
	}
	return nil
}

func (m *Membership) addClaim(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claims[id] = true
}

func (m *Membership) removeClaim(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.claims, id)
}

func (m *Membership) hasClaim(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.claims[id]
}
