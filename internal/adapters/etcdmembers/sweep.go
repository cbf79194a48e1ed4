package etcdmembers

import (
	clientv3 "go.etcd.io/etcd/client/v3"
)

// sweep makes sure that the presence stands, whose key somebody may have taken
// away while its lease goes on, and ends the session where it does not. It also
// takes away each leadership on this lease that nobody here stands for: one that could not be
// resigned, or that was won by a request whose answer was lost and not waited for.
func (m *Membership) sweep(s *session) error {
	ctx, cancel := m.bound(s.life)
	defer cancel()
	leaders := m.registry.keys.leaders()
	resp, err := m.registry.client.Txn(ctx).
		Then(clientv3.OpGet(m.key, clientv3.WithKeysOnly()), clientv3.OpGet(leaders, clientv3.WithPrefix())).Commit()
	if err != nil {
		return translate(s.life, "see how the presence of this node stands", err)
	}
	presence := resp.Responses[0].GetResponseRange().GetKvs()
	if len(presence) == 0 || fenceOf(presence[0]) != s.fence {
		s.end(errKeyGone)
		return errKeyGone
	}
	for _, kv := range resp.Responses[1].GetResponseRange().GetKvs() {
		stored, err := decodeLeader(kv)
		if err != nil || kv.GetLease() != int64(s.lease) || m.claimed(stored.Claim) {
			continue
		}
		if err := m.registry.drop(ctx, fenceOf(kv)); err != nil {
			m.registry.log.Debug("a leadership that is over could not be taken away; the next renewal tries again", "error", err)
		}
	}
	return nil
}

func (m *Membership) claim(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claims[id] = true
}

func (m *Membership) disclaim(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.claims, id)
}

func (m *Membership) claimed(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.claims[id]
}
