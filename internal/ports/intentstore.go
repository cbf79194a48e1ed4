package ports

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// IntentStore keeps one operation.Intent per game. It is linearizable, and each
// write is applied exactly once or not at all. Methods are safe for concurrent use, end when
// ctx ends, and return intents that share no memory with the store. Errors are
// those of RuntimeRecordStore: runtime.ErrInvalid for a game id that cannot be,
// runtime.ErrUnavailable, runtime.ErrOutcomeUnknown, runtime.ErrReadOnly, runtime.ErrCorrupt.
type IntentStore interface {
	// GetIntent returns the game's intent, and the revision at which it was last
	// written. A game without one has the zero Intent but for GameID, at revision 0.
	GetIntent(ctx context.Context, gameID string) (VersionedIntent, error)

	// PutIntent writes the intent if the present one is the version that it replaces, the
	// zero IntentVersion meaning that there is none, and every fence holds. It returns the
	// version of this write. A version that GetIntent or PutIntent returned spares the store
	// from reading the present intent first. Another revision is a *runtime.ConflictError on
	// runtime.PreconditionRevision; a fence that does not hold is runtime.ErrFenced, whatever else is in
	// the way. What ValidateIntent does not pass is runtime.ErrInvalid, and a
	// present intent that cannot be read runtime.ErrCorrupt: it is not overwritten.
	PutIntent(ctx context.Context, intent operation.Intent, replaces IntentVersion, fences ...node.Fence) (IntentVersion, error)

	// GetIntents returns the intents of the games, in their order, each as GetIntent
	// returns it. A corrupt intent does not hide the others: its place holds that of a
	// game without an intent, and the error contains its *runtime.CorruptError.
	GetIntents(ctx context.Context, gameIDs []string) ([]VersionedIntent, error)

	// GamesWithActiveOperation returns the games whose operation in progress the node carries out,
	// or any node of the region where that is empty, as of one revision, in no order.
	GamesWithActiveOperation(ctx context.Context, region, node string) ([]string, error)
}

// VersionedIntent is an intent with the version at which it was read.
type VersionedIntent struct {
	Intent operation.Intent
	IntentVersion
}

// IntentVersion identifies one write of an intent, for the next write to replace.
type IntentVersion struct {
	// Revision is that of the write; 0 means that there is no intent.
	Revision int64
	// stored is the intent as its store keeps it, with what a newer version of this
	// program has added; empty if that is not known.
	stored string
}

// NewIntentVersion returns the version of an intent that the store keeps in the stored
// form, which only the store reads.
func NewIntentVersion(revision int64, stored string) IntentVersion {
	return IntentVersion{Revision: revision, stored: stored}
}

// Stored returns the stored form, empty if it is not known.
func (v IntentVersion) Stored() string { return v.stored }

// MaxIntentBytes is the largest intent that a store takes, in bytes of its JSON. It
// holds more than one record, and is far below what etcd takes in one request.
const MaxIntentBytes = 512 << 10

// ValidateIntent returns nil for an intent and expectations that every store can
// act on. Otherwise it returns *runtime.InvalidError values joined: a bad game
// id; a negative revision, on "if_revision"; a fence that could never hold; text that
// is not UTF-8, a time that JSON cannot encode, or more than MaxIntentBytes of
// JSON, on "intent".
func ValidateIntent(intent operation.Intent, ifRevision int64, fences []node.Fence) error {
	faults := []error{runtime.ValidateGameID(intent.GameID), validateRevision("if_revision", ifRevision)}
	for _, fence := range fences {
		faults = append(faults, fence.Validate())
	}
	encoded, err := json.Marshal(intent) // the strict one: the standard library's would change text
	if err != nil {
		faults = append(faults, &runtime.InvalidError{Field: "intent", Reason: "cannot be written as JSON: " + err.Error()})
	}
	if len(encoded) > MaxIntentBytes {
		faults = append(faults, &runtime.InvalidError{Field: "intent", Reason: fmt.Sprintf("takes %d bytes of JSON; at most %d are allowed", len(encoded), MaxIntentBytes)})
	}
	return errors.Join(faults...)
}
