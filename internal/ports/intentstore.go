package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// IntentStore keeps one operation.Intent per game. It is linearizable, and each write is
// applied exactly once or not at all. All methods are safe for concurrent use, end when
// ctx ends, and return intents that share no memory with the store. Errors are those of
// RuntimeRecordStore: runtime.ErrInvalid for an invalid game id, runtime.ErrUnavailable,
// runtime.ErrOutcomeUnknown, runtime.ErrReadOnly, runtime.ErrCorrupt.
type IntentStore interface {
	// GetIntent returns the game's intent with its version. For a game without an intent
	// it returns an Intent that has only GameID, and the zero version.
	GetIntent(ctx context.Context, gameID string) (VersionedIntent, error)

	// GetIntentAndRecord returns the game's intent, as GetIntent does, and its record as of
	// the same revision. A game without a record has the zero VersionedRecord.
	GetIntentAndRecord(ctx context.Context, gameID string) (VersionedIntent, runtime.VersionedRecord, error)

	// GetIntentAndRecordLocal returns the game's intent and record as this store has last read or
	// written them, or received them by a watch, without a request. Both may be outdated, and of
	// different revisions. So a decision on them must be proven by a write that compares their
	// revisions, or by a read. isKnown is false if one of them is not known; the zero
	// VersionedRecord means that the game has no record.
	GetIntentAndRecordLocal(gameID string) (intent VersionedIntent, record runtime.VersionedRecord, isKnown bool)

	// AwaitIntent waits for a version of the game's intent after the revision, and returns the first one
	// that it observes, or the zero version once the intent is deleted. The caller bounds the wait: a
	// watch can stall without an error. runtime.ErrUnavailable means that the wait is broken, and the
	// caller reads the intent.
	AwaitIntent(ctx context.Context, gameID string, after int64) (VersionedIntent, error)

	// PutIntent writes the intent if the current intent has the version that it replaces,
	// and every fence is valid. The zero IntentVersion means that there must be no intent.
	// It returns the version of this write. If the caller passes a version that GetIntent
	// or PutIntent returned, the store need not read the current intent first.
	//
	// Another revision is a *runtime.ConflictError on runtime.PreconditionRevision. An
	// invalid fence is runtime.ErrFenced, which takes precedence over a conflict. Input
	// that ValidateIntent rejects is runtime.ErrInvalid. A current intent that cannot be
	// read is runtime.ErrCorrupt and is not overwritten.
	PutIntent(ctx context.Context, intent operation.Intent, replaces IntentVersion, fences ...node.Fence) (IntentVersion, error)

	// GetIntents returns the intents of the games in the order of gameIDs, each as
	// GetIntent returns it. A corrupt intent does not hide the others: its place holds
	// that of a game without an intent, and the error contains its *runtime.CorruptError.
	GetIntents(ctx context.Context, gameIDs []string) ([]VersionedIntent, error)

	// GamesWithActiveOperation returns the games whose operation in progress belongs to
	// the node, as of one revision and in no particular order. An empty node matches every
	// node of the region, and an empty region every region.
	GamesWithActiveOperation(ctx context.Context, region, node string) ([]string, error)

	// GamesOfOperation returns the games whose intents have an operation with the id, in
	// progress or among the recent outcomes, in no particular order. Clients may use one id
	// for the operations of several games. An outcome of a daemon without this method is not
	// found.
	GamesOfOperation(ctx context.Context, operationID string) ([]string, error)
}

// VersionedIntent is an intent with the version of its last write.
type VersionedIntent struct {
	Intent operation.Intent
	IntentVersion
}

// IntentVersion identifies one write of an intent. PutIntent replaces it.
type IntentVersion struct {
	// Revision is the revision of the write; 0 means that there is no intent.
	Revision int64
	// stored is the stored form of the intent, including members that a newer version of
	// this program has added. It is empty if it is not known.
	stored string
}

// NewIntentVersion returns the version of an intent that the store keeps in the stored
// form, which only the store reads.
func NewIntentVersion(revision int64, stored string) IntentVersion {
	return IntentVersion{Revision: revision, stored: stored}
}

// Stored returns the stored form, empty if it is not known.
func (v IntentVersion) Stored() string { return v.stored }
