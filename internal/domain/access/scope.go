package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Scope selects games by region, id and labels. The zero Scope contains every game.
type Scope struct {
	// Regions are the regions; empty means every region.
	Regions []string `json:"regions,omitempty" nullable:"false" doc:"The regions; absent means every region"`
	// Games are patterns of game ids: a prefix followed by *, or a whole id. Empty means
	// every game.
	Games []string `json:"games,omitempty" nullable:"false" doc:"Patterns of game ids: a prefix with * at the end, or a whole id; absent means every game"`
	// Labels are labels that a game must have; nil means that it needs none.
	Labels Labels `json:"labels,omitempty" nullable:"false" doc:"Labels that a game must have, all of them; absent means that it needs none"`
}

// IsUnrestricted reports whether the scope contains every game.
func (s Scope) IsUnrestricted() bool {
	return len(s.Regions) == 0 && len(s.Games) == 0 && s.Labels == nil
}

// HasRegion reports whether the scope has games of the region, with some labels.
func (s Scope) HasRegion(region string) bool {
	return len(s.Regions) == 0 || slices.Contains(s.Regions, region)
}

// HasGame reports whether the scope has the game, in some region and with some labels.
func (s Scope) HasGame(gameID string) bool {
	return len(s.Games) == 0 || slices.ContainsFunc(s.Games, func(pattern string) bool { return matchesGame(pattern, gameID) })
}

func matchesGame(pattern, gameID string) bool {
	prefix, isPrefix := strings.CutSuffix(pattern, "*")
	return isPrefix && strings.HasPrefix(gameID, prefix) || pattern == gameID
}

// Limits of a scope.
const (
	maxScopeEntries = 64
	maxNameBytes    = 256
)

// Validate returns an error that names what is invalid. An empty list that is not nil is one: a client
// that has computed no regions must not get every region.
func (s Scope) Validate() error {
	if s.Regions != nil && len(s.Regions) == 0 || s.Games != nil && len(s.Games) == 0 {
		return errors.New("a scope has an empty list; omit regions or games to allow all")
	}
	if len(s.Regions) > maxScopeEntries || len(s.Games) > maxScopeEntries {
		return fmt.Errorf("a scope has at most %d regions and %d patterns of games", maxScopeEntries, maxScopeEntries)
	}
	if err := s.Labels.validate(); err != nil {
		return err
	}
	for _, name := range slices.Concat(s.Regions, s.Games) {
		if err := validateName(name); err != nil {
			return fmt.Errorf("%.64q in the scope %w", name, err)
		}
	}
	return nil
}

// validateName returns an error if the text cannot name a region, a subject or a pattern.
func validateName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return errors.New("is empty")
	case len(name) > maxNameBytes:
		return fmt.Errorf("has %d bytes; at most %d are allowed", len(name), maxNameBytes)
	case !isPrintable(name):
		return errors.New("has characters that are not printable")
	}
	return nil
}
