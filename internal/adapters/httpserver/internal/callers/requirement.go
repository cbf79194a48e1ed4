package callers

import "galaxy/rtmanager/internal/domain/access"

// Requirement is what a caller needs for a route.
type Requirement struct {
	// Permission is the permission; empty for a route of RequireNothing or RequireIdentity.
	Permission access.Permission
	Kind       RequirementKind
}

// RequirementKind is the games for which a caller needs the permission of a route.
type RequirementKind int

// The kinds. The zero kind is the strictest: a route without a row in requirements.
const (
	// RequireAll: the permission for every game.
	RequireAll RequirementKind = iota
	// RequireGame: the permission for the game of the path, in its region.
	RequireGame
	// RequireSome: the permission for any game. The handler restricts the request to the
	// games of the caller.
	RequireSome
	// RequireIdentity: any identity.
	RequireIdentity
	// RequireNothing: no identity.
	RequireNothing
)
