package runtime

import (
	"errors"
	"fmt"
	"strings"
	"time"
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

	// ErrEngineUnavailable: the engine did not answer, or not in words that make
	// sense. What its containers do is unknown, which is never the same as stopped.
	ErrEngineUnavailable = errors.New("engine is unavailable")
	// ErrNoContainer: the engine says that it has no container of this id.
	ErrNoContainer = errors.New("no such container")
	// ErrContainerExists: a container of this name is there, made by another operation.
	ErrContainerExists = errors.New("container of this name exists")
	// ErrNoImage: the engine has no such image and cannot get it.
	ErrNoImage = errors.New("no such image")
	// ErrBusy: another operation on the game is in progress; see BusyError.
	ErrBusy = errors.New("game has an operation in progress")
	// ErrRefused: the operation does not fit what the game is now; see RefusedError.
	ErrRefused = errors.New("operation does not fit the game's state")
	// ErrStartFailed: the container did not come up: it exited at once, or was not
	// healthy in time. What had been there before has been put back.
	ErrStartFailed = errors.New("container did not come up")
	// ErrNodeUnreachable: the node that the game lives on, or should, is not there.
	ErrNodeUnreachable = errors.New("node is not reachable")
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
	return fmt.Sprintf("key %q: %s; see `rtmanager fsck`", e.Key, e.Reason)
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// BusyError says which operation is in the way. It errors.Is ErrBusy.
type BusyError struct {
	GameID      string
	OperationID string
	Kind        string // start, stop, …
	Step        string // what it is doing
	Holder      string // REGION/NODE that carries it out
	Actor       string // who asked for it; may be empty
	Since       time.Time
}

func (e *BusyError) Error() string {
	text := fmt.Sprintf("%s: %s %s (%s) on %s since %s", ErrBusy, e.Kind, e.OperationID, e.Step, e.Holder, e.Since.UTC().Format(time.RFC3339))
	if e.Actor != "" {
		text += ", asked for by " + e.Actor
	}
	return text
}

// Is reports whether target is ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// RefusedError is an operation that does not fit what the game is. It errors.Is
// ErrRefused.
type RefusedError struct {
	GameID    string
	Operation string
	Status    Status // empty where the status is not the reason
	Reason    string // what is in the way, and what to do
}

func (e *RefusedError) Error() string { return e.Operation + " refused: " + e.Reason }

// Is reports whether target is ErrRefused.
func (e *RefusedError) Is(target error) bool { return target == ErrRefused }
