package secret

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Limits of the games of a secret.
const (
	maxGames        = 64
	maxPatternBytes = 256
)

// Permits reports whether the game may use the secret: if the secret has no patterns, or one
// of them is the game id, or a prefix of it that ends with *.
func (m Metadata) Permits(gameID string) bool {
	return len(m.Games) == 0 || slices.ContainsFunc(m.Games, func(pattern string) bool {
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		return isPrefix && strings.HasPrefix(gameID, prefix) || pattern == gameID
	})
}

// validateGames returns nil if a secret with the name can have the patterns, and otherwise a
// *runtime.InvalidError on "games".
func validateGames(name string, patterns []string) error {
	invalid := func(format string, args ...any) error {
		return &runtime.InvalidError{Field: "games", Reason: fmt.Sprintf(format, args...)}
	}
	_, isRegistry := RegistryOf(name)
	switch {
	case len(patterns) > 0 && (isRegistry || strings.HasPrefix(name, gamePrefix)):
		return invalid("cannot be set for %.64q, which has a reserved name", name)
	case len(patterns) > maxGames:
		return invalid("are %d patterns; at most %d are allowed", len(patterns), maxGames)
	}
	for _, pattern := range patterns {
		isText := utf8.ValidString(pattern) && !strings.ContainsFunc(pattern, unicode.IsControl)
		if !isText || pattern == "" || len(pattern) > maxPatternBytes || strings.Contains(strings.TrimSuffix(pattern, "*"), "*") {
			return invalid("contain %.64q, which is neither a game id nor a prefix with * at its end, such as chess-*", pattern)
		}
	}
	return nil
}

// PutInput is a write of a secret.
type PutInput struct {
	Name string
	// Values replace all values of the secret.
	Values Values
	// Games are the patterns of the games that may use the secret; see Metadata.Permits. Nil
	// keeps those that the secret has.
	Games []string
	// Actor is the author of the write; it may be empty.
	Actor string
}

// Validate returns nil if the input can be written, and otherwise *runtime.InvalidError values.
func (in PutInput) Validate() error {
	if err := ValidateName(in.Name); err != nil {
		return err
	}
	if err := validateGames(in.Name, in.Games); err != nil {
		return err
	}
	return in.Values.Validate()
}
