package secret

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of secrets. None contains a value.
var (
	// ErrNotFound is returned for a secret that does not exist.
	ErrNotFound = errors.New("no such secret")
	// ErrNoKeys is returned by a daemon without key-encryption keys.
	ErrNoKeys = errors.New("this daemon has no key for secrets")
	// ErrUnreadable is returned for a secret that the daemon's keys do not decrypt.
	ErrUnreadable = errors.New("secret cannot be decrypted")
	// ErrConflict is returned by a store if the secret has changed since it was read.
	ErrConflict = errors.New("secret has changed")
	// ErrInUse is returned for the deletion of a secret that a game references.
	ErrInUse = errors.New("secret is in use")
	// ErrUnresolved is returned for a game whose secrets cannot be provided.
	ErrUnresolved = errors.New("the secrets of the game cannot be provided")
)

// NotFoundError is the error of a secret that does not exist. It matches ErrNotFound.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("secret %q does not exist", e.Name) }

// Is reports whether target is ErrNotFound.
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

// KeysError is the error of keys that a daemon cannot load. It contains no key, and matches
// ErrNoKeys.
type KeysError struct{ Err error }

func (e *KeysError) Error() string { return e.Err.Error() }
func (e *KeysError) Unwrap() error { return e.Err }

// Is reports whether target is ErrNoKeys.
func (e *KeysError) Is(target error) bool { return target == ErrNoKeys }

// InUseError is the error of a deletion. It matches ErrInUse.
type InUseError struct {
	Name  string
	Games []string // some of the games that reference the secret
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("secret %q is used by %s; start these games without it first, or force the deletion", e.Name, strings.Join(e.Games, ", "))
}

// Is reports whether target is ErrInUse.
func (e *InUseError) Is(target error) bool { return target == ErrInUse }
