package etcdstore

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Waiting is how many writes wait for company.
func (s *Store) Waiting() int {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	return len(s.group.waiting)
}

// BarrierWaits is how many readers wait for the next shared read.
func (s *Store) BarrierWaits() int {
	s.barrier.mu.Lock()
	defer s.barrier.mu.Unlock()
	if s.barrier.next == nil {
		return 0
	}
	return s.barrier.next.waiting
}

// CompareCache holds the cache against etcd now.
func (s *Store) CompareCache(ctx context.Context) error { return s.feed.compare(ctx) }

// LoseFromCache takes a record out of the cache.
func (s *Store) LoseFromCache(gameID string) {
	s.spoilCache(func(c *cache) { c.remove(layout.EscapeGameID(gameID)) })
}

// AddToCache puts a record into the cache that is not in etcd.
func (s *Store) AddToCache(gameID string) {
	ghost := &entry{segment: layout.EscapeGameID(gameID)}
	ghost.GameID, ghost.Status = gameID, runtime.StatusRunning
	s.spoilCache(func(c *cache) { c.set(ghost) })
}

// ChangeInCache changes a record where it stands in the cache.
func (s *Store) ChangeInCache(gameID string, change func(*runtime.RuntimeRecord)) {
	s.spoilCache(func(c *cache) { change(&c.byKey[layout.EscapeGameID(gameID)].RuntimeRecord) })
}

func (s *Store) spoilCache(spoil func(*cache)) {
	s.feed.cache.mu.Lock()
	defer s.feed.cache.mu.Unlock()
	spoil(s.feed.cache)
	s.feed.cache.published = nil
}

// RememberAtMost bounds the hub's history.
func (s *Store) RememberAtMost(changes int) {
	s.feed.hub.mu.Lock()
	defer s.feed.hub.mu.Unlock()
	s.feed.hub.maxChanges = changes
}

// WaitForCache lets readers wait for the cache for as long as a busy machine takes.
// It must be called before there are any.
func (s *Store) WaitForCache(limit time.Duration) {
	s.feed.cache.mu.Lock()
	defer s.feed.cache.mu.Unlock()
	s.feed.cache.catchUp = limit
}
