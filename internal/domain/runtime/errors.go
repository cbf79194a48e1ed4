package runtime

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The sentinel errors. An error of a store or a service matches at most one of them by
// errors.Is. An ErrOutcomeUnknown may also match the error of the context that ended.
var (
	// ErrNotFound: the game has no record.
	ErrNotFound = errors.New("no such game")
	// ErrConflict: the record does not match a precondition; see ConflictError.
	ErrConflict = errors.New("record is not as expected")
	// ErrInvalidTransition: the transition is not allowed; see TransitionError.
	ErrInvalidTransition = errors.New("transition is not allowed")
	// ErrInvalid: the input can never be accepted; see InvalidError.
	ErrInvalid = errors.New("invalid input")
	// ErrFenced: the caller's fence is no longer valid, so it lost its leadership or its
	// session. Nothing was written.
	ErrFenced = errors.New("fence is no longer valid")
	// ErrOutcomeUnknown: the write may or may not have been applied, and the store could
	// not determine which. A retry with the same operation id is safe.
	ErrOutcomeUnknown = errors.New("outcome of the write is unknown")
	// ErrCompacted: the store has compacted the changes after this revision.
	ErrCompacted = errors.New("revision has been compacted")
	// ErrForeignRevision: the store has not reached this revision. It is in the future,
	// or belongs to another store or to the time before a restore.
	ErrForeignRevision = errors.New("revision does not belong to this store")
	// ErrCorrupt: the store contains a value that it cannot read; see CorruptError.
	ErrCorrupt = errors.New("store contains a corrupt value")
	// ErrReadOnly: the store's space quota or its disk is used up; reads work, writes do
	// not.
	ErrReadOnly = errors.New("store is read-only: its space quota or its disk is used up")
	// ErrUnavailable: the store did not respond in time; nothing was written.
	ErrUnavailable = errors.New("store is unavailable")
	// ErrIncompatible: this version does not support the store's layout, or the store is
	// not the one that was opened.
	ErrIncompatible = errors.New("store is not compatible")
)

// UnavailableError is an unavailable store with a reason that every client may see. It
// errors.Is ErrUnavailable.
type UnavailableError struct {
	Reason string // a sentence without the name of the store
}

func (e *UnavailableError) Error() string { return ErrUnavailable.Error() + ": " + e.Reason }

// Is reports whether target is ErrUnavailable.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// ErrLimited is a request beyond a limit of its caller or of the daemon; nothing was
// written. It errors.Is ErrUnavailable.
var ErrLimited = fmt.Errorf("%w: a limit of requests is exceeded", ErrUnavailable)

// ErrNotArchived is a deletion of a game that the archive has not accepted. The game is not deleted.
var ErrNotArchived = errors.New("the game was not archived, and so not deleted")

// ErrPartial is a result of several nodes or stores that lacks a part; see PartialError.
var ErrPartial = errors.New("a part of the result is missing")

// PartialError lists what a result of several nodes or stores lacks. It errors.Is ErrPartial.
type PartialError struct{ Missing []MissingPart }

// MissingPart is a node or a store whose part of a result is missing.
type MissingPart struct {
	// Store is the store of a merged result; empty for the store of the request.
	Store string `json:"store,omitempty" doc:"The store that is missing; absent for a node of the store of the request"`
	// Region and Node are those of a node; empty for a whole store.
	Region string `json:"region,omitempty" doc:"The region that is missing, or that of the node"`
	Node   string `json:"node,omitempty" doc:"The node that is missing; absent for a whole region or store"`
	Reason string `json:"reason" doc:"Why it is missing"`
}

// String returns the name of the part and the reason.
func (p MissingPart) String() string {
	name := p.Region
	if p.Node != "" {
		name += "/" + p.Node
	}
	if p.Store != "" {
		name = strings.TrimSuffix("store "+p.Store+", "+name, ", ")
	}
	return name + ": " + p.Reason
}

func (e *PartialError) Error() string {
	texts := make([]string, len(e.Missing))
	for i, part := range e.Missing {
		texts[i] = part.String()
	}
	return ErrPartial.Error() + ": " + strings.Join(texts, "; ") + "; allow_partial=true accepts the other parts"
}

// Is reports whether target is ErrPartial.
func (e *PartialError) Is(target error) bool { return target == ErrPartial }

// InvalidError is a rejected input field with the reason. It errors.Is ErrInvalid.
type InvalidError struct {
	Field  string // JSON name of the field, or name of the parameter
	Reason string // continues the sentence that Field starts: "is required"
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

// Is reports whether target is ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// TransitionError is a transition that is not allowed. It errors.Is
// ErrInvalidTransition.
type TransitionError struct{ From, To Status }

func (e *TransitionError) Error() string {
	allowed := allowedTransitions(e.From)
	if len(allowed) == 0 {
		return fmt.Sprintf("%s from %q to %q: %q has no transitions", ErrInvalidTransition, e.From, e.To, e.From)
	}
	names := make([]string, len(allowed))
	for i, s := range allowed {
		names[i] = string(s)
	}
	return fmt.Sprintf("%s from %q to %q: %s may become %s", ErrInvalidTransition, e.From, e.To, e.From, strings.Join(names, " or "))
}

// Is reports whether target is ErrInvalidTransition.
func (e *TransitionError) Is(target error) bool { return target == ErrInvalidTransition }

// Precondition is a property of a record that a compare-and-swap compares.
type Precondition string

// The preconditions.
const (
	PreconditionStatus      Precondition = "status"
	PreconditionContainerID Precondition = "container_id"
	PreconditionRevision    Precondition = "revision"
)

// ConflictError is a failed precondition of a write, with the current record. The store
// compared it in the write's transaction, never with a cached record. It errors.Is
// ErrConflict.
type ConflictError struct {
	GameID       string
	Precondition Precondition
	Expected     string
	Actual       string
	// Current is the current record, and Revision the revision of its last change. Both
	// are zero if PreconditionRevision failed for a game without a record. For a write
	// of an intent, Current is zero and Revision is that of the intent, 0 for none.
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
	return fmt.Sprintf("expected %s %q, found %q (current record: %s, last changed at revision %d)",
		e.Precondition, e.Expected, e.Actual, e.Current.Status, e.Revision)
}

// Is reports whether target is ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// CorruptError is a key whose value this version cannot use: it is not JSON, has a newer
// schema, or violates an invariant of the store. The store never overwrites such a key.
// It errors.Is ErrCorrupt.
type CorruptError struct {
	Key    string // full key in the store
	GameID string // empty if the key does not name a game
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("key %q: %s", e.Key, e.Reason)
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// NewRevisionConflict returns the conflict of a write that expected the game's record at
// one revision while current is the actual one. The zero VersionedRecord means that
// there is no record.
func NewRevisionConflict(gameID string, expected int64, current VersionedRecord) *ConflictError {
	return &ConflictError{
		GameID: gameID, Precondition: PreconditionRevision,
		Expected: strconv.FormatInt(expected, 10), Actual: strconv.FormatInt(current.Revision, 10),
		Current: current.Record, Revision: current.Revision,
	}
}
