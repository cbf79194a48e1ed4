// Package broadcast wakes every goroutine that waits for a change, as a
// sync.Cond does, through a channel that a select can wait on.
package broadcast

import "sync"

// Signal wakes all its waiters at once. The zero value is ready to use. Its methods
// are safe for concurrent use.
type Signal struct {
	mu sync.Mutex
	ch chan struct{} // nil while there is no waiter
}

// Changed returns a channel that the next Notify closes. To miss no change, call Changed
// before reading the state.
func (s *Signal) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

// Notify wakes every goroutine that waits on a channel of Changed.
func (s *Signal) Notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}
