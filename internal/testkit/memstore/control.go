package memstore

import (
	"slices"

	"galaxy/rtmanager/internal/ports"
)

// SetFence makes a fence on the key hold for this create revision and no other,
// as if a leader had been elected. It does not move the store's revision.
func (s *Store) SetFence(key string, createRevision int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fences[key] = createRevision
}

// DropFence makes every fence on the key fail, as if its lease had run out.
func (s *Store) DropFence(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fences, key)
}

// Delete takes the game's record, index and ledger away, as somebody with
// etcdctl could. A game without a record is left alone.
func (s *Store) Delete(gameID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.current(gameID)
	if current == nil {
		return
	}
	s.append(change{gameID: gameID, kind: ports.EventDeleted, before: current.record})
	s.games[gameID].ledger = nil
}

// Compact forgets what happened up to the revision: lists below it and watches
// from below it are runtime.ErrCompacted from now on. Compacting below an
// earlier compaction is runtime.ErrCompacted, and above the present revision
// runtime.ErrForeignRevision.
func (s *Store) Compact(revision int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.remembers(revision); err != nil {
		return err
	}
	s.floor = revision
	kept := slices.IndexFunc(s.log, func(c change) bool { return c.revision > revision })
	if kept < 0 {
		kept = len(s.log)
	}
	// a copy, since running watches may still read the old log
	s.log = slices.Clone(s.log[kept:])
	for gameID, g := range s.games {
		g.forget(revision)
		if len(g.versions) == 0 {
			delete(s.games, gameID)
		}
	}
	s.wake()
	return nil
}

// forget drops every version that no read at the revision or later can return.
func (g *game) forget(revision int64) {
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
