package secret

import (
	"fmt"
	"regexp"
	"strings"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Prefixes of reserved names.
const (
	gamePrefix     = "game."
	registryPrefix = "registry."
)

// Keys of a secret with the credentials of a registry.
const (
	RegistryUser     = "USERNAME"
	RegistryPassword = "PASSWORD"
)

// MaxReferences is the number of secrets that a game may reference.
const MaxReferences = 32

var (
	namePattern     = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,126}[a-z0-9])?$`)
	registryPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]{2,39}\])(:[0-9]{1,5})?$`)
)

// OfGame returns the name of the secret that belongs to one game.
func OfGame(gameID string) string { return gamePrefix + gameID }

// OfRegistry returns the name of the secret with the credentials of an image registry. The
// host may have a port.
func OfRegistry(host string) string { return registryPrefix + host }

// RegistryOf returns the registry host of a name of OfRegistry, and false for another name.
func RegistryOf(name string) (host string, isRegistry bool) {
	return strings.CutPrefix(name, registryPrefix)
}

// ValidateName returns nil for the name of a secret, and otherwise a *runtime.InvalidError
// on "name".
func ValidateName(name string) error {
	invalid := func(format string, args ...any) error {
		return &runtime.InvalidError{Field: "name", Reason: fmt.Sprintf(format, args...)}
	}
	if gameID, isGame := strings.CutPrefix(name, gamePrefix); isGame {
		if err := runtime.ValidateGameID(gameID); err != nil {
			return invalid("%.64q does not end in a game id: %v", name, err)
		}
		return nil
	}
	if host, isRegistry := RegistryOf(name); isRegistry {
		if !registryPattern.MatchString(host) {
			return invalid("%.64q does not end in the host of a registry, such as registry.example.com:5000", name)
		}
		return nil
	}
	if !namePattern.MatchString(name) {
		return invalid("%.64q is not the name of a secret; use 1 to 128 lower-case letters, digits, dots, - and _, such as game-db", name)
	}
	return nil
}

// ValidateReference returns nil if a game may reference the secret, and otherwise a
// *runtime.InvalidError on "secrets". An empty gameID means any game.
func ValidateReference(gameID, name string) error {
	invalid := func(reason string) error {
		return &runtime.InvalidError{Field: "secrets", Reason: fmt.Sprintf("contain %.64q, %s", name, reason)}
	}
	owner, isGame := strings.CutPrefix(name, gamePrefix)
	_, isRegistry := RegistryOf(name)
	switch {
	case ValidateName(name) != nil:
		return invalid("which is not the name of a secret")
	case isRegistry:
		return invalid("the credentials of a registry; a game cannot use them")
	case isGame && gameID != "" && owner != gameID:
		return invalid("which belongs to another game")
	}
	return nil
}
