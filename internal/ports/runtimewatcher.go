package ports

import (
	"context"
	"iter"

	"galaxy/rtmanager/internal/domain/runtime"
)

// RuntimeWatcher tells of every change of every record, in order and once.
type RuntimeWatcher interface {
	// Watch returns the stream of events that the options ask for. Nothing
	// happens before the sequence is ranged over; it can be ranged over once.
	//
	// With FromRevision 0 the stream opens with a snapshot event for each
	// record as of one revision R, then synced at R, then every change after R:
	// no gap, no duplicate. With FromRevision N it gives every change with a
	// revision above N. One revision may hold changes of many games; all of them
	// carry it, and a consumer that resumes from a revision must have seen its
	// last event, which is the one with Last set.
	//
	// The stream ends when the consumer stops ranging, and otherwise only after
	// an error that says why, yielded beside a zero event: ctx's own error;
	// runtime.ErrCompacted when the store has forgotten what the stream still had
	// to tell; runtime.ErrForeignRevision for a revision that the store has not
	// reached or whose Store is another, and when the store has gone back behind
	// what it told; runtime.ErrIncompatible when another store has taken its place;
	// runtime.ErrInvalid for bad options; runtime.ErrUnavailable when the store
	// could not be reached at all; or what else the store refuses the stream with,
	// such as a permission that was withdrawn. There is one error that does not end
	// it: a *runtime.CorruptError, beside an event that carries GameID, Revision and
	// Last only, reports a value that cannot be read, and the stream goes on if the
	// consumer does.
	//
	// Leader changes, broken connections, restarts of the store and silent
	// deaths are healed without the consumer noticing. A slow consumer delays
	// nobody and loses nothing. Everything the stream started has ended when the
	// loop over it has.
	Watch(ctx context.Context, options WatchOptions) iter.Seq2[RuntimeEvent, error]
}

// WatchOptions says where a watch begins and what it wants to hear. The zero
// value is a snapshot of everything and all that follows.
type WatchOptions struct {
	// FromRevision is the last revision that the consumer has processed; 0 asks
	// for a snapshot first.
	FromRevision int64
	// Store, when not empty, is the identity of the store that FromRevision is
	// of; another store refuses it.
	Store string
	// Resync is for a consumer that cannot stop: where the stream would end with
	// runtime.ErrCompacted or, after it has begun, runtime.ErrForeignRevision, it
	// yields a resync event instead and starts over with a snapshot. Games that
	// the consumer was told of on this stream and that have vanished come as
	// deleted, before synced.
	Resync bool

	// Filters; empty ones let everything pass. A change is delivered when the
	// record matched before or matches after it, so a game that leaves the
	// filter is seen leaving.
	Status runtime.Status
	Region string
	Node   string
	GameID string
}

// Matches reports whether a record passes the filters.
func (o WatchOptions) Matches(record runtime.RuntimeRecord) bool {
	return (o.Status == "" || o.Status == record.Status) &&
		(o.Region == "" || o.Region == record.Region) &&
		(o.Node == "" || o.Node == record.Node) &&
		(o.GameID == "" || o.GameID == record.GameID)
}

// EventType is the kind of a RuntimeEvent.
type EventType string

// The kinds of event.
const (
	// EventSnapshot: the record as of the snapshot's revision. Only After is set.
	EventSnapshot EventType = "snapshot"
	// EventSynced: the snapshot is complete. No record.
	EventSynced EventType = "synced"
	// EventUpserted: an Upsert wrote the record. Before is nil if there was none.
	EventUpserted EventType = "upserted"
	// EventTransitioned: UpdateStatus moved the record from Before to After.
	EventTransitioned EventType = "transitioned"
	// EventDeleted: the record is gone. Only Before is set.
	EventDeleted EventType = "deleted"
	// EventBookmark: everything up to Revision has been delivered. No record.
	EventBookmark EventType = "bookmark"
	// EventResync: a snapshot follows; forget what is not in it. No record.
	EventResync EventType = "resync"
)

// RuntimeEvent is one thing that happened. Its records share no memory with
// the store or with other consumers. Before is nil too where the value that the
// change replaced could not be read.
type RuntimeEvent struct {
	Type EventType
	// Revision is that of the change; of a snapshot, the one it stands at.
	Revision int64
	// GameID is empty on synced, bookmark and resync.
	GameID string
	Before *runtime.RuntimeRecord
	After  *runtime.RuntimeRecord
	// Last reports that a consumer which has processed this event may resume
	// from its Revision. It is false on all but the last delivered event of a
	// revision, and throughout a snapshot until synced.
	Last bool
}
