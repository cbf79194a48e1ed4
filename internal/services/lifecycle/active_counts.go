package lifecycle

import "galaxy/rtmanager/internal/domain/operation"

// OperationsInProgress returns the number of accepted operations of this node that have not ended, by
// kind.
func (s *Service) OperationsInProgress() map[operation.Kind]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[operation.Kind]int{}
	for _, active := range s.active {
		if id, kind, _ := active.operation(); id != "" {
			counts[kind]++
		}
	}
	return counts
}
