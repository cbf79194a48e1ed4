package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
)

// ReservationStore keeps what is reserved on nodes for games that are being started. All methods
// are safe for concurrent use and end when ctx ends. Errors are those of RuntimeRecordStore.
type ReservationStore interface {
	// Reservations returns the reservations of the nodes of a region, of one node if name is not
	// empty, as of one revision, and that revision; 0 for a store whose revisions are not those of
	// the records. It is a linearizable read. A node that has never had a
	// reservation may be absent. A node whose value cannot be read has a Fault, a
	// *runtime.CorruptError: the other nodes remain usable.
	Reservations(ctx context.Context, region, name string) ([]node.Reservations, int64, error)

	// ReservationsLocal returns the reservations of the node as this store has last read or written
	// them, without a request, and false if it has not. They may be outdated, which PutReservations
	// detects.
	ReservationsLocal(ref node.Ref) (node.Reservations, bool)

	// PutReservations replaces the reservations of nodes in one transaction, if each has the
	// Revision with which it was read, and otherwise returns runtime.ErrConflict. The state of a
	// node never returns to an earlier Revision, even without any game. It changes nothing in
	// the argument.
	PutReservations(ctx context.Context, nodes []node.Reservations) error
}

// MaxReservationNodes is the number of nodes that one call of PutReservations may name.
const MaxReservationNodes = 64
