package memstore

import "slices"

// SetFence makes the fence with the key and this create revision valid, and any other
// fence with the key invalid, as an election does. It does not change the store's
// revision.
func (s *Store) SetFence(key string, createRevision int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fences[key] = createRevision
}

// DeleteFence invalidates every fence with the key, as an expired lease does.
func (s *Store) DeleteFence(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fences, key)
}

// DeleteKeys deletes the game's record and ledger at a new revision, as an operator with
// etcdctl could. It does nothing for a game without a record.
func (s *Store) DeleteKeys(gameID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.currentVersion(gameID)
	if current == nil {
		return
	}
	s.deleteGame(gameID, current)
}

// Compact removes the history up to the revision: lists at and watches from a lower one
// then return runtime.ErrCompacted. It returns runtime.ErrCompacted for a revision below
// that of an earlier compaction, and runtime.ErrForeignRevision for one above the current
// revision.
func (s *Store) Compact(revision int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkRevision(revision); err != nil {
		return err
	}
	s.compactedRevision = revision
	first := slices.IndexFunc(s.log, func(c change) bool { return c.revision > revision })
	if first < 0 {
		first = len(s.log)
	}
	// a copy: running watches may still read the old log
	s.log = slices.Clone(s.log[first:])
	for gameID, g := range s.games {
		g.compact(revision)
		if len(g.versions) == 0 {
			delete(s.games, gameID)
		}
	}
	s.changed.Notify()
	return nil
}

// compact removes every version that no read at the revision or later returns.
func (g *gameHistory) compact(revision int64) {
	newest := -1
	for i, v := range g.versions {
		if v.revision <= revision {
			newest = i
		}
	}
	if newest < 0 {
		return
	}
	if g.versions[newest].record == nil {
		newest++
	}
	g.versions = slices.Delete(slices.Clone(g.versions), 0, newest)
}
