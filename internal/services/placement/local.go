package placement

import (
	"context"
	"fmt"
	"sync"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// localReservations implements ports.ReservationStore in memory. The zero value is empty.
type localReservations struct {
	mu     sync.Mutex
	byNode map[node.Ref]node.Reservations
}

// Reservations implements ports.ReservationStore.
func (l *localReservations) Reservations(_ context.Context, region, name string) ([]node.Reservations, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []node.Reservations
	for ref, r := range l.byNode {
		if ref.Region == region && (name == "" || ref.Name == name) {
			found = append(found, r.Clone())
		}
	}
	return found, 0, nil
}

// ReservationsLocal implements ports.ReservationStore.
func (l *localReservations) ReservationsLocal(ref node.Ref) (node.Reservations, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, isKnown := l.byNode[ref]
	return found.Clone(), isKnown
}

// PutReservations implements ports.ReservationStore.
func (l *localReservations) PutReservations(_ context.Context, nodes []node.Reservations) error {
	if len(nodes) > ports.MaxReservationNodes {
		return &runtime.InvalidError{Field: "nodes", Reason: fmt.Sprintf("are %d; at most %d are allowed", len(nodes), ports.MaxReservationNodes)}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range nodes {
		if l.byNode[r.Node].Revision != r.Revision {
			return fmt.Errorf("write the reservations of node %s: %w", r.Node, runtime.ErrConflict)
		}
	}
	if l.byNode == nil {
		l.byNode = map[node.Ref]node.Reservations{}
	}
	for _, r := range nodes {
		next := r.Clone()
		next.Revision++
		l.byNode[r.Node] = next
	}
	return nil
}
