package ports

import (
	"context"
	"iter"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// RuntimeWatcher delivers every change of every record, in order and once. It is safe for
// concurrent use.
type RuntimeWatcher interface {
	// Watch returns the stream of events that match the options. It does nothing before
	// the sequence is iterated. A sequence can be iterated once.
	//
	// With FromRevision 0 the stream starts with a snapshot event for each record as of
	// one revision R. Then it delivers synced at R, and every change after R, without gap
	// or duplicate. With FromRevision N it delivers every change with a revision above N.
	// One revision may have changes of many games. A consumer may resume from a revision
	// only after the last event of that revision, which has Last set.
	//
	// The stream ends when the consumer stops. Otherwise it ends only with an error,
	// yielded with a zero event:
	//
	//   - ctx's own error,
	//   - runtime.ErrCompacted if the store has compacted changes that the stream still
	//     had to deliver,
	//   - runtime.ErrForeignRevision if the store has not reached the revision, if the
	//     revision belongs to another Store, or if the store was restored to a revision
	//     below one that the stream delivered,
	//   - runtime.ErrIncompatible if the store has been replaced by another,
	//   - runtime.ErrInvalid for invalid options,
	//   - runtime.ErrUnavailable if the store could not be reached at all,
	//   - any other error with which the store rejects the stream, such as a revoked
	//     permission.
	//
	// One error does not end the stream: a *runtime.CorruptError, with an event that has
	// only GameID, Revision and Last, reports a value that cannot be read. The stream
	// continues if the consumer does.
	//
	// The stream survives leader changes, broken connections, restarts of the store and
	// connections that stop responding; the consumer does not notice. A slow consumer
	// misses no event and delays no other consumer. Everything that the stream started
	// has ended when the loop over it ends.
	Watch(ctx context.Context, options WatchOptions) iter.Seq2[RuntimeEvent, error]
}

// WatchOptions selects the start and the events of a watch. The zero value selects a
// snapshot of all records and all changes after it.
type WatchOptions struct {
	// FromRevision is the last revision that the consumer has processed; 0 starts with a
	// snapshot.
	FromRevision int64
	// Store, if not empty, is the identity of the store to which FromRevision belongs.
	// Any other store rejects the watch, unless Resync is set.
	Store string
	// Resync is for a consumer that must not stop. If the stream would end with
	// runtime.ErrCompacted or runtime.ErrForeignRevision, at its start or later, it yields
	// a resync event instead and starts over with a snapshot. Games that this stream had
	// delivered and that no longer exist are yielded as deleted, before synced.
	Resync bool

	// RecordFilter selects the changes: one is delivered if the record matched before it or
	// matches after it. So the consumer also receives the change after which a record no
	// longer matches.
	RecordFilter
	// GameID selects one game; an empty one selects every game.
	GameID string
}

// Matches reports whether the record matches all filters.
func (o *WatchOptions) Matches(record runtime.RuntimeRecord) bool {
	return (o.GameID == "" || o.GameID == record.GameID) && o.RecordFilter.Matches(record)
}

// MatchesGame reports whether some record of the game may match.
func (o *WatchOptions) MatchesGame(gameID string) bool {
	return (o.GameID == "" || o.GameID == gameID) && o.RecordFilter.MatchesGame(gameID)
}

// EventType is the type of a RuntimeEvent.
type EventType string

// The types of event.
const (
	// EventSnapshot: a record as of the snapshot's revision. Only After is set.
	EventSnapshot EventType = "snapshot"
	// EventSynced: the snapshot is complete. No record.
	EventSynced EventType = "synced"
	// EventUpserted: an Upsert wrote the record, or SetCondition its condition. Before is nil
	// if there was none.
	EventUpserted EventType = "upserted"
	// EventTransitioned: UpdateStatus changed the record from Before to After.
	EventTransitioned EventType = "transitioned"
	// EventDeleted: the record was deleted. Only Before is set.
	EventDeleted EventType = "deleted"
	// EventBookmark: every change up to Revision has been delivered. No record.
	EventBookmark EventType = "bookmark"
	// EventResync: a snapshot follows; discard every record that is not in it. No record.
	EventResync EventType = "resync"
)

// ResyncReason is why a stream could not continue from its revision.
type ResyncReason string

// The reasons of a resync.
const (
	// ResyncCompacted: the changes after the revision are compacted.
	ResyncCompacted ResyncReason = "compacted"
	// ResyncOtherStore: the revision belongs to another store.
	ResyncOtherStore ResyncReason = "other_store"
	// ResyncFutureRevision: the store has not reached the revision, for example because it
	// was restored from a backup.
	ResyncFutureRevision ResyncReason = "future_revision"
)

// RuntimeEvent is one event of a watch. Its records share no memory with the store or
// with other consumers. Before is also nil if the value that the change replaced could
// not be read.
type RuntimeEvent struct {
	Type EventType
	// Revision is the revision of the change, or that of the snapshot.
	Revision int64
	// GameID is empty for synced, bookmark and resync.
	GameID string
	Before *runtime.RuntimeRecord
	After  *runtime.RuntimeRecord
	// Reason is that of a resync. It is empty if an earlier version reported it.
	Reason ResyncReason
	// Last reports whether a consumer that has processed this event may resume from its
	// Revision. It is set only on the last delivered event of a revision, and not in a
	// snapshot until synced.
	Last bool
	// Regions are those of Page, in events of the types synced and bookmark.
	Regions []node.RegionState
}
