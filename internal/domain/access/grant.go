package access

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Grant gives a role within a scope.
type Grant struct {
	Role Role `json:"role" enum:"reader,operator,executor,admin,none" doc:"The role"`
	Scope
}

// String returns the text form that ParseGrant parses.
func (g Grant) String() string {
	text := string(g.Role)
	if g.Labels != nil {
		text += "/" + g.Labels.String()
	}
	if len(g.Regions) > 0 {
		text += "@" + strings.Join(g.Regions, ",")
	}
	if len(g.Games) > 0 {
		text += ":" + strings.Join(g.Games, ",")
	}
	return text
}

// ParseGrant parses ROLE[/LABEL=VALUE,…][@REGION,…][:GAMES,…], such as operator/env=prod@eu,us:chess-*.
// A region and a pattern in this form have no comma, and a region has no colon. The error names
// what is wrong.
func ParseGrant(text string) (Grant, error) {
	role, games, hasGames := strings.Cut(text, ":")
	role, regions, hasRegions := strings.Cut(role, "@")
	role, labels, hasLabels := strings.Cut(role, "/")
	parsed, err := ParseRole(role)
	if err != nil {
		return Grant{}, err
	}
	grant := Grant{Role: parsed}
	if hasLabels {
		if grant.Labels, err = ParseLabels(labels); err != nil {
			return Grant{}, err
		}
		if grant.Labels == nil {
			return Grant{}, fmt.Errorf("%.64q has a / without labels", text)
		}
	}
	if hasRegions {
		grant.Regions = strings.Split(regions, ",")
	}
	if hasGames {
		grant.Games = strings.Split(games, ",")
	}
	if err := grant.Validate(); err != nil {
		return Grant{}, fmt.Errorf("%.64q is not ROLE[/LABEL=VALUE,…][@REGION,…][:GAMES,…]: %w", text, err)
	}
	return grant, nil
}

// Validate returns an error that names what is invalid.
func (g Grant) Validate() error {
	if _, err := ParseRole(string(g.Role)); err != nil {
		return err
	}
	if g.Role == RoleNone && !g.IsUnrestricted() {
		return errors.New("the role none has no scope: it denies everything")
	}
	return g.Scope.Validate()
}

// isPrintable reports whether the text is valid UTF-8 of printable characters.
func isPrintable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
