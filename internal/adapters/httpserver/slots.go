package httpserver

import (
	"sync"

	"galaxy/rtmanager/internal/domain/access"
)

// slots bounds the open streams or requests of a server. A caller with an identity gets at most half
// of them, so that one leaked credential cannot keep all others out. It is safe for concurrent
// use.
type slots struct {
	limit int

	mu       sync.Mutex // guards the following fields
	open     int
	byCaller map[string]int // of open, by subject
}

// acquire takes a slot, and returns the function that releases it. It returns false if there is
// none for the caller.
func (s *slots) acquire(caller access.Identity) (release func(), isAcquired bool) {
	subject := caller.Subject
	if _, isNode := caller.Node(); isNode {
		subject = "" // the requests of a daemon are those of many callers
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.limit || subject != "" && s.byCaller[subject] >= max(1, s.limit/2) {
		return nil, false
	}
	s.open++
	if subject == "" {
		return func() { s.release("") }, true
	}
	if s.byCaller == nil {
		s.byCaller = map[string]int{}
	}
	s.byCaller[subject]++
	return func() { s.release(subject) }, true
}

func (s *slots) release(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if subject == "" {
		return
	}
	if s.byCaller[subject]--; s.byCaller[subject] == 0 {
		delete(s.byCaller, subject)
	}
}
