package etcdmembers

// LastError returns why this node is not present or could not renew its session, and nil
// while there is no error.
func (m *Membership) LastError() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lastErr
}
