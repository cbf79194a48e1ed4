package httpserver

import (
	"context"
	"sync"
	"time"
)

// storeIDTimeout bounds how long a request waits for the store's identity.
const storeIDTimeout = time.Second

// storeID caches the identity of the store, which does not change while the process lives.
type storeID struct {
	mu sync.Mutex // guards id
	id string
}

func (s *storeID) cached() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

func (s *storeID) set(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id = id
}

// readStoreID returns the store's identity. It calls the store until the store has
// responded once.
func (s *Server) readStoreID(ctx context.Context) (string, error) {
	if id := s.storeID.cached(); id != "" {
		return id, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeIDTimeout)
	defer cancel()
	info, err := s.store.Info(ctx)
	if err != nil {
		return "", err
	}
	s.storeID.set(info.ID)
	return info.ID, nil
}
