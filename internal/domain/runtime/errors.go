package runtime

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The sentinels. Every error that a store or a service returns answers
// errors.Is to at most one of them; ErrOutcomeUnknown may come together with the
// error of the context that ended.
var (
	// ErrNotFound: there is no record for this game.
	ErrNotFound = errors.New("no such game")
	// ErrConflict: the record is not what the caller expected; see ConflictError.
	ErrConflict = errors.New("record is not as expected")
	// ErrInvalidTransition: this status may not follow that one; see TransitionError.
	ErrInvalidTransition = errors.New("transition is not allowed")
	// ErrInvalid: an input that could never be accepted; see InvalidError.
	ErrInvalid = errors.New("invalid input")
	// ErrFenced: the caller's fence no longer holds, so its leadership is over
	// and nothing was written.
	ErrFenced = errors.New("fence does not hold any more")
	// ErrOutcomeUnknown: the write may have been applied or not, and this caller
	// can no longer learn which. Repeating it with the same operation id is safe.
	ErrOutcomeUnknown = errors.New("outcome of the write is unknown")
	// ErrCompacted: the store no longer remembers what came after this revision.
	ErrCompacted = errors.New("revision has been compacted")
	// ErrForeignRevision: this revision is not, or not yet, one of this store:
	// it lies in the future or belongs to another store or to before a restore.
	ErrForeignRevision = errors.New("revision is not of this store")
	// ErrCorrupt: the store holds a value that breaks its own rules; see CorruptError.
	ErrCorrupt = errors.New("store holds a damaged value")
	// ErrReadOnly: the store's space is used up; reads work, writes do not.
	ErrReadOnly = errors.New("store is read-only: its space quota is used up")
	// ErrUnavailable: the store did not answer in time; nothing was written.
	ErrUnavailable = errors.New("store is unavailable")
	// ErrIncompatible: the store's layout is not one this version works with, or its
	// identity is not any more the one that it had when it was opened.
	ErrIncompatible = errors.New("store is not compatible")
)

// InvalidError says which input was refused and why. It errors.Is ErrInvalid.
type InvalidError struct {
	Field  string // JSON name of the field, or the parameter's name
	Reason string // reads on after the field: "is required"
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

// Is reports whether target is ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// TransitionError is a pair of statuses of which the second may not follow the
// first. It errors.Is ErrInvalidTransition.
type TransitionError struct{ From, To Status }

func (e *TransitionError) Error() string {
	allowed := allowedTransitions(e.From)
	if len(allowed) == 0 {
		return fmt.Sprintf("%s from %q to %q: nothing follows %q", ErrInvalidTransition, e.From, e.To, e.From)
	}
	words := make([]string, len(allowed))
	for i, s := range allowed {
		words[i] = string(s)
	}
	return fmt.Sprintf("%s from %q to %q: %s may become %s", ErrInvalidTransition, e.From, e.To, e.From, strings.Join(words, " or "))
}

// Is reports whether target is ErrInvalidTransition.
func (e *TransitionError) Is(target error) bool { return target == ErrInvalidTransition }

// Precondition is what a compare-and-swap was told to expect of a record.
type Precondition string

// What a caller can expect of a record before it is changed.
const (
	PreconditionStatus      Precondition = "status"
	PreconditionContainerID Precondition = "container_id"
	PreconditionRevision    Precondition = "revision"
)

// ConflictError says which expectation failed and carries the record that won,
// as the store proved it. It errors.Is ErrConflict.
type ConflictError struct {
	GameID       string
	Precondition Precondition
	Expected     string
	Actual       string
	// Current is the record that stands, and Revision the revision at which it
	// was last changed. Both are zero when revision was expected of a game that
	// has no record. Where the expectation was of a game's intent, Current is zero
	// and Revision that of the intent, 0 for none.
	Current  RuntimeRecord
	Revision int64
}

func (e *ConflictError) Error() string {
	switch {
	case e.Revision == 0:
		return fmt.Sprintf("expected %s %q, but there is no record", e.Precondition, e.Expected)
	case e.Current.GameID == "":
		return fmt.Sprintf("expected %s %q, found %q", e.Precondition, e.Expected, e.Actual)
	}
	return fmt.Sprintf("expected %s %q, found %q (the record is %s since revision %d)",
		e.Precondition, e.Expected, e.Actual, e.Current.Status, e.Revision)
}

// Is reports whether target is ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// CorruptError names one key whose value this version cannot use: not JSON, of
// a newer schema, or breaking an invariant of the store. Nothing overwrites such
// a key. It errors.Is ErrCorrupt.
type CorruptError struct {
	Key    string // the full key in the store
	GameID string // the game it belongs to, empty where the key does not tell
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("key %q: %s", e.Key, e.Reason)
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// NewRevisionConflict returns the conflict of a caller that expected the game's record
// at one revision and met current; the zero VersionedRecord stands for no record.
func NewRevisionConflict(gameID string, expected int64, current VersionedRecord) *ConflictError {
	return &ConflictError{
		GameID: gameID, Precondition: PreconditionRevision,
		Expected: strconv.FormatInt(expected, 10), Actual: strconv.FormatInt(current.Revision, 10),
		Current: current.Record, Revision: current.Revision,
	}
}
