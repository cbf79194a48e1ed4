package federation

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of other stores.
var (
	// ErrUnknownStore: the daemon federates no store of that name.
	ErrUnknownStore = errors.New("no such store")
	// ErrUnusable: the store cannot be used; see UnusableError.
	ErrUnusable = errors.New("store cannot be used")
)

// UnknownStoreError names the stores that exist. It errors.Is ErrUnknownStore.
type UnknownStoreError struct {
	Store string
	Names []string // of the stores that exist
}

func (e *UnknownStoreError) Error() string {
	exist := "this daemon federates none; name them with its setting federate"
	if len(e.Names) > 0 {
		exist = "this daemon knows " + strings.Join(e.Names, ", ")
	}
	return fmt.Sprintf("%s: %q; %s", ErrUnknownStore, e.Store, exist)
}

// Is reports whether target is ErrUnknownStore.
func (e *UnknownStoreError) Is(target error) bool { return target == ErrUnknownStore }

// UnusableError names the store that cannot be used, and why. It errors.Is ErrUnusable.
type UnusableError struct {
	Store  string
	State  State
	Reason string // continues a sentence that the name of the store starts
	// MayHaveArrived reports that a daemon of the store may have received the request.
	MayHaveArrived bool
}

func (e *UnusableError) Error() string { return fmt.Sprintf("store %s %s", e.Store, e.Reason) }

// Is reports whether target is ErrUnusable.
func (e *UnusableError) Is(target error) bool { return target == ErrUnusable }
