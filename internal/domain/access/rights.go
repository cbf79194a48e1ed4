package access

import (
	"slices"
	"strings"
)

// Rights is the union of the grants of one identity. The zero Rights allows nothing.
type Rights struct{ grants []Grant }

// AllRights returns the rights of a caller that is not restricted: those of an administrator.
func AllRights() Rights { return Rights{grants: []Grant{{Role: RoleAdmin}}} }

// RightsOf returns the union of the grants. One grant of RoleNone denies everything.
func RightsOf(grants []Grant) Rights {
	if slices.ContainsFunc(grants, func(g Grant) bool { return g.Role == RoleNone }) {
		return Rights{}
	}
	return Rights{grants: grants}
}

// Grants returns the grants. The caller must not change them.
func (r Rights) Grants() []Grant { return r.grants }

// String returns the text of all grants, in their order. Equal rights have equal texts.
func (r Rights) String() string {
	texts := make([]string, len(r.grants))
	for i, g := range r.grants {
		texts[i] = g.String()
	}
	return strings.Join(texts, " ")
}

// has reports whether one grant has the permission and a scope that matches.
func (r Rights) has(permission Permission, matches func(Scope) bool) bool {
	return slices.ContainsFunc(r.grants, func(g Grant) bool { return g.Role.Has(permission) && matches(g.Scope) })
}

// Allows reports whether the permission is granted for the game of the region with any labels: a
// grant that is limited to labels does not count, unless ForLabels has removed the limit.
func (r Rights) Allows(permission Permission, region, gameID string) bool {
	return r.has(permission, func(s Scope) bool { return s.HasRegion(region) && s.HasGame(gameID) && s.Labels == nil })
}

// AllowsSome reports whether the permission is granted for any game.
func (r Rights) AllowsSome(permission Permission) bool {
	return r.has(permission, func(Scope) bool { return true })
}

// AllowsAll reports whether the permission is granted for every game.
func (r Rights) AllowsAll(permission Permission) bool { return r.has(permission, Scope.IsUnrestricted) }

// AllowsGame reports whether the permission is granted for the game in some region and with some
// labels, and whether it is granted in every region and with any labels.
func (r Rights) AllowsGame(permission Permission, gameID string) (inSome, inEvery bool) {
	inSome = r.has(permission, func(s Scope) bool { return s.HasGame(gameID) })
	inEvery = r.has(permission, func(s Scope) bool { return len(s.Regions) == 0 && s.HasGame(gameID) && s.Labels == nil })
	return inSome, inEvery
}

// AllowsRegion reports whether the permission is granted for some game of the region, and
// whether it is granted for every game of it.
func (r Rights) AllowsRegion(permission Permission, region string) (forSome, forEvery bool) {
	forSome = r.has(permission, func(s Scope) bool { return s.HasRegion(region) })
	forEvery = r.has(permission, func(s Scope) bool { return s.HasRegion(region) && len(s.Games) == 0 && s.Labels == nil })
	return forSome, forEvery
}

// Visibility returns the games that the permission is granted for, nil for every game.
func (r Rights) Visibility(permission Permission) *Visibility {
	if r.AllowsAll(permission) {
		return nil
	}
	visibility := &Visibility{}
	for _, g := range r.grants {
		if g.Role.Has(permission) {
			visibility.scopes = append(visibility.scopes, g.Scope)
		}
	}
	return visibility
}

// Visibility selects the games of a list or a watch. A nil Visibility selects every game.
type Visibility struct{ scopes []Scope }

// Contains reports whether the game of the region is selected, with any labels.
func (v *Visibility) Contains(region, gameID string) bool {
	return v.ContainsLabeled(region, gameID, nil)
}

// ContainsLabeled reports whether the game of the region with the labels is selected.
func (v *Visibility) ContainsLabeled(region, gameID string, labels map[string]string) bool {
	return v == nil || slices.ContainsFunc(v.scopes, func(s Scope) bool {
		return s.HasRegion(region) && s.HasGame(gameID) && s.Labels.Match(labels)
	})
}

// ContainsGame reports whether the game is selected in some region and with some labels.
func (v *Visibility) ContainsGame(gameID string) bool {
	return v == nil || slices.ContainsFunc(v.scopes, func(s Scope) bool { return s.HasGame(gameID) })
}
