package httpserver

import (
	"context"
	"sync"
	"time"
)

// storeIDTimeout bounds how long a request waits to learn the store's identity
// for a response header; the request itself needs the store anyway.
const storeIDTimeout = time.Second

// storeID remembers the identity of the store, which never changes while the
// process lives.
type storeID struct {
	mu sync.Mutex // guards id
	id string
}

func (s *storeID) known() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// learnStoreID returns the store's identity, asking the store only until it
// has once answered.
func (s *Server) learnStoreID(ctx context.Context) (string, error) {
	if id := s.storeID.known(); id != "" {
		return id, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeIDTimeout)
	defer cancel()
	info, err := s.store.Info(ctx)
	if err != nil {
		return "", err
	}
	s.storeID.mu.Lock()
	defer s.storeID.mu.Unlock()
	s.storeID.id = info.ID
	return info.ID, nil
}
